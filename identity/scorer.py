"""Match weights of pairs of records under a model.

``score`` gives everything about each pair; ``above`` gives only the pairs that reach a weight, and drops the
others as soon as the comparisons that are left cannot make up for what is lost. Both give equal weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from identity.bounds import Bounds
from identity.comparer import Comparer, Rows, Step
from identity.components import Edges
from identity.kernels import levels
from identity.model import UNIT, Ints, Model, counted, household_term, probability
from identity.together import THREADS

Levels = npt.NDArray[np.int8]
_CHUNK = 1 << 17
_NO_FLOOR = -(2**31)
_CLIP = 10_000  # no single pair outweighs the rest of two clusters
# Inside a component, records that have nothing in common are as a rule joined through a third one of the same
# person, who has moved or is badly known: fields that disagree are no independent witnesses then, and count a
# quarter. Where the two look like people of one household, that is what joined them, and they count in full.
_AGAINST = 4
_HOUSEHOLD = -3_000


@dataclass(frozen=True)
class Pairs:
    """Weighed pairs: row numbers, levels, weights in 1/1000 bit with prior and household term.

    ``levels`` and ``frequency``: one row per comparison, one column per pair.
    """

    left: Rows
    right: Rows
    levels: Levels
    frequency: npt.NDArray[np.int16]
    household: Ints
    weight: Ints

    def __len__(self) -> int:
        return len(self.left)

    def take(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            self.left[chosen],
            self.right[chosen],
            self.levels[:, chosen],
            self.frequency[:, chosen],
            self.household[chosen],
            self.weight[chosen],
        )


@dataclass(frozen=True)
class Scorer:
    """A comparer with a model; ``adjustments``: per comparison the frequency adjustment by value code, or None."""

    comparer: Comparer
    model: Model
    adjustments: tuple[npt.NDArray[np.int32] | None, ...]

    def score(self, left: Rows, right: Rows) -> Pairs:
        """Compare and weigh pairs of records, with all levels."""
        levels = self.comparer.levels(left, right)
        frequency = np.zeros(levels.shape, np.int16)
        total = np.full(len(left), self.model.prior, np.int32)
        related = np.zeros(len(left), np.int32)
        for step in self.comparer.steps:
            for row, codes in zip(step.rows, step.codes, strict=True):
                level, comparison = levels[row], self.comparer.comparisons[row]
                adjustment = self.adjustments[row]
                if adjustment is not None:
                    one, two = codes[left], codes[right]
                    equal = (level == comparison.exact) & (one >= 0) & (one == two)
                    frequency[row, equal] = adjustment[one[equal]]
                rarity = frequency[row].astype(np.int32)
                total += np.append(self.model.weights[row], 0).astype(np.int32)[level] + rarity
                related += np.append(self.model.household[row], 0).astype(np.int32)[level]
                if comparison.shared:
                    related += rarity
        household = household_term(self.model, related)
        return Pairs(left, right, levels, frequency, household, (total + household).astype(np.int32))

    def ready(self) -> Scorer:
        """The scorer with its tables made, which several threads would otherwise make each for itself."""
        _ = self._bounds, self._order
        return self

    def frequency_range(self) -> dict[str, dict[str, float]]:
        """Per comparison: how many values it knows, and the adjustment (bits) of the commonest and the rarest."""
        return {
            comparison.name: {
                "values": len(table),
                "commonest": int(table.min()) / UNIT,
                "rarest": int(table.max()) / UNIT,
            }
            for comparison, table in zip(self.comparer.comparisons, self.adjustments, strict=True)
            if table is not None and len(table)
        }

    def for_linkage(self, left: Rows, right: Rows, known: Ints) -> tuple[Ints, Ints]:
        """The weight of each pair, and what it counts in the average of two clusters.

        ``known``: weights that were found before. Of those that tell for a pair the household term plays no part;
        the others are found anew.
        """
        weight, household = known.copy(), np.zeros(len(left), np.int32)
        for start in range(0, len(left), _CHUNK):
            unknown = start + np.flatnonzero(known[start : start + _CHUNK] < 0)
            weight[unknown], household[unknown] = self._weigh(left[unknown], right[unknown])
        return weight, linkage_weight(weight, household, self.model.threshold)

    def _weigh(self, left: Rows, right: Rows) -> tuple[Ints, Ints]:
        """Weight and household term of each pair, without levels."""
        total, related = self._decide(left, right, _NO_FLOOR)
        household = household_term(self.model, related)
        return (total + household).astype(np.int32), household

    def _decide(self, left: Rows, right: Rows, floor: int) -> tuple[Ints, Ints]:
        """Weight before the household term, and its evidence; pairs below ``floor`` are left at some bound below."""
        total, related, undecided = self._bounds.expect(left, right)
        place, one, two = (np.empty(len(left), np.int32) for _ in range(3))
        for step in self._order:
            bit = self._bounds.bit[step.rows[-1]]
            size = levels.open_pairs(undecided, bit, total, floor, left, right, place, one, two)
            self._bounds.settle(step, place[:size], one[:size], two[:size], total, related)
        return total, related

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds.of(self.comparer, self.model, self.adjustments)

    def above(self, chunks: Iterable[tuple[Rows, Rows]], floor: int) -> Iterator[Edges]:
        """The pairs whose weight is at least ``floor``; chunks are scored by two threads, in order."""
        waiting: deque[Future[Edges]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            for left, right in _slices(chunks):
                if len(waiting) > THREADS:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(self._above, left, right, floor))
            while waiting:
                yield waiting.popleft().result()

    def _above(self, left: Rows, right: Rows, floor: int) -> Edges:
        total, related = self._decide(left, right, floor)
        near = np.flatnonzero(total >= floor)
        weight = (total[near] + household_term(self.model, related[near])).astype(np.int32)
        keep = weight >= floor
        return Edges(left[near[keep]], right[near[keep]], weight[keep])

    @cached_property
    def _order(self) -> tuple[Step, ...]:
        """Steps by how much they may take away from what was expected, for what they cost, the most first."""

        def loss(step: Step) -> float:
            lost = sum(int(self._bounds.other[row]) - int(self.model.weights[row][0]) for row in step.rows)
            return -lost / step.cost

        return tuple(sorted(self.comparer.steps, key=lambda step: (loss(step), step.rows)))


def linkage_weight(weight: Ints, household: Ints, threshold: int) -> Ints:
    """What a pair of records counts in the average of two clusters, in 1/1000 bit.

    >>> linkage_weight(np.array([25_000, -8_000, -8_000]), np.array([0, 0, -4_000]), 0).tolist()
    [10000, -2000, -8000]
    """
    counted = np.minimum(weight, np.int32(max(threshold, 0) + _CLIP))
    weak = (counted < 0) & (household > _HOUSEHOLD)
    return np.where(weak, -(-counted // _AGAINST), counted).astype(np.int32)


def _slices(chunks: Iterable[tuple[Rows, Rows]]) -> Iterator[tuple[Rows, Rows]]:
    for left, right in chunks:
        for start in range(0, len(left), _CHUNK):
            yield left[start : start + _CHUNK], right[start : start + _CHUNK]


def estimated_accuracy(weight: Ints, threshold: int, unseen: float = 0.0) -> dict[str, float]:
    """Precision and recall that the model itself expects of the pairs at the threshold, without any labels.

    ``weight``: of all pairs from some weight below the threshold on; ``unseen``: the share of the expected
    matches among the candidate pairs that weigh still less. Recall is relative to the candidate pairs.
    """
    # Counted by whole weight: sums of floats then do not depend on the order of the pairs.
    size, number = counted(weight)
    chance, taken = probability(size) * number, size >= threshold
    expected, total = float(chance[taken].sum()), float(chance.sum()) / max(1.0 - unseen, 1e-9)
    pairs = int(number[taken].sum())
    return {
        "estimated_precision": expected / pairs if pairs else 1.0,
        "estimated_recall": expected / total if total else 1.0,
    }
