"""Unnamed records join the one customer that holds their identifier, or each other where nobody holds it.

Records that can found a customer (anchors) keep the label that clustering gave them. An unnamed record (calls from
one number, say) takes the owner of its values, in synchronous rounds, so that what it brings along can decide for
others; where several customers hold a value, the policy decides, never chance. Only sightings of values that an
unnamed record has are looked at; for an update, only those of the region that ``reach`` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from identity.components import Flags, Order, RowPairs, Rows, as_order, as_rows, components, no_rows, stars
from identity.held import Held
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


def attach(
    labels: Rows,
    unnamed: Flags,
    identifiers: Identifiers,
    policy: IdentityPolicy,
    barred: RowPairs,
    *,
    order: Order,
    live: Flags,
) -> Attached:
    """Give unnamed records to the one customer that holds their identifier.

    ``labels``: of clustering; ``unnamed``: the live records that wait for an owner (all, or those of a region);
    ``identifiers``: without hubs. ``barred``: pairs of rows that must not share a cluster.
    """
    owner = np.where(unnamed, np.int32(-1), as_rows(labels)).astype(np.int32)
    order = as_order(order)
    columns = _sightings(identifiers, policy, unnamed, live)
    edges: list[tuple[str, Rows, Rows]] = []
    for _ in range(_ROUNDS):
        wanted, source, via = _wishes(columns, owner, order, best=policy.ambiguous == "best")
        wanted[_clashes(wanted, owner, barred)] = -1
        taken = np.flatnonzero(wanted >= 0).astype(np.int32)
        if not len(taken):
            break
        owner[taken] = wanted[taken]
        for place, column in enumerate(columns):
            here = taken[via[taken] == place]
            edges.append((column.kind, source[here], here))
        columns = [_narrow(column, owner < 0) for column in columns]
    held = _ambiguous(columns, owner)
    return Attached(*_join_rest(columns, owner, order, barred, edges), held)


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
    columns: Sequence[_Sightings], owner: Rows, order: Order, *, best: bool
) -> tuple[Rows, Rows, Rows]:
    """Per row without owner: whom it would join, the record that shows it, and the column that says so."""
    size = len(owner)
    wanted, source, via = (np.full(size, -1, np.int32) for _ in range(3))
    for place, column in enumerate(columns):
        sole, shower = _owners(column, owner, order)
        if best:
            _take_commonest(column, owner, order, sole, shower)
        target, shown = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        graph.claims(column.record, column.value, owner, order, sole, shower, target, shown)
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


def _clashes(wanted: Rows, owner: Rows, barred: RowPairs) -> Rows:
    """Rows that would enter a cluster in which a row stands that they are barred from."""
    future = np.where(wanted >= 0, wanted, owner)
    clash = (future[barred[0]] == future[barred[1]]) & (future[barred[0]] >= 0)
    both = np.concatenate([barred[0][clash], barred[1][clash]])
    return as_rows(both[wanted[both] >= 0])


def _ambiguous(columns: Sequence[_Sightings], owner: Rows) -> list[Held]:
    held = []
    for column in columns:
        own = owner[column.record]
        most = np.full(len(column.names), -1, np.int32)
        most[column.value[own >= 0]] = own[own >= 0]
        several = np.zeros(len(column.names), bool)
        several[column.value[(own >= 0) & (own != most[column.value])]] = True
        counts = np.bincount(column.value[several[column.value] & (own < 0)], minlength=len(several))
        reason = "unnamed records share it with several customers"
        held += [
            Held("identifier", column.kind, column.namespace, int(column.names[v]), reason, int(counts[v]))
            for v in np.flatnonzero(counts)
        ]
    return held


def _join_rest(
    columns: Sequence[_Sightings],
    owner: Rows,
    order: Order,
    barred: RowPairs,
    edges: list[tuple[str, Rows, Rows]],
) -> tuple[Rows, list[tuple[str, Rows, Rows]]]:
    """Join the rows that are still without owner through values that nobody owns."""
    waiting = owner < 0
    free = waiting.copy()
    free[np.concatenate(barred)] = False
    joined = []
    for column in columns:
        owned = np.zeros(len(column.names), bool)
        owned[column.value[~waiting[column.record]]] = True
        use = free[column.record] & ~owned[column.value]
        left, right, _ = stars(order, column.record[use], column.value[use])
        if len(left):
            joined.append((column.kind, left, right))
    left = np.concatenate([no_rows(), *(edge[1] for edge in joined)])
    right = np.concatenate([no_rows(), *(edge[2] for edge in joined)])
    return np.where(waiting, components(order, left, right), owner), [*edges, *joined]


def reach(identifiers: Identifiers, unnamed: Flags, barred: RowPairs, touched: Flags) -> Flags:
    """The unnamed rows whose owner may have changed: those that touched rows reach through unnamed ones.

    ``touched``: rows that are new, changed or gone, or whose label changed. ``identifiers`` are those of all rows,
    the gone ones included (without hubs; rows of a value that became a hub or ceased to be one are touched).
    """
    size = len(unnamed)
    lefts, rights, base = [barred[0]], [barred[1]], size
    for column in identifiers.values():
        through = unnamed[column.record] | touched[column.record]
        lefts.append(column.record[through])
        rights.append(column.value[through] + np.int32(base))
        base += int(column.value.max()) + 1 if len(column.value) else 0
    label = components(np.arange(base, dtype=np.uint64), np.concatenate(lefts), np.concatenate(rights))
    hit = np.zeros(base, bool)
    hit[label[:size][touched]] = True
    return unnamed & hit[label[:size]]
