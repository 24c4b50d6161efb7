"""Estimate a model version from records, without labels.

Expectation–maximisation sees the candidate pairs of a sample of the records (chosen by the hash of their keys) and
random pairs of all; so its cost hardly grows with the number of records, and their order plays no part.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from identity import keyring
from identity.candidates import LIMITS, Blocked, Key, choose_cap, emit
from identity.comparer import Comparer, Plan, Usual, bind, plan
from identity.encode import Frozen
from identity.features import FeatureStore
from identity.histogram import weight_histogram
from identity.keyring import coverage
from identity.keys import Counts, Limits, count
from identity.model import (
    DOUBT,
    Histogram,
    Model,
    build,
    estimate,
    histogram,
    household_term,
    probability,
    weigh,
)
from identity.recordset import RecordSet
from identity.status import Status
from identity.together import THREADS, both
from identity.unread import there
from identity.values import Flags, Hashes
from identity.version import Frequencies, ModelVersion

_SAMPLED_PAIRS = 600_000
_RANDOM_PAIRS = 400_000
_PART = 1 << 16
Rows = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Fitted:
    """A model version, and the candidate pairs of the records that it was fitted on."""

    version: ModelVersion
    blocked: Blocked


def fit(
    records: RecordSet,
    now: Status,
    frozen: Frozen,
    features: FeatureStore,
    threshold: float,
    *,
    limits: Limits = LIMITS,
) -> Fitted:
    """Choose keys and comparisons, and estimate their weights from the active records."""
    specs = keyring.choose(records)
    keys = keyring.build(specs, records, now.identifiers, now.hubs)
    cap = choose_cap(keys, now.active)
    effective = replace(records, identifiers=dict(now.identifiers))
    chosen = plan(effective)
    counts = count(keys, now.active)
    (sampled, left, right, one, two), (usual, comparer, frequencies) = both(
        lambda: _seen(keys, counts, now.active, records.order, cap, limits),
        lambda: _bound(effective, chosen, features),
    )
    size = int(now.active.sum())
    every = max(size * (size - 1) / 2, 1.0)
    if sampled.share == 1.0:
        one, two = _others(one, two, left, right)
    levels, random = _levels(comparer, left, right), _levels(comparer, one, two)

    def estimated() -> tuple[Model, dict[str, Any]]:
        found = histogram(levels, comparer.comparisons)
        scaled = Histogram(found.patterns, found.counts / sampled.share, found.of_pair)
        parameters = estimate(scaled, random, comparer.comparisons, every, max(size, 1))
        model = build(comparer.comparisons, parameters, threshold)
        told = {**_report(model, scaled, keys, now.active, cap, limits), "there": there(records)}
        return model, told

    # Meanwhile the other thread makes ready what the resolution goes on with.
    blocked, (model, told) = both(
        lambda: Blocked.of(keys, now.active, records.order, cap, limits, counts), estimated
    )
    version = ModelVersion(model, chosen, frequencies, frozen, usual, specs, cap, len(records), limits, told)
    return Fitted(version, blocked)


def _seen(
    keys: list[Key], counts: Counts, active: Flags, order: Hashes, cap: int, limits: Limits
) -> tuple[_Sample, Rows, Rows, Rows, Rows]:
    """What is sampled: candidate pairs, and random ones."""
    sampled = _sampled(keys, counts, active, order, cap, limits)
    pairs = _pairs(keys, counts, active, order, cap, sampled.rows, limits)
    return sampled, *pairs, *_random(active, order)


def _bound(
    records: RecordSet, chosen: Plan, features: FeatureStore
) -> tuple[Usual, Comparer, tuple[Frequencies | None, ...]]:
    usual = Usual.of(records, features)
    comparer = bind(records, chosen, features, usual)
    return usual, comparer, _frequencies(records, comparer)


def _levels(comparer: Comparer, left: Rows, right: Rows) -> npt.NDArray[np.int8]:
    """Levels of many pairs, by two threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(
            lambda at: comparer.levels(left[at : at + _PART], right[at : at + _PART]),
            range(0, len(left), _PART),
        )
        empty = np.empty((len(comparer.plan), 0), np.int8)
        return np.concatenate([empty, *parts], axis=1)


def _report(
    model: Model, found: Histogram, keys: list[Key], active: Flags, cap: int, limits: Limits
) -> dict[str, Any]:
    """What the estimation saw, for the model report: no value of any record is in it."""
    plain, related = weigh(model, found.patterns)
    weight = plain + household_term(model, related) + np.int32(model.prior)
    expected = probability(weight) * found.counts
    below = float(expected[weight < model.threshold - DOUBT].sum())
    return {
        "candidate_pairs": round(float(found.counts.sum())),
        "match_weights": weight_histogram(weight, found.counts, with_term_frequency=False),
        "unseen_matches": below / max(float(expected.sum()), 1e-9),
        "cap": None if int(active.sum()) <= limits.all_pairs else cap,
        **coverage(keys, active, None if int(active.sum()) <= limits.all_pairs else cap),
    }


@dataclass(frozen=True)
class _Sample:
    """Active rows whose candidate pairs are looked at, and the share of all candidate pairs that these are."""

    rows: Flags
    share: float


def _sampled(
    keys: list[Key], counts: Counts, active: Flags, order: Hashes, cap: int, limits: Limits
) -> _Sample:
    """Rows of least hash, so many that a pair with one of them is one of about 600,000."""
    size = int(active.sum())
    if size <= limits.all_pairs:
        return _Sample(active, 1.0)
    pairs = 0
    for space in {key.space for key in keys if key.alone}:
        block = counts.spaces[space].astype(np.int64)
        pairs += int((block * (block - 1) // 2)[block <= cap].sum())
    if pairs <= 2 * _SAMPLED_PAIRS:
        return _Sample(active, 1.0)
    # A pair is seen if either record is: of a share r of the rows come 1 - (1 - r)² of the pairs.
    rows_share = 1.0 - (1.0 - _SAMPLED_PAIRS / pairs) ** 0.5
    limit = np.uint64(rows_share * 2.0**64)
    chosen = active & (_scattered(order) < limit)
    exact = int(chosen.sum()) / size
    return _Sample(chosen, 1.0 - (1.0 - exact) ** 2)


def _scattered(order: Hashes) -> Hashes:
    """Another hash of the keys, so that samples do not follow the order that breaks ties."""
    mixed = (order ^ (order >> np.uint64(31))) * np.uint64(0x9FB21C651E98DF25)
    return np.asarray(mixed ^ (mixed >> np.uint64(28)), dtype=np.uint64)


def _pairs(
    keys: list[Key], counts: Counts, active: Flags, order: Hashes, cap: int, sampled: Flags, limits: Limits
) -> tuple[Rows, Rows]:
    dirty = None if sampled is active else sampled
    found = emit(keys, active, order, cap, dirty=dirty, counts=counts, limits=limits)
    parts = [(a.copy(), b.copy()) for a, b in found]
    empty = [np.empty(0, np.int32)]
    return (
        np.concatenate([part[0] for part in parts] or empty),
        np.concatenate([part[1] for part in parts] or empty),
    )


def _random(active: Flags, order: Hashes) -> tuple[Rows, Rows]:
    """Pairs of active rows that stand near each other by hash: all where they are few."""
    rows = np.flatnonzero(active).astype(np.int32)
    rows = rows[np.argsort(_scattered(order[rows]))]
    size = len(rows)
    every = size * (size - 1) // 2 <= _RANDOM_PAIRS
    shifts = range(1, size) if every else range(1, max(2, _RANDOM_PAIRS // max(size, 1) + 1))
    left = [rows[:-shift] for shift in shifts]
    right = [rows[shift:] for shift in shifts]
    one = np.concatenate(left or [rows[:0]])
    two = np.concatenate(right or [rows[:0]])
    return (one, two) if every else (one[:_RANDOM_PAIRS], two[:_RANDOM_PAIRS])


def _others(one: Rows, two: Rows, left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """The random pairs that are no candidates."""

    def packed(a: Rows, b: Rows) -> npt.NDArray[np.uint64]:
        low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
        return (low << np.uint64(32)) | high

    keep = ~np.isin(packed(one, two), packed(left, right))
    return one[keep], two[keep]


def _frequencies(records: RecordSet, comparer: Comparer) -> tuple[Frequencies | None, ...]:
    found: list[Frequencies | None] = [None] * len(comparer.plan)
    for step in comparer.steps:
        for row, codes, space in zip(step.rows, step.codes, step.spaces, strict=True):
            if comparer.comparisons[row].tf and space and (codes >= 0).any():
                found[row] = Frequencies.of(codes, records.spaces[space].hashes)
    return tuple(found)
