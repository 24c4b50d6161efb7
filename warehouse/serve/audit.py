"""The audit log: who read or changed what, and when. It is written before the answer leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp.ledger import timestamp
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store

_PIECE: Final = 5_000
_COLUMNS: Final = "audit_id, at, key_id, caller, action, subject, release, rows"


def record(
    store: Store,
    caller: Caller,
    action: str,
    *,
    now: datetime,
    subject: str | None = None,
    release: str | None = None,
    rows: int | None = None,
) -> None:
    """Append a line. ``subject`` is an id or a name of ours, never personal data."""
    store.execute(
        "INSERT INTO audit (at, key_id, caller, action, subject, release, rows) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (timestamp(now), caller.key_id, caller.name, action, subject, release, rows),
    )


@dataclass(frozen=True)
class Line:
    """A line of the log."""

    audit_id: int
    at: str
    key_id: str
    caller: str
    action: str
    subject: str | None
    release: str | None
    rows: int | None


@dataclass(frozen=True)
class Wanted:
    """Which lines; None wants all. An ``action`` such as ``segment.*`` wants all of its kind."""

    action: str | None = None
    subject: str | None = None
    key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> tuple[str, list[str]]:
        """Return an SQL condition over the log, and its parameters."""
        given = [
            (f"{name} = ?", value)
            for name, value in (("subject", self.subject), ("key_id", self.key_id), ("action", self.action))
            if value and not value.endswith(".*")
        ]
        if self.action and self.action.endswith(".*"):
            kind = self.action.removesuffix("*")
            given += [("action >= ?", kind), ("action < ?", kind[:-1] + chr(ord(".") + 1))]
        given += [("at >= ?", timestamp(self.since))] if self.since else []
        given += [("at < ?", timestamp(self.until))] if self.until else []
        return " AND ".join(sql for sql, _ in given) or "true", [value for _, value in given]


def lines(store: Store, wanted: Wanted, *, limit: int, before: int | None = None) -> list[Line]:
    """Return the newest lines first: those older than the line ``before``, where it is given."""
    condition, parameters = wanted.condition()
    found = store.long_rows(
        f"SELECT {_COLUMNS} FROM audit WHERE {condition} AND (? IS NULL OR audit_id < ?) "
        "ORDER BY audit_id DESC LIMIT ?",
        [*parameters, before, before, limit],
    )
    return [Line(*row) for row in found]


def drop_old(store: Store, before: datetime) -> int:
    """Delete lines older than ``before``, in pieces so that nobody waits for long; return how many."""
    dropped = 0
    query = "DELETE FROM audit WHERE at < ? AND audit_id IN (SELECT audit_id FROM audit ORDER BY audit_id LIMIT ?)"
    while piece := store.execute(query, (timestamp(before), _PIECE)):
        dropped += piece
    return dropped
