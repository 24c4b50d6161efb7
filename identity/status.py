"""What each record and each identifier value may do: hubs, anchors, copies. Functions of the live records alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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
    these. ``anchored``: rows that can found a customer of their own. ``active``: rows that are compared.
    """

    hubs: Mapping[tuple[str, str], Flags]
    identifiers: Identifiers
    content: Hashes
    anchored: Flags
    active: Flags
    copies: Copies
    held: list[Held]


def status(
    records: RecordSet,
    live: Flags,
    judged: Codes,
    policy: IdentityPolicy,
) -> Status:
    """Work out every status; ``judged`` are rows of which somebody said where they belong."""
    hubs, identifiers, held = _hubs(records, live, policy)
    anchored = _anchored(records, identifiers, live, judged, policy)
    content, several = _content(records, identifiers)
    among = anchored & ~several
    among[judged] = False
    identified = np.zeros(len(records), bool)
    for column in identifiers.values():
        identified |= column.codes >= 0
    found = protection.copies(content, records.order, among, identified, policy.max_cluster)
    active = anchored.copy()
    active[found.copy] = False
    return Status(hubs, identifiers, content, anchored, active, found, [*held, *found.held()])


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


def _content(records: RecordSet, identifiers: Identifiers) -> tuple[Hashes, Flags]:
    """Hash of all that each record says; which records have several values of a type."""
    key = np.full(len(records), _SEED, np.uint64)
    several = np.zeros(len(records), bool)
    for place, name in enumerate(sorted(records.columns)):
        column = records.columns[name]
        key = _mixed(key, column.codes, records.spaces[column.space].hashes, place)
    for place, pair in enumerate(sorted(identifiers), start=1 << 16):
        one = identifiers[pair]
        key = _mixed(key, one.codes, records.spaces[one.space].hashes, place)
        if len(one.record) > int((one.codes >= 0).sum()):
            several[one.record[1:][one.record[1:] == one.record[:-1]]] = True
    return key, several


def _mixed(key: Hashes, codes: Codes, hashes: Hashes, place: int) -> Hashes:
    """One round of the finaliser of SplitMix64 (Steele, Lea and Flood 2014); a value counts by its hash."""
    number = np.append(hashes, np.uint64(place))[codes]
    mixed = (key ^ number) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
