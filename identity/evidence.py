"""Deterministic evidence: which identifier values may link, and whom they link.

A value that is shared by more different people than its type allows is a hub and links nobody. A record
without a name (an *unnamed* record, such as calls from one number) joins the only customer that holds its
value; where several customers hold it, the policy decides, never chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from identity.policy import IdentityPolicy
from identity.records import Codes, HeldValue, MultiCoded, RecordSet

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_ROUNDS = 20
_KEPT_COPIES = 12
_SEED = 0x9E3779B97F4A7C15
_NOBODY = np.iinfo(np.int64).max
# Match weights (bits, prior included) of a shared identifier where no name can be compared.
SHARED_WEIGHT = {
    "user_id": 14.0,
    "national_id": 12.0,
    "external_id": 11.0,
    "email": 9.0,
    "handle": 9.0,
    "anonymous_id": 8.0,
    "phone": 7.0,
    "device": 6.0,
}
_OTHER_WEIGHT = 7.0


def shared_weight(identifier_type: str) -> int:
    """Weight, in 1/1000 bit, of one shared identifier where no name can be compared."""
    return int(SHARED_WEIGHT.get(identifier_type, _OTHER_WEIGHT) * 1000)


def name_keys(records: RecordSet) -> Rows:
    """A coarse key of each record's name, -1 without: two initials in either order, or an organisation's.

    Coarse, so that typing errors and short forms of one person's name do not count as many people.
    """
    one, two = _initials(records, "given_name"), _initials(records, "surname")
    key = np.where(
        (one >= 0) & (two >= 0), np.minimum(one, two) * 0x110000 + np.maximum(one, two), np.int64(-1)
    )
    company = records.columns.get("company")
    if company is not None:
        key = np.where(
            (key < 0) & (company.codes >= 0), _initials(records, "company") + (np.int64(1) << 48), key
        )
    return key


def _initials(records: RecordSet, role: str) -> Rows:
    column = records.columns.get(role)
    if column is None:
        return np.full(len(records), -1, dtype=np.int64)
    letters = np.fromiter((ord(value[0]) for value in column.values), np.int64, len(column.values))
    return np.append(letters, np.int64(-1))[column.codes]


def people_per_value(column: MultiCoded, keys: npt.NDArray[np.int64], rows: Flags | None = None) -> Rows:
    """Different name keys among the records of each value; values without any named record count 0."""
    own = keys[column.record]
    use = own >= 0 if rows is None else (own >= 0) & rows
    if not use.any():
        return np.zeros(len(column.values), dtype=np.int64)
    _, dense = np.unique(own[use], return_inverse=True)
    width = int(dense.max()) + 1
    pairs = np.unique(column.value[use].astype(np.int64) * width + dense)
    return np.bincount(pairs // width, minlength=len(column.values))


def _recent(column: MultiCoded, window_us: int) -> Flags | None:
    """Which sightings lie within the window before the value's last sighting."""
    if not len(column.seen):
        return None
    last = np.full(len(column.values), np.iinfo(np.int64).min, dtype=np.int64)
    np.maximum.at(last, column.value, column.seen)
    return column.seen >= last[column.value] - window_us


def hold_hubs(records: RecordSet, policy: IdentityPolicy) -> tuple[RecordSet, list[HeldValue]]:
    """Take hub values out of the records' identifiers; returns what was held back, with the reason."""
    keys = name_keys(records)
    held: list[HeldValue] = []
    kept: dict[tuple[str, str], MultiCoded] = {}
    for (kind, namespace), column in records.identifiers.items():
        limit = policy.limit(kind)
        window = _recent(column, int(limit.window.total_seconds() * 1e6)) if limit.window else None
        people = people_per_value(column, keys, window)
        hubs = people > limit.max_people
        sightings = np.bincount(column.value, minlength=len(column.values))
        for place in np.flatnonzero(hubs):
            reason = f"shared by about {people[place]} different names, more than {limit.max_people}"
            held.append(HeldValue(kind, namespace, str(column.values[place]), reason, int(sightings[place])))
        kept[kind, namespace] = without(column, hubs) if hubs.any() else column
    return replace(records, identifiers=kept), held


def without(column: MultiCoded, values: Flags) -> MultiCoded:
    """The column without some of its values."""
    keep = ~values[column.value]
    record, value = column.record[keep], column.value[keep]
    first = np.full(len(column.codes), -1, dtype=np.int32)
    first[record[::-1]] = value[::-1]
    seen = column.seen[keep] if len(column.seen) else column.seen
    return MultiCoded(column.values, first, record, value, seen)


def anchors(records: RecordSet, policy: IdentityPolicy, judged: Rows) -> Flags:
    """Records that can found a customer of their own.

    With a name, a birth date, a unique identifier, or judged.
    """
    found = records.has_name()
    if "birth_date" in records.columns:
        found |= records.columns["birth_date"].codes >= 0
    for (kind, _), column in records.identifiers.items():
        if kind in policy.unique:
            found[column.record] = True
    found[judged] = True
    return found


@dataclass(frozen=True)
class Copies:
    """Records whose whole content many others have too: ``first`` stands for ``copy``.

    ``crowd``: copies in a group that is larger than a customer may be and that shares no identifier.
    """

    first: Rows
    copy: Rows
    crowd: Flags

    def held(self, keys: pa.Array) -> list[HeldValue]:
        """What crowds hold back, by their first record."""
        first, counts = np.unique(self.first[self.crowd], return_counts=True)
        reason = "equal records without an identifier, more than one customer may have"
        return [
            HeldValue("record", "", keys[int(place)].as_py(), reason, int(count) + 1)
            for place, count in zip(first, counts, strict=True)
        ]


def copies(records: RecordSet, among: Flags, apart: Rows, most: int) -> Copies:
    """Find records that equal many others.

    The first few of equal records are compared like any other; the rest would only fill blocks, and their
    weight is that of the first with a copy. Records with several values of a type, and those in ``apart``,
    are no copies. Groups of more than ``most`` without an identifier are crowds.
    """
    key = np.full(len(records), _SEED, dtype=np.uint64)
    identified = np.zeros(len(records), dtype=bool)
    plain = among.copy()
    plain[apart] = False
    for name in sorted(records.columns):
        key = _mix(key, records.columns[name].codes)
    for pair in sorted(records.identifiers):
        column = records.identifiers[pair]
        key = _mix(key, column.codes)
        identified |= column.codes >= 0
        plain[np.bincount(column.record, minlength=len(records)) > 1] = False
    rows = np.flatnonzero(plain)
    rows = rows[np.argsort(key[rows], kind="stable")]
    if not len(rows):
        return Copies(rows, rows, np.zeros(0, dtype=bool))
    group = np.cumsum(np.r_[True, key[rows][1:] != key[rows][:-1]]) - 1
    size = np.bincount(group)
    start = np.cumsum(size) - size
    crowd = (size > most) & ~identified[rows[start]]
    extra = np.arange(len(rows)) - start[group] >= np.where(crowd, 1, _KEPT_COPIES)[group]
    return Copies(rows[start[group[extra]]], rows[extra], crowd[group[extra]])


def _mix(key: npt.NDArray[np.uint64], codes: Codes) -> npt.NDArray[np.uint64]:
    """One round of the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over a column of codes."""
    mixed = (key ^ (codes.astype(np.int64) + 2).astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def unique_conflicts(records: RecordSet, policy: IdentityPolicy, group: Rows) -> tuple[Rows, Rows]:
    """Pairs of records of one group that hold different values of a unique type in one namespace.

    Per value one record stands for all that hold it; records that hold the same value are joined beforehand.
    """
    lefts, rights = [], []
    for (kind, _), column in records.identifiers.items():
        if kind not in policy.unique or not column.present:
            continue
        record, value = column.record.astype(np.int64), column.value.astype(np.int64)
        order = np.lexsort((record, value, group[record]))
        record, value, own = record[order], value[order], group[record][order]
        first = (
            np.r_[True, (value[1:] != value[:-1]) | (own[1:] != own[:-1])] if len(own) else np.empty(0, bool)
        )
        record, own = record[first], own[first]
        starts = np.flatnonzero(np.r_[True, own[1:] != own[:-1]]) if len(own) else np.empty(0, np.int64)
        for start, size in zip(starts, np.diff(np.r_[starts, len(own)]), strict=True):
            if size > 1:
                one, two = np.triu_indices(min(int(size), 2000), 1)
                lefts.append(record[start + one])
                rights.append(record[start + two])
    if not lefts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    left, right = np.concatenate(lefts), np.concatenate(rights)
    return left[left != right], right[left != right]


def same_unique(records: RecordSet, policy: IdentityPolicy) -> tuple[Rows, Rows, list[str]]:
    """Edges that join the records of each value of a unique type: the first record with every other."""
    lefts, rights, kinds = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for (kind, _), column in records.identifiers.items():
        if kind in policy.unique and column.present:
            left, right = _stars(column.record.astype(np.int64), column.value)
            lefts.append(left)
            rights.append(right)
            kinds += [kind] * len(left)
    return np.concatenate(lefts), np.concatenate(rights), kinds


def _stars(record: Rows, value: Codes) -> tuple[Rows, Rows]:
    order = np.lexsort((record, value))
    record, value = record[order], value[order]
    if not len(record):
        return record, record
    fresh = np.r_[True, value[1:] != value[:-1]]
    centre = record[np.maximum.accumulate(np.where(fresh, np.arange(len(record)), 0))]
    return centre[~fresh], record[~fresh]


@dataclass(frozen=True)
class Attached:
    """Labels after unnamed records found their place, the edges that led there, and who stayed alone."""

    labels: Rows
    left: Rows
    right: Rows
    kinds: npt.NDArray[np.object_]
    held: list[HeldValue]


def attach(
    labels: Rows, anchored: Flags, records: RecordSet, policy: IdentityPolicy, barred: tuple[Rows, Rows]
) -> Attached:
    """Give unnamed records to the one customer that holds their identifier, in synchronous rounds."""
    size = len(labels)
    owner = np.where(anchored, labels, np.int64(-1))
    columns = sorted(records.identifiers.items(), key=lambda item: (policy.rank(item[0][0]), item[0]))
    edges: list[tuple[Rows, Rows, str]] = []
    for _ in range(_ROUNDS):
        changed = False
        wanted = np.full(size, -1, dtype=np.int64)
        via = np.full(size, -1, dtype=np.int64)
        kind_of = np.zeros(size, dtype=np.int16)
        for place, ((_, _), column) in enumerate(columns):
            target, source = _claims(column, owner, best=policy.ambiguous == "best")
            fresh = (owner < 0) & (wanted < 0) & (target >= 0)
            wanted[fresh], via[fresh], kind_of[fresh] = target[fresh], source[fresh], place
        wanted[_clashes(wanted, owner, barred)] = -1
        taken = np.flatnonzero(wanted >= 0)
        if len(taken):
            owner[taken] = wanted[taken]
            changed = True
            for place, ((kind, _), _) in enumerate(columns):
                here = taken[kind_of[taken] == place]
                edges.append((via[here], here, kind))
        if not changed:
            break
    held = _ambiguous(columns, owner)
    owner, joined = _join_rest(columns, owner)
    owner = _named_by_smallest(owner)
    edges += joined
    left = np.concatenate([e[0] for e in edges]) if edges else np.empty(0, np.int64)
    right = np.concatenate([e[1] for e in edges]) if edges else np.empty(0, np.int64)
    kinds = np.repeat(np.array([e[2] for e in edges], dtype=object), [len(e[0]) for e in edges])
    return Attached(owner, left, right, kinds, held)


def _named_by_smallest(labels: Rows) -> Rows:
    """Name each cluster by its smallest record, which may be one that was attached."""
    least = np.full(len(labels), _NOBODY, dtype=np.int64)
    np.minimum.at(least, labels, np.arange(len(labels)))
    return least[labels]


def _owners(column: MultiCoded, owner: Rows) -> tuple[Rows, Rows]:
    """Smallest and largest owner of each value; smallest > largest where nobody owns it."""
    own = owner[column.record]
    use = own >= 0
    least = np.full(len(column.values), _NOBODY, dtype=np.int64)
    most = np.full(len(column.values), -1, dtype=np.int64)
    np.minimum.at(least, column.value[use], own[use])
    np.maximum.at(most, column.value[use], own[use])
    return least, most


def _claims(column: MultiCoded, owner: Rows, *, best: bool) -> tuple[Rows, Rows]:
    """For each record the one owner of its values of a type (-1.

    None or several), and a record that shows it.
    """
    size = len(owner)
    least, most = _owners(column, owner)
    if best:
        least = most = _commonest(column, owner, most)
    sole = (least == most) & (most >= 0)
    use = sole[column.value]
    record, value = column.record[use], column.value[use]
    low = np.full(size, _NOBODY, dtype=np.int64)
    high = np.full(size, -1, dtype=np.int64)
    np.minimum.at(low, record, least[value])
    np.maximum.at(high, record, least[value])
    shower = np.full(len(column.values), _NOBODY, dtype=np.int64)
    held = owner[column.record] == np.where(sole, least, -2)[column.value]
    np.minimum.at(shower, column.value[held], column.record[held].astype(np.int64))
    source = np.full(size, _NOBODY, dtype=np.int64)
    np.minimum.at(source, record, shower[value])
    clear = (low == high) & (high >= 0)
    return np.where(clear, low, -1), np.where(clear, source, -1)


def _commonest(column: MultiCoded, owner: Rows, most: Rows) -> Rows:
    """The owner with most records of each value; the smallest on a tie."""
    own = owner[column.record]
    use = own >= 0
    if not use.any():
        return most
    order = np.lexsort((own[use], column.value[use]))
    value, who = column.value[use][order].astype(np.int64), own[use][order]
    fresh = np.flatnonzero(np.r_[True, (value[1:] != value[:-1]) | (who[1:] != who[:-1])])
    count = np.diff(np.r_[fresh, len(value)])
    rank = np.lexsort((who[fresh], -count, value[fresh]))
    first = np.r_[True, value[fresh][rank][1:] != value[fresh][rank][:-1]]
    found = most.copy()
    found[value[fresh][rank][first]] = who[fresh][rank][first]
    return found


def _clashes(wanted: Rows, owner: Rows, barred: tuple[Rows, Rows]) -> Rows:
    """Records that would enter a cluster in which a record stands that they are barred from."""
    left, right = barred
    future = np.where(wanted >= 0, wanted, owner)
    clash = (future[left] == future[right]) & (future[left] >= 0)
    both: Rows = np.concatenate([left[clash], right[clash]])
    return np.asarray(both[wanted[both] >= 0], dtype=np.int64)


def _ambiguous(columns: Sequence[tuple[tuple[str, str], MultiCoded]], owner: Rows) -> list[HeldValue]:
    held = []
    for (kind, namespace), column in columns:
        least, most = _owners(column, owner)
        several = (least < most) & (most >= 0)
        waiting = several[column.value] & (owner[column.record] < 0)
        counts = np.bincount(column.value[waiting], minlength=len(column.values))
        held += [
            HeldValue(
                kind,
                namespace,
                str(column.values[v]),
                "unnamed records share it with several customers",
                int(counts[v]),
            )
            for v in np.flatnonzero(counts)
        ]
    return held


def _join_rest(
    columns: Sequence[tuple[tuple[str, str], MultiCoded]], owner: Rows
) -> tuple[Rows, list[tuple[Rows, Rows, str]]]:
    """Join the records that are still without owner through values that nobody owns."""
    from identity.cluster import components

    edges: list[tuple[Rows, Rows, str]] = []
    waiting = owner < 0
    for (kind, _), column in columns:
        _, most = _owners(column, owner)
        use = waiting[column.record] & (most < 0)[column.value]
        left, right = _stars(column.record[use].astype(np.int64), column.value[use])
        if len(left):
            edges.append((left, right, kind))
    left = np.concatenate([e[0] for e in edges]) if edges else np.empty(0, np.int64)
    right = np.concatenate([e[1] for e in edges]) if edges else np.empty(0, np.int64)
    label = components(len(owner), left, right)
    return np.where(waiting, label, owner), edges
