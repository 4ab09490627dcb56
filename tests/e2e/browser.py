"""A real Chromium for tests, and what is watched while it works."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

DESKTOP: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 375, "height": 740}
_AXE: Final = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--disable-sync", "--no-first-run",
]  # fmt: skip
_PATIENCE_MS: Final = 60_000  # for navigation and clicks on a loaded machine
_STANDARDS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium_path() -> str:
    """Return Chromium's program; without one the test skips, or fails where CI must have run it."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no Chromium on this machine (looked for {', '.join(_NAMES)}); Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium for the length of the block."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person at a browser. ``faults`` holds whatever the browser complained of."""

    def __init__(self, browser: Browser, base_url: str, **options: Any) -> None:
        self.base_url = base_url
        self.faults: list[str] = []
        self.context: BrowserContext = browser.new_context(base_url=base_url, **{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # Violations of the content security policy arrive here as errors too.
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type} on {self.page.url}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} for {response.request.method} {response.url}")
        elif not response.url.startswith((self.base_url, "data:", "blob:")):
            self.faults.append(f"a request left the portal: {response.url}")

    def log_in(self, username: str, password: str) -> None:
        """Log in through the form."""
        self.page.goto("/accounts/login/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.base_url}/")

    def check_access(self, what: str) -> None:
        """Note every serious barrier that axe finds on the page as it is now."""
        self.page.evaluate(_axe_source())
        found = self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", _STANDARDS
        )
        self.faults += [
            f"{what}: {rule['id']} ({rule['help']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for rule in found["violations"]
            if rule["impact"] in {"serious", "critical"}
            for node in rule["nodes"]
        ]

    def check_phone(self, what: str) -> None:
        """Note if the page must be pushed sideways on a phone; the window is wide again afterwards."""
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        too_wide = self.page.evaluate(_TOO_WIDE)
        self.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        if too_wide:
            self.faults.append(f"{what} is wider than a phone's screen, because of {too_wide}")

    def assert_content(self) -> None:
        """Fail with everything the browser complained of so far."""
        assert not self.faults, "\n".join(self.faults)

    def check_page(self, what: str) -> None:
        """Check barriers and phone width of the page as it is now."""
        self.check_access(what)
        self.check_phone(what)


_TOO_WIDE: Final = """() => {
    const root = document.documentElement, room = root.clientWidth
    if (root.scrollWidth <= room) return []
    const wide = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > room + 1)
    return wide.slice(0, 6).map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`)
}"""

expect.set_options(timeout=_PATIENCE_MS)


@cache
def _axe_source() -> str:
    return _AXE.read_text(encoding="utf-8")
