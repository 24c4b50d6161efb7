"""The ledger: the precious SQLite file that says what landed, what became of it, and who is who.

All writers go through :meth:`Ledger.transaction`; a transaction is one durable step. Each stage
keeps the SQL of its own tables in its own module, so that this one stays small.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cdp import durable
from cdp.errors import CorruptError
from cdp.ledger_schema import MIGRATIONS

BUSY_TIMEOUT_SECONDS = 30.0


def timestamp(moment: datetime) -> str:
    """Return ``moment`` as the ledger stores it: ISO 8601 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Ledger:
    """A connection to ``ledger.sqlite`` (WAL, full sync), migrated to the newest version."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if read_only and not path.exists():
            raise CorruptError(
                f"There is no ledger at {path}.", hint="Run `cdp run` first, or check -w/--workspace."
            )
        uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self.path = path
        self._connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            if not read_only:
                self._prepare()
            elif self._version() < len(MIGRATIONS):
                Ledger(path).close()  # readers, too, know the newest tables only
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._migrate()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self) -> None:
        version = self._version()
        if version > len(MIGRATIONS):
            raise CorruptError(
                f"{self.path} was written by a newer cdp (ledger version {version}, this one knows {len(MIGRATIONS)}).",
                hint="Upgrade cdp; a ledger is never migrated backwards.",
            )
        for number in range(version, len(MIGRATIONS)):
            with self.transaction(f"migrate {number + 1}"):
                if self._version() > number:  # another process was faster
                    continue
                for statement in MIGRATIONS[number].split(";\n"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number + 1}")

    @contextlib.contextmanager
    def transaction(self, name: str) -> Iterator[None]:
        """Run a block as one transaction (``BEGIN IMMEDIATE``); an exception rolls it back."""
        durable.step(f"ledger {name}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            durable.step(f"ledger {name} commit")
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk makes SQLite roll back by itself
                self._connection.execute("ROLLBACK")
            raise
        durable.step(f"ledger {name} committed")

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Execute one statement; inside :meth:`transaction` when it writes."""
        return self._connection.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each of ``rows``, inside :meth:`transaction`."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """Return the first column of the first row, or None where there is no row."""
        row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def next_number(self, sequence: str) -> int:
        """Return the number that ``sequence`` would give next, without taking it (first: 1)."""
        return int(self.value("SELECT next FROM sequences WHERE name = ?", (sequence,)) or 1)

    def advance(self, sequence: str, next_number: int) -> None:
        """Move ``sequence`` on, inside the transaction that commits what took its numbers."""
        self.execute(
            "INSERT INTO sequences VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
            (sequence, next_number),
        )
