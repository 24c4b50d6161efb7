"""``serve.sqlite``: keys (hashed), sessions, the audit log."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cdp.errors import CorruptError

FILE: Final = "serve.sqlite"
_BUSY_SECONDS: Final = 30.0
_OWNER_ONLY: Final = 0o600

_V1: Final = """
-- ``hash``: SHA-256 of the secret, which is 256 random bits; NULL: of this machine's owner, only by link.
CREATE TABLE keys (
  key_id TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB, scopes TEXT NOT NULL, created_at TEXT NOT NULL,
  expires_at TEXT, revoked_at TEXT, requests_per_minute INTEGER, rows_per_day INTEGER) WITHOUT ROWID;

CREATE TABLE sessions (
  hash BLOB PRIMARY KEY, key_id TEXT NOT NULL REFERENCES keys, csrf_token TEXT NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT NOT NULL) WITHOUT ROWID;

-- Links that `cdp serve` prints: each opens one session, once.
CREATE TABLE links (
  hash BLOB PRIMARY KEY, key_id TEXT NOT NULL REFERENCES keys, expires_at TEXT NOT NULL) WITHOUT ROWID;

-- Who read or changed what. ``subject``: a customer id, a segment, an export; never personal data.
CREATE TABLE audit (
  audit_id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, key_id TEXT NOT NULL, caller TEXT NOT NULL,
  action TEXT NOT NULL, subject TEXT, release TEXT, rows INTEGER);
CREATE INDEX audit_by_subject ON audit (subject, audit_id)
"""

_V2: Final = """
-- Rows that a key has read in lists and exports, by day (UTC).
CREATE TABLE spent_rows (
  key_id TEXT NOT NULL, day TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (key_id, day)) WITHOUT ROWID
"""
MIGRATIONS: tuple[str, ...] = (_V1, _V2)


class Store:
    """One connection to ``serve.sqlite`` for all threads of a process, migrated to the newest version.

    WAL with synchronous=NORMAL: what was written outlives the process; a power cut may cost the last moments.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        # For its owner only; SQLite makes the files beside it alike.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY))
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise CorruptError(
                f"{path} cannot be used: {error}.", hint="Restore it from a backup, or move it away."
            ) from None
        except CorruptError:
            self.close()
            raise

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        with self.transaction():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise CorruptError(
                    f"{self.path} was written by a newer cdp (its version is {version}).",
                    hint="Use that cdp, or restore the file from a backup.",
                )
            for number, migration in enumerate(MIGRATIONS[version:], start=version):
                for statement in migration.split(";\n"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number + 1}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction; an exception rolls it back."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement that writes; return how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, parameters).rowcount

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def long_rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query that may take long: on a connection of its own, so that nobody waits."""
        with contextlib.closing(
            sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        ) as connection:
            return connection.execute(sql, parameters).fetchall()
