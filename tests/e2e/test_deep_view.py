"""A scene looked into with a real browser: squares of full resolution, keyboard, full screen, boxes in the zoom."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from django.db import connection
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from imagery.models import Asset, Scene
from imagery.thumbnails import overview_and_thumbnail
from tests.e2e.browser import Visitor, chromium
from tests.factories import PASSWORD, make_collection, make_user
from tests.images import geotiff, gradient
from tests.rasters import raster_scene

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
_WIDE, _HIGH = 4800, 2400


@pytest.fixture
def deep(transactional_db: None, tmp_path: Path, media_folder: Path) -> Scene:
    """A scene of 4,800 x 2,400 pixels of 10 m that Emma may see."""
    rgb = gradient(_WIDE, _HIGH)
    path = geotiff(
        tmp_path / "wide.tif", np.moveaxis(rgb, -1, 0), transform=Affine(10, 0, 435730, 0, -10, 4179460), tiled=True
    )
    scene = raster_scene(make_collection("bays", owner=make_user("emma", password=PASSWORD)), path, title="Wide")
    for key, drawn in zip(("overview", "thumbnail"), overview_and_thumbnail(rgb), strict=True):
        (media_folder / f"{key}.webp").write_bytes(drawn.content)
        Asset.objects.create(
            scene=scene, key=key, role=key, path=f"{key}.webp", filename=f"{key}.webp", media_type="image/webp",
            size=len(drawn.content), sha256=f"{key:0<64}", width=drawn.width, height=drawn.height,
        )  # fmt: skip
    return scene


@pytest.fixture
def plain_static_files(settings: Any) -> None:
    """Static files by their plain names, from where they lie: nothing need be collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def browser(plain_static_files: None, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A Chromium beside a server in a thread of this process."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with chromium() as running:
        yield running
        connection.close()


def test_a_scene_is_looked_into_and_a_part_of_the_zoom_searched_with(
    deep: Scene, live_server: LiveServer, browser: Browser
) -> None:
    emma = Visitor(browser, live_server.url, reduced_motion="reduce")  # Else keys are lost while the zoom moves.
    emma.log_in("emma", PASSWORD)
    page = emma.page
    page.goto(f"{reverse('imagery:scene', args=[deep.pk])}?window=4096,0,512,512")
    view = page.locator(".deep")
    expect(page.locator(".view__stage--deep")).to_be_visible()
    expect(view.locator(".deep__scale")).to_contain_text("km")
    expect(view.locator(".match__line")).to_have_count(1)
    assert view.locator(".leaflet-tile").count() == 0, "all of it is shown by the full view"
    emma.check_page("the scene page with its deep view")

    view.focus()
    with page.expect_response("**/deepzoom/13/**") as answer:
        for _ in range(4):
            page.keyboard.press("+")
    assert answer.value.ok
    expect(view.locator(".leaflet-tile-loaded").first).to_be_visible()
    expect(view.locator(".deep__scale")).not_to_contain_text("km")
    expect(view.locator(".deep__readout")).to_contain_text("column")

    # In the middle of the view lies the middle of the scene, and a box there is that much smaller than on all of it.
    page.get_by_text("Search with a part of it").click()
    pane = page.locator("[data-pane]").bounding_box()
    assert pane is not None
    middle = (pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1] + 50, steps=4)
    page.mouse.up()
    fields = [page.locator(f"[data-part] [name={name}]") for name in ("x", "y", "width", "height")]
    x, y, width, height = (int(field.input_value()) for field in fields)
    assert abs(x - _WIDE / 2) <= 8 and abs(y - _HIGH / 2) <= 8, (x, y)
    assert 0 < width < 100 * _WIDE / pane["width"] / 8
    assert abs(width - 2 * height) <= 2
    page.get_by_text("Search with a part of it").click()

    page.get_by_role("button", name="Full screen").click()
    expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    page.get_by_role("button", name="Leave full screen").click()
    expect(page.get_by_role("button", name="Full screen", exact=True)).to_be_visible()
    emma.assert_content()


def test_the_picture_is_there_without_javascript(deep: Scene, live_server: LiveServer, browser: Browser) -> None:
    emma = Visitor(browser, live_server.url, java_script_enabled=False)
    emma.log_in("emma", PASSWORD)
    page = emma.page
    page.goto(f"{reverse('imagery:scene', args=[deep.pk])}?window=4096,0,512,512")
    expect(page.get_by_alt_text("Full view of Wide")).to_be_visible()
    expect(page.locator("svg.match")).to_have_count(1)
    shot = np.asarray(Image.open(io.BytesIO(page.locator(".view__stage").screenshot())).convert("RGB"))
    assert shot[:, -20:, 0].mean() > shot[:, 20:40, 0].mean() + 100, "red grows to the right"
    emma.assert_content()
