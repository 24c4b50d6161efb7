"""Estimation against known parameters."""

from __future__ import annotations

import numpy as np
import pytest

from identity import model
from identity.comparisons import Comparison
from identity.policy import IdentityPolicy


def draw(rng, tables, count):
    """Patterns of one class, a column per pair, a tenth of the fields without a value."""
    levels = np.stack([rng.choice(len(table), count, p=table) for table in tables]).astype(np.int8)
    levels[rng.random(levels.shape) < 0.1] = -1
    return levels


def blocked(rng, levels, comparisons, least):
    """Candidates are all pairs that agree on enough fields; random pairs come from the others."""
    agreeing = sum((row == c.exact).astype(int) for row, c in zip(levels, comparisons, strict=True))
    others = np.flatnonzero(agreeing < least)
    return levels[:, agreeing >= least], levels[:, rng.choice(others, 200_000, replace=False)]


def test_estimation_recovers_known_parameters():
    """A population of pairs drawn from known classes: m, u and the prior come back."""
    rng = np.random.default_rng(7)
    comparisons = [
        Comparison(f"field {i}", ("different", "similar", "same"), (0.1, 0.2, 0.7), (0.9, 0.05, 0.05))
        for i in range(6)
    ]
    match = [np.array([0.05 + 0.02 * i, 0.15, 0.80 - 0.02 * i]) for i in range(6)]
    strangers = [np.array([0.97 - 0.005 * i, 0.02, 0.01 + 0.005 * i]) for i in range(6)]
    matches, others = 4_000, 2_000_000
    levels = np.concatenate([draw(rng, match, matches), draw(rng, strangers, others)], axis=1)
    candidates, random = blocked(rng, levels, comparisons, 2)
    found = model.estimate(
        model.histogram(candidates, comparisons), random, comparisons, float(matches + others), 2_000
    )
    assert found.match_rate * (matches + others) == pytest.approx(matches, rel=0.05)
    for i in range(6):
        assert found.match[i] == pytest.approx(match[i], abs=0.03)
        assert found.unrelated[i] == pytest.approx(strangers[i], abs=0.01)


def test_a_household_class_is_told_from_matches():
    """Relatives share address and surname, strangers nothing, matches all: three classes come back."""
    rng = np.random.default_rng(11)
    shared = ("different", "same")
    comparisons = [
        Comparison("given", shared, (0.1, 0.9), (0.98, 0.02)),
        Comparison("birth", shared, (0.1, 0.9), (0.99, 0.01)),
        Comparison("surname", shared, (0.1, 0.9), (0.99, 0.01), (0.2, 0.8)),
        Comparison("address", shared, (0.2, 0.8), (0.999, 0.001), (0.1, 0.9)),
    ]
    known = [
        ([0.9, 0.95, 0.95, 0.8], 3_000),
        ([0.02, 0.01, 0.8, 0.95], 2_000),
        ([0.02, 0.01, 0.01, 1e-3], 2_000_000),
    ]
    drawn = [draw(rng, [np.array([1 - p, p]) for p in shares], count) for shares, count in known]
    candidates, random = blocked(rng, np.concatenate(drawn, axis=1), comparisons, 1)
    found = model.estimate(model.histogram(candidates, comparisons), random, comparisons, 2_005_000.0, 2_000)
    assert found.match_rate * 2_005_000 == pytest.approx(3_000, rel=0.05)
    # Relatives who show one agreement only cannot be told from strangers: the rate is a little low.
    assert 1_500 < found.related_rate * 2_005_000 < 2_100
    assert [table[1] for table in found.match] == pytest.approx([0.9, 0.95, 0.95, 0.8], abs=0.04)
    assert found.related[2][1] > 0.75
    assert found.unrelated[2][1] < 0.02


def test_weights_survive_their_json_form():
    comparisons = [Comparison("a", ("different", "same"), (0.1, 0.9), (0.9, 0.1), tf=True)]
    parameters = model.Parameters(
        (np.array([0.1, 0.9]),), (np.array([0.9, 0.1]),), (np.array([0.9, 0.1]),), 1e-4, 1e-5
    )
    built = model.build(comparisons, parameters)
    again = model.Model.from_dict(built.to_dict())
    assert again.to_dict() == built.to_dict()
    patterns = np.array([[-1, 0, 1]], dtype=np.int8)
    assert model.weigh(again, patterns)[0].tolist() == [0, -3170, 3170]


def test_policy_limits_fall_back_to_the_shipped_ones():
    from identity.policy import DEFAULT_LIMITS, Limit

    policy = IdentityPolicy(limits={"phone": Limit(1)})
    assert policy.limit("phone") == Limit(1)
    assert policy.limit("email") == DEFAULT_LIMITS["email"]
    assert policy.limit("badge") == policy.default_limit
