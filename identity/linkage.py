"""From components to clusters: all pairs of each component are weighed and joined by average link.

Arrays are those of the module ``components``: they span all rows, a part of the components can be clustered by
itself with the same result, and neither the order of rows nor that of edges leaves a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from identity.components import (
    Divided,
    Edges,
    Flags,
    Ints,
    RowPairs,
    Rows,
    Rules,
    as_order,
    as_rows,
    concat_edges,
)
from identity.held import Held
from identity.kernels import graph

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Groups:
    """Components side by side: group g has ``members[starts[g]:starts[g + 1]]``, at least two."""

    members: Rows
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def chunks(self, most_pairs: int = _CHUNK) -> Iterator[tuple[int, Groups]]:
        """Parts of at most ``most_pairs`` pairs (or one group), each with the number of its first group."""
        sizes = np.diff(self.starts)
        ends = np.cumsum(sizes * (sizes - 1) // 2)
        first, done = 0, 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(ends, done + most_pairs, side="right")))
            yield first, Groups(self.members, self.starts[first : last + 1])
            first, done = last, int(ends[last - 1])


def arrange(label: Rows, compared: Flags, most: int) -> Groups:
    """The components with 2 to ``most`` compared records."""
    size = np.bincount(label[compared], minlength=len(label))
    chosen = np.flatnonzero((size > 1) & (size <= most))
    starts = np.concatenate([[0], np.cumsum(size[chosen])]).astype(np.int64)
    slot = np.full(len(label), -1, np.int32)
    slot[chosen] = starts[:-1]
    members = np.empty(starts[-1], np.int32)
    graph.gather(as_rows(label), np.require(compared, np.bool_, ["C", "W"]), slot, members)
    return Groups(members, starts)


def pairs_within(groups: Groups) -> RowPairs:
    """All pairs of each group: (0, 1), (0, 2) ... (1, 2) ..., group by group.

    >>> left, right = pairs_within(Groups(np.array([4, 5, 9], np.int32), np.array([0, 3])))
    >>> list(zip(left.tolist(), right.tolist()))
    [(4, 5), (4, 9), (5, 9)]
    """
    sizes = np.diff(groups.starts)
    count = int((sizes * (sizes - 1) // 2).sum())
    left, right = np.empty(count, np.int32), np.empty(count, np.int32)
    graph.triangles(groups.members, groups.starts, left, right)
    return left, right


@dataclass(frozen=True)
class Linked:
    """Labels of all rows, the good edges inside clusters, and which clusters wanted to grow over the cap."""

    labels: Rows
    edges: Edges
    held: list[Held]


UNKNOWN = -(2**31)


@dataclass(frozen=True)
class _Known:
    """Weights of pairs inside groups that need no second weighing, group by group."""

    groups: Groups
    good: Edges
    place: Rows
    group: Rows
    edges: Rows
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, groups: Groups, good: Edges, rows: int) -> _Known:
        """Sort the good edges by group."""
        place = np.full(rows, -1, np.int32)
        place[groups.members] = np.arange(len(groups.members), dtype=np.int32)
        group = np.repeat(np.arange(len(groups), dtype=np.int32), np.diff(groups.starts))
        starts = np.zeros(len(groups) + 2, np.int64)
        ends = as_rows(good.left), as_rows(good.right)
        graph.count_inside(*ends, place, group, starts)
        starts = np.cumsum(starts)
        edges = np.empty(starts[-1], np.int32)
        graph.sort_inside(*ends, place, group, starts, edges)
        return cls(groups, Edges(*ends, as_rows(good.weight)), place, group, edges, starts)

    def weights(self, first: int, part: Groups, pairs: int) -> Ints:
        """Of each pair inside some groups, from the group ``first`` on; UNKNOWN where it is not known."""
        found = np.full(pairs, UNKNOWN, np.int32)
        mine = self.edges[self.starts[first] : self.starts[first + len(part)]]
        graph.spread(
            mine, self.good.left, self.good.right, self.good.weight, self.place, self.group,
            self.groups.starts, first, found,
        )  # fmt: skip
        return found


Score: TypeAlias = Callable[[Rows, Rows, Ints], tuple[Ints, Ints]]
Each: TypeAlias = Callable[
    [Callable[[tuple[int, Groups]], Edges], Iterator[tuple[int, Groups]]], Iterable[Edges]
]


def link(
    divided: Divided,
    barred: RowPairs,
    score: Score,
    *,
    colours: Rows | None = None,
    each: Each = map,
) -> Linked:
    """Join clusters by the mean weight of all pairs between them, the best pair first, inside each component.

    ``barred``: pairs of rows whose clusters must not meet; likewise start groups of different ``colours`` (kinds x
    rows, read at the row that names the group: -1 none, -2 several). ``score`` gives the weight of pairs
    of rows and what each counts in a mean, from weights that are known (UNKNOWN where not); several threads may
    call it, where ``each`` is a pool's ``map``. Rows that are not compared follow their start group, and count
    nothing.
    """
    order, rules, compared = as_order(divided.order), divided.rules, divided.compared
    start, good = as_rows(divided.start), divided.good
    groups = arrange(divided.label, compared, rules.limit)
    label = np.arange(len(order), dtype=np.int32)
    stopped = np.zeros(len(groups), bool)
    sizes = np.bincount(start[compared], minlength=len(order))
    colours = as_rows(np.empty((0, len(order)), np.int32) if colours is None else colours)
    bars = _by_group(groups, divided.label, start, barred)
    known = _Known.of(groups, good, len(order))

    def work(item: tuple[int, Groups]) -> Edges:
        first, part = item
        left, right = pairs_within(part)
        raw, counted = score(left, right, known.weights(first, part, len(left)))
        starts = bars[0][first : first + len(part) + 1]
        graph.average_link(
            part.members, part.starts, as_rows(counted), start, sizes, order, colours, starts, bars[1], bars[2],
            rules.threshold, rules.cap, label, stopped[first : first + len(part)],
        )  # fmt: skip
        inside = (raw >= rules.threshold) & (label[start[left]] == label[start[right]])
        return Edges(left[inside], right[inside], raw[inside])

    parts = list(each(work, groups.chunks()))
    labels = label[start]
    grouped = np.zeros(len(order), bool)
    grouped[divided.label[groups.members]] = True
    rest = ~grouped[divided.label[good.left]] & (labels[good.left] == labels[good.right])
    return Linked(
        labels, concat_edges([*parts, good.take(rest)]), _capped(groups, stopped, divided.label, rules)
    )


def _by_group(
    groups: Groups, label: Rows, start: Rows, barred: RowPairs
) -> tuple[npt.NDArray[np.int64], Rows, Rows]:
    """Barred pairs of units, group by group; those of one unit or of two components say nothing."""
    number, present = np.full(len(label), -1, np.int32), np.zeros(len(label), bool)
    number[label[groups.members[groups.starts[:-1]]]] = np.arange(len(groups), dtype=np.int32)
    present[start[groups.members]] = True
    left, right = start[barred[0]], start[barred[1]]
    group = number[label[left]]
    keep = (left != right) & present[left] & present[right] & (group >= 0) & (label[left] == label[right])
    sort = np.argsort(group[keep], kind="stable")
    starts = np.searchsorted(group[keep][sort], np.arange(len(groups) + 1)).astype(np.int64)
    return starts, as_rows(left[keep][sort]), as_rows(right[keep][sort])


def _capped(groups: Groups, stopped: Flags, label: Rows, rules: Rules) -> list[Held]:
    reason = f"clusters that belong together would have more than {rules.cap} records"
    sizes = np.diff(groups.starts)
    return [
        Held("cluster", "size", "", int(label[groups.members[groups.starts[g]]]), reason, int(sizes[g]))
        for g in np.flatnonzero(stopped)
    ]


def best_paths(labels: Rows, edges: Edges) -> Ints:
    """Least weight on the widest path from each row to the row that names its cluster; NO_PATH without one.

    The naming row takes its best edge. What a rival path would have to beat: the weakest link of the strongest
    chain of evidence that leads there.

    >>> edges = Edges(*(np.array(x, np.int32) for x in ([0, 1, 0], [1, 2, 2], [900, 500, 200])))
    >>> best_paths(np.array([0, 0, 0, 3], np.int32), edges).tolist()[:3]
    [900, 900, 500]
    """
    lowest = np.empty(len(labels), np.int32)
    graph.widest_paths(
        as_rows(labels), as_rows(edges.left), as_rows(edges.right), as_rows(edges.weight), lowest
    )
    return lowest
