"""The fast parts of identity against obvious slow ones, and estimation against known parameters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import blocking, cluster, model, report
from identity.comparisons import Comparison
from identity.measures import Levels
from identity.policy import IdentityPolicy
from identity.records import Coded

SIZE = 9
EDGES = st.dictionaries(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).filter(lambda p: p[0] < p[1]),
    st.integers(-20, 20),
    max_size=20,
)
PAIRS = st.sets(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).filter(lambda p: p[0] < p[1]), max_size=4
)


def slow_average_link(size, edges, linkage, forbidden):
    """Join the best pair of clusters, again and again; ties go to the smallest pair of smallest members."""
    clusters = [frozenset({i}) for i in range(size)]

    def mean(a, b):
        pairs = [(min(i, j), max(i, j)) for i in a for j in b]
        if any(p in forbidden for p in pairs) or (linkage.cap and len(a) + len(b) > linkage.cap):
            return None
        return sum(edges.get(p, linkage.missing) for p in pairs) / len(pairs)

    while True:
        best = None
        for a, b in combinations(sorted(clusters, key=min), 2):
            known = any((min(i, j), max(i, j)) in edges for i in a for j in b)
            value = mean(a, b) if known else None
            if value is not None and value >= linkage.threshold:
                key = (-value, *sorted((min(a), min(b))))
                best = min(best, (key, a, b)) if best else (key, a, b)
        if best is None:
            return {min(c): c for c in clusters}
        _, a, b = best
        clusters = [c for c in clusters if c not in (a, b)] + [a | b]


@given(EDGES, PAIRS, st.integers(-3, 0), st.sampled_from([0, 4]))
@settings(max_examples=300)
def test_average_link_equals_joining_the_best_pair_each_time(edges, forbidden, missing, cap):
    # Distinct weights: where averages tie, the order of two ways of summing them may differ in one bit.
    weights = {pair: weight * 1000 + 7 * pair[0] + pair[1] for pair, weight in edges.items()}
    linkage = cluster.Linkage(threshold=0, missing=missing * 1000, cap=cap)
    left, right = (np.array([p[i] for p in weights], dtype=np.int64) for i in (0, 1))
    bars = tuple(np.array([p[i] for p in sorted(forbidden)], dtype=np.int64) for i in (0, 1))
    labels = cluster.average_link(
        SIZE, (left, right, np.array(list(weights.values()), dtype=np.int64)), linkage, forbidden=bars
    )
    fast = {label: frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}
    if cap == 0:
        assert fast == slow_average_link(SIZE, weights, linkage, forbidden)
    for members in fast.values():
        assert cap == 0 or len(members) <= cap
        assert not any((i, j) in forbidden for i in members for j in members)


@given(EDGES)
def test_components_equal_a_walk(edges):
    left, right = (np.array([p[i] for p in edges], dtype=np.int64) for i in (0, 1))
    labels = cluster.components(SIZE, left, right)
    for start in range(SIZE):
        seen, queue = {start}, [start]
        while queue:
            node = queue.pop()
            for a, b in edges:
                other = b if a == node else a if b == node else node
                if other not in seen:
                    seen.add(other)
                    queue.append(other)
        assert set(np.flatnonzero(labels == labels[start]).tolist()) == seen
        assert labels[start] == min(seen)


@given(EDGES)
def test_match_probability_is_the_weakest_edge_of_the_widest_path(edges):
    positive = {pair: abs(weight) + 1 for pair, weight in edges.items()}
    left, right = (np.array([p[i] for p in positive], dtype=np.int64) for i in (0, 1))
    labels = cluster.components(SIZE, left, right)
    found = report.best_paths(SIZE, labels, left, right, np.array(list(positive.values()), dtype=np.int64))
    width = np.full((SIZE, SIZE), -1.0)
    for (a, b), weight in positive.items():
        width[a, b] = width[b, a] = weight
    for via in range(SIZE):
        width = np.maximum(width, np.minimum(width[:, via : via + 1], width[via : via + 1, :]))
    for node in range(SIZE):
        root = labels[node]
        peers = [width[node, other] for other in range(SIZE) if other != node and labels[other] == root]
        if not peers:
            assert np.isnan(found[node])
        elif node == root:
            assert found[node] == max(peers)
        else:
            assert found[node] == width[node, root]


@given(
    st.lists(st.tuples(*[st.integers(-1, 3)] * 3), min_size=2, max_size=25),
    st.integers(2, 6),
)
def test_blocks_hold_every_pair_that_shares_an_uncommon_key(rows, cap):
    columns = [np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)]
    slots = [blocking.Slot(name, codes) for name, codes in zip("abc", columns, strict=True)]
    found = blocking.block(slots, cap=cap)
    pairs = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert len(pairs) == len(found.left)
    assert all(i < j for i, j in pairs)
    expected = set()
    for i, j in combinations(range(len(rows)), 2):
        shared = [c for c in range(3) if rows[i][c] == rows[j][c] >= 0]
        for size in (1, 2, 3):
            for chosen in combinations(shared, size):
                count = sum(all(row[c] == rows[i][c] for c in chosen) for row in rows)
                if count <= cap:
                    expected.add((i, j))
    assert pairs == expected


def draw(rng, tables, count) -> Levels:
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


def test_the_cap_shrinks_as_blocks_grow():
    small = [blocking.Slot("a", np.repeat(np.arange(100, dtype=np.int32), 70))]
    assert blocking.choose_cap(small, 7_000) == blocking.CAPS[0]
    large = [blocking.Slot("a", np.repeat(np.arange(2_000, dtype=np.int32), 70)) for _ in range(2)]
    assert blocking.choose_cap(large, 140_000) < blocking.CAPS[0]


def test_spoken_names_need_both_names():
    names = Coded(
        np.array(["byron", "biron", "gauss"], dtype=object), np.array([0, 1, 2, -1], dtype=np.int32)
    )
    spoken = blocking.spoken_names(
        names, np.array([0, 0, -1, 0], dtype=np.int32), np.array([97], dtype=np.int32)
    )
    assert spoken[0] == spoken[1] >= 0
    assert spoken[2] == spoken[3] == -1


def test_policy_limits_fall_back_to_the_shipped_ones():
    from identity.policy import DEFAULT_LIMITS, Limit

    policy = IdentityPolicy(limits={"phone": Limit(1)})
    assert policy.limit("phone") == Limit(1)
    assert policy.limit("email") == DEFAULT_LIMITS["email"]
    assert policy.limit("badge") == policy.default_limit
