"""Candidate pairs: which records are worth comparing.

Records that share a value of a key are compared if at most ``cap`` have it. Where a value is more common, two
such values must be shared, and where those still are too common, three. Every record of a common identifier is
compared with the few of least ``order`` among them. A pair that shares only common values is never compared;
what was left out is reported.

The candidates are a function of the active records alone: a pair is one if any block that it shares is small
enough. So growth of a block only takes pairs away and shrinking only brings some; ``flips`` builds on that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from identity.combined import Mask, Starts, Wide, allowed, walk
from identity.flips import Change, flips
from identity.kernels import blocks
from identity.keys import (
    CAP,
    CAPS,
    LIMITS,
    NONE,
    Codes,
    Counts,
    Flags,
    Hashes,
    Key,
    KeySpec,
    Limits,
    Rows,
    Values,
    choose_cap,
    combinable,
    count,
    values,
)

__all__ = [
    "CAP",
    "CAPS",
    "CHUNK",
    "LIMITS",
    "Candidates",
    "Change",
    "Counts",
    "Key",
    "KeySpec",
    "Limits",
    "choose_cap",
    "count",
    "emit",
    "flips",
]
CHUNK = 1 << 20
"""Pairs in a chunk, at most."""


@dataclass(frozen=True)
class Candidates:
    """Candidate pairs, made while they are read: chunks of (left, right), int32, left < right.

    Every pair comes once over all chunks. ``oversize``: by the spaces of values that are too common to compare
    those who share them, the number of these records (for each group of keys that they share).
    """

    rows: Rows
    oversize: dict[str, int]
    _size: int
    _number: Codes = field(repr=False)
    _members: Rows = field(repr=False)
    _spans: Codes = field(repr=False)
    _entries: tuple[Codes, Codes] = field(repr=False)

    def __iter__(self) -> Iterator[tuple[Rows, Rows]]:
        return self.chunks()

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[Rows, Rows]]:
        """The pairs, at most ``size`` at a time; one such iterator serves one thread at a time."""
        seen = np.full(self._size, -1, np.int32)
        state = np.zeros(3, np.int64)
        given = (self.rows, self._number, *self._entries, self._members, self._spans.copy(), seen, state)
        while True:
            left, right = np.empty(size, np.int32), np.empty(size, np.int32)
            found = blocks.pairs(*given, left, right)
            if found:
                yield left[:found], right[:found]
            if found < size:
                return


def emit(
    keys: Sequence[Key],
    active: Flags,
    order: Hashes,
    cap: int,
    *,
    dirty: Flags | None = None,
    counts: Counts | None = None,
    limits: Limits = LIMITS,
) -> Candidates:
    """The candidate pairs of the active records; with ``dirty`` only pairs with at least one dirty record.

    ``order``: uint64[N], a hash of each record's key, which chooses representatives. ``counts``: those of
    ``count(keys, active)``, if they are there already. With ``dirty``, one light pass over all records is
    made, the rest is in proportion to what shares a value with the dirty ones, and nothing is reported.

    >>> key = Key("phone", "phone", np.array([0, 0, 1, 1], np.int32), 2)
    >>> everyone = np.ones(4, bool)
    >>> found = emit([key], everyone, np.arange(4, dtype=np.uint64), 2, limits=Limits(all_pairs=0))
    >>> [(left.tolist(), right.tolist()) for left, right in found]
    [([0, 2], [1, 3])]
    """
    chosen = active if dirty is None else active & dirty
    rows = np.flatnonzero(chosen).astype(np.int32)
    if int(active.sum()) <= limits.all_pairs:
        everyone = np.flatnonzero(active).astype(np.int32)
        return _candidates(rows, [(everyone, np.array([0, len(everyone)]), None)], active, {})
    known = counts or count(keys, active)
    near = None if dirty is None else (rows, chosen)
    oversize = _report(keys, known, cap, limits) if dirty is None else {}
    parts = _parts(keys, active, order, cap, known, limits, near, oversize)
    return _candidates(rows, parts, active, oversize if dirty is None else {})


@dataclass(frozen=True)
class Blocked:
    """The blocking keys of all active records, how many have each value, and the pairs that follow."""

    keys: list[Key]
    counts: Counts
    candidates: Candidates

    @classmethod
    def of(
        cls,
        keys: list[Key],
        active: Flags,
        order: Hashes,
        cap: int,
        limits: Limits,
        counts: Counts | None = None,
    ) -> Blocked:
        """``counts``: those of ``count(keys, active)``, if they are there already."""
        counts = counts or count(keys, active)
        return cls(keys, counts, emit(keys, active, order, cap, counts=counts, limits=limits))


_NO_BIT = np.uint32(0)
_Part = tuple[Rows, Starts, Codes | None]


def _candidates(rows: Rows, parts: Sequence[_Part], active: Flags, oversize: dict[str, int]) -> Candidates:
    members = np.concatenate([NONE, *(part[0] for part in parts)])
    ends = np.cumsum([0, *(len(part[0]) for part in parts)])
    spans = np.concatenate(
        [np.empty((0, 3), np.int32), *(_spans(part, end) for part, end in zip(parts, ends, strict=False))]
    )
    number = NONE
    if len(rows) == int(active.sum()):
        rows = np.arange(len(active), dtype=np.int32)
    else:
        number = np.full(len(active), -1, np.int32)
        number[rows] = np.arange(len(rows), dtype=np.int32)
    entries = blocks.transpose(members, spans, number, len(rows))
    return Candidates(rows, oversize, len(active), number, members, spans, entries)


def _spans(part: _Part, shift: int) -> Codes:
    """Start, end and number of representatives (0: all members meet) of the blocks."""
    _, starts, star = part
    out = np.zeros((len(starts) - 1, 3), np.int32)
    out[:, 0] = starts[:-1] + shift
    out[:, 1] = starts[1:] + shift
    if star is not None:
        out[:, 2] = star
    return out


def _single(
    values: Values, counts: Codes, touched: Codes, active: Flags, mask: Mask, order: Hashes
) -> tuple[_Part, Codes, int]:
    """Blocks of single values; marks who has wide ones. Also the numbers of the wide values, and how many."""
    status = np.zeros(len(counts) + 1, np.uint8)  # the last one is that of no value
    place, wide = np.empty(len(counts), np.int32), np.empty(len(counts), np.int32)
    starts, star, width = blocks.classify(touched, counts, values.limits, status, place, wide)
    members = np.empty(starts[-1], np.int32)
    for record, codes, bit in values.sides:
        blocks.collect(record, codes, active, status, place, bit if width else _NO_BIT, mask, members)
    if len(values.sides) > 1 or values.several:
        blocks.ascend(members, starts)
    blocks.lead(members, starts, np.flatnonzero(star), order, values.limits[2])
    return (members, starts, star), wide, width


def _parts(
    keys: Sequence[Key],
    active: Flags,
    order: Hashes,
    cap: int,
    counts: Counts,
    limits: Limits,
    dirty: tuple[Rows, Flags] | None,
    oversize: dict[str, int],
) -> list[_Part]:
    """The blocks of single values, of several values per record, and of values combined."""
    wide = Wide(combinable(keys), np.zeros(len(active), np.uint32), {}, {}, oversize)
    parts: list[_Part] = []
    for shared in values(keys, cap, limits):
        number = shared.counts(counts)
        touched = np.arange(len(number), dtype=np.int32) if dirty is None else shared.touched(*dirty)
        part, numbers, width = _single(shared, number, touched, active, wide.mask, order)
        parts.append(part)
        if not shared.several:
            wide.numbers[shared.name], wide.widths[shared.name] = numbers, width

    def judge(rows: Rows, starts: Starts) -> tuple[Flags, Flags]:
        narrow = np.diff(starts) <= cap
        if dirty is None:
            return narrow, ~narrow
        near = blocks.weigh(rows, starts, dirty[1]) > 0
        return narrow & near, ~narrow & near

    groups = walk(wide, judge, cap, None if dirty is None else dirty[0])
    return [*parts, *((found.rows, found.starts, None) for found in groups)]


def _report(keys: Sequence[Key], counts: Counts, cap: int, limits: Limits) -> dict[str, int]:
    """Records whose values are too common, where no other key can tell them apart."""
    combined = combinable(keys)
    partners = {combined[k].space for pair in allowed(combined) for k in pair}
    found: dict[str, int] = {}
    for shared in values(keys, cap, limits):
        number, star = shared.counts(counts), int(shared.limits[1])
        if shared.name not in partners or shared.several:
            large = number > max(cap, star)
        elif star:
            large = number > star
        else:
            continue
        if large.any():
            found[shared.name] = found.get(shared.name, 0) + int(number[large].sum())
    return found
