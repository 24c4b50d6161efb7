"""Components, average link and widest paths against slow and obvious versions, on random graphs full of ties."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import components as comp
from identity import linkage
from identity.components import Edges, Rules
from identity.kernels import graph

SIZE = 9
NODE = st.integers(0, SIZE - 1)
PAIR = st.tuples(NODE, NODE).filter(lambda p: p[0] < p[1])
ORDER = st.permutations(range(SIZE)).map(lambda places: np.array(places, np.uint64) << np.uint64(55))
NOBODY = (comp.no_rows(), comp.no_rows())


def columns(pairs) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(sorted(pairs), np.int32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def edges_of(weights) -> Edges:
    pairs = sorted(weights)
    return Edges(*columns(pairs), np.array([weights[p] for p in pairs], np.int32))


def walk(pairs, size=SIZE) -> list[frozenset[int]]:
    """The component of each node, by walking."""
    found = []
    for start in range(size):
        seen, queue = {start}, [start]
        while queue:
            node = queue.pop()
            near = {b for a, b in pairs if a == node} | {a for a, b in pairs if b == node}
            queue += near - seen
            seen |= near
        found.append(frozenset(seen))
    return found


def partition(labels) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def least(members, order) -> int:
    return min(members, key=lambda row: order[row])


@given(st.sets(PAIR, max_size=12), ORDER)
def test_components_equal_a_walk(pairs, order):
    labels = comp.components(order, *columns(pairs))
    expected = [least(members, order) for members in walk(pairs)]
    assert labels.tolist() == expected


def slow_average_link(weights, order, units, compared, forbidden, threshold, cap):
    """Join the best pair of clusters, again and again; ties go to the least (smaller order, larger order)."""
    clusters = list(units)

    def counted(cluster):
        return [row for row in cluster if compared[row]]

    def mean(a, b):
        if any(tuple(sorted(p)) in forbidden for p in ((i, j) for i in a for j in b)):
            return None
        pairs = [tuple(sorted((i, j))) for i in counted(a) for j in counted(b)]
        if not pairs or (cap and len(counted(a)) + len(counted(b)) > cap):
            return None
        return Fraction(sum(weights[p] for p in pairs), len(pairs))

    while True:
        best = None
        for a, b in combinations(clusters, 2):
            value = mean(a, b)
            if value is not None and value >= threshold:
                lows = sorted(min(int(order[row]) for row in c) for c in (a, b))
                best = min(best, (-value, lows, a, b), key=lambda t: t[:2]) if best else (-value, lows, a, b)
        if best is None:
            return set(clusters)
        _, _, a, b = best
        clusters = [c for c in clusters if c not in (a, b)] + [a | b]


@st.composite
def problems(draw):
    weights = {p: draw(st.integers(-3, 4)) for p in combinations(range(SIZE), 2)}
    compared = np.array(
        draw(st.lists(st.sampled_from([True, True, True, False]), min_size=SIZE, max_size=SIZE))
    )
    return (
        weights,
        draw(ORDER),
        draw(st.sets(PAIR, max_size=3)),
        compared,
        draw(st.sets(PAIR, max_size=4)),
        draw(st.integers(-1, 2)),
        draw(st.sampled_from([0, 0, 3, 4])),
    )


def solve(weights, order, joins, compared, forbidden, threshold, cap, *, limit=500, each=map):
    start = comp.components(order, *columns(joins))
    everything = edges_of(dict.fromkeys(weights, 10**6))  # one component: the good edges decide nothing else
    divided = comp.divide(order, everything, start, compared, Rules(threshold, cap, limit))
    matrix = np.zeros((len(order), len(order)), np.int32)
    for (a, b), weight in weights.items():
        matrix[a, b] = matrix[b, a] = weight
    return linkage.link(divided, columns(forbidden), lambda a, b, _: (matrix[a, b], matrix[a, b]), each=each)


@given(problems())
@settings(max_examples=400)
def test_average_link_equals_joining_the_best_pair_each_time(problem):
    weights, order, joins, compared, forbidden, threshold, cap = problem
    units = [c for c in set(walk(joins)) if any(compared[row] for row in c)]
    expected = slow_average_link(weights, order, units, compared, forbidden, threshold, cap)
    expected |= {c for c in set(walk(joins)) if not any(compared[row] for row in c)}
    found = solve(*problem)
    assert partition(found.labels) == expected
    for members in expected:
        assert {int(found.labels[row]) for row in members} == {least(members, order)}


@given(problems())
def test_edges_are_the_good_pairs_inside_clusters(problem):
    weights, _, _, compared, _, threshold, _ = problem
    found = solve(*problem)
    seen = dict(
        zip(
            zip(found.edges.left.tolist(), found.edges.right.tolist(), strict=True),
            found.edges.weight.tolist(),
            strict=True,
        )
    )
    labels = found.labels
    inside = {p for p in weights if labels[p[0]] == labels[p[1]]}
    if compared.sum() > 1:  # else nothing was weighed, and the good pairs stand as they came
        expected = {
            p: weights[p] for p in inside if weights[p] >= threshold and compared[p[0]] and compared[p[1]]
        }
    else:
        expected = dict.fromkeys(inside, 10**6)
    assert seen == expected


@given(problems(), st.permutations(range(SIZE)))
def test_the_numbers_of_rows_play_no_part(problem, moved):
    weights, order, joins, compared, forbidden, threshold, cap = problem
    first = solve(*problem)

    def move(pairs):
        return {tuple(sorted((moved[a], moved[b]))) for a, b in pairs}

    back = np.argsort(moved)
    again = solve(
        {tuple(sorted((moved[a], moved[b]))): w for (a, b), w in weights.items()},
        order[back], move(joins), compared[back], move(forbidden), threshold, cap,
    )  # fmt: skip
    assert np.array_equal(np.array(moved)[first.labels], again.labels[moved])


@given(st.integers(0, 2**32), st.integers(20, 60), st.sampled_from([0, 7]))
@settings(max_examples=15)
def test_larger_components_with_many_ties(seed, size, cap):
    rng = np.random.default_rng(seed)
    weights = {
        p: int(w) for p, w in zip(combinations(range(size), 2), rng.integers(-2, 3, size**2), strict=False)
    }
    order = rng.permutation(size).astype(np.uint64)
    compared = np.ones(size, bool)
    expected = slow_average_link(
        weights, order, [frozenset({i}) for i in range(size)], compared, set(), 1, cap
    )
    found = solve(weights, order, set(), compared, set(), 1, cap)
    assert partition(found.labels) == expected
    sizes = sorted(len(c) for c in expected)
    if found.held:
        assert cap
        assert sizes[-1] + sizes[-2] > cap


def test_extreme_weights_do_not_overflow():
    size = graph.MOST_UNITS
    top = 2**31 - 1
    pairs = list(combinations(range(size), 2))
    half = {p: top if (p[0] < size // 2) == (p[1] < size // 2) else -top - 1 for p in pairs}
    order = np.arange(size, dtype=np.uint64)
    found = solve(half, order, set(), np.ones(size, bool), set(), 0, 0)
    assert partition(found.labels) == {frozenset(range(size // 2)), frozenset(range(size // 2, size))}


@pytest.mark.parametrize("cap", [0, 4])
def test_chunks_and_threads_change_nothing(cap):
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(3)
    size = 3_000
    left = np.arange(0, size - 1, dtype=np.int32)
    left = left[left % 10 != 9]
    good = Edges(left, left + 1, np.full(len(left), 500, np.int32))
    order = rng.permutation(size).astype(np.uint64)
    noise = rng.integers(-3_000, 4_000, (size, size)).astype(np.int32)

    def run(each, most):
        divided = comp.divide(
            order, good, np.arange(size, dtype=np.int32), np.ones(size, bool), Rules(0, cap)
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linkage.Groups.chunks, "__defaults__", (most,))
            return linkage.link(divided, NOBODY, lambda a, b, _: (noise[a, b], noise[a, b]), each=each)

    whole = run(map, 1 << 20)
    with ThreadPoolExecutor(2) as pool:
        parts = run(pool.map, 100)
    assert np.array_equal(whole.labels, parts.labels)
    assert whole.held == parts.held
    assert np.array_equal(whole.edges.left, parts.edges.left)


@given(st.dictionaries(PAIR, st.integers(1, 4), max_size=20), ORDER, st.sampled_from([1, 20_000]))
def test_match_probability_is_the_weakest_edge_of_the_widest_path(weights, order, scale):
    weights = {p: w * scale for p, w in weights.items()}
    edges = edges_of(weights)
    labels = comp.components(order, edges.left, edges.right)
    found = linkage.best_paths(labels, edges)
    width = np.full((SIZE, SIZE), -1)
    for (a, b), weight in weights.items():
        width[a, b] = width[b, a] = weight
    for via in range(SIZE):
        width = np.maximum(width, np.minimum(width[:, via : via + 1], width[via : via + 1, :]))
    for node in range(SIZE):
        root = labels[node]
        peers = [width[node, other] for other in range(SIZE) if other != node and labels[other] == root]
        expected = graph.NO_PATH if not peers else max(peers) if node == root else width[node, root]
        assert found[node] == expected


def test_edges_between_clusters_and_unreached_rows_have_no_path():
    labels = np.array([0, 0, 2, 0], np.int32)
    edges = Edges(
        np.array([0, 1], np.int32), np.array([1, 2], np.int32), np.array([-70_000, 90_000], np.int32)
    )
    assert linkage.best_paths(labels, edges).tolist() == [-70_000, -70_000, graph.NO_PATH, graph.NO_PATH]


@given(
    st.lists(st.tuples(PAIR, st.integers(0, 9)), max_size=12),
    st.lists(st.booleans(), min_size=SIZE, max_size=SIZE),
    ORDER,
)
def test_weights_that_are_known_are_not_asked_for_again(weighted, compared, order):
    weights = dict(weighted)
    compared = np.array(compared)
    joined = {pair for pair in weights if compared[list(pair)].all()}
    good = edges_of({pair: weights[pair] for pair in joined})
    divided = comp.divide(order, good, np.arange(SIZE, dtype=np.int32), compared, Rules(0, 0))
    asked = {}

    def score(left, right, known):
        for a, b, weight in zip(left.tolist(), right.tolist(), known.tolist(), strict=True):
            asked[min(a, b), max(a, b)] = weight
        return np.zeros(len(left), np.int32), np.zeros(len(left), np.int32)

    linkage.link(divided, NOBODY, score)
    inside = {
        pair
        for group in walk(joined)
        for pair in combinations(sorted(row for row in group if compared[row]), 2)
    }
    assert asked == {pair: weights[pair] if pair in joined else linkage.UNKNOWN for pair in inside}
