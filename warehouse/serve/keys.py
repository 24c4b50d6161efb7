"""API keys: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp.errors import NotFoundError, UsageError
from cdp.ledger import timestamp
from cdp.settings import duration
from warehouse.serve.scopes import ADMIN, SCOPES, Caller, scopes
from warehouse.serve.store import Store

_PREFIX: Final = "cdp"
OWNER: Final = "owner"
LONGEST_NAME: Final = 80
_DURATION: Final = re.compile("[1-9][0-9]{0,4}[mhdw]")
_STANDING: Final = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"


@dataclass(frozen=True)
class Limits:
    """How much a key may ask for, where it differs from the settings' ``serve`` section."""

    requests_per_minute: int | None = None
    rows_per_day: int | None = None


_AS_ALL: Final = Limits()


@dataclass(frozen=True)
class Key:
    """A key as it is kept: everything but its secret."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    limits: Limits = _AS_ALL

    def state(self, now: datetime) -> str:
        """Return ``active``, ``expired`` or ``revoked``."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= timestamp(now) else "active"


def digest(secret: str) -> bytes:
    """Return what is kept of a random secret; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def create(
    store: Store,
    name: str,
    wanted: Iterable[str],
    *,
    now: datetime,
    expires_at: datetime | None = None,
    limits: Limits = _AS_ALL,
) -> tuple[str, str]:
    """Make a key with these scopes; return its id and the text that a caller sends.

    Raises :class:`UsageError` where the name says nothing, a scope is unknown, or the end has passed.
    """
    granted = scopes(wanted)
    _check(name, granted, limits, now, expires_at)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    store.execute(
        "INSERT INTO keys (key_id, name, hash, scopes, created_at, expires_at, requests_per_minute, rows_per_day) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key_id,
            name.strip(),
            digest(secret),
            " ".join(sorted(granted)),
            timestamp(now),
            timestamp(expires_at) if expires_at else None,
            limits.requests_per_minute,
            limits.rows_per_day,
        ),
    )
    return key_id, f"{_PREFIX}_{key_id}_{secret}"


def _check(
    name: str, granted: frozenset[str], limits: Limits, now: datetime, expires_at: datetime | None
) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise UsageError(f"A key's name is 1 to {LONGEST_NAME} printable characters.")
    if not granted:
        raise UsageError("A key needs a scope.", hint=f"Known: {', '.join(SCOPES)}.")
    if expires_at is not None and expires_at <= now:
        raise UsageError("The key would have expired already.")
    if any(limit is not None and limit < 1 for limit in (limits.requests_per_minute, limits.rows_per_day)):
        raise UsageError("A limit is 1 or more.")


def end_after(text: str, now: datetime) -> datetime:
    """Return when a key ends that is to stand for a time such as ``90d``. Raises :class:`UsageError`."""
    if not _DURATION.fullmatch(text):
        raise UsageError(f"{text!r} is no duration.", hint="Expected a number and m, h, d or w: 12h, 90d.")
    return now + duration(text)


def owner(store: Store, now: datetime) -> str:
    """Return the id of the key of who starts the server: no secret opens it, only links that are printed."""
    store.execute(
        "INSERT OR IGNORE INTO keys (key_id, name, scopes, created_at) VALUES (?, ?, ?, ?)",
        (OWNER, OWNER, " ".join(sorted(scopes([ADMIN]))), timestamp(now)),
    )
    return OWNER


def check(store: Store, text: str, now: datetime) -> Caller | None:
    """Return the caller that a key stands for, or None where it is none, has expired or was revoked."""
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != _PREFIX:
        return None
    query = f"SELECT name, hash, scopes, requests_per_minute FROM keys WHERE key_id = ? AND {_STANDING}"
    found = store.rows(query, (parts[1], timestamp(now)))
    if not found or found[0]["hash"] is None or not hmac.compare_digest(found[0]["hash"], digest(parts[2])):
        return None
    name, _, given, limit = found[0]
    return Caller(parts[1], name, frozenset(given.split()), requests_per_minute=limit)


def revoke(store: Store, key_id: str, now: datetime) -> None:
    """End a key and its sessions; the owner's has no end. Raises :class:`NotFoundError`."""
    with store.transaction():
        done = store.execute(
            "UPDATE keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL AND hash IS NOT NULL",
            (timestamp(now), key_id),
        )
        if done:
            store.execute("DELETE FROM sessions WHERE key_id = ?", (key_id,))
    if not done:
        raise NotFoundError(f"There is no key {key_id!r} in use.", hint="`cdp key list` shows them.")


def listed(store: Store) -> list[Key]:
    """Return all keys, oldest first."""
    columns = "key_id, name, scopes, created_at, expires_at, revoked_at, requests_per_minute, rows_per_day"
    rows = store.rows(f"SELECT {columns} FROM keys ORDER BY created_at, key_id")
    return [
        Key(row[0], row[1], tuple(row[2].split()), row[3], row[4], row[5], Limits(row[6], row[7]))
        for row in rows
    ]
