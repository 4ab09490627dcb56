"""Where to search, drawn on a map with the mouse or pasted: the very filters that can be typed."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from imagery.models import Collection
from tests.e2e.browser import Visitor
from tests.e2e.conftest import Portal
from tests.factories import PASSWORD, make_scene

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(600)]


def test_a_place_is_drawn_pasted_and_taken_away(portal: Portal, browser: Browser) -> None:
    bays = Collection.objects.get(slug="bays")
    make_scene(bays, title="Here", bbox=(10, 50, 11, 51), files=True)
    make_scene(bays, title="There", bbox=(100, -30, 101, -29), files=True)
    emma = Visitor(browser, portal.url)
    emma.log_in("emma", PASSWORD)
    page = emma.page
    page.goto("/?q=harbour")
    place = page.locator("details.rail__group", has=page.locator("#bbox"))
    place.locator("summary").first.click()
    page.get_by_role("button", name="Draw on a map").click()
    dialog = page.get_by_role("dialog", name="A place on the map")
    expect(dialog.locator(".leaflet-control-scale-line")).to_be_visible()
    emma.check_page("the map to draw on")
    frame = dialog.locator("[data-map]").bounding_box()
    assert frame is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]

    use = dialog.get_by_role("button", name="Search here")
    expect(use).to_be_disabled()
    page.mouse.move(*at(0.2, 0.2))
    page.mouse.down()
    page.mouse.move(*at(0.9, 0.9), steps=4)
    page.mouse.up()
    expect(use).to_be_enabled()
    dialog.get_by_role("button", name="Area").click()
    for corner in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)):
        page.mouse.click(*at(*corner))
    use.click()
    page.wait_for_url(re.compile("intersects="))
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["q"] == ["harbour"] and "bbox" not in asked, "an area takes the place of a box"
    expect(page.get_by_text("Only scenes that meet the area")).to_be_visible()

    page.get_by_text("Paste or open GeoJSON").click()
    area = page.get_by_label("GeoJSON of an area")
    area.fill('{"type":"Polygon","coordinates":[[[9,49],[12,49],[12,52],[9,49]]]}')
    page.get_by_role("button", name="Use this area").click()
    expect(page.locator("[data-hit] .hit__title")).to_have_text(["Here"])
    page.get_by_text("Paste or open GeoJSON").click()
    area.fill("nowhere")
    page.get_by_role("button", name="Use this area").click()
    expect(page.get_by_text("intersects is no GeoJSON")).to_be_visible()
    page.get_by_role("link", name="Clear the area").click()
    page.wait_for_url(re.compile("^(?!.*intersects)"))
    emma.assert_content()
