"""Sessions of the pages: a random cookie, kept as a hash, that stands for a key until it ends."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cdp.ledger import timestamp
from cdp.settings import duration
from cdp.settings.serving import ServeSettings
from warehouse.serve.keys import digest
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store

COOKIE: Final = "cdp_session"
# A cookie of this name is taken by browsers over TLS only, and from this host only.
HTTPS_COOKIE: Final = "__Host-cdp_session"
LINK_LIFETIME: Final = timedelta(minutes=15)
_CSRF_BYTES: Final = 24
# A session's end moves on no more often than this: a request seldom writes.
_STEP: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Lifetimes:
    """When sessions end: ``idle`` after the last request, at the latest ``longest`` after they began."""

    idle: timedelta = timedelta(hours=2)
    longest: timedelta = timedelta(hours=12)

    @classmethod
    def of(cls, settings: ServeSettings) -> Lifetimes:
        """Return those of the settings."""
        return cls(duration(settings.session_idle), duration(settings.session_longest))

    def end(self, began: datetime, now: datetime) -> datetime:
        """Return when a session ends that was used just now."""
        return min(began + self.longest, now + self.idle)


DEFAULT: Final = Lifetimes()


def begin(store: Store, key_id: str, now: datetime, lifetimes: Lifetimes = DEFAULT) -> str:
    """Open a session for a key; return the cookie's value."""
    token, csrf = secrets.token_urlsafe(32), _text(secrets.token_bytes(_CSRF_BYTES))
    store.execute(
        "INSERT INTO sessions (hash, key_id, csrf_token, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (digest(token), key_id, csrf, timestamp(now), timestamp(lifetimes.end(now, now))),
    )
    return token


def find(store: Store, token: str, now: datetime, lifetimes: Lifetimes = DEFAULT) -> Caller | None:
    """Return who a session's cookie stands for, or None where it has ended; being used, it ends later."""
    query = (
        "SELECT k.key_id, k.name, k.scopes, s.csrf_token, k.requests_per_minute, s.created_at, s.expires_at "
        "FROM sessions AS s JOIN keys AS k USING (key_id) "
        "WHERE s.hash = ? AND s.expires_at > ? AND k.revoked_at IS NULL "
        "AND (k.expires_at IS NULL OR k.expires_at > ?)"
    )
    hashed, moment = digest(token), timestamp(now)
    rows = store.rows(query, (hashed, moment, moment))
    if not rows:
        return None
    key_id, name, scopes, csrf, limit, began, ends = rows[0]
    later = lifetimes.end(datetime.fromisoformat(began), now)
    if later - datetime.fromisoformat(ends) > _STEP:
        store.execute("UPDATE sessions SET expires_at = ? WHERE hash = ?", (timestamp(later), hashed))
    return Caller(key_id, name, frozenset(scopes.split()), _masked(csrf), limit)


def end(store: Store, token: str) -> None:
    """Close a session."""
    store.execute("DELETE FROM sessions WHERE hash = ?", (digest(token),))


def drop_ended(store: Store, now: datetime) -> None:
    """Forget sessions and links that have ended."""
    for table in ("sessions", "links"):
        store.execute(f"DELETE FROM {table} WHERE expires_at <= ?", (timestamp(now),))


def is_csrf_token(caller: Caller, given: str) -> bool:
    """Whether ``given`` is what the caller's pages send along. Takes equally long whatever is given."""
    return hmac.compare_digest(_unmasked(given), _unmasked(caller.csrf_token or ""))


def _masked(secret: str) -> str:
    """Return a CSRF token that differs on each page: the length of packed pages then tells nothing of it."""
    plain = base64.urlsafe_b64decode(secret)
    pad = secrets.token_bytes(len(plain))
    return _text(pad + _xor(pad, plain))


def _unmasked(token: str) -> bytes:
    try:
        both = base64.urlsafe_b64decode(token.encode("ascii", "replace"))
    except (ValueError, binascii.Error):
        both = b""
    # What is no token becomes random bytes, which equal nothing.
    return (
        _xor(both[:_CSRF_BYTES], both[_CSRF_BYTES:])
        if len(both) == 2 * _CSRF_BYTES
        else secrets.token_bytes(_CSRF_BYTES)
    )


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def new_link(store: Store, key_id: str, now: datetime) -> str:
    """Return the code of a link that opens one session for a key, once, within some minutes."""
    code = secrets.token_urlsafe(32)
    store.execute(
        "INSERT INTO links (hash, key_id, expires_at) VALUES (?, ?, ?)",
        (digest(code), key_id, timestamp(now + LINK_LIFETIME)),
    )
    return code


def follow_link(store: Store, code: str, now: datetime, lifetimes: Lifetimes = DEFAULT) -> str | None:
    """Use a link's code up; return the cookie of the session that it opens, or None where it is spent."""
    with store.transaction():
        query = "SELECT key_id FROM links WHERE hash = ? AND expires_at > ?"
        rows = store.rows(query, (digest(code), timestamp(now)))
        store.execute("DELETE FROM links WHERE hash = ?", (digest(code),))
        return begin(store, rows[0][0], now, lifetimes) if rows else None
