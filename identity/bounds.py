"""What equal and missing values alone tell of the weight of a pair: most comparisons are decided by them.

All comparisons are looked at in one pass over the pairs. What is left undecided counts the most that it may give,
until the measure of its step settles it; a pair whose bound falls below what is wanted is looked at no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from identity.comparer import Comparer, Rows, Step
from identity.kernels.levels import DECIDED, NAMES, OPEN, expect, expect_names, settle
from identity.model import Ints, Model

_KINDS = {"names": NAMES, "nothing": OPEN}
_LAST_BIT = 63
_NOTHING = np.empty((0, 0), np.int32)


@dataclass(frozen=True)
class Bounds:
    """Tables of all comparisons side by side.

    ``rows``: the comparisons of each kind; ``codes``: the column of each; ``decided``: by record, the codes of those
    of kind DECIDED; ``adjustment``: those of all comparisons, one after the other, from ``first`` on; ``bit``: of the
    step of each comparison. See ``kernels.levels.expect``.
    """

    model: Model
    rows: dict[int, npt.NDArray[np.int64]]
    codes: tuple[Rows, ...]
    decided: npt.NDArray[np.int32]
    adjustment: Ints
    first: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]
    bit: npt.NDArray[np.uint64]
    shared: npt.NDArray[np.bool_]
    exact: Ints
    household: Ints
    other: Ints

    @classmethod
    def of(cls, comparer: Comparer, model: Model, adjustments: Sequence[Ints | None]) -> Bounds:
        """Read a model for a comparer."""
        comparisons = comparer.comparisons
        size = len(comparisons)
        codes: list[Rows] = [np.empty(0, np.int32)] * size
        kind, bit, other = np.zeros(size, np.int8), np.zeros(size, np.uint64), np.zeros(size, np.int32)
        for number, step in enumerate(comparer.steps):
            for row, own in zip(step.rows, step.codes, strict=True):
                codes[row] = own
                kind[row] = _kind(step, number)
                bit[row] = np.uint64(1) << np.uint64(min(number, _LAST_BIT))
                other[row] = _most(model.weights[row], adjustments[row], step, int(kind[row]))
        tables = [np.empty(0, np.int32) if table is None else table for table in adjustments]
        sizes = np.array([len(table) for table in tables], np.int64)
        rows = {one: np.flatnonzero(kind == one) for one in (DECIDED, NAMES, OPEN)}
        return cls(
            model,
            rows,
            tuple(codes),
            np.stack([codes[row] for row in rows[DECIDED]], axis=1) if len(rows[DECIDED]) else _NOTHING,
            np.concatenate([np.empty(0, np.int32), *tables]),
            np.where(sizes > 0, np.cumsum(sizes) - sizes, -1),
            kind,
            bit,
            np.array([comparison.shared for comparison in comparisons], np.bool_),
            np.array([weights[-1] for weights in model.weights], np.int32),
            np.array([weights[-1] for weights in model.household], np.int32),
            other,
        )

    def expect(self, left: Rows, right: Rows) -> tuple[Ints, Ints, npt.NDArray[np.uint64]]:
        """Weight, its household part, and the bits of the steps that are undecided, of which the most counts."""
        open_, names, decided = self.rows[OPEN], self.rows[NAMES], self.rows[DECIDED]
        total = np.full(len(left), self.model.prior + int(self.other[open_].sum()), np.int32)
        related = np.zeros(len(left), np.int32)
        undecided = np.full(len(left), np.bitwise_or.reduce(self.bit[open_]), np.uint64)
        if len(decided):
            expect(left, right, self.decided, *self._tables(decided), total, related, undecided)
        if len(names):
            given, surname = (self.codes[row] for row in names)
            expect_names(left, right, given, surname, *self._tables(names), total, related, undecided)
        return total, related, undecided

    def _tables(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], ...]:
        tables = self.first, self.bit, self.shared, self.exact, self.household, self.other
        return self.adjustment, *(table[rows] for table in tables)

    def settle(self, step: Step, place: Rows, left: Rows, right: Rows, total: Ints, related: Ints) -> None:
        """Replace what was expected of a step by what its measure gives; ``place``: of the pairs in ``total``."""
        for row, level in zip(step.rows, step.fill(left, right), strict=True):
            start = int(self.first[row])
            settle(
                place, left, right, level, self.codes[row], self.adjustment, start,
                self.model.weights[row].astype(np.int32), self.model.household[row].astype(np.int32),
                self.shared[row], self.kind[row], self.exact[row], self.other[row], total, related,
            )  # fmt: skip


def _kind(step: Step, number: int) -> int:
    """Steps for which no bit is left are looked at for every pair."""
    return OPEN if number >= _LAST_BIT else _KINDS.get(step.bound, DECIDED)


def _most(weights: Ints, adjustment: Ints | None, step: Step, kind: int) -> int:
    """The most that a comparison gives where equal values do not decide it."""
    exact, other = int(weights[-1]), int(weights[:-1].max())
    if kind == OPEN:
        rarest = int(adjustment.max()) if adjustment is not None and len(adjustment) else 0
        return max(other, exact + max(rarest, 0), 0)
    if kind == NAMES or step.bound == "silent":
        other = max(other, 0)
    return max(exact, other) if step.several else other
