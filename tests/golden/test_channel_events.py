"""Committed payloads of each channel, and the very events that they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.channel_tools import GOLDEN, golden, golden_path, largest_payloads, payload_files
from tests.conftest import thinned

PAYLOADS = payload_files()


@pytest.mark.parametrize(
    "path",
    thinned(PAYLOADS, largest_payloads(3).__contains__),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_a_payload_becomes_its_golden_events(path: Path) -> None:
    expected = golden_path(path)
    assert expected.exists(), "no golden file yet: python -m tests.channel_tools"
    assert golden(path) == expected.read_text(encoding="utf-8")


def test_there_is_a_golden_file_for_every_payload_and_no_other() -> None:
    found = set(GOLDEN.rglob("*.json"))
    assert found == {golden_path(path) for path in PAYLOADS}
    assert len(PAYLOADS) >= 50
