"""Pictures of every page, light and dark, and the page of docs/ that shows them.

``python -m tests.docs.screenshots [NAME]...`` serves the shop of tests/pages_world.py, opens each page of
:data:`SHOTS` in the machine's Chromium, and writes docs/screenshots/NAME-light.png and NAME-dark.png. Without names it
also writes docs/pages.md. Somebody looks at the pictures before they are committed; a test holds docs/pages.md equal to
this list and finds both pictures of each page. A new page is a line here.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.pages_tools import SCHEMES, Pages, browsing, make_workspace, serve
from tests.pages_world import ADA, BUSY

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
FOLDER: Final = DOCS / "screenshots"
MOST_BYTES: Final = 200_000
_WIDTH, _HEIGHT = 1280, 860
_HEAD: Final = """# The pages

<!-- Made by `python -m tests.docs.screenshots` from its list; a test keeps the two equal. -->

What `cdp serve` shows, on a small made-up shop. Every page follows the light or dark setting of your system; the button
at the lower left chooses another. Nothing on them comes from outside your machine.
"""


@dataclass(frozen=True)
class Shot:
    """A page in a state: its address, what a reader should see in it, and what is done before the picture."""

    name: str
    path: str
    title: str
    about: str
    prepare: Callable[[Page], object] | None = None
    scopes: tuple[str, ...] = ()


def _to(selector: str) -> Callable[[Page], object]:
    """Scroll until an element is at the top."""
    return lambda page: page.locator(selector).evaluate("one => one.scrollIntoView({ block: 'start' })")


def _why_open(page: Page) -> None:
    page.locator("#why .section-name", has_text="The evidence").evaluate(
        "one => one.scrollIntoView({ block: 'start' })"
    )
    page.locator("#why li", has_text="Same surname, same postcode").get_by_text("How this weighs").click()


def _ask_to_join(page: Page) -> None:
    page.get_by_label("The other customer").fill(BUSY)
    page.locator("#join").get_by_role("button", name="Show what it does").click()
    page.locator("#what").wait_for()


SHOTS: Final[Sequence[Shot]] = (
    Shot(
        "sign-in", "/sign-in", "Signing in", "With the address that `cdp serve` prints, or with an API key."
    ),
    Shot(
        "customer",
        f"/customers/{ADA}",
        "One customer",
        "Value, one history over all channels, and who it is: each value opens to say where it came from.",
    ),
    Shot(
        "customer-why",
        f"/customers/{ADA}",
        "Why these records are one person",
        "The records, the evidence that joins them, and the weakest link: what the profile hangs on.",
        _to("#why"),
    ),
    Shot(
        "customer-evidence",
        f"/customers/{ADA}",
        "The evidence, weighed",
        "What agrees and what does not, in words; on demand the weights.",
        _why_open,
    ),
    Shot(
        "customer-masked",
        f"/customers/{ADA}",
        "The same customer, masked",
        "What those see who lack the scope `read-pii`.",
        scopes=("read",),
    ),
    Shot(
        "customer-identity",
        f"/customers/{ADA}/identity",
        "Join or split",
        "For those with the scope `identity`.",
    ),
    Shot(
        "customer-confirm",
        f"/customers/{ADA}/identity",
        "Before it counts",
        "What a decision will do is said before it is made.",
        _ask_to_join,
    ),
)


def main(names: Sequence[str]) -> None:
    """Take the pictures of some pages, or of all."""
    wanted = [shot for shot in SHOTS if not names or shot.name in names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        lake = make_workspace(Path(folder) / "shop")
        with serve(lake.root) as site, browsing(site) as pages:
            for shot in wanted:
                for scheme in SCHEMES:
                    _take(pages, shot, scheme)
            pages.assert_sound()
    if not names:
        (DOCS / "pages.md").write_text(document(), encoding="utf-8")


def _take(pages: Pages, shot: Shot, scheme: str) -> None:
    page = pages.open(shot.path, scopes=shot.scopes, scheme=scheme, width=_WIDTH, height=_HEIGHT)
    page.wait_for_load_state("networkidle")
    if shot.prepare is not None:
        shot.prepare(page)
    page.mouse.move(0, 0)
    path = FOLDER / f"{shot.name}-{scheme}.png"
    page.screenshot(path=path)
    page.context.close()
    size = path.stat().st_size
    sys.stderr.write(f"{path.name}: {size:,} bytes\n")
    assert size < MOST_BYTES, f"{path.name} is too large"


def document() -> str:
    """Return docs/pages.md."""
    parts = [_HEAD]
    for shot in SHOTS:
        light, dark = (f"screenshots/{shot.name}-{scheme}.png" for scheme in SCHEMES)
        parts.append(f"\n## {shot.title}\n\n{shot.about} [Dark]({dark}).\n\n![{shot.title}]({light})\n")
    return "".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
