"""The audit log: who read or changed what, and when. It is written before the answer leaves."""

from __future__ import annotations

from datetime import datetime

from cdp.ledger import timestamp
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store


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


_PIECE = 5_000


def drop_old(store: Store, before: datetime) -> int:
    """Delete lines older than ``before``, in pieces so that nobody waits for long; return how many."""
    dropped = 0
    query = "DELETE FROM audit WHERE at < ? AND audit_id IN (SELECT audit_id FROM audit ORDER BY audit_id LIMIT ?)"
    while piece := store.execute(query, (timestamp(before), _PIECE)):
        dropped += piece
    return dropped
