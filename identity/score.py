"""From encoded records to weighed pairs.

Candidates, the model fitted on them, and the weight of each pair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from identity import blocking
from identity.compare import Comparer
from identity.measures import Levels
from identity.model import (
    UNIT,
    Histogram,
    Ints,
    Model,
    Parameters,
    build,
    estimate,
    histogram,
    household_term,
    probability,
    weigh,
)
from identity.records import Coded

Rows = npt.NDArray[np.int64]
_RANDOM_PAIRS = 1_000_000
_MOST_ADJUSTMENT = 6 * UNIT
AUTO_THRESHOLD = 0.5


@dataclass(frozen=True)
class Pairs:
    """Weighed candidate pairs.

    Record numbers, levels, weights in 1/1000 bit with prior and household term.
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
class Sample:
    """Random pairs of records, and how many records they stand for."""

    left: Rows
    right: Rows
    records: int


def random_pairs(
    hashes: npt.NDArray[np.uint32], only: npt.NDArray[np.bool_], most: int = _RANDOM_PAIRS
) -> Sample:
    """Pairs of the records in ``only``, drawn by their hashes: all where they are few, else neighbours."""
    rows = np.flatnonzero(only)
    size = len(rows)
    order = rows[np.argsort(hashes[rows], kind="stable")]
    shifts = range(1, size) if size * (size - 1) // 2 <= most else range(1, max(2, most // size + 1))
    empty = [np.empty(0, np.int64)]
    left = np.concatenate([order[:-shift] for shift in shifts] or empty)
    right = np.concatenate([order[shift:] for shift in shifts] or empty)
    return Sample(left, right, size)


def _outside(left: Rows, right: Rows, candidates: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    if not len(candidates):
        return np.ones(len(left), dtype=bool)
    packed = blocking.pack(left, right)
    place = np.minimum(np.searchsorted(candidates, packed), len(candidates) - 1)
    return np.asarray(candidates[place] != packed, dtype=bool)


@dataclass(frozen=True)
class Scorer:
    """A comparer with a fitted model and the frequency adjustment of every value (1/1000 bit)."""

    comparer: Comparer
    model: Model
    adjustments: dict[str, Ints]

    def frequency(self, levels: Levels, left: Rows, right: Rows) -> npt.NDArray[np.int16]:
        """Adjustment of each comparison for each pair: how much rarer than usual the equal value is."""
        out = np.zeros(levels.shape, dtype=np.int16)
        for row, comparison in enumerate(self.comparer.comparisons):
            table = self.adjustments.get(comparison.name)
            if table is None:
                continue
            equal = np.flatnonzero(levels[row] == comparison.exact)
            codes = self.comparer.equal_codes[comparison.name].codes
            one, two = codes[left[equal]], codes[right[equal]]
            out[row, equal] = np.where((one >= 0) & (one == two), table[one], 0)
        return out

    def weigh(self, left: Rows, right: Rows, levels: Levels, patterns: Histogram | None = None) -> Pairs:
        """Weigh pairs whose levels are known."""
        found = patterns or histogram(levels, self.comparer.comparisons)
        plain, related = weigh(self.model, found.patterns)
        frequency = self.frequency(levels, left, right)
        total = plain[found.of_pair] + frequency.sum(axis=0, dtype=np.int32)
        shared = np.array([c.shared for c in self.comparer.comparisons], dtype=bool)
        other = related[found.of_pair] + frequency[shared].sum(axis=0, dtype=np.int32)
        household = household_term(self.model, other)
        weight = total + household + np.int32(self.model.prior)
        return Pairs(left, right, levels, frequency, household, weight.astype(np.int32))

    def score(self, left: Rows, right: Rows) -> Pairs:
        """Compare and weigh pairs of records."""
        return self.weigh(left, right, self.comparer.levels(left, right))

    def tables(self) -> dict[str, dict[str, float]]:
        """Per comparison: how many values it knows, and the adjustment (bits) of the commonest and the rarest."""
        return {
            name: {"values": len(table), "commonest": table.min() / UNIT, "rarest": table.max() / UNIT}
            for name, table in sorted(self.adjustments.items())
        }

    def tables_hash(self) -> str:
        """Hash of all frequency tables: with the model's own numbers it names the model version."""
        digest = hashlib.sha256()
        for name in sorted(self.adjustments):
            digest.update(name.encode())
            digest.update(self.adjustments[name].tobytes())
        return digest.hexdigest()[:16]


def adjustments(comparer: Comparer) -> dict[str, Ints]:
    """log2(mean frequency / frequency of the value), by value, for the comparisons that use it."""
    found = {}
    for comparison in comparer.comparisons:
        column = comparer.equal_codes.get(comparison.name)
        if comparison.tf and column is not None and column.present:
            found[comparison.name] = _adjustment(column)
    return found


def _adjustment(column: Coded) -> Ints:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    share = np.maximum(counts, 1) / max(int(counts.sum()), 1)
    mean = float((share * share).sum())
    bits = np.rint(np.log2(mean / share) * UNIT)
    return np.asarray(np.clip(bits, -_MOST_ADJUSTMENT, _MOST_ADJUSTMENT), dtype=np.int32)


def candidates(comparer: Comparer, only: npt.NDArray[np.bool_], cap: int | None = None) -> blocking.Blocks:
    """Candidate pairs among the records of ``only``."""
    slots, extra = _keys(comparer, only)
    if int(only.sum()) <= blocking.ALL_PAIRS:
        found, used = blocking.every_pair(np.flatnonzero(only)), None
    else:
        used = cap or blocking.choose_cap(slots, int(only.sum()))
        found = blocking.block(slots, extra, used)
    some = np.any([slot.codes >= 0 for slot in slots], axis=0) if slots else np.zeros(len(only), dtype=bool)
    return replace(
        found, coverage=blocking.coverage(slots, used), without_key=int((only & ~some).sum()), cap=used
    )


def _keys(
    comparer: Comparer, only: npt.NDArray[np.bool_]
) -> tuple[list[blocking.Slot], list[tuple[Rows, npt.NDArray[np.int32]]]]:
    """Key columns of the records of ``only``, and the further values of their identifiers."""
    records = comparer.records
    names = comparer.names
    given = surname = spoken = np.full(len(records), -1, dtype=np.int32)
    if names is not None:
        given, surname = (
            np.where(only, names.given, np.int32(-1)),
            np.where(only, names.surname, np.int32(-1)),
        )
        spoken = blocking.spoken_names(Coded(names.values, surname), given, names.first)
    slots = [
        replace(slot, codes=np.where(only, slot.codes, np.int32(-1)))
        for slot in blocking.slots(records, given, surname, spoken)
    ]
    extra = [
        (column.record.astype(np.int64)[several], column.value[several])
        for column in records.identifiers.values()
        for several in [only[column.record]]
        if len(column.record) > int((column.codes >= 0).sum())
    ]
    return slots, extra


def fit_and_score(
    comparer: Comparer, blocks: blocking.Blocks, sample: Sample, threshold: float, frozen: Model | None = None
) -> tuple[Scorer, Pairs]:
    """Fit the model on the candidates, unless a frozen one suits their comparisons, and weigh them."""
    levels = comparer.levels(blocks.left, blocks.right)
    found = histogram(levels, comparer.comparisons)
    if frozen is not None and _suits(frozen, comparer):
        model = frozen
    else:
        model = build(comparer.comparisons, _fit(comparer, blocks, sample, found), threshold)
    scorer = Scorer(comparer, model, adjustments(comparer))
    return scorer, scorer.weigh(blocks.left, blocks.right, levels, found)


def _suits(frozen: Model, comparer: Comparer) -> bool:
    return [(c.name, c.levels) for c in frozen.comparisons] == [
        (c.name, c.levels) for c in comparer.comparisons
    ]


def _fit(comparer: Comparer, blocks: blocking.Blocks, sample: Sample, found: Histogram) -> Parameters:
    keep = _outside(sample.left, sample.right, blocking.pack(blocks.left, blocks.right))
    random = comparer.levels(sample.left[keep], sample.right[keep])
    pairs = max(sample.records * (sample.records - 1) / 2, 1.0)
    return estimate(found, random, comparer.comparisons, pairs, max(sample.records, 1))


def both(first: Pairs, second: Pairs) -> Pairs:
    """Pairs of one scorer, one after the other."""
    if not len(second):
        return first
    return Pairs(
        np.concatenate([first.left, second.left]),
        np.concatenate([first.right, second.right]),
        np.concatenate([first.levels, second.levels], axis=1),
        np.concatenate([first.frequency, second.frequency], axis=1),
        np.concatenate([first.household, second.household]),
        np.concatenate([first.weight, second.weight]),
    )


def estimated_accuracy(pairs: Pairs, threshold: int) -> dict[str, float]:
    """Precision and recall that the model itself expects of the pairs at the threshold, without any labels.

    Recall is relative to the matches among the candidate pairs.
    """
    chance = probability(pairs.weight)
    taken = pairs.weight >= threshold
    expected, total = float(chance[taken].sum()), float(chance.sum())
    return {
        "estimated_precision": expected / int(taken.sum()) if taken.any() else 1.0,
        "estimated_recall": expected / total if total else 1.0,
    }
