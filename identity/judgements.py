"""Settle what people judged: must-links and cannot-links, where the later word wins, also over a chain.

They are settled by record key, whether the records are there or not, and only then said of rows: what follows for
those that are there from judgements on others that are gone still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError
from identity.components import RowPairs, Rows, as_rows, no_rows

KINDS = ("must_link", "cannot_link")


@dataclass(frozen=True)
class Judgements:
    """Must-link and cannot-link pairs by number (left < right, sorted), contradictions settled."""

    must: RowPairs
    cannot: RowPairs

    @property
    def rows(self) -> Rows:
        """All rows that are judged."""
        return np.unique(np.concatenate([*self.must, *self.cannot]))


NO_JUDGEMENTS = Judgements((no_rows(), no_rows()), (no_rows(), no_rows()))


def read_judgements(
    table: pa.Table | None, find: Callable[[pa.ChunkedArray], npt.NDArray[np.integer]]
) -> Judgements:
    """Read judgements (left_record, right_record, kind, decided_at); ``find`` gives the row of a key, -1 unknown.

    Of judgements on unknown records what they imply for known ones counts. Raises UsageError for a kind that is
    neither must_link nor cannot_link.
    """
    if table is None or not table.num_rows:
        return NO_JUDGEMENTS
    unknown = table.filter(pc.invert(pc.fill_null(pc.is_in(table["kind"], value_set=pa.array(KINDS)), False)))
    if unknown.num_rows:
        kind = unknown["kind"][0].as_py()
        raise UsageError(f"unknown kind of judgement {kind!r}", hint=f"expected {' or '.join(KINDS)}")
    order = [("decided_at", "ascending")] if "decided_at" in table.column_names else []
    table = table.sort_by(
        [*order, ("left_record", "ascending"), ("right_record", "ascending"), ("kind", "ascending")]
    )
    must = pc.equal(table["kind"], "must_link").to_numpy()
    sides = [table[name].cast(pa.string()).combine_chunks() for name in ("left_record", "right_record")]
    coded = pa.concat_arrays(sides).dictionary_encode()
    number = coded.indices.to_numpy(zero_copy_only=False)
    settled = settle(number[: len(must)], number[len(must) :], must)
    return _of_rows(settled, find(pa.chunked_array([coded.dictionary])))


def _of_rows(settled: Judgements, row: npt.NDArray[np.integer]) -> Judgements:
    """What judgements on numbered records say of rows; ``row`` of each record, -1 for one that is gone."""
    group = _groups(settled.must, len(row))
    # Through a record that is gone, its group hangs together still; the first there stands for the others.
    first = np.full(len(row), -1, np.int64)
    there = np.flatnonzero(row >= 0)[::-1]
    first[group[there]] = there
    one, two = settled.must
    through = np.unique(group[np.concatenate([one[row[two] < 0], two[row[one] < 0]])])
    tied = there[np.isin(group[there], through)]
    must = np.concatenate([one, tied]), np.concatenate([two, first[group[tied]]])
    left, right = (np.where(row[side] >= 0, side, first[group[side]]) for side in settled.cannot)
    return Judgements(_known(row, *must), _known(row, left, right))


def _groups(must: RowPairs, size: int) -> npt.NDArray[np.int64]:
    """Number of each record's group of must-linked ones."""
    joined = _Apart()
    for a, b in zip(must[0].tolist(), must[1].tolist(), strict=True):
        joined.join(a, b)
    return np.fromiter((joined.root(record) for record in range(size)), np.int64, size)


def _known(row: npt.NDArray[np.integer], one: npt.NDArray[np.int64], two: npt.NDArray[np.int64]) -> RowPairs:
    """The pairs of which both are there, as rows."""
    use = (one >= 0) & (two >= 0)
    left, right = row[one[use]].astype(np.int64), row[two[use]].astype(np.int64)
    use = (left >= 0) & (right >= 0) & (left != right)
    pairs = np.unique(np.minimum(left, right)[use] << 32 | np.maximum(left, right)[use])
    return as_rows(pairs >> 32), as_rows(pairs & 0xFFFFFFFF)


def settle(
    left: npt.NDArray[np.integer], right: npt.NDArray[np.integer], must: npt.NDArray[np.bool_]
) -> Judgements:
    """Settle judgements that come in the order in which they were made; pairs with a missing side (-1) are left out.

    For one pair the last word stands. Then the newest first: a must-link that would join two records held apart by
    a later cannot-link is void, and so is a cannot-link of two records that later must-links join.

    >>> rows = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> [pair.tolist() for pair in settle(*rows, np.array([True, True, False])).must]
    [[1], [2]]
    """
    known = np.flatnonzero((left >= 0) & (right >= 0) & (left != right))
    low, high = (
        np.minimum(left, right)[known].astype(np.int64),
        np.maximum(left, right)[known].astype(np.int64),
    )
    _, newest = np.unique(((low << 32) | high)[::-1], return_index=True)
    newest = np.sort(newest)
    low, high, must = low[::-1][newest], high[::-1][newest], must[known][::-1][newest]
    held = _Apart()
    stands = np.fromiter(
        (
            held.join(a, b) if joins else held.part(a, b)
            for a, b, joins in zip(low.tolist(), high.tolist(), must.tolist(), strict=True)
        ),
        np.bool_,
        len(low),
    )
    return Judgements(_pairs(low, high, stands & must), _pairs(low, high, stands & ~must))


class _Apart:
    """Groups of joined nodes, and for each the groups that it is held apart from."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._foes: dict[int, set[int]] = {}

    def root(self, node: int) -> int:
        """The node that names a group."""
        parent = self._parent
        while (up := parent.setdefault(node, node)) != node:
            parent[node] = parent[up]
            node = parent[node]
        return node

    def join(self, a: int, b: int) -> bool:
        """Join two nodes unless their groups are held apart."""
        one, two = self.root(a), self.root(b)
        few, many = sorted((self._foes.setdefault(one, set()), self._foes.setdefault(two, set())), key=len)
        if two in self._foes[one]:
            return False
        if one != two:
            keep, gone = (one, two) if self._foes[one] is many else (two, one)
            for foe in few:
                self._foes[foe].discard(gone)
                self._foes[foe].add(keep)
            many |= few
            del self._foes[gone]
            self._parent[gone] = keep
        return True

    def part(self, a: int, b: int) -> bool:
        """Hold two nodes apart unless they are joined."""
        one, two = self.root(a), self.root(b)
        if one == two:
            return False
        self._foes.setdefault(one, set()).add(two)
        self._foes.setdefault(two, set()).add(one)
        return True


def _pairs(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_]
) -> RowPairs:
    order = np.lexsort((right[chosen], left[chosen]))
    return as_rows(left[chosen][order]), as_rows(right[chosen][order])
