"""The machine's Chromium, a site with the pages of tests/clients, and what a page asks of whom."""

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOOPBACK = "127.0.0.1"


def chromium() -> str | None:
    """Return the path of the machine's Chromium."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextlib.contextmanager
def browser(executable: str) -> Iterator[Browser]:
    """Run Chromium without a window; no name but loopback's address leads anywhere."""
    from playwright.sync_api import sync_playwright

    rules = f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=executable, chromium_sandbox=False, args=[rules, "--disable-dev-shm-usage"]
        )
        with contextlib.closing(found):
            yield found


@contextlib.contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; yields the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}"
        finally:
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


@dataclass
class Visitor:
    """Somebody with a browser of their own; ``outside``: hosts beyond loopback that pages asked for."""

    context: BrowserContext
    site: str
    outside: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def open(self, page: str) -> Page:
        """Open a page of the site in a new tab."""
        tab = self.context.new_page()
        tab.on("request", lambda request: self._asked(request.url))
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.goto(f"{self.site}/{page}.html")
        return tab

    def _asked(self, url: str) -> None:
        host = urlsplit(url).hostname
        if host != LOOPBACK:
            self.outside.add(str(host))


def visitor(browser: Browser, site: str) -> Visitor:
    """Return somebody who says that their browser has a window: one without would be taken for a bot."""
    engine = f"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{browser.version} Safari/537.36"
    agent = f"Mozilla/5.0 (X11; Linux x86_64) {engine}"
    return Visitor(browser.new_context(user_agent=agent, locale="de-DE"), site)
