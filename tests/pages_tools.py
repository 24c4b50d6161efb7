"""The pages as a browser sees them: a served workspace, somebody who is signed in, axe-core, what leaves the origin.

    def test_a_page(pages: Pages) -> None:            # tests/e2e/conftest.py: the shop of tests/pages_world.py
        page = pages.open("/customers")               # signed in as the owner; pages.open(..., scopes=("read",))
        assert_accessible(page)                       # light and dark
        pages.assert_offline(page)                    # nothing but the server was asked; the page is small

What a test writes (keys, audit, judgements) stays for the tests after it: use ids of your own, or ``served(tmp_path)``.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from cdp.lake import Lake
from cdp.settings import load
from connectors.registry import names
from tests.browser_tools import LOOPBACK, browser, chromium
from tests.pages_world import SETTINGS, shop
from tests.warehouse_tools import NOW, publish_into
from warehouse.serve import keys, sessions
from warehouse.serve.context import Serving

if TYPE_CHECKING:
    from datetime import datetime

    from playwright.sync_api import Browser, Locator, Page, Response
    from playwright.sync_api import Request as Asked

AXE: Final = Path(__file__).parent / "clients" / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES: Final = 300_000
"""Compressed, with everything that the page loads (styles, scripts), as the server sent it."""
SCHEMES: Final = ("light", "dark")


@dataclass(frozen=True)
class Site:
    """A workspace that is being served on loopback."""

    address: str
    serving: Serving
    lake: Lake

    def key(self, *scopes: str, name: str = "tester") -> str:
        """Make an API key and return its text."""
        return keys.create(self.serving.store, name, scopes or ("admin",), now=self.serving.now())[1]

    def session(self, *scopes: str) -> str:
        """Return the cookie of a session with these scopes (none given: the owner's)."""
        store, now = self.serving.store, self.serving.now()
        key_id = keys.create(store, "tester", scopes, now=now)[0] if scopes else keys.owner(store, now)
        return sessions.begin(store, key_id, now)


def make_workspace(folder: Path) -> Lake:
    """Make the shop's workspace, with a published release."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cdp.yaml").write_text(SETTINGS, encoding="utf-8")
    lake = Lake(folder)
    publish_into(lake, shop(folder / "made"))
    return lake


@contextlib.contextmanager
def serve(folder: Path, now: datetime | None = NOW) -> Iterator[Site]:
    """Serve a workspace as `cdp serve` does, from a thread of this process; its clock stands at ``now``."""
    import uvicorn

    from pipelines.exporting import run_export
    from pipelines.facts import WorkspaceFacts
    from warehouse.serve.app import create_app

    lake, settings = Lake(folder), load(folder, names())
    serving = Serving.open(lake, settings)
    if now is not None:
        serving.now = lambda: now
    serving.facts = WorkspaceFacts(folder, settings, serving.now)
    serving.exporter = partial(run_export, folder)
    config = uvicorn.Config(create_app(serving), LOOPBACK, 0, log_level="error", ws="none", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Site(f"http://{LOOPBACK}:{_port(server, thread)}", serving, lake)
    finally:
        server.should_exit = True
        thread.join(10)


def _port(server: Any, thread: threading.Thread) -> int:
    deadline = time.monotonic() + 15
    while not server.started:
        assert thread.is_alive(), "the server ended before it had started"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@dataclass
class Pages:
    """A browser on a site."""

    browser: Browser
    site: Site
    asked: dict[Page, list[Asked]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def open(
        self,
        path: str,
        *,
        scopes: Sequence[str] = (),
        scheme: str = "light",
        width: int = 1360,
        height: int = 900,
    ) -> Page:
        """Open a page of the site as somebody with these scopes (none given: the owner)."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce",
            locale="en-GB", timezone_id="Europe/London",
        )  # fmt: skip
        cookie = {"name": sessions.COOKIE, "value": self.site.session(*scopes), "url": self.site.address}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        asked = self.asked.setdefault(page, [])
        page.on("request", lambda one: asked.append(one))  # noqa: PLW0108 - a built-in method takes no mark of its own
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.goto(f"{self.site.address}{path}")
        return page

    def _said(self, kind: str, text: str) -> None:
        """Keep errors, but for answers of 4xx and 5xx, which tests see for themselves."""
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.problems.append(text)

    def assert_offline(self, page: Page, *, most: int = MOST_BYTES) -> int:
        """Check that the page asked nobody but the server, and that all it loaded is small; return its bytes."""
        page.wait_for_load_state("networkidle")
        asked = self.asked[page]
        elsewhere = {
            one.url for one in asked if urlsplit(one.url).netloc != urlsplit(self.site.address).netloc
        }
        assert not elsewhere, f"the page asked others: {sorted(elsewhere)}"
        sizes = {one.url: one.sizes()["responseBodySize"] for one in asked if _answered(one.response())}
        assert sizes, "the page asked for nothing"
        total = sum(sizes.values())
        assert total < most, f"{total} bytes: {sizes}"
        return total

    def assert_sound(self) -> None:
        """Check that no script failed, and that the security policy refused nothing."""
        assert not self.problems, self.problems


def _answered(response: Response | None) -> bool:
    return response is not None and response.status == 200


def expect_count(found: Locator, number: int) -> None:
    """Wait until there are so many. (``wait_for_function`` needs eval, which the pages' policy refuses.)"""
    from playwright.sync_api import expect

    expect(found).to_have_count(number)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page, a line each; it skips the test where axe-core is not installed."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: `make setup` installs it with npm (tests/clients)")
    # Not add_script_tag: the pages' security policy refuses inline scripts, and rightly so.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    options = {
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {json.dumps([c['message'] for c in node['any']])[:240]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def assert_accessible(page: Page, schemes: Sequence[str] = SCHEMES) -> None:
    """Check that axe-core finds nothing, in light and in dark."""
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect_count(page.locator(f"html[data-bs-theme={scheme}]"), 1)
        found = violations(page)
        assert not found, f"{page.url} ({scheme}):\n" + "\n".join(found)


@contextlib.contextmanager
def browsing(site: Site) -> Iterator[Pages]:
    """Run the machine's Chromium on a site; it skips the test where there is none."""
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium here")
    with browser(executable) as running:
        yield Pages(running, site)
