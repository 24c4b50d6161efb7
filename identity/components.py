"""Which records hang together: components, groups to begin with, and a guard against giant components.

Rows are int32 row numbers, weights int32 in 1/1000 bit, ``order`` (uint64 per row) a stable hash of the record's
key that breaks every tie: neither the order of rows nor that of edges leaves a trace. A component is named by
its row of least order. All arrays span all rows; to work on a part (a union of components), give the edges and
the ``compared`` rows of that part only: the labels there are the same as those of a whole run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from identity.held import Held
from identity.kernels import graph

Rows: TypeAlias = npt.NDArray[np.int32]
Ints: TypeAlias = npt.NDArray[np.int32]
Order: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]
RowPairs: TypeAlias = tuple[Rows, Rows]

LIMIT = graph.MOST_UNITS
"""Records of one component that are all compared with each other."""
STEP = 2_000
"""By how much the threshold rises at a time, where a component is too large."""
_UNIT = 1000  # one bit


def as_rows(values: npt.NDArray[np.integer]) -> Rows:
    """Contiguous, writable int32."""
    return np.require(values, np.int32, ["C", "W"])


def as_order(values: npt.NDArray[np.uint64]) -> Order:
    """Contiguous, writable uint64."""
    return np.require(values, np.uint64, ["C", "W"])


def no_rows() -> Rows:
    """No rows at all."""
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class Edges:
    """Weighed pairs of rows."""

    left: Rows
    right: Rows
    weight: Ints

    def __len__(self) -> int:
        return len(self.left)

    def take(self, chosen: Flags | npt.NDArray[np.integer]) -> Edges:
        """Some of the edges."""
        return Edges(self.left[chosen], self.right[chosen], self.weight[chosen])


def concat_edges(parts: Iterable[Edges]) -> Edges:
    """Edges one after the other.

    >>> len(concat_edges([]))
    0
    """
    listed = [Edges(no_rows(), no_rows(), np.empty(0, np.int32)), *parts]
    return Edges(
        np.concatenate([part.left for part in listed]),
        np.concatenate([part.right for part in listed]),
        np.concatenate([part.weight for part in listed]),
    )


def exchanged(edges: Edges, gone: npt.NDArray[np.int64], fresh: Edges) -> Edges:
    """The edges without those at the places ``gone`` (ascending), and with the fresh ones, in any order.

    What comes takes the places of what goes, so that the rest is copied as one block.

    >>> three = Edges(*(np.array(x, np.int32) for x in ([0, 1, 2], [5, 6, 7], [9, 9, 9])))
    >>> exchanged(three, np.array([0, 2]), concat_edges([])).left.tolist()
    [1]
    """
    size, taken = len(edges), min(len(gone), len(fresh))
    left = size - len(gone) + taken
    rest = gone[taken:]
    tail = np.ones(size - left, bool)
    tail[rest[rest >= left] - left] = False
    last, holes = np.flatnonzero(tail) + left, rest[rest < left]
    parts = []
    for name in ("left", "right", "weight"):
        old, new = getattr(edges, name), getattr(fresh, name)
        found = np.empty(left + len(new) - taken, np.int32)
        found[:left] = old[:left]
        found[gone[:taken]], found[holes], found[left:] = new[:taken], old[last], new[taken:]
        parts.append(found)
    return Edges(*parts)


@dataclass(frozen=True)
class Rules:
    """How far clusters grow.

    Joining stops where no mean weight reaches ``threshold``. ``cap``: most records of a cluster (0: no limit).
    ``limit``: most records of a component that are compared, at most LIMIT.
    """

    threshold: int
    cap: int = LIMIT
    limit: int = LIMIT

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= LIMIT:
            raise ValueError(f"limit is {self.limit}; expected 1 to {LIMIT}")


def components(order: Order, left: Rows, right: Rows) -> Rows:
    """Row of least order of each row's connected component (union-find, Tarjan 1975).

    >>> order = np.array([9, 8, 7, 6], np.uint64)
    >>> components(order, np.array([1, 2], np.int32), np.array([2, 3], np.int32)).tolist()
    [0, 3, 3, 3]
    """
    label = np.empty(len(order), np.int32)
    graph.connect(as_rows(left), as_rows(right), as_order(order), label)
    return label


def named(labels: Rows, order: Order) -> Rows:
    """Name every cluster by its row of least order, whatever row of it or number below N named it before.

    >>> named(np.array([2, 1, 2], np.int32), np.array([5, 6, 7], np.uint64)).tolist()
    [0, 1, 0]
    """
    least = np.empty(len(labels), np.int32)
    labels = as_rows(labels)
    graph.least_member(labels, as_order(order), least)
    return np.asarray(least[labels], np.int32)


def rows_of_components(label: Rows, touched: Flags | Rows) -> Flags:
    """Every row of the components in which a touched row stands."""
    hit = np.zeros(len(label), bool)
    hit[label[touched]] = True
    return np.asarray(hit[label], bool)


def stars(order: Order, record: Rows, value: Rows, within: Rows | None = None) -> tuple[Rows, Rows, Rows]:
    """Edges that join the records of each value: the one of least order with every other.

    ``record`` and ``value`` are parallel (sightings, each pair once). With ``within`` (a label per row), the records
    of each value and label by themselves. Returns centre, other, and the places of the others' sightings.

    >>> order, people = np.array([3, 1, 2], np.uint64), np.array([0, 1, 2], np.int32)
    >>> [part.tolist() for part in stars(order, people, np.array([8, 8, 8], np.int32))[:2]]
    [[1, 1], [0, 2]]
    """
    place = np.flatnonzero((np.bincount(value) > 1)[value]) if len(value) else np.empty(0, np.int64)
    centres, others, places = [no_rows()], [no_rows()], [no_rows()]
    while len(place):
        own, key = record[place], as_rows(value[place])
        least = np.empty(int(key.max()) + 1, np.int32)
        graph.least_member(key, as_order(order[own]), least)
        centre = own[least[key]]
        same = np.ones(len(place), bool) if within is None else within[centre] == within[own]
        joined = same & (centre != own)
        centres.append(centre[joined])
        others.append(own[joined])
        places.append(place[joined].astype(np.int32))
        place = place[~same]
    return np.concatenate(centres), np.concatenate(others), np.concatenate(places)


def start_groups(order: Order, must: RowPairs, cannot: RowPairs, unique: RowPairs, copies: RowPairs) -> Rows:
    """Label of the records that are joined before any weighing.

    They are must-linked, or hold one value of a unique identifier (``unique``: record and number of the value), or
    are copies (the first record, and its copy). Where that would join two records that a judgement keeps apart,
    the records so judged, and those must-linked with them, are joined by no identifier.
    """
    label = _begin(order, must, unique, copies)
    broken = label[cannot[0]] == label[cannot[1]]
    if not broken.any():
        return label
    judged = components(order, *must)
    torn, apart = np.zeros(len(order), bool), np.zeros(len(order), bool)
    torn[label[cannot[0][broken]]] = True
    apart[judged[np.concatenate(cannot)]] = True
    keep = ~(apart[judged] & torn[label])[unique[0]]
    return _begin(order, must, (unique[0][keep], unique[1][keep]), copies)


def _begin(order: Order, must: RowPairs, unique: RowPairs, copies: RowPairs) -> Rows:
    centre, other, _ = stars(order, *unique)
    return components(
        order, np.concatenate([must[0], centre, copies[0]]), np.concatenate([must[1], other, copies[1]])
    )


def _joined(order: Order, one: RowPairs, two: RowPairs) -> Rows:
    return components(order, np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]]))


@dataclass(frozen=True)
class Divided:
    """Components of records that may be compared with each other.

    ``good``, ``start``, ``compared``: what they were made of. ``connected``: label before too large ones were
    divided; ``label``: after that.
    """

    order: Order
    good: Edges
    start: Rows
    compared: Flags
    rules: Rules
    connected: Rows
    label: Rows
    held: list[Held]


def divide(order: Order, good: Edges, start: Rows, compared: Flags, rules: Rules) -> Divided:
    """Components of good edges and start groups, none with more than ``rules.limit`` compared records.

    A larger one is divided by raising its threshold, two bits at a time, until its parts fit. A start group that
    is too large by itself stands alone. What was not used is reported.
    """
    moved = np.flatnonzero(start != np.arange(len(start))).astype(np.int32)
    joins = (moved, start[moved])
    connected = _joined(order, (good.left, good.right), joins)
    large = np.bincount(connected[compared], minlength=len(order)) > rules.limit
    if not large.any():
        return Divided(order, good, start, compared, rules, connected, connected, [])
    rows = np.flatnonzero(large[connected]).astype(np.int32)
    inside = good.take(large[connected[good.left]])
    label = connected.copy()
    floor = np.full(len(order), rules.threshold, np.int64)
    _divide(_Part(order, rows, inside, start, compared), rules, label, floor)
    held = _too_large(connected, label, rows, inside, floor, rules)
    return Divided(order, good, start, compared, rules, connected, label, held)


@dataclass(frozen=True)
class _Part:
    order: Order
    rows: Rows
    edges: Edges
    start: Rows
    compared: Flags


def _divide(part: _Part, rules: Rules, label: Rows, floor: npt.NDArray[np.int64]) -> None:
    """Label the rows of components that are too large; ``floor`` becomes the threshold at which each fitted."""
    place = np.zeros(len(part.order), np.int32)
    place[part.rows] = np.arange(len(part.rows), dtype=np.int32)
    order, start, compared = part.order[part.rows], place[part.start[part.rows]], part.compared[part.rows]
    full = np.bincount(start[compared], minlength=len(order)) >= rules.limit
    edges = Edges(place[part.edges.left], place[part.edges.right], part.edges.weight)
    edges = edges.take(~(full[start[edges.left]] | full[start[edges.right]]))
    moved = np.flatnonzero(start != np.arange(len(start))).astype(np.int32)
    joins = (moved, start[moved])
    level = rules.threshold
    waiting = np.ones(len(order), bool)
    while waiting.any():
        found = _joined(order, (edges.left, edges.right), joins)
        label[part.rows[waiting]] = part.rows[found[waiting]]
        floor[part.rows[waiting]] = level
        size = np.bincount(found[compared], minlength=len(order))
        waiting &= (size > rules.limit)[found] & ~full[start]
        edges = edges.take(waiting[edges.left])
        if len(edges):
            steps = (int(edges.weight.min()) - rules.threshold) // STEP + 1
            level = rules.threshold + steps * STEP
            edges = edges.take(edges.weight >= level)


def _too_large(
    connected: Rows, label: Rows, rows: Rows, edges: Edges, floor: npt.NDArray[np.int64], rules: Rules
) -> list[Held]:
    names, records = np.unique(connected[rows], return_counts=True)
    parts = np.searchsorted(names, connected[np.unique(label[rows])])
    unused = label[edges.left] != label[edges.right]
    most = np.zeros(len(names), np.int64)
    np.maximum.at(most, np.searchsorted(names, connected[rows]), floor[rows])
    count = np.bincount(parts, minlength=len(names))
    cut = np.bincount(np.searchsorted(names, connected[edges.left[unused]]), minlength=len(names))
    return [
        Held(
            "cluster",
            "component",
            "",
            int(name),
            f"more than {rules.limit} records hang together: compared in {count[i]} parts, held together by "
            f"{most[i] / _UNIT:g} bits or more; {cut[i]} pairs between the parts were not used",
            int(records[i]),
        )
        for i, name in enumerate(names)
        if cut[i]
    ]
