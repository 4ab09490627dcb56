#!/usr/bin/env python3
"""Makes pictures of which parts of the demo's Sentinel-2 scene searches outline, into docs/images/ (WebP).

    RSPORTAL_PASSWORD=... .venv/bin/python docs/screenshots_windows.py --url http://127.0.0.1:8000 --user admin

For people to look at: whether a search for water outlines water is seen, not computed. Needs what screenshots.py needs.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from screenshots import Camera, chromium

_OUT: Final = Path(__file__).resolve().parent / "images"
_QUERIES: Final = {"water": "water", "built-up": "built-up land", "fields": "fields"}
_LOOK: Final = {
    "viewport": {"width": 1280, "height": 1000}, "device_scale_factor": 1, "locale": "en-US", "color_scheme": "light",
}  # fmt: skip


class WindowCamera(Camera):
    """Searches, opens the scene from its hit, takes the picture of its view with the outlined windows."""

    def windows(self, name: str, query: str, title: str) -> None:
        """Picture of the view of the scene whose title begins with ``title``, as the query's hits lead to it."""
        page = self._enter(**_LOOK)
        self._search(page, query)
        hit = page.locator("[data-hit]", has_text=title).first
        expect(hit, f"no hit of “{query}” is called {title}").to_be_visible()
        hit.locator("[data-open]").first.click()
        page.wait_for_url("**/scenes/**")
        stage = page.locator(".view__stage")
        expect(stage).to_be_visible()
        page.wait_for_load_state("networkidle")
        print(f"{query}: {'; '.join(_matches(page)) or 'the whole scene'}")
        self._save_part(stage, name)
        page.context.close()

    def _save_part(self, part: Locator, name: str) -> None:
        self._store(part.screenshot(), name)


def main() -> None:
    arguments = _arguments()
    password = os.environ.get("RSPORTAL_PASSWORD")
    if not password:
        sys.exit("Put the password of that account into the environment variable RSPORTAL_PASSWORD.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser: Browser = chromium(playwright)
        camera = WindowCamera(browser, arguments.url.rstrip("/"), arguments.user, password, arguments.out)
        for name, query in _QUERIES.items():
            camera.windows(f"windows-{name}", query, arguments.scene)
        browser.close()


def _matches(page: Page) -> list[str]:
    """Return what the page says of the outlined parts."""
    many = page.locator(".view__match").evaluate_all("links => links.map(link => link.title)")
    one: list[Any] = page.locator(".view__caption").all_inner_texts()
    return [str(text).strip() for text in (many or one)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--scene", default="Sentinel-2", help="how the scene's title begins")
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
