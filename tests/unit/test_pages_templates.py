"""What holds for every template of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = sorted((Path(__file__).parents[2] / "warehouse" / "templates").glob("*.html"))
ASKING = re.compile(r'hx-(?:get|post)="[^"]*"[^<>]*?hx-trigger="[^"]*change[^<]*')


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_what_asks_on_every_change_says_which_answer_counts(path: Path) -> None:
    """Else htmx drops a second change while the first is being answered."""
    asking = ASKING.findall(path.read_text(encoding="utf-8"))
    assert [one for one in asking if "hx-sync=" not in one] == []


def test_there_are_such_elements() -> None:
    assert sum(len(ASKING.findall(path.read_text(encoding="utf-8"))) for path in TEMPLATES) >= 5
