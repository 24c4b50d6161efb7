"""Sessions of the pages: a random cookie, kept as a hash, that stands for a key until it ends."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from cdp.ledger import timestamp
from warehouse.serve.keys import digest
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store

COOKIE: Final = "cdp_session"
LIFETIME: Final = timedelta(hours=12)
LINK_LIFETIME: Final = timedelta(minutes=15)


def begin(store: Store, key_id: str, now: datetime) -> str:
    """Open a session for a key; return the cookie's value."""
    token = secrets.token_urlsafe(32)
    with store.transaction():
        store.execute("DELETE FROM sessions WHERE expires_at <= ?", (timestamp(now),))
        store.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
            (digest(token), key_id, secrets.token_urlsafe(24), timestamp(now), timestamp(now + LIFETIME)),
        )
    return token


def find(store: Store, token: str, now: datetime) -> Caller | None:
    """Return who a session's cookie stands for, or None where it has ended."""
    query = (
        "SELECT k.key_id, k.name, k.scopes, s.csrf_token FROM sessions AS s JOIN keys AS k USING (key_id) "
        "WHERE s.hash = ? AND s.expires_at > ? AND k.revoked_at IS NULL "
        "AND (k.expires_at IS NULL OR k.expires_at > ?)"
    )
    moment = timestamp(now)
    rows = store.rows(query, (digest(token), moment, moment))
    return Caller(rows[0][0], rows[0][1], frozenset(rows[0][2].split()), rows[0][3]) if rows else None


def end(store: Store, token: str) -> None:
    """Close a session."""
    store.execute("DELETE FROM sessions WHERE hash = ?", (digest(token),))


def new_link(store: Store, key_id: str, now: datetime) -> str:
    """Return the code of a link that opens one session for a key, once, within some minutes."""
    code = secrets.token_urlsafe(32)
    with store.transaction():
        store.execute("DELETE FROM links WHERE expires_at <= ?", (timestamp(now),))
        store.execute(
            "INSERT INTO links VALUES (?, ?, ?)", (digest(code), key_id, timestamp(now + LINK_LIFETIME))
        )
    return code


def follow_link(store: Store, code: str, now: datetime) -> str | None:
    """Use a link's code up; return the cookie of the session that it opens, or None where it is spent."""
    with store.transaction():
        query = "SELECT key_id FROM links WHERE hash = ? AND expires_at > ?"
        rows = store.rows(query, (digest(code), timestamp(now)))
        store.execute("DELETE FROM links WHERE hash = ?", (digest(code),))
    return begin(store, rows[0][0], now) if rows else None
