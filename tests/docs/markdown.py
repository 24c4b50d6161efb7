"""What the tests read out of the documentation: blocks of code, links, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"
NEED_NO_DEMO = ("dedupe-a-file", "land-files", "recover", "review-matches")
"""How-tos that say nothing of what is in the demo."""
NEED_A_COLLECTOR = ("add-a-webhook-source", "nginx", "send-events")
"""How-tos in which a collector runs: tests/docs/test_collector_pages.py."""
NEED_A_SERVER = ("data-quality", "find-customers", "look-up-a-customer", "serve", "use-the-api")
"""How-tos of the pages and the API, in which a server runs: tests/e2e/test_pages_*.py do what they say."""
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>.*?)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: the words behind the fence, its text, and the line on which it begins.

    ``adjacent``: nothing but blank lines stands between the block before and this one.
    """

    info: str
    text: str
    line: int
    adjacent: bool = False


def pages() -> list[Path]:
    """Return every page of documentation."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    end = 0
    for found in _FENCE.finditer(text):
        lines = [line.removeprefix(found["indent"]) for line in found["text"].splitlines()]
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["info"].strip(), "\n".join(lines), line, not text[end : found.start()].strip())
        end = found.end()


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links."""
    return [one or other for one, other in _LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and most renderers make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(name)
    return found
