"""What each record and each identifier value may do: hubs, anchors, copies.

Every status is a function of the live records (and of judgements), of each value and each group of equal records by
itself; so a change is followed up only where it could matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from identity import protection
from identity.derived import NAME_KEY
from identity.growing import longer
from identity.held import Held
from identity.kernels.hashing import mix
from identity.policy import IdentityPolicy, Limit
from identity.protection import Copies, Identifiers
from identity.recordset import NAME_ROLES, RecordSet
from identity.values import NO_CODES, Codes, Flags, Hashes, Multi

_SEED = np.uint64(0x9E3779B97F4A7C15)
Name = tuple[str, str]
Places = npt.NDArray[np.int64] | slice


@dataclass(frozen=True)
class Status:
    """Statuses of N rows.

    ``hubs``: per identifier type and namespace, which values (by code) link nobody. ``identifiers``: without
    these. ``content``: hash of all that a row says; ``several``: rows with several values of one type.
    ``anchored``: rows that can found a customer of their own. ``active``: rows that are compared.
    """

    hubs: Mapping[Name, Flags]
    identifiers: Identifiers
    content: Hashes
    several: Flags
    anchored: Flags
    active: Flags
    copies: Copies
    held: list[Held]


@dataclass(frozen=True)
class Changed:
    """What a change did to statuses.

    ``rows`` that are to be compared anew: they came, went, began or ceased to be active, or a value of theirs became
    a hub or ceased to be one. ``tied``: rows whose ties to others may have changed (see ``clusters``). ``values``:
    whether any row that stood before is compared by other values than before.
    """

    rows: Flags
    tied: Flags
    values: bool


def status(records: RecordSet, live: Flags, judged: Codes, policy: IdentityPolicy) -> Status:
    """Work out every status; ``judged`` are rows of which somebody said where they belong."""
    hubs: dict[Name, Flags] = {}
    identifiers: dict[Name, Multi] = {}
    held: list[Held] = []
    for name, column in sorted(records.identifiers.items()):
        found = _hubs(records, column, policy.limit(name[0]), live)
        hubs[name] = np.zeros(len(records.spaces[column.space]), bool)
        hubs[name][found.values] = True
        identifiers[name] = _without(records, column, hubs[name])
        held += found.held(*name, policy.limit(name[0]))
    every = slice(None)
    anchored = _anchored(records, identifiers, live, policy, every)
    content, several = _contents(records, identifiers, every), _several(records, identifiers, every)
    copies = _copies(records, identifiers, content, anchored, several, judged, policy, every)
    active = anchored.copy()
    active[copies.copy] = False
    return Status(hubs, identifiers, content, several, anchored, active, copies, [*held, *copies.held()])


def restate(
    before: Status,
    was_live: Flags,
    were_judged: Codes,
    records: RecordSet,
    live: Flags,
    judged: Codes,
    policy: IdentityPolicy,
) -> tuple[Status, Changed]:
    """The statuses after a change, worked out anew only where it could matter; equal to those of ``status``."""
    size, old = len(records), len(was_live)
    changed = np.ones(size, bool)
    changed[:old] = live[:old] != was_live
    hubs, identifiers, held, turned = _hubs_again(before, changed, records, live, policy)
    again = changed | turned
    rows = np.flatnonzero(again)
    content, several = longer(before.content, size), longer(before.several, size)
    content[rows], several[rows] = _contents(records, identifiers, rows), _several(records, identifiers, rows)
    again[were_judged] = again[judged] = True
    rows = np.flatnonzero(again)
    anchored = longer(before.anchored, size)
    anchored[rows] = _anchored(records, identifiers, live, policy, rows)

    equal = again | protection.having(
        content, np.concatenate([before.content[rows[rows < old]], content[rows]])
    )
    fresh = _copies(records, identifiers, content, anchored, several, judged, policy, np.flatnonzero(equal))
    gone, kept = before.copies.part(equal[before.copies.copy])
    copies = kept.joined(fresh)
    active = longer(before.active, size)
    active[equal] = anchored[equal]
    active[fresh.copy] = False

    fixed = active[:old] == before.active
    changed |= turned
    changed[:old] |= ~fixed
    tied = again | changed
    for found in (gone, fresh):
        tied[found.first] = tied[found.copy] = True
    present, unnamed = live.copy(), live & ~anchored
    present[:old] |= was_live
    unnamed[:old] |= was_live & ~before.anchored
    _tie(identifiers, tied, present, unnamed, policy)
    now = Status(hubs, identifiers, content, several, anchored, active, copies, [*held, *copies.held()])
    return now, Changed(changed, tied, bool(turned[:old].any()))


def _tie(
    identifiers: Identifiers, tied: Flags, present: Flags, unnamed: Flags, policy: IdentityPolicy
) -> None:
    """Add the rows that share a value with a tied one, where the value ties: unique, or a row without name has it.

    ``present``: rows that count or did before the change.
    """
    rows = tied.copy()
    for (kind, _), column in identifiers.items():
        touched = np.zeros(int(column.value.max()) + 1 if len(column.value) else 0, bool)
        touched[column.value[rows[column.record]]] = True
        near = np.flatnonzero(touched[column.value])
        record, value = column.record[near], column.value[near]
        if kind not in policy.unique:
            touched[:] = False
            touched[value[unnamed[record]]] = True
            record = record[touched[value]]
        tied[record[present[record]]] = True


def _hubs_again(
    before: Status, changed: Flags, records: RecordSet, live: Flags, policy: IdentityPolicy
) -> tuple[dict[Name, Flags], dict[Name, Multi], list[Held], Flags]:
    """Hubs among the values of changed rows, anew; and the rows whose values became hubs or ceased to be."""
    hubs: dict[Name, Flags] = {}
    identifiers: dict[Name, Multi] = {}
    held: list[Held] = []
    turned = np.zeros(len(records), bool)
    by_name: dict[Name, list[Held]] = {}
    for item in before.held:
        if item.what == "identifier":
            by_name.setdefault((item.type, item.namespace), []).append(item)
    for name, column in sorted(records.identifiers.items()):
        touched = np.zeros(len(records.spaces[column.space]), bool)
        touched[column.value[changed[column.record]]] = True
        near = np.flatnonzero(touched[column.value])
        own, value = np.unique(column.value[near], return_inverse=True)
        seen = column.seen[near] if len(column.seen) else column.seen
        part = Multi(column.space, column.record[near], value.astype(np.int32), NO_CODES, seen)
        found = _hubs(records, part, policy.limit(name[0]), live)
        found = replace(found, values=own[found.values])
        past = longer(before.hubs.get(name, touched[:0]), len(touched))
        hubs[name] = past & ~touched
        hubs[name][found.values] = True
        turns = (hubs[name] != past)[column.value[near]]
        turned[part.record[turns]] = True
        identifiers[name] = _without(records, column, hubs[name])
        held += [item for item in by_name.get(name, []) if not touched[item.place]]
        held += found.held(*name, policy.limit(name[0]))
    return hubs, identifiers, held, turned


def _hubs(records: RecordSet, column: Multi, limit: Limit, live: Flags) -> protection.Hubs:
    """Values of a column that too many people share, told apart by their names or, without one, by streets."""
    people = np.full(len(records), -1, np.int32)
    if NAME_KEY in records.keys_only:
        people = records.keys_only[NAME_KEY].codes

    def streets(rows: Codes) -> Codes:
        found, base = np.full(len(rows), -1, np.int32), 0
        for role in ("street", "door"):
            if role in records.columns:
                own = records.columns[role].codes[rows]
                found = np.where(own >= 0, own + np.int32(base), found)
                base += len(records.spaces[records.columns[role].space])
        for role in NAME_ROLES:
            if role in records.columns:
                found[records.columns[role].codes[rows] >= 0] = -1
        return found

    return protection.hubs(column, people, limit, live, streets=streets)


def without_hubs(records: RecordSet, hubs: Mapping[Name, Flags]) -> dict[Name, Multi]:
    """The identifiers of the records without the values that link nobody."""
    return {name: _without(records, column, hubs[name]) for name, column in records.identifiers.items()}


def _without(records: RecordSet, column: Multi, hubs: Flags) -> Multi:
    return protection.without(column, hubs, records.spaces[column.space].hashes) if hubs.any() else column


def _anchored(
    records: RecordSet,
    identifiers: Identifiers,
    live: Flags,
    policy: IdentityPolicy,
    rows: Places,
) -> Flags:
    """Which of the rows have a name, a birth date or a unique identifier, and count.

    What somebody judged about a record changes nothing here: without a name it still waits for its owner.
    """
    found = np.zeros(len(records), bool)[rows]
    for role in (*NAME_ROLES, "birth_date"):
        if role in records.columns:
            found |= records.columns[role].codes[rows] >= 0
    for (kind, _), column in identifiers.items():
        if kind in policy.unique:
            found |= column.codes[rows] >= 0
    return found & live[rows]


def _flagged(rows: Codes, size: int) -> Flags:
    flags = np.zeros(size, bool)
    flags[rows] = True
    return flags


def _several(records: RecordSet, identifiers: Identifiers, rows: Places) -> Flags:
    """Which of the rows have several values of one type."""
    found = np.zeros(len(records), bool)
    for column in identifiers.values():
        found[column.record[1:][column.record[1:] == column.record[:-1]]] = True
    return found[rows]


def _copies(
    records: RecordSet,
    identifiers: Identifiers,
    content: Hashes,
    anchored: Flags,
    several: Flags,
    judged: Codes,
    policy: IdentityPolicy,
    rows: Places,
) -> Copies:
    """Copies among the rows, which are all that have their contents."""
    among = anchored[rows] & ~several[rows] & ~_flagged(judged, len(records))[rows]
    identified = np.zeros(len(among), bool)
    for column in identifiers.values():
        identified |= column.codes[rows] >= 0
    found = protection.copies(content[rows], records.order[rows], among, identified, policy.max_cluster)
    if isinstance(rows, slice):
        return found
    own = rows.astype(np.int32)
    return Copies(own[found.first], own[found.copy], found.crowd)


def _contents(records: RecordSet, identifiers: Identifiers, rows: Places) -> Hashes:
    """Hash of all that each of the rows says.

    Columns without a value leave no trace, so that columns that come later change no hash.
    """
    key = np.full(len(records), _SEED, np.uint64)[rows]
    for name in sorted(records.columns):
        column = records.columns[name]
        key = _mixed(key, column.codes[rows], records.spaces[column.space].hashes, name)
    for pair in sorted(identifiers):
        one = identifiers[pair]
        key = _mixed(key, one.codes[rows], records.spaces[one.space].hashes, "/".join(pair))
    return key


def _mixed(key: Hashes, codes: Codes, hashes: Hashes, name: str) -> Hashes:
    """Add one column to ``key``, which is its own; a value counts by its hash."""
    salt = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
    mix(key, codes, hashes, salt)
    return key
