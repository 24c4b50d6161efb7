"""The Fellegi–Sunter model with a third class, estimated without labels.

Every pair belongs to one of three latent classes: *match* (one person), *related* (two people of one
household, who share address, surname or a landline) and *unrelated*. Given the class, comparisons are taken
as independent (Fellegi and Sunter 1969). Expectation–maximisation (Winkler 1988) runs over the histogram of
comparison patterns of the candidate pairs; u also takes in random pairs that no block proposed, scaled to
all n(n-1)/2 pairs, and so the prior is relative to all pairs. Priors act as pseudo-counts: they decide
where data are few and vanish where data are many. Weights are integers of 1/1000 bit, so that sums do not
depend on their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from identity.comparisons import Comparison

Levels = npt.NDArray[np.int8]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
UNIT = 1000
DOUBT = 4_250
"""How far below the threshold (1/1000 bit) pairs are kept: a probability of .05 where the threshold is .5."""
_ROUNDS = 200
_SETTLED = 1e-4  # relative change of both rates below which estimation stops
_STRENGTH = 100.0
_RELATED_STRENGTH = 100.0
_STRANGERS = 200.0  # pairs of strangers and, in rates, of all pairs that the shipped beliefs stand for
_FLOOR = 1e-9
_WIDE = 1 << 24
_NONE = 1e-15  # rate of a class that is not there


@dataclass(frozen=True)
class Parameters:
    """Probabilities of each level in each class, by comparison, and the two priors relative to all pairs."""

    match: tuple[Floats, ...]
    related: tuple[Floats, ...]
    unrelated: tuple[Floats, ...]
    match_rate: float
    related_rate: float


@dataclass(frozen=True)
class Histogram:
    """Distinct comparison patterns (one column per pattern) with counts, and the pattern of each pair."""

    patterns: Levels
    counts: npt.NDArray[np.int64] | Floats
    of_pair: npt.NDArray[np.int64]


def histogram(levels: Levels, comparisons: Sequence[Comparison]) -> Histogram:
    """Count equal columns of a level matrix."""
    packed = np.zeros(levels.shape[1], dtype=np.uint64)
    spare: list[npt.NDArray[np.uint64]] = []
    room = 1.0
    for row, comparison in zip(levels, comparisons, strict=True):
        base = len(comparison.levels) + 1
        if room * base >= 2.0**63:
            distinct, inverse = np.unique(packed, return_inverse=True)
            spare.append(packed)
            packed, room = inverse.astype(np.uint64), float(len(distinct))
        packed = packed * np.uint64(base) + (row + 1).astype(np.uint64)
        room *= base
    _, first, inverse, counts = np.unique(packed, return_index=True, return_inverse=True, return_counts=True)
    return Histogram(levels[:, first], counts, inverse)


def _logs(probabilities: Floats, row: npt.NDArray[np.int8]) -> Floats:
    return np.append(np.log(np.maximum(probabilities, _FLOOR)), 0.0)[row]


def _class_log(tables: Sequence[Floats], patterns: Levels) -> Floats:
    total = np.zeros(patterns.shape[1])
    for table, row in zip(tables, patterns, strict=True):
        total += _logs(table, row)
    return total


def _level_counts(patterns: Levels, weights: Floats, comparisons: Sequence[Comparison]) -> list[Floats]:
    found = []
    for row, comparison in zip(patterns, comparisons, strict=True):
        counted = np.bincount(row + 1, weights, minlength=len(comparison.levels) + 1)[1:]
        found.append(counted.astype(np.float64))
    return found


def _normal(values: Floats) -> Floats:
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), 1 / len(values))


def estimate(
    candidates: Histogram,
    random: Levels,
    comparisons: Sequence[Comparison],
    pairs: float,
    records: int,
    *,
    rounds: int = _ROUNDS,
) -> Parameters:
    """Estimate the three classes from candidate patterns and from random pairs outside the candidates.

    ``pairs``: n(n-1)/2, or the pairs that may match at all. Returns the parameters after at most ``rounds``.
    """
    outside = max(pairs - float(candidates.counts.sum()), 0.0)
    weight = outside / max(random.shape[1], 1)
    background = _level_counts(random, np.full(random.shape[1], weight), comparisons)
    match = [np.array(c.match) for c in comparisons]
    # To begin with, pairs are told apart by the shipped beliefs: outside the candidates alone, the values that
    # blocks are made of hardly ever agree, and whatever shares one would look like a match.
    counts = candidates.counts.astype(np.float64)
    unrelated = [np.array(c.unrelated) for c in comparisons]
    related = [_related(c, u) for c, u in zip(comparisons, unrelated, strict=True)]
    scale = records / (pairs + _STRANGERS)
    match_rate, related_rate = 0.3 * scale, 0.15 * scale
    # Without any personal field, two people of one household cannot be told from one person.
    personal = any(c.related is None for c in comparisons)
    related_rate = related_rate if personal else _NONE
    # Classes are told apart by what agrees together: of a single comparison nothing but the rate can be learned.
    learning = len(comparisons) > 1
    for _ in range(rounds):
        logs = np.stack(
            [
                _class_log(match, candidates.patterns) + np.log(match_rate),
                _class_log(related, candidates.patterns) + np.log(related_rate),
                _class_log(unrelated, candidates.patterns) + np.log1p(-min(match_rate + related_rate, 0.5)),
            ]
        )
        posterior = np.exp(logs - logs.max(axis=0))
        posterior *= counts / posterior.sum(axis=0)
        totals = posterior.sum(axis=1)
        before = match_rate, related_rate
        match_rate = float((totals[0] + 1.0) / (pairs + _STRANGERS))
        related_rate = float((totals[1] + 0.5) / (pairs + _STRANGERS)) if personal else _NONE
        moved = abs(match_rate / before[0] - 1), abs(related_rate / before[1] - 1)
        if not learning:
            if max(moved) < _SETTLED:
                break
            continue
        parts = [_level_counts(candidates.patterns, share, comparisons) for share in posterior]
        match = [
            _with_few_slips(_normal(n + _STRENGTH * np.array(c.match)), c.slip)
            for n, c in zip(parts[0], comparisons, strict=True)
        ]
        unrelated = [
            _normal(n + b + _prior_u(c)) for n, b, c in zip(parts[2], background, comparisons, strict=True)
        ]
        related = [
            _normal(n + _RELATED_STRENGTH * _related(c, u)) if c.related is not None else _related(c, u)
            for n, c, u in zip(parts[1], comparisons, unrelated, strict=True)
        ]
        if max(moved) < _SETTLED:
            break
    return Parameters(tuple(match), tuple(related), tuple(unrelated), match_rate, related_rate)


def _with_few_slips(match: Floats, slip: float | None) -> Floats:
    """Move what the level below the exact one has too much of to "different"."""
    if slip is None:
        return match
    most = slip * match[-1]
    excess = max(match[-2] - most, 0.0)
    match[-2] -= excess
    match[0] += excess
    return match


def _prior_u(comparison: Comparison) -> Floats:
    return np.array(comparison.unrelated) * _STRANGERS


def _related(comparison: Comparison, unrelated: Floats) -> Floats:
    """Levels of two people of one household: as learned, or those of strangers but for the echo of a name."""
    if comparison.related is not None:
        return np.array(comparison.related)
    echo = np.zeros(len(unrelated))
    echo[comparison.exact] = comparison.echo
    return np.asarray((1 - comparison.echo) * unrelated + echo)


@dataclass(frozen=True)
class Model:
    """Frozen weights.

    By comparison and level, in 1/1000 bit; ``household`` compares related with unrelated.
    """

    comparisons: tuple[Comparison, ...]
    parameters: Parameters
    weights: tuple[Ints, ...]
    household: tuple[Ints, ...]
    prior: int
    household_prior: int
    threshold: int

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold, with the hash that names the version."""
        body: dict[str, Any] = {
            "unit": f"1/{UNIT} bit",
            "match_rate": self.parameters.match_rate,
            "related_rate": self.parameters.related_rate,
            "prior_weight": self.prior,
            "household_prior": self.household_prior,
            "threshold": self.threshold,
            "comparisons": [
                {
                    "comparison": c.name,
                    "levels": list(c.levels),
                    "term_frequency": c.tf,
                    "personal": c.related is None,
                    "echo": c.echo,
                    "m": [float(x) for x in m],
                    "u": [float(x) for x in u],
                    "related": [float(x) for x in r],
                    "weights": [int(x) for x in w],
                    "household": [int(x) for x in h],
                }
                for c, m, u, r, w, h in zip(
                    self.comparisons,
                    self.parameters.match,
                    self.parameters.unrelated,
                    self.parameters.related,
                    self.weights,
                    self.household,
                    strict=True,
                )
            ],
        }
        body["version"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        return body

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Model:
        """Read what ``to_dict`` wrote."""
        items = body["comparisons"]
        comparisons = tuple(
            Comparison(
                i["comparison"],
                tuple(i["levels"]),
                tuple(i["m"]),
                tuple(i["u"]),
                None if i["personal"] else tuple(i["related"]),
                i["term_frequency"],
                i.get("echo", 0.0),
            )
            for i in items
        )
        parameters = Parameters(
            tuple(np.array(i["m"]) for i in items),
            tuple(np.array(i["related"]) for i in items),
            tuple(np.array(i["u"]) for i in items),
            body["match_rate"],
            body["related_rate"],
        )
        return cls(
            comparisons,
            parameters,
            tuple(np.array(i["weights"], dtype=np.int32) for i in items),
            tuple(np.array(i["household"], dtype=np.int32) for i in items),
            body["prior_weight"],
            body["household_prior"],
            body["threshold"],
        )


_MOST = 20 * UNIT
_LEAST = -12 * UNIT


def build(comparisons: Sequence[Comparison], parameters: Parameters, threshold: float = 0.5) -> Model:
    """Turn probabilities into integer weights. ``threshold``: match probability from which clusters join."""
    weights, household = [], []
    for m, r, u in zip(parameters.match, parameters.related, parameters.unrelated, strict=True):
        # Where few strangers were seen, a near miss may look rarer than agreement: it is never better evidence.
        likely = np.maximum(u, _FLOOR)
        likely = np.maximum(likely, m * likely[-1] / np.maximum(m[-1], _FLOOR))
        weights.append(_bits(m / likely))
        household.append(_bits(r / likely))
    prior = int(np.rint(np.log2(parameters.match_rate) * UNIT))
    related = int(np.rint(np.log2(parameters.related_rate) * UNIT))
    cut = int(np.rint(np.log2(threshold / (1 - threshold)) * UNIT))
    return Model(tuple(comparisons), parameters, tuple(weights), tuple(household), prior, related, cut)


def _bits(ratio: Floats) -> Ints:
    bits = np.rint(np.log2(np.maximum(ratio, _FLOOR)) * UNIT)
    return np.asarray(np.clip(bits, _LEAST, _MOST), dtype=np.int32)


def weigh(model: Model, patterns: Levels) -> tuple[Ints, Ints]:
    """Sum of the weights, and of the household weights, of each pattern; without priors."""
    total = np.zeros(patterns.shape[1], dtype=np.int32)
    related = np.zeros(patterns.shape[1], dtype=np.int32)
    for table, other, row in zip(model.weights, model.household, patterns, strict=True):
        total += np.append(table, 0).astype(np.int32)[row]
        related += np.append(other, 0).astype(np.int32)[row]
    return total, related


def household_term(model: Model, related: Ints) -> Ints:
    """What the possibility of another person of the household takes away: -log2(1 + odds of related)."""
    bits = np.minimum((model.household_prior + related.astype(np.float64)) / UNIT, 60.0)
    return np.asarray(-np.rint(np.log2(1.0 + np.exp2(bits)) * UNIT), dtype=np.int32)


def counted(weight: Ints, number: npt.NDArray[np.int64] | None = None) -> tuple[Ints, npt.NDArray[np.int64]]:
    """The different weights, ascending, and how many pairs have each; ``number``: pairs that each one stands for.

    >>> [found.tolist() for found in counted(np.array([7, -2, 7], np.int32))]
    [[-2, 7], [1, 2]]
    """
    if not len(weight):
        return weight, np.empty(0, np.int64)
    least = int(weight.min())
    if int(weight.max()) - least > _WIDE:
        found, group = np.unique(weight, return_inverse=True)
        return found, np.rint(np.bincount(group, number)).astype(np.int64)
    sums = np.rint(np.bincount(weight - np.int32(least), number)).astype(np.int64)  # whole below 2**53
    there = np.flatnonzero(sums)
    return (there + least).astype(np.int32), sums[there]


def probability(weight: npt.NDArray[Any]) -> Floats:
    """Match probability of a match weight in 1/1000 bit (prior included)."""
    bits = np.clip(np.asarray(weight, dtype=np.float64) / UNIT, -60, 60)
    return 1.0 / (1.0 + np.exp2(-bits))
