"""The suppression list: identifiers of people whose events must not land, kept as keyed hashes only.

An entry is the HMAC-SHA256 of (type, namespace, canonical value) under a random key that the ledger
holds. Whoever has the ledger can test a guess against it, but cannot read the list. E-mail addresses
and telephone numbers are global; an entry of another type holds in one namespace, or in every one.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from cdp.errors import NotFoundError, UsageError, nearest
from cdp.identifiers import GLOBAL_NAMESPACE, IDENTIFIER_TYPES, REASONS, check
from cdp.ledger import Ledger, timestamp

KEY_BYTES: Final = 32
PREFIX_DIGITS: Final = 12
SHORTEST_PREFIX: Final = 6

_FORM = "Expected TYPE:VALUE or TYPE@NAMESPACE:VALUE, such as email:ann@mail.example or user_id@web:42."


@dataclass(frozen=True)
class Entry:
    """An identifier as the list names it; ``namespace`` None stands for every namespace of its type."""

    type: str
    namespace: str | None
    value: str

    def hash(self, key: bytes) -> bytes:
        """Return what is kept of it.

        >>> Entry("user_id", None, "42").hash(b"k") == Entry("user_id", "web", "42").hash(b"k")
        False
        """
        return hash_of(key, self.type, self.namespace, self.value)


@dataclass(frozen=True)
class Suppression:
    """An entry as it is kept. ``held_back``: envelopes that named it and did not land, so far."""

    prefix: str
    type: str
    namespace: str | None
    added_at: str
    added_by: str
    reason: str | None
    held_back: int
    last_held_at: str | None
    removed_at: str | None
    removed_by: str | None


@dataclass(frozen=True)
class Suppressed:
    """The list as it is asked: ``hashes`` of all entries that stand, and ``scopes``, their (type, namespace)."""

    key: bytes = b""
    hashes: frozenset[bytes] = frozenset()
    scopes: frozenset[tuple[str, str | None]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hashes)

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of identifier that the list has."""
        return frozenset(type_ for type_, _ in self.scopes)

    def entries(self, type_: str, namespace: str, value: str) -> list[bytes]:
        """Return the hashes of the entries that an identifier in canonical form meets."""
        scopes = [scope for scope in (namespace, None) if (type_, scope) in self.scopes]
        found = (hash_of(self.key, type_, scope, value) for scope in scopes)
        return [one for one in found if one in self.hashes]


def hash_of(key: bytes, type_: str, namespace: str | None, value: str) -> bytes:
    """Return the keyed hash of an identifier in canonical form (32 bytes)."""
    return hmac.digest(key, before(type_, namespace) + _encoded(value), "sha256")


def before(type_: str, namespace: str | None) -> bytes:
    """Return what stands before a value in the text that is hashed.

    The parts are told apart whatever characters they hold: a namespace goes with its length.
    """
    scope = "*" if namespace is None else f"{len(namespace)}:{namespace}"
    return _encoded(f"{type_}\x00{scope}\x00")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def parse(text: str, *, place: str, region: str | None) -> Entry:
    """Return the entry that ``TYPE:VALUE`` or ``TYPE@NAMESPACE:VALUE`` means, in canonical form.

    ``region`` is where telephone numbers without a plus were dialled. Raises :class:`UsageError`, which
    says ``place`` (which of the arguments, which line) and never the value.

    >>> parse("phone:020 7946 0018", place="argument 1", region="GB")
    Entry(type='phone', namespace='', value='+442079460018')
    >>> parse("user_id@shop:42", place="argument 1", region=None)
    Entry(type='user_id', namespace='shop', value='42')
    """
    head, colon, value = text.strip().partition(":")
    type_, at, namespace = head.strip().partition("@")
    if not colon or (at and not namespace.strip()):
        raise UsageError(f"{_begun(place)} is no identifier with a type.", hint=_FORM)
    if type_ not in IDENTIFIER_TYPES:
        # What stands before the colon may be personal, too: only what looks like a type is repeated.
        close = nearest(type_, IDENTIFIER_TYPES)
        hint = f"Did you mean {close}?" if close else f"Known: {', '.join(IDENTIFIER_TYPES)}. {_FORM}"
        raise UsageError(f"{_begun(place)} has an unknown type of identifier.", hint=hint)
    if IDENTIFIER_TYPES[type_].is_global and at:
        raise UsageError(
            f"{_begun(place)} names a namespace, but an identifier of type {type_} has none.",
            hint=f"Write {type_}:VALUE.",
        )
    checked = check(type_, value, region)
    if checked.value is None:
        why = f": {REASONS[checked.reason]}" if checked.reason else ""
        raise UsageError(
            f"{_begun(place)} is no {type_}{why}.",
            hint="Telephone numbers as +442071234567, or as dialled in the workspace's region."
            if type_ == "phone"
            else _FORM,
        )
    scope = GLOBAL_NAMESPACE if IDENTIFIER_TYPES[type_].is_global else namespace.strip() or None
    return Entry(type_, scope, checked.value)


def _begun(place: str) -> str:
    return place[:1].upper() + place[1:]


def load(ledger: Ledger) -> Suppressed:
    """Return the list as it stands."""
    rows = ledger.rows("SELECT hash, type, namespace FROM suppressions WHERE removed_at IS NULL")
    if not rows:
        return Suppressed()
    scopes = frozenset((row["type"], row["namespace"]) for row in rows)
    return Suppressed(_key(ledger), frozenset(row["hash"] for row in rows), scopes)


def revision(ledger: Ledger) -> tuple[int, int]:
    """Return what differs whenever the list has changed: entries ever made, and of these removed."""
    (row,) = ledger.rows("SELECT count(*), count(removed_at) FROM suppressions")
    return int(row[0]), int(row[1])


def _key(ledger: Ledger) -> bytes:
    return bytes(ledger.value("SELECT key FROM suppression_key") or b"")


def add(
    ledger: Ledger, entries: Iterable[Entry], *, by: str, now: datetime, reason: str | None = None
) -> int:
    """Put entries on the list in one transaction; return how many were not on it. The first one makes the key.

    No writer lock is needed: a batch that is being landed has read the list or will read these.
    """
    if not by.strip():
        raise UsageError("An entry needs somebody who made it.", hint="Name them: --as NAME.")
    moment = timestamp(now.astimezone(UTC))
    added = 0
    with ledger.transaction("suppress"):
        ledger.execute(
            "INSERT OR IGNORE INTO suppression_key VALUES (1, ?)", (secrets.token_bytes(KEY_BYTES),)
        )
        key = _key(ledger)
        for entry in entries:
            added += ledger.execute(
                "INSERT OR IGNORE INTO suppressions (hash, type, namespace, added_at, added_by, reason) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (entry.hash(key), entry.type, entry.namespace, moment, by.strip(), reason or None),
            ).rowcount
    return added


def remove(ledger: Ledger, hashes: Iterable[bytes], *, by: str, now: datetime) -> int:
    """Take entries off the list in one transaction; return how many were on it. That they were, is kept."""
    moment = timestamp(now.astimezone(UTC))
    with ledger.transaction("unsuppress"):
        return sum(
            ledger.execute(
                "UPDATE suppressions SET removed_at = ?, removed_by = ? WHERE hash = ? AND removed_at IS NULL",
                (moment, by.strip(), one),
            ).rowcount
            for one in hashes
        )


def find(ledger: Ledger, text: str, *, place: str, region: str | None) -> bytes:
    """Return the hash of the entry that stands for an identifier, or that begins with a prefix of its hash.

    Raises :class:`NotFoundError` where there is none, :class:`UsageError` where several begin so.
    """
    if ":" in text:
        wanted = parse(text, place=place, region=region).hash(_key(ledger))
        rows = ledger.rows("SELECT hash FROM suppressions WHERE removed_at IS NULL AND hash = ?", (wanted,))
    elif re.fullmatch(f"[0-9a-f]{{{SHORTEST_PREFIX},64}}", text.strip().lower()):
        rows = ledger.rows(
            "SELECT hash FROM suppressions WHERE removed_at IS NULL AND lower(hex(hash)) GLOB ? || '*'",
            (text.strip().lower(),),
        )
    else:
        raise UsageError(
            f"{_begun(place)} is neither an identifier nor the beginning of a hash.",
            hint=f"{_FORM} Of a hash at least {SHORTEST_PREFIX} digits; `cdp suppress list` shows them.",
        )
    if not rows:
        raise NotFoundError(f"{_begun(place)} is not on the list.", hint="`cdp suppress list` shows it.")
    if len(rows) > 1:
        raise UsageError(f"{_begun(place)} begins {len(rows)} hashes.", hint="Give more of its digits.")
    return bytes(rows[0]["hash"])


def read(ledger: Ledger, *, removed: bool = False) -> list[Suppression]:
    """Return the entries that stand, oldest first; with ``removed`` also those that were taken off."""
    rows = ledger.rows(
        f"SELECT substr(lower(hex(hash)), 1, {PREFIX_DIGITS}) AS prefix, type, namespace, added_at, added_by, reason, "
        "held_back, last_held_at, removed_at, removed_by FROM suppressions "
        "WHERE :removed OR removed_at IS NULL ORDER BY suppression_id",
        {"removed": removed},
    )
    return [Suppression(**dict(row)) for row in rows]


def record(ledger: Ledger, held: Mapping[bytes, int], *, now: datetime) -> None:
    """Count envelopes that were held back, by entry, inside the transaction that commits their batch."""
    rows: Sequence[tuple[int, str, bytes]] = [(n, timestamp(now), one) for one, n in sorted(held.items())]
    ledger.execute_many(
        "UPDATE suppressions SET held_back = held_back + ?, last_held_at = ? WHERE hash = ? AND removed_at IS NULL",
        rows,
    )
