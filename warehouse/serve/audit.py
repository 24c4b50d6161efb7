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
