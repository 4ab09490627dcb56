"""A person at a browser: log in, upload, watch, search, open a result; with JavaScript and without."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from search.models import Event
from tests.e2e.browser import Visitor
from tests.e2e.conftest import Portal
from tests.factories import PASSWORD, picture
from tests.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(600)]

_ENCODED_MS = 180_000  # a loaded machine with two cores loads the model for the first time
_FIRST_SEARCH_MS = 120_000  # it loads the model
_QUERY = "a harbour with boats and a long pier"
_ADMIN_PAGES = (
    "imagery/collection/", "imagery/collection/add/", "imagery/scene/", "imagery/ingestjob/", "imagery/encoder/",
    "search/query/", "search/ranking/", "search/impression/", "search/event/",
)  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two pictures and a broken one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    contents = {
        "harbour.png": picture(1, "PNG", 256),
        "meadow.jpg": picture(200, "JPEG", 300),
        "broken.png": b"\x89PNG\r\n\x1a\n and then nothing that could be a picture",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def finish(page: Page, *, reload: bool = False) -> None:
    """Wait until the jobs page says that all three jobs ended, as one watches it."""
    done = page.get_by_text("jobs, all finished")
    if reload:  # Without JavaScript one presses reload.
        wait_for(lambda: page.reload() and done.count(), seconds=_ENCODED_MS / 1000, what="the jobs to finish")
    expect(done).to_be_visible(timeout=_ENCODED_MS)
    expect(page.locator('[data-state="ready"]')).to_have_count(2)
    failed = page.locator('[data-state="failed"]')
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("broken.png")
    assert len(failed.locator(".job__reason").inner_text()) > 20, "the reason says nothing"


def test_upload_watch_search_click_and_the_log(portal: Portal, browser: Browser, files: list[Path]) -> None:
    emma = Visitor(browser, portal.url)
    page = emma.page
    page.goto("/accounts/login/")
    emma.check_page("the log-in page")
    emma.log_in("emma", PASSWORD)
    emma.check_page("the empty search page")

    page.goto("/upload/")
    emma.check_page("the upload page")
    page.get_by_label("Collection").select_option(label="Bays")
    page.locator('input[type="file"]').set_input_files(files)
    expect(page.locator(".uploads__item")).to_have_count(3)
    expect(page.locator("[data-summary]")).to_contain_text("2 accepted", timeout=60_000)
    expect(page.locator("[data-summary]")).to_contain_text("1 refused")
    emma.check_page("the upload page with its results")
    page.get_by_role("link", name="Follow the encoding").click()
    finish(page)
    emma.check_page("the jobs page")

    page.goto("/")
    page.get_by_role("searchbox").fill(_QUERY)
    page.keyboard.press("Enter")
    hits = page.locator("[data-hit]")
    expect(hits).to_have_count(2, timeout=_FIRST_SEARCH_MS)
    expect(page.get_by_text("2 scenes")).to_be_visible()
    thumbnails = page.locator("[data-hit] img.frame__picture")
    wait_for(
        lambda: thumbnails.evaluate_all("all => all.every(one => one.complete && one.naturalWidth > 0)"),
        seconds=20, what="the thumbnails to be drawn",
    )  # fmt: skip
    emma.check_page("the results")
    first = hits.first.locator(".hit__title").inner_text()
    hits.first.locator("[data-open]").click()
    page.wait_for_url(re.compile(r"/scenes/[0-9a-f-]{36}/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(first)
    emma.check_page("the scene page")
    event = wait_for(lambda: Event.objects.first(), seconds=10, what="the click to be logged")
    assert event is not None and (event.kind, event.impression.rank) == ("click", 1)
    for address, what in (
        ("/collections/", "collections"),
        ("/history/", "history"),
        ("/accounts/profile/", "profile"),
    ):
        page.goto(address)
        emma.check_page(f"the {what} page")
    look = wait_for(lambda: Event.objects.filter(kind="dwell").first(), seconds=10, what="the look to be logged")
    assert look is not None and look.seconds is not None and look.impression_id == event.impression_id
    emma.assert_content()

    root = Visitor(browser, portal.url)
    root.log_in("root", PASSWORD)
    root.page.goto("/admin/search/event/")
    row = root.page.locator("#result_list tbody tr")
    expect(row).to_have_count(2)
    for text in ("opened", first, _QUERY, "emma"):
        expect(row.filter(has_text="opened")).to_contain_text(text)
    expect(row.filter(has_text="looked at")).to_contain_text(str(look.seconds))
    for address in _ADMIN_PAGES:
        root.page.goto(f"/admin/{address}")
        expect(root.page.get_by_role("heading", level=1)).to_be_visible()
        root.check_phone(f"the administration's page {address}")
    root.assert_content()


def test_everything_works_without_javascript(portal: Portal, browser: Browser, files: list[Path]) -> None:
    emma = Visitor(browser, portal.url, java_script_enabled=False)
    page = emma.page
    emma.log_in("emma", PASSWORD)
    page.goto("/upload/")
    page.get_by_label("Collection").select_option(label="Bays")
    page.locator('input[type="file"]').set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/jobs/\?batch="))
    finish(page, reload=True)

    page.goto("/")
    page.get_by_role("searchbox").fill(_QUERY)
    page.get_by_role("button", name="Search", exact=True).click()
    hits = page.locator("[data-hit]")
    expect(hits).to_have_count(2, timeout=_FIRST_SEARCH_MS)
    hits.first.get_by_role("button", name=re.compile("does not match$")).click()
    pressed = hits.first.get_by_role("button", name=re.compile("does not match$"))
    expect(pressed).to_have_attribute("aria-pressed", "true")
    hits.first.locator("[data-open]").click()
    page.wait_for_url(re.compile(r"/scenes/[0-9a-f-]{36}/"))
    kinds = list(Event.objects.order_by("created_at").values_list("kind", "impression__rank"))
    assert kinds == [("dislike", 1), ("click", 1)]
    emma.assert_content()
