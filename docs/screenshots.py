#!/usr/bin/env python3
"""Makes the pictures of the README from a portal that runs, into docs/images/ (WebP).

    RSPORTAL_PASSWORD=... .venv/bin/python docs/screenshots.py --url http://127.0.0.1:8000 --user admin

Needs the test requirements (playwright) and a Chromium. Runs three searches as that person.
"""

import argparse
import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

_OUT: Final = Path(__file__).resolve().parent / "images"
_QUALITY: Final = 72
_DESKTOP: Final = {"viewport": {"width": 1280, "height": 720}, "device_scale_factor": 1.5}
_PHONE: Final = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
_ENGLISH: Final = {"locale": "en-US"}
_CHINESE: Final = {"locale": "zh-CN"}
_LIGHT: Final = {"color_scheme": "light"}
_DARK: Final = {"color_scheme": "dark"}


def main() -> None:
    arguments = _arguments()
    password = os.environ.get("RSPORTAL_PASSWORD")
    if not password:
        sys.exit("Put the password of that account into the environment variable RSPORTAL_PASSWORD.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        camera = Camera(browser, arguments.url.rstrip("/"), arguments.user, password, arguments.out)
        camera.portal("search-desktop-light-en", arguments.query, **_DESKTOP, **_ENGLISH, **_LIGHT)
        camera.portal("search-desktop-dark-en", arguments.query, **_DESKTOP, **_ENGLISH, **_DARK)
        camera.portal("search-desktop-light-zh", arguments.query_zh, **_DESKTOP, **_CHINESE, **_LIGHT)
        camera.portal("search-phone-light-en", arguments.query, **_PHONE, **_ENGLISH, **_LIGHT)
        camera.other_pages(arguments.query)
        browser.close()


def chromium(playwright: Playwright) -> Browser:
    """Start this machine's Chromium, or end the program with what to do."""
    program = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not program:
        sys.exit("No Chromium on this machine (Debian: apt-get install chromium).")
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])


class Camera:
    """Logs in, goes somewhere, takes the picture."""

    def __init__(self, browser: Browser, url: str, user: str, password: str, out: Path) -> None:
        self.browser, self.url, self.user, self.password, self.out = browser, url, user, password, out

    def portal(self, name: str, query: str, **look: Any) -> None:
        """Picture of the results of a query."""
        page = self._enter(**look)
        self._search(page, query)
        self._save(page, name)
        page.context.close()

    def other_pages(self, query: str) -> None:
        """Pictures of a scene, the jobs and the administration."""
        page = self._enter(**_DESKTOP, **_ENGLISH, **_LIGHT)
        self._search(page, query)
        page.locator("[data-open]").first.click()
        page.wait_for_url("**/scenes/**")
        page.wait_for_load_state("networkidle")
        self._save(page, "scene")
        for name, address in (("jobs", "/jobs/"), ("admin-scenes", "/admin/imagery/scene/")):
            answer = page.goto(address)
            if answer is not None and answer.ok and "/login/" not in page.url:
                page.wait_for_load_state("networkidle")
                self._save(page, name)
        page.context.close()

    def _enter(self, **look: Any) -> Page:
        page = self.browser.new_context(base_url=self.url, **look).new_page()
        page.goto("/accounts/login/")
        page.locator('input[name="username"]').fill(self.user)
        page.locator('input[name="password"]').fill(self.password)
        page.locator('main button[type="submit"]').click()
        page.wait_for_url(f"{self.url}/")
        return page

    def _search(self, page: Page, query: str) -> None:
        page.goto("/")
        page.get_by_role("searchbox").fill(query)
        page.keyboard.press("Enter")
        expect(page.locator("[data-hit]").first).to_be_visible(timeout=120_000)
        page.wait_for_load_state("networkidle")

    def _save(self, page: Page, name: str) -> None:
        self._store(page.screenshot(), name)

    def _store(self, png: bytes, name: str) -> None:
        path = self.out / f"{name}.webp"
        Image.open(io.BytesIO(png)).convert("RGB").save(path, "WEBP", quality=_QUALITY, method=6)
        print(f"{path}  {path.stat().st_size // 1024} kB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--query", default="a beach and the sea")
    parser.add_argument("--query-zh", default="海边的沙滩")
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
