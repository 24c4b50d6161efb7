"""The reference says what the code does: all of it, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from cdp.cli.main import COMMANDS
from connectors.registry import CONNECTORS
from tests.docs.markdown import ROOT, blocks, pages
from tests.docs.reference_pages import PAGES, REFERENCE


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_equals_the_code(name):
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "write it again: python -m tests.docs.reference_pages"


def test_every_command_is_in_the_reference():
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## `cdp {name}`" not in page] == []


def test_every_key_of_the_configuration_is_in_the_reference():
    schema = json.loads((REFERENCE / "cdp.schema.json").read_text(encoding="utf-8"))
    page = (REFERENCE / "config.md").read_text(encoding="utf-8")
    sections = [schema, *(part for name, part in schema["$defs"].items() if name != "ColumnRef")]
    keys = {key for section in sections for key in section.get("properties", {})}
    assert len(keys) > 50
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []


def test_every_connector_is_in_the_reference():
    page = (REFERENCE / "connectors.md").read_text(encoding="utf-8")
    assert [name for name in CONNECTORS if f"`{name}`" not in page] == []


def test_every_reason_of_quarantine_and_ignoring_is_in_the_reference():
    page = (REFERENCE / "outcomes.md").read_text(encoding="utf-8")
    assert [reason for reason in sorted(_reasons()) if f"`{reason}`" not in page] == []


def _reasons() -> set[str]:
    """Return the words that connectors and checks give as reasons, read from their text."""
    word = r"([a-z]+(?:_[a-z]+)*)"
    anywhere = (
        rf"'(?:quarantined|ignored):{word}'",
        rf"Rejected\([^\"\n)]*\"{word}\"",
        rf"_reject\(.*, \"{word}\"\)",
        rf"reason ?= ?\"{word}\"(?: if .* else \"{word}\")?",
        rf"raise ValueError\(\"{word}\"\)",
        rf"return \"{word}\", f?\"",
        rf"return (?:at|len\(data\)), \"{word}\"$",
    )
    found: set[str] = set()
    for path in sorted((ROOT / "connectors").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"(?:quarantine|ignore)=f?(\"\"\".*?\"\"\"|\".*?\")", text, re.DOTALL):
            found |= set(re.findall(r"'([a-z]+_[a-z_]+|notice)'(?=\s*(?:WHEN|ELSE|END))", block))
        for pattern in anywhere:
            for match in re.finditer(pattern, text, re.MULTILINE):
                found |= {reason for reason in match.groups() if reason}
    assert {"truncated", "ragged_row", "internal_call", "not_a_message", "bad_amount"} <= found
    return found - {"reason"}  # the name of the field itself


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_that_a_page_shows_exists(page):
    known = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    shown = [block.text for block in blocks(page) if block.info.split(" ")[0] == "sh"]
    shown += re.findall(r"`((?:\.venv/bin/)?cdp [^`]+)`", page.read_text(encoding="utf-8"))
    for call in re.findall(r"\bcdp ([a-z][^|;&>\n]*)", "\n".join(shown)):
        words = call.split()
        assert words[0] in COMMANDS or words[0].isupper(), f"cdp {call}"
        for option in re.findall(r"(?<=\s)--[a-z-]+", f" {call}"):
            assert option in known, f"cdp {call}: {option}"


def test_the_measured_figures_of_identity_equal_the_results_of_the_benchmarks() -> None:
    from benchmarks.identity_tables import PAGE, filled

    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "python -m benchmarks.identity_tables"
