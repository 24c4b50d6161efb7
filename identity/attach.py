"""Unnamed records join the one customer that holds their identifier, or each other where nobody holds it.

Records that can found a customer (anchors) keep the label that clustering gave them. An unnamed record (calls from
one number, say) takes the owner of its values, in synchronous rounds, so that what it brings along can decide for
others; where several customers hold a value, the policy decides, never chance. Unnamed records that a judgement
joined wait as one: what any of them holds speaks for all. Only sightings of values that an unnamed record has are
looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from identity.components import Flags, Order, RowPairs, Rows, as_order, as_rows, components, stars
from identity.held import AMBIGUOUS, Held
from identity.kernels import graph
from identity.policy import IdentityPolicy
from identity.protection import Identifiers

_ROUNDS = 20


@dataclass(frozen=True)
class Attached:
    """Where unnamed records found their place.

    ``labels`` of all rows: an attached record has its owner's label; records that joined each other are named by
    the one of least order (``components.named`` names clusters anew by all their rows). ``edges``: (type, left,
    right), the record that showed the owner and the one that followed.
    """

    labels: Rows
    edges: list[tuple[str, Rows, Rows]]
    held: list[Held]


@dataclass(frozen=True)
class _Sightings:
    """Sightings of one type; values are numbered anew, ``names`` holds their codes."""

    kind: str
    namespace: str
    record: Rows
    value: Rows
    names: Rows


@dataclass(frozen=True)
class _Units:
    """Unnamed records that go where the others of their unit go: ``unit`` of each row, by a row of it.

    ``rows``: those in units of several; ``number``: of the unit of each of these.
    """

    unit: Rows
    rows: Rows
    number: Rows

    @classmethod
    def of(cls, unit: Rows, unnamed: Flags) -> _Units:
        rows = np.flatnonzero(unnamed & (np.bincount(unit[unnamed], minlength=len(unit)) > 1)[unit])
        _, number = np.unique(unit[rows], return_inverse=True)
        return cls(unit, as_rows(rows), as_rows(number))


def attach(
    labels: Rows,
    unnamed: Flags,
    identifiers: Identifiers,
    policy: IdentityPolicy,
    barred: RowPairs,
    *,
    order: Order,
    live: Flags,
    together: Rows | None = None,
) -> Attached:
    """Give unnamed records to the one customer that holds their identifier.

    ``labels``: of clustering; ``unnamed``: the live records that wait for an owner (all, or those of a region);
    ``identifiers``: without hubs. ``barred``: pairs of rows that must not share a cluster; ``together``: per row
    the row that names those it must share one with, all of which are unnamed or none.
    """
    units = _Units.of(np.arange(len(labels), dtype=np.int32) if together is None else together, unnamed)
    owner = np.where(unnamed, np.int32(-1), as_rows(labels)).astype(np.int32)
    order = as_order(order)
    columns = _sightings(identifiers, policy, unnamed, live)
    edges: list[tuple[str, Rows, Rows]] = []
    for _ in range(_ROUNDS):
        wanted, source, via = _wishes(columns, owner, order, units, best=policy.ambiguous == "best")
        wanted[_denied(wanted, owner, barred, units.unit)] = -1
        taken = np.flatnonzero(wanted >= 0).astype(np.int32)
        if not len(taken):
            break
        owner[taken] = wanted[taken]
        for place, column in enumerate(columns):
            here = taken[(via[taken] == place) & (source[taken] >= 0)]
            edges.append((column.kind, source[here], here))
        columns = [_narrow(column, owner < 0) for column in columns]
    held = _ambiguous(columns, owner)
    return Attached(*_join_rest(columns, owner, order, barred, units, edges), held)


def _sightings(
    identifiers: Identifiers, policy: IdentityPolicy, unnamed: Flags, live: Flags
) -> list[_Sightings]:
    """Sightings of the values that an unnamed record has, by priority of their types."""
    found = []
    for (kind, namespace), column in sorted(identifiers.items(), key=lambda i: (policy.rank(i[0][0]), i[0])):
        size = int(column.value.max()) + 1 if len(column.value) else 0
        sightings = _Sightings(kind, namespace, column.record, column.value, np.arange(size, dtype=np.int32))
        found.append(_narrow(sightings, unnamed, live))
    return [column for column in found if len(column.names)]


def _narrow(column: _Sightings, waiting: Flags, live: Flags | None = None) -> _Sightings:
    """The sightings of values that a waiting record has."""
    wanted = np.zeros(len(column.names), bool)
    wanted[column.value[waiting[column.record]]] = True
    place = (np.cumsum(wanted, dtype=np.int32) - 1).astype(np.int32)
    use = wanted[column.value] if live is None else wanted[column.value] & live[column.record]
    value = place[column.value[use]]
    return _Sightings(column.kind, column.namespace, column.record[use], value, column.names[wanted])


def _owners(column: _Sightings, owner: Rows, order: Order) -> tuple[Rows, Rows]:
    """Per value its one owner (-1 none, -2 several) and the record of least order that shows an owner."""
    sole, shower = np.full(len(column.names), -1, np.int32), np.full(len(column.names), -1, np.int32)
    graph.owners(column.record, column.value, owner, order, sole, shower)
    return sole, shower


def _wishes(
    columns: Sequence[_Sightings], owner: Rows, order: Order, units: _Units, *, best: bool
) -> tuple[Rows, Rows, Rows]:
    """Per row without owner: whom it would join, the record that shows it, and the column that says so.

    Of a unit the whole of which would join, one row alone has a record that shows it.
    """
    size = len(owner)
    wanted, source, via = (np.full(size, -1, np.int32) for _ in range(3))
    for place, column in enumerate(columns):
        sole, shower = _owners(column, owner, order)
        if best:
            _take_commonest(column, owner, order, sole, shower)
        target, shown = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        graph.claims(column.record, column.value, owner, order, sole, shower, target, shown)
        if len(units.rows):
            _pool(target, shown, units, order)
        fresh = (wanted < 0) & (target >= 0)
        wanted[fresh], source[fresh], via[fresh] = target[fresh], shown[fresh], place
    return wanted, source, via


def _take_commonest(column: _Sightings, owner: Rows, order: Order, sole: Rows, shower: Rows) -> None:
    """Where several own a value, take the one with most records, of least order on a tie."""
    use = np.flatnonzero((sole[column.value] == -2) & (owner[column.record] >= 0))
    if not len(use):
        return
    record, value, own = column.record[use], column.value[use], owner[column.record[use]]
    pairs = np.sort(value.astype(np.int64) << 32 | own)
    start = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    count, pairs = np.diff(np.r_[start, len(use)]), pairs[start]
    rank = np.lexsort((order[pairs & 0xFFFFFFFF], -count, pairs >> 32))
    pairs = pairs[rank]
    pairs = pairs[np.r_[True, np.diff(pairs >> 32) != 0]]
    sole[pairs >> 32] = pairs & 0xFFFFFFFF
    mine = own == sole[value]
    least = np.empty(len(sole), np.int32)
    graph.least_member(value[mine], as_order(order[record[mine]]), least)
    shower[pairs >> 32] = record[mine][least[pairs >> 32]]


def _pool(target: Rows, shown: Rows, units: _Units, order: Order) -> None:
    """Let all rows of a unit claim what its rows claim between them: one owner, or several (-2)."""
    rows, number = units.rows, units.number
    own, size = target[rows], int(number.max()) + 1
    least, most = np.full(size, np.iinfo(np.int32).max, np.int32), np.full(size, -1, np.int32)
    several = np.zeros(size, bool)
    sure = own >= 0
    np.minimum.at(least, number[sure], own[sure])
    np.maximum.at(most, number[sure], own[sure])
    several[number[own == -2]] = True
    pooled = np.where(several | ((most >= 0) & (least != most)), np.int32(-2), most)
    target[rows] = pooled[number]
    showing = rows[sure]
    rank = np.lexsort((order[showing], order[shown[showing]], number[sure]))
    first = rank[np.r_[True, np.diff(number[sure][rank]) != 0]] if len(rank) else rank
    leader, by = showing[first], shown[showing[first]]
    shown[rows] = -1
    shown[leader] = by


def _denied(wanted: Rows, owner: Rows, barred: RowPairs, unit: Rows) -> Rows:
    """Rows that must not go where they would.

    Those that are barred from a row that is there; of those that are barred from each other and would go to one
    place, the ones that the fewest others speak for (see ``_contested``).
    """
    one, two = barred
    meet = np.where(wanted >= 0, wanted, owner)
    clash = (meet[one] == meet[two]) & (meet[one] >= 0)
    one, two = one[clash], two[clash]
    denied = np.zeros(len(wanted), bool)
    denied[unit[one[(wanted[one] >= 0) & (wanted[two] < 0)]]] = True
    denied[unit[two[(wanted[two] >= 0) & (wanted[one] < 0)]]] = True
    one, two = unit[one], unit[two]
    while True:
        rest = ~(denied[one] | denied[two]) & (wanted[one] >= 0) & (wanted[two] >= 0)
        if not rest.any():
            break
        denied[_contested(one[rest], two[rest], len(wanted))] = True
    return as_rows(np.flatnonzero(denied[unit] & (wanted >= 0)))


def _contested(one: Rows, two: Rows, size: int) -> Rows:
    """Of units barred from each other those that no opponent outdoes in opponents: it is they who leave.

    So a record that is held apart from all others leaves, and the others stay; of two that are held apart from
    each other both leave, as nobody says which of them belongs there.

    >>> _contested(np.array([0, 0, 3]), np.array([1, 2, 4]), 5).tolist()
    [0, 3, 4]
    """
    pairs = np.unique(np.minimum(one, two).astype(np.int64) << 32 | np.maximum(one, two))
    ends = np.concatenate([pairs >> 32, pairs & 0xFFFFFFFF])
    other = np.concatenate([pairs & 0xFFFFFFFF, pairs >> 32])
    count = np.bincount(ends, minlength=size)
    leaves = count > 0
    leaves[ends[count[other] > count[ends]]] = False
    return as_rows(np.flatnonzero(leaves))


def _ambiguous(columns: Sequence[_Sightings], owner: Rows) -> list[Held]:
    held = []
    for column in columns:
        own = owner[column.record]
        most = np.full(len(column.names), -1, np.int32)
        most[column.value[own >= 0]] = own[own >= 0]
        several = np.zeros(len(column.names), bool)
        several[column.value[(own >= 0) & (own != most[column.value])]] = True
        counts = np.bincount(column.value[several[column.value] & (own < 0)], minlength=len(several))
        held += [
            Held("identifier", column.kind, column.namespace, int(column.names[v]), AMBIGUOUS, int(counts[v]))
            for v in np.flatnonzero(counts)
        ]
    return held


def _join_rest(
    columns: Sequence[_Sightings],
    owner: Rows,
    order: Order,
    barred: RowPairs,
    units: _Units,
    edges: list[tuple[str, Rows, Rows]],
) -> tuple[Rows, list[tuple[str, Rows, Rows]]]:
    """Join the rows that are still without owner through values that nobody owns, but for contested ones."""
    waiting = owner < 0
    use = waiting[barred[0]] & waiting[barred[1]]
    one, two = units.unit[barred[0][use]], units.unit[barred[1][use]]
    left = np.zeros(len(owner), bool)
    while True:
        joined = _unowned(columns, waiting, waiting & ~left[units.unit], order)
        ends = [(units.rows, units.unit[units.rows]), *((first, second) for _, first, second in joined)]
        label = components(order, *(np.concatenate([pair[side] for pair in ends]) for side in (0, 1)))
        meet = label[one] == label[two]
        if not meet.any():
            return np.where(waiting, label, owner), [*edges, *joined]
        left[_contested(one[meet], two[meet], len(owner))] = True


def _unowned(
    columns: Sequence[_Sightings], waiting: Flags, free: Flags, order: Order
) -> list[tuple[str, Rows, Rows]]:
    """Joins of the free rows by values that only waiting rows have."""
    joined = []
    for column in columns:
        owned = np.zeros(len(column.names), bool)
        owned[column.value[~waiting[column.record]]] = True
        use = free[column.record] & ~owned[column.value]
        left, right, _ = stars(order, column.record[use], column.value[use])
        if len(left):
            joined.append((column.kind, left, right))
    return joined
