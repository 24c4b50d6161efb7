"""The share log: what left for whom, when, for what purpose, and how much of it. Kept in the ledger, for ever.

It stands in the ledger, not beside the server's audit log, because most deliveries happen in `cdp run`,
where no server is: one precious place holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime

from cdp.ledger import Ledger, timestamp


@dataclass(frozen=True)
class Share:
    """A delivery. ``kind``: files, google, meta, http or download; ``caller``: a run, or who asked for it."""

    share_id: int
    at: str
    name: str
    destination: str
    kind: str
    purpose: str
    channel: str | None
    segment: str | None
    release: str
    caller: str
    added: int
    changed: int
    removed: int
    rows: int
    complete: bool
    detail: str | None


@dataclass(frozen=True)
class Sent:
    """What a delivery is, before anything has left."""

    name: str
    destination: str
    kind: str
    purpose: str
    channel: str | None
    segment: str | None
    release: str
    caller: str


def begin(ledger: Ledger, sent: Sent, *, now: datetime) -> int:
    """Append a line of nothing yet, inside a transaction; return its id."""
    cursor = ledger.execute(
        "INSERT INTO shares (at, name, destination, kind, purpose, channel, segment, release, caller, added, changed, "
        "removed, rows, complete) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0)",
        (timestamp(now), *astuple(sent)),
    )
    return int(cursor.lastrowid or 0)


def once(ledger: Ledger, sent: Sent, *, rows: int, now: datetime) -> None:
    """Append a line of something that leaves at once, as a transaction of its own."""
    with ledger.transaction("share"):
        line = begin(ledger, sent, now=now)
        add(ledger, line, {"added": rows})
        end(ledger, line, rows=rows, complete=True)


def add(ledger: Ledger, share_id: int, counts: Mapping[str, int]) -> None:
    """Count what has left since, inside the transaction that says so."""
    ledger.execute(
        "UPDATE shares SET added = added + ?, changed = changed + ?, removed = removed + ? WHERE share_id = ?",
        (counts.get("added", 0), counts.get("changed", 0), counts.get("removed", 0), share_id),
    )


def end(ledger: Ledger, share_id: int, *, rows: int, complete: bool, detail: str | None = None) -> None:
    """Say how many rows the other side has now, inside a transaction."""
    ledger.execute(
        "UPDATE shares SET rows = ?, complete = ?, detail = ? WHERE share_id = ?",
        (rows, int(complete), detail, share_id),
    )


def read(ledger: Ledger, name: str | None = None, *, limit: int = 100) -> list[Share]:
    """Return the newest deliveries first."""
    rows = ledger.rows(
        "SELECT share_id, at, name, destination, kind, purpose, channel, segment, release, caller, added, changed, "
        "removed, rows, complete, detail FROM shares WHERE :name IS NULL OR name = :name "
        "ORDER BY share_id DESC LIMIT :limit",
        {"name": name, "limit": limit},
    )
    return [Share(**{**dict(row), "complete": bool(row["complete"])}) for row in rows]


def newest(ledger: Ledger) -> dict[str, Share]:
    """Return the newest delivery of each name."""
    rows = ledger.rows("SELECT max(share_id) AS share_id FROM shares GROUP BY name")
    wanted = [int(row["share_id"]) for row in rows]
    found = ledger.rows(f"SELECT * FROM shares WHERE share_id IN ({', '.join('?' * len(wanted))})", wanted)
    return {row["name"]: Share(**{**dict(row), "complete": bool(row["complete"])}) for row in found}
