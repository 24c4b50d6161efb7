"""Two or three common values that records share: groups that are small enough to compare.

A value is common (wide) where its records are too many. Two wide values of different keys make a group; where
that is still too large, a third is added. Two places (postcode and city) say hardly more than one and make no
pair; two keys of one space may stand in either order (swapped names).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from identity.kernels import blocks
from identity.keys import PLACES, Codes, Flags, Key, Rows

Starts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.uint32]
_NO_LIMIT = 1 << 40
Judge = Callable[[Rows, Starts], tuple[Flags, Flags]]


@dataclass(frozen=True)
class Groups:
    """Records that share something: group g is ``rows[starts[g]:starts[g + 1]]``."""

    rows: Rows
    starts: Starts

    def pick(self, keep: Flags) -> Groups:
        """Only some of the groups."""
        return Groups(*blocks.pick(self.rows, self.starts, keep))


@dataclass(frozen=True)
class Wide:
    """Who has wide values: bit k of ``mask`` (uint32[N]) says that the record's value of ``keys[k]`` is wide.

    ``numbers``: per space, value to number among the wide ones, below ``widths``. ``left_out``: collects, by
    spaces, the records of groups that stay too large.
    """

    keys: Sequence[Key]
    mask: Mask
    numbers: dict[str, Codes]
    widths: dict[str, int]
    left_out: dict[str, int]

    def codes(self, k: int, rows: Rows) -> Codes:
        """The numbers of the wide values of key k, -1 where a record has none."""
        key = self.keys[k]
        number = self.numbers[key.space]
        codes: Codes = blocks.wide_codes(rows, self.mask, np.uint32(1 << k), key.codes, number)
        return codes


def allowed(keys: Sequence[Key]) -> list[tuple[int, int]]:
    """The pairs of keys that are combined."""
    pairs = combinations(range(len(keys)), 2)
    return [(i, j) for i, j in pairs if not {keys[i].space, keys[j].space} <= PLACES]


def walk(wide: Wide, judge: Judge, most: int, touching: Rows | None = None) -> Iterator[Groups]:
    """Give the groups that ``judge`` takes, of two wide values and of three.

    ``judge`` says which groups to take, and which are too large and want a third value; groups of three values
    and more than ``most`` records are never taken. ``touching``: only groups with one of these records matter;
    the work is then in proportion to those groups, after one light pass over all records for each two keys.
    """
    out = np.empty(len(wide.mask) + 1, np.int32)
    for i, j in allowed(wide.keys):
        double = _double(wide, i, j, touching, out)
        if double is None:
            continue
        taken, large = judge(double.rows, double.starts)
        yield double.pick(taken)
        if not large.any():
            continue
        spaces = {wide.keys[i].space, wide.keys[j].space}
        double = double.pick(large)
        if not any(key.space not in spaces for key in wide.keys):
            _report(wide.left_out, spaces, len(double.rows))
        for k in _thirds(wide.keys, i, j):
            space = wide.keys[k].space
            if not wide.widths[space]:
                continue
            triple, dropped = _refined(double, wide.codes(k, double.rows), wide.widths[space], most)
            _report(wide.left_out, {*spaces, space}, dropped)
            yield triple.pick(judge(triple.rows, triple.starts)[0])


def _thirds(keys: Sequence[Key], i: int, j: int) -> list[int]:
    """Keys that are added to two, such that each three come once: any to two names, later ones to others."""
    start = 0 if keys[i].space == keys[j].space else j + 1
    return [k for k in range(start, len(keys)) if keys[k].space not in (keys[i].space, keys[j].space)]


def _report(left_out: dict[str, int], spaces: set[str], records: int) -> None:
    if records:
        label = " + ".join(sorted(spaces))
        left_out[label] = left_out.get(label, 0) + records


def _double(wide: Wide, i: int, j: int, touching: Rows | None, out: Rows) -> Groups | None:
    """Groups of the records that share wide values of keys i and j."""
    one, two = wide.keys[i], wide.keys[j]
    if not (wide.widths[one.space] and wide.widths[two.space]):
        return None
    either = one.space == two.space
    both = np.uint32((1 << i) | (1 << j))
    table = np.empty(0, np.uint64)
    if touching is not None:
        table = np.zeros(1 << max(len(touching), 1).bit_length(), np.uint64)
        blocks.note(touching, wide.mask, both, one.codes, two.codes, either, table)
    found = blocks.both_wide(wide.mask, both, one.codes, two.codes, either, table, out)
    if found < 2:
        return None
    groups = Groups(out[:found], np.array([0, found], np.int64))
    first = wide.codes(i, groups.rows)
    if either:
        first = np.minimum(first, wide.codes(j, groups.rows))
    groups, _ = _refined(groups, first, wide.widths[one.space])
    second = wide.codes(j, groups.rows)
    if either:
        second = np.maximum(second, wide.codes(i, groups.rows))
    return _refined(groups, second, wide.widths[two.space])[0]


def _refined(groups: Groups, codes: Codes, width: int, most: int = _NO_LIMIT) -> tuple[Groups, int]:
    rows, starts, dropped = blocks.refine(groups.rows, groups.starts, codes, width, most)
    return Groups(rows, starts), dropped
