"""Drawing with mouse and finger: what is drawn is searched with, can be changed, taken back, or given as a file."""

import re

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from imagery.models import Collection
from search.models import ExampleVector, Query, QueryImage
from tests.drawings import house, png
from tests.e2e.browser import PHONE, Visitor
from tests.e2e.conftest import Portal
from tests.factories import PASSWORD, make_scene

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(600)]

_FIRST_SEARCH_MS = 120_000  # it loads the model
_DARK = """page => {
    const copy = new OffscreenCanvas(448, 448).getContext("2d", {willReadFrequently: true})
    copy.drawImage(page, 0, 0)
    return copy.getImageData(0, 0, 448, 448).data.filter((value, place) => place % 4 == 0 && value < 99).length
}"""


def draw(page: Page, *points: tuple[float, float]) -> None:
    """Draw a line through points given as shares of the paper."""
    box = page.locator("[data-paper]").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def ink(page: Page) -> int:
    """Return how many pixels of the paper are dark."""
    return int(page.locator("[data-paper]").evaluate(_DARK))


def test_sketches_by_mouse_finger_and_file(portal: Portal, browser: Browser) -> None:
    for number in range(3):
        make_scene(Collection.objects.get(slug="bays"), title=f"Bay {number}", files=True)
    emma = Visitor(browser, portal.url)
    emma.log_in("emma", PASSWORD)
    page = emma.page
    page.get_by_text("Search with a sketch").click()
    emma.check_page("the paper to draw on")
    go, undo = page.get_by_role("button", name="Search with this sketch"), page.get_by_role("button", name="Undo")
    expect(go).to_be_disabled()
    draw(page, (0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2))
    square = ink(page)
    assert square > 3_000
    draw(page, (0.3, 0.3), (0.7, 0.7))
    assert ink(page) > square
    undo.click()
    assert ink(page) == square
    page.get_by_role("button", name="Eraser").click()
    draw(page, (0.2, 0.5), (0.2, 0.6))
    assert 0 < ink(page) < square
    page.keyboard.press("Control+z")
    assert ink(page) == square

    go.click()
    page.wait_for_url(re.compile(r"like=sketch(%3A|:)[0-9a-f-]{36}"), timeout=_FIRST_SEARCH_MS)
    expect(page.locator("[data-hit]")).to_have_count(3, timeout=_FIRST_SEARCH_MS)
    first = QueryImage.objects.get()
    assert (first.kind, first.width) == ("sketch", 448)
    assert ExampleVector.objects.filter(image=first).count() == 1
    assert [each["kind"] for each in Query.objects.get().examples] == ["sketch"]
    emma.check_page("the results of a sketch")

    # The sketch is still there; changed, it takes the place of the one before.
    page.get_by_text("Search with a sketch").click()
    assert ink(page) == square
    draw(page, (0.3, 0.3), (0.7, 0.7))
    go.click()
    page.wait_for_url(lambda url: "like=sketch" in url and str(first.pk) not in url)
    expect(page.locator("[data-hit]")).to_have_count(3)
    assert QueryImage.objects.count() == 2

    page.get_by_text("Search with a sketch").click()
    page.get_by_role("button", name="Clear").click()
    assert ink(page) == 0
    expect(go).to_be_disabled()
    emma.assert_content()

    phone = Visitor(browser, portal.url, viewport=PHONE, has_touch=True, color_scheme="dark")
    phone.log_in("emma", PASSWORD)
    page = phone.page
    page.get_by_text("Search with a sketch").tap()
    phone.check_access("the paper in the dark on a phone")
    page.locator("[data-paper]").tap()
    assert ink(page) > 5
    phone.assert_content()

    plain = Visitor(browser, portal.url, java_script_enabled=False)
    plain.log_in("emma", PASSWORD)
    plain.page.get_by_text("Search with a sketch").click()
    expect(plain.page.locator("[data-desk]")).to_be_hidden()
    drawing: FilePayload = {"name": "house.png", "mimeType": "image/png", "buffer": png(house())}
    plain.page.get_by_label("Or give a drawing as a file").set_input_files(drawing)
    plain.page.locator(".sketch__file").get_by_role("button", name="Search with it").click()
    expect(plain.page.locator("[data-hit]")).to_have_count(3)
    assert QueryImage.objects.filter(name="house.png").exists()
    plain.assert_content()
