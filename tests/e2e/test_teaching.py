"""Teaching the search at a browser: judging hits by keyboard, and examples that are dragged, pasted and drawn."""

import base64
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from imagery.models import Collection
from search.models import Event
from tests.e2e.browser import Visitor
from tests.e2e.conftest import Portal
from tests.factories import PASSWORD, active_encoder, know_query, make_scene, picture, unit
from tests.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(600)]

_FIRST_PICTURE_MS = 120_000  # a loaded machine loads the model
_PASTE = """([content, type]) => {
    const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0))
    const clipboardData = new DataTransfer()
    clipboardData.items.add(new File([bytes], "pasted.png", {type}))
    document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}))
}"""


def make_archive() -> None:
    """Put 24 scenes into the archive, each a little weaker for "a harbour", in six families of look-alikes."""
    encoder, bays = active_encoder(), Collection.objects.get(slug="bays")
    know_query("a harbour")
    for number in range(24):
        share = 0.9 - number / 50
        vector = [share] + [0.0] * (encoder.dimension - 1)
        vector[1 + number % 6] = (1 - share**2) ** 0.5
        make_scene(bays, title=f"Bay {number}", vector=unit(vector), files=True)


def order(page: Page) -> list[str]:
    return list(page.locator("[data-hit]").evaluate_all("all => all.map(hit => hit.dataset.scene)"))


def says(page: Page, words: str) -> None:
    """Wait until the bar above the hits says this."""
    expect(page.locator("[data-says]")).to_contain_text(words)


def paste(page: Page, content: bytes) -> None:
    page.evaluate(_PASTE, [base64.b64encode(content).decode(), "image/png"])


def test_a_search_is_taught(portal: Portal, browser: Browser) -> None:
    make_archive()
    emma = Visitor(browser, portal.url)
    emma.log_in("emma", PASSWORD)
    judging_ranks_anew_in_place_and_undo_takes_it_back(emma)
    examples_are_dragged_pasted_and_drawn(emma)


def judging_ranks_anew_in_place_and_undo_takes_it_back(emma: Visitor) -> None:
    page = emma.page
    page.goto("/?q=a+harbour")
    first = order(page)
    judged = first[8]
    page.locator(f"#scene-{judged}").focus()
    page.evaluate("scrollTo(0, 250)")
    page.keyboard.press("+")
    says(page, "Re-ranked by 1 like.")
    assert order(page) != first
    assert page.evaluate("[document.activeElement.id, scrollY]") == [f"scene-{judged}", 250]
    expect(page.locator(f"#like-{judged}")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".moved--up").first).to_be_visible()
    expect(page.locator("[data-said]")).to_contain_text("hits moved")
    assert "was=" not in page.url
    emma.check_page("the results ranked anew")

    page.route("**/?*was=*", lambda route: route.abort())
    before = order(page)
    page.locator(f"#like-{first[3]}").click()
    expect(page.locator(".taught__lost")).to_be_visible()
    assert order(page) == before
    page.unroute("**/?*was=*")
    emma.faults.clear()  # The browser complained of the cut line.
    page.get_by_role("button", name="Try again").click()
    says(page, "Re-ranked by 2 likes.")

    for scene in first[1:3]:  # One after the other, without waiting for an answer.
        page.locator(f"#scene-{scene}").focus()
        page.keyboard.press("-")
    says(page, "Re-ranked by 2 likes and 2 dislikes.")
    for left in ("2 likes and 1 dislike", "2 likes.", "1 like."):
        page.keyboard.press("u")
        says(page, left)
    page.get_by_role("link", name="Without my history").click()
    says(page, "Ranked without your history.")
    assert order(page) == first
    page.get_by_role("link", name="With my history").click()
    says(page, "1 like.")
    page.get_by_role("button", name="Undo").click()
    says(page, "the order follows at once")
    assert order(page) == first

    page.locator(f"#scene-{judged}").click()
    page.get_by_role("button", name=re.compile("does not match$")).click()
    expect(page.get_by_role("button", name=re.compile("does not match$"))).to_have_attribute("aria-pressed", "true")
    wait_for(lambda: Event.objects.filter(kind="dislike").exists(), seconds=20, what="the judgement to be recorded")
    page.get_by_role("link", name=re.compile("^Results for")).click()
    says(page, "Re-ranked by 1 dislike.")
    page.get_by_role("button", name="Undo").click()
    says(page, "What you did in searches like this one")  # The scene was opened.
    assert not Event.objects.filter(kind__in=("like", "dislike")).exists()
    emma.assert_content()


def examples_are_dragged_pasted_and_drawn(emma: Visitor) -> None:
    page = emma.page
    page.goto("/?q=a+harbour")
    hits = order(page)
    chips = page.locator("[data-given] > li")
    page.locator(f"#scene-{hits[4]}").drag_to(page.get_by_role("searchbox"))
    page.wait_for_url(re.compile(f"like=scene%3A{hits[4]}"))
    expect(chips).to_have_count(1)
    assert order(page)[0] == hits[4]
    page.locator(f"#scene-{hits[5]}").focus()
    page.keyboard.press("m")
    expect(chips).to_have_count(2)
    chips.first.locator("select").select_option(label="not like this ×1")
    page.wait_for_url(re.compile(rf"scene%3A{hits[4]}(\*|%2A)-1&like=scene%3A{hits[5]}"))
    expect(chips.first).to_have_class(re.compile("chip--without"))
    emma.check_page("the results of a search with examples")
    for _chip in range(2):
        chips.first.get_by_role("link", name=re.compile("^Leave out")).click()
    expect(chips).to_have_count(0)
    emma.assert_content()

    paste(page, b"no picture at all")
    expect(chips.first.get_by_role("alert")).to_contain_text("pasted.png")
    chips.first.get_by_role("button", name="Leave this picture out").click()
    expect(chips).to_have_count(0)
    emma.faults.clear()  # The refusal is a 400.
    paste(page, picture(7))
    page.wait_for_url(re.compile("q=a\\+harbour&like=image%3A"), timeout=_FIRST_PICTURE_MS)
    expect(chips.first).to_contain_text("pasted.png")

    page.goto(f"/scenes/{hits[6]}/")
    page.get_by_text("Search with a part of it").click()
    emma.check_page("the scene page with a box to draw")
    pane = page.locator("[data-pane]").bounding_box()
    assert pane is not None
    page.mouse.move(pane["x"] + pane["width"] * 0.25, pane["y"] + pane["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(pane["x"] + pane["width"] * 0.75, pane["y"] + pane["height"] * 0.75, steps=4)
    page.mouse.up()
    fields = [page.get_by_label(name, exact=True) for name in ("Column", "Row", "Width", "Height")]
    wait_for(lambda: fields[0].input_value() == "16", seconds=10, what="the box to be drawn")
    assert [field.input_value() for field in fields] == ["16", "32", "32", "16"]
    fields[3].fill("12")
    page.get_by_role("button", name="Find more like this part").click()
    page.wait_for_url(re.compile(f"like=box%3A{hits[6]}%3A16%2C32%2C32%2C12"), timeout=_FIRST_PICTURE_MS)
    expect(chips).to_have_count(1)
    emma.assert_content()
