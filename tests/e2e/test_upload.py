"""The upload page in a real browser, with the stock tus-js-client against the real web server."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from playwright.sync_api import Browser, Locator, Page, expect

from imagery.models import Asset, IngestJob, Scene, Upload
from tests.e2e.browser import Visitor, chromium, chromium_path
from tests.factories import PASSWORD, make_collection, make_user, picture
from tests.imagery.zips import add, zip_of
from tests.images import geotiff, gradient
from tests.processes import wait_for
from tests.web_server import WebServer, running_web_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]
_MIB = 1024 * 1024


@pytest.fixture
def server(tmp_path: Path, transactional_db: None) -> Iterator[WebServer]:
    chromium_path()  # Without a browser there is no need to start all this.
    make_collection("bays", title="Bays", owner=make_user("emma", password=PASSWORD))
    with running_web_server(tmp_path, static=True) as running:
        yield running


@pytest.fixture
def browser(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with chromium() as running:
        yield running
        connection.close()


@pytest.fixture
def emma(browser: Browser, server: WebServer) -> Visitor:
    visitor = Visitor(browser, server.url)
    visitor.log_in("emma", PASSWORD)
    visitor.page.goto("/upload/")
    return visitor


def row(page: Page, name: str) -> Locator:
    return page.locator(".uploads__item", has_text=name)


def choose(page: Page, *files: Path) -> None:
    page.locator("#id_images").set_input_files(list(files))


def test_files_folders_groups_archives_and_refusals(emma: Visitor, tmp_path: Path) -> None:
    page = emma.page
    folder = tmp_path / "trip"
    for number in (4, 3, 2):
        geotiff(folder / "deep" / f"S2_B0{number}.tif", np.moveaxis(gradient(seed=number), -1, 0)[:1])
    (folder / "city.png").write_bytes(picture(1))
    (folder / "city.pgw").write_text("10\n0\n0\n-10\n500000\n4000000\n")
    (folder / "readme.txt").write_text("nothing to see")
    archive = zip_of(tmp_path / "more.zip", {"a.png": picture(2), "b/c.png": picture(3), "bad.png": b"no"})
    add(archive, "../out.png", picture(4))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")

    with page.expect_file_chooser() as opening:
        page.get_by_role("button", name="Choose a folder").click()
    opening.value.set_files(folder)
    expect(page.locator(".uploads__item")).to_have_count(5)
    choose(page, archive, broken)
    summary = page.locator("[data-summary]")
    expect(summary).to_contain_text("All sent")
    expect(summary).to_contain_text("6 accepted, 0 already there, 1 refused")
    expect(summary).to_contain_text("no imagery: 1")
    expect(row(page, "S2_B02.tif")).to_contain_text("part of S2")
    expect(row(page, "more.zip")).to_contain_text("2 accepted, 0 already there, 2 refused")
    expect(row(page, "more.zip")).to_contain_text("out.png: Its name leads out of the archive")
    expect(row(page, "broken.png")).to_contain_text("not an image")
    emma.check_page("the upload page with its results")
    assert sorted(Scene.objects.values_list("title", flat=True)) == ["S2", "a", "c", "city"]
    assert Asset.objects.filter(scene__title="S2", role=Asset.Role.DATA).count() == 3
    assert Asset.objects.filter(scene__title="city", key="worldfile").exists()
    choose(page, folder / "city.png", folder / "city.pgw")
    expect(row(page, "city.png").last).to_contain_text("already there")
    page.get_by_role("link", name="Follow the encoding").click()
    expect(page.locator("body")).to_contain_text("more.zip: ../out.png")
    emma.assert_content()


def test_an_upload_goes_on_after_a_pause_a_killed_server_and_a_reload(
    emma: Visitor, server: WebServer, tmp_path: Path
) -> None:
    page = emma.page
    large = tmp_path / "large.png"
    large.write_bytes(picture(1) + os.urandom(96 * _MIB))
    _slow(page)
    choose(page, large)
    upload = wait_for(lambda: Upload.objects.filter(offset__gt=0).first(), seconds=120, what="the first bytes")
    assert upload is not None
    row(page, "large.png").get_by_role("button", name="Pause").click()
    expect(row(page, "large.png")).to_contain_text("paused")
    emma.check_page("the upload page with a paused upload")
    page.get_by_role("button", name="Go on").first.click()
    expect(row(page, "large.png")).to_contain_text("sending")
    server.kill()
    server.start()
    before = Upload.objects.get(pk=upload.pk).offset
    wait_for(lambda: Upload.objects.get(pk=upload.pk).offset > before, seconds=120, what="more bytes after the kill")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text("Unfinished uploads")).to_be_visible()
    expect(page.locator(f'[data-upload-id="{upload.pk}"]')).to_contain_text("large.png")
    emma.check_page("the upload page with an unfinished upload")
    _slow(page, on=False)
    choose(page, large)
    expect(row(page, "large.png").first).to_contain_text("accepted")
    expect(page.get_by_text("Unfinished uploads")).to_be_hidden()
    assert Upload.objects.get().pk == upload.pk, "it began anew"
    assert IngestJob.objects.get().scene_id
    assert Asset.objects.get(role=Asset.Role.DATA).size == large.stat().st_size


def _slow(page: Page, *, on: bool = True) -> None:
    """Let the browser send no faster than a slow line."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    rate = 12 * _MIB if on else -1
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate},
    )
