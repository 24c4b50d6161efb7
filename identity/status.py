"""What each record and each identifier value may do: hubs, anchors, copies. Functions of the live records alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from identity import protection
from identity.derived import NAME_KEY
from identity.held import Held
from identity.policy import IdentityPolicy
from identity.protection import Copies, Identifiers
from identity.recordset import RecordSet
from identity.values import Codes, Flags, Hashes, Multi

_SEED = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Status:
    """Statuses of N rows.

    ``hubs``: per identifier type and namespace, which values (by code) link nobody. ``identifiers``: without
    these. ``content``: hash of all that a row says; ``several``: rows with several values of one type. ``anchored``: rows that can found a customer of their own. ``active``: rows that are compared.
    """

    hubs: Mapping[tuple[str, str], Flags]
    identifiers: Identifiers
    content: Hashes
    several: Flags
    anchored: Flags
    active: Flags
    copies: Copies
    held: list[Held]


def status(
    records: RecordSet,
    live: Flags,
    judged: Codes,
    policy: IdentityPolicy,
    before: Status | None = None,
) -> Status:
    """Work out every status; ``judged`` are rows of which somebody said where they belong.

    ``before``: statuses of the first rows, whose contents are not hashed again unless a hub changed them.
    """
    hubs, identifiers, held = _hubs(records, live, policy)
    anchored = _anchored(records, identifiers, live, judged, policy)
    content, several = _contents(records, identifiers, hubs, before)
    among = anchored & ~several
    among[judged] = False
    identified = np.zeros(len(records), bool)
    for column in identifiers.values():
        identified |= column.codes >= 0
    found = protection.copies(content, records.order, among, identified, policy.max_cluster)
    active = anchored.copy()
    active[found.copy] = False
    return Status(hubs, identifiers, content, several, anchored, active, found, [*held, *found.held()])


def _hubs(
    records: RecordSet, live: Flags, policy: IdentityPolicy
) -> tuple[dict[tuple[str, str], Flags], dict[tuple[str, str], Multi], list[Held]]:
    people = records.keys_only[NAME_KEY].codes if NAME_KEY in records.keys_only else _nobody(records)
    flags: dict[tuple[str, str], Flags] = {}
    kept: dict[tuple[str, str], Multi] = {}
    held: list[Held] = []
    for (kind, namespace), column in sorted(records.identifiers.items()):
        values = records.spaces[column.space]
        found = protection.hubs(column, people, policy.limit(kind), live)
        flag = np.zeros(len(values), bool)
        flag[found.values] = True
        flags[kind, namespace] = flag
        kept[kind, namespace] = protection.without(column, flag, values.hashes)
        held += found.held(kind, namespace, policy.limit(kind))
    return flags, kept, held


def _nobody(records: RecordSet) -> Codes:
    return np.full(len(records), -1, np.int32)


def _anchored(
    records: RecordSet, identifiers: Identifiers, live: Flags, judged: Codes, policy: IdentityPolicy
) -> Flags:
    """With a name, a birth date, a unique identifier, or judged."""
    found = records.has_name()
    if "birth_date" in records.columns:
        found |= records.columns["birth_date"].codes >= 0
    for (kind, _), column in identifiers.items():
        if kind in policy.unique:
            found[column.record] = True
    found[judged] = True
    return found & live


def _contents(
    records: RecordSet, identifiers: Identifiers, hubs: Mapping[tuple[str, str], Flags], before: Status | None
) -> tuple[Hashes, Flags]:
    """Hash of all that each record says; which records have several values of a type."""
    several = np.zeros(len(records), bool)
    for column in identifiers.values():
        if len(column.record) > int((column.codes >= 0).sum()):
            several[column.record[1:][column.record[1:] == column.record[:-1]]] = True
    if before is None:
        return _hashed(records, identifiers, np.arange(len(records))), several
    old = len(before.content)
    again = np.ones(len(records), bool)
    again[:old] = several[:old] != before.several
    for name, turned in turned_hubs(hubs, before.hubs):
        column = records.identifiers[name]
        again[column.record[turned[column.value]]] = True
    content = np.concatenate([before.content, np.zeros(len(records) - old, np.uint64)])
    rows = np.flatnonzero(again)
    content[rows] = _hashed(records, identifiers, rows)
    return content, several


def turned_hubs(
    now: Mapping[tuple[str, str], Flags], past: Mapping[tuple[str, str], Flags]
) -> Iterator[tuple[tuple[str, str], Flags]]:
    """The identifier types of which values became hubs or ceased to be, with a flag per value."""
    for name, flags in now.items():
        turned = flags.copy()
        if name in past:
            turned[: len(past[name])] ^= past[name]
        if turned.any():
            yield name, turned


def _hashed(records: RecordSet, identifiers: Identifiers, rows: npt.NDArray[np.int64]) -> Hashes:
    """Columns without a value leave no trace, so that columns that come later change no hash."""
    key = np.full(len(rows), _SEED, np.uint64)
    for name in sorted(records.columns):
        column = records.columns[name]
        key = _mixed(key, column.codes[rows], records.spaces[column.space].hashes, name)
    for pair in sorted(identifiers):
        one = identifiers[pair]
        key = _mixed(key, one.codes[rows], records.spaces[one.space].hashes, "/".join(pair))
    return key


def _mixed(key: Hashes, codes: Codes, hashes: Hashes, name: str) -> Hashes:
    """Add one column, by the finaliser of SplitMix64 (Steele, Lea and Flood 2014); a value counts by its hash."""
    salt = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
    value = np.append(hashes ^ salt, np.uint64(0))[codes]
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    value[codes < 0] = 0
    return key + value
