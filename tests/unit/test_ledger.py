"""A transaction of the ledger is there whole or not at all, and says why it is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cdp.ledger import Ledger


def _fail(ledger: Ledger, sql: str) -> None:
    with ledger.transaction("test"):
        ledger.advance("events", 7)
        ledger.execute(sql, ("events", 8))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO sequences VALUES (?, ?)",
        "INSERT OR ROLLBACK INTO sequences VALUES (?, ?)",  # SQLite rolls back by itself, as on a full disk
    ],
)
def test_an_error_rolls_back_and_says_what_it_was(tmp_path: Path, statement: str) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            _fail(ledger, statement)
        assert ledger.next_number("events") == 1
        with ledger.transaction("next"):
            ledger.advance("events", 9)
        assert ledger.next_number("events") == 9
