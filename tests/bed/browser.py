"""A real Chromium that looks at the page, and what it is held to: a silent console, no request to another host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRED: Final = "BED_BROWSER_REQUIRED"
"""Set where a browser has to be there, so that its lack fails the tests."""
UNTESTED: Final = "THE PAGE WENT UNTESTED: there is no Chromium here (apt-get install chromium, or name it in CHROMIUM)"
RULES: Final = "MAP evil.example 127.0.0.1, MAP other.example 127.0.0.1"
"""Names of other sites that resolve to this host, as an attacker's do."""
PATIENCE_MS: Final = 30_000
"""How long a condition is waited for; under load a view takes seconds."""
AXE: Final = Path(__file__).parent.parent / "data" / "axe" / "axe.min.js"


def chromium() -> str | None:
    """The path of a Chromium: what CHROMIUM names, or the first that is installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """A browser without a window. Skips the tests, loudly, where there is none."""
    found = chromium()
    if found is None:
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(UNTESTED)
    # Root, which tests in a container are, gets no sandbox of Chromium's.
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*sandbox, f"--host-resolver-rules={RULES}"])
        yield browser
        browser.close()


class Looking:
    """A tab on the page of ``url``, signed in with a key. It remembers what went wrong and whom it asked."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        self.url = url
        self.wrong: list[str] = []
        self.hosts: set[str] = set()
        self._context = browser.new_context(service_workers="block", locale="en-GB", **context)
        self._context.add_init_script(path=AXE)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.wrong.append(said.text))
        # From the first listener on Chromium opens no window of the system; who waits for one comes too late.
        self.page.on("filechooser", lambda chooser: None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self._context.on("request", lambda request: self.hosts.add("/".join(request.url.split("/")[:3])))

    def close(self) -> None:
        self._context.close()

    def sign_in(self, key: str) -> None:
        """Signs in by the form, as a person does."""
        self.page.goto(self.url)
        self.page.get_by_label("LiteLLM key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.signed_in()

    def signed_in(self) -> None:
        """Returns once the first view is shown."""
        self.page.get_by_role("navigation").wait_for()
        expect(self.page.get_by_label("LiteLLM key")).to_have_count(0)
        self.settled()

    def go(self, view: str) -> None:
        """Shows a view by its address, anew when it is shown already."""
        self.page.evaluate(SHOWN, f"#/{view}")
        self.settled()

    def search(self, words: str) -> None:
        """Types into the search of the list of memories, and returns once the answer is shown."""
        self.page.get_by_label("Search, ranked as for a request").fill(words)
        self.settled()

    def settled(self) -> None:
        """Returns once what is shown is what was asked for."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def tab_to(self, name: str, role: str | None = None, *, back: bool = False) -> None:
        """Presses Tab, or Shift and Tab, until the control of this name has the focus: that is the way without a
        mouse."""
        told = []
        for _ in range(120):
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            about = self.page.evaluate(FOCUSED)
            told.append(about)
            if name in about["name"] and role in (None, about["role"]):
                return
        raise AssertionError(f"Tab does not lead to {name}: {told}")

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is shown: the rule, what it asks for, and where."""
        found = self.page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        return [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]

    def overflow(self) -> int:
        """Pixels that the page is wider than its window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth"))


SHOWN: Final = """where => new Promise((done) => {
  // The page listens since it began, so the view is a new one when this is told.
  addEventListener('hashchange', () => done(), { once: true });
  if (location.hash === where) dispatchEvent(new Event('hashchange')); else location.hash = where;
})"""

FOCUSED: Final = """() => {
  const it = document.activeElement;
  if (it === document.body || it.id === 'main') return {name: '', role: ''};
  const label = it.labels?.[0]?.firstChild?.textContent ?? '';
  return {name: it.getAttribute('aria-label') || label || it.textContent || '', role: it.tagName.toLowerCase()};
}"""
