"""The guard against giant components, work on parts, and chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import components as comp
from identity import linkage
from identity.components import Edges, Rules, divide

NOBODY = (comp.no_rows(), comp.no_rows())


def chain(size, weights) -> Edges:
    left = np.arange(size - 1, dtype=np.int32)
    return Edges(left, left + 1, np.resize(np.array(weights, np.int32), size - 1))


def alone(size):
    return np.arange(size, dtype=np.int32)


def numbers(size):
    return np.arange(size, dtype=np.uint64)


def test_a_chain_is_cut_where_it_is_weakest():
    """Ten records, three to a component: the 1-bit links go first, then those of 3 bits, never the others."""
    good = chain(10, [9_000, 9_000, 1_000, 9_000, 3_000])
    found = divide(numbers(10), good, alone(10), np.ones(10, bool), Rules(0, 3, 3))
    assert found.connected.tolist() == [0] * 10
    assert found.label.tolist() == [0, 0, 0, 3, 3, 5, 5, 5, 8, 8]
    (held,) = found.held
    assert (held.what, held.place, held.records) == ("cluster", 0, 10)
    assert "4 parts" in held.reason
    assert "by 4 bits" in held.reason
    assert "3 pairs" in held.reason


def test_what_fits_is_left_alone_and_copies_do_not_count():
    good = chain(8, [500])
    compared = np.arange(8) % 2 == 0
    found = divide(numbers(8), good, alone(8), compared, Rules(0, 4, 4))
    assert found.label.tolist() == [0] * 8
    assert found.held == []


def evenly(weight):
    """Every pair weighs the same."""
    return lambda a, _b, _known: (np.full(len(a), weight, np.int32),) * 2


def by(matrix):
    """Pairs weigh what a matrix says, and count it in full."""
    return lambda a, b, _: (matrix[a, b],) * 2


def test_a_start_group_that_is_too_large_stands_alone_and_whole():
    start = alone(12)
    start[:8] = 0
    good = Edges(
        *(np.array(x, np.int32) for x in ([3, 8, 9, 5], [8, 9, 10, 11], [9_000, 9_000, 9_000, 20_000]))
    )
    found = divide(numbers(12), good, start, np.ones(12, bool), Rules(0, 5, 5))
    assert found.label.tolist() == [0] * 8 + [8] * 3 + [11]
    assert "2 pairs" in found.held[0].reason
    linked = linkage.link(found, NOBODY, evenly(5_000))
    assert linked.labels.tolist() == [0] * 8 + [8] * 3 + [11]


def test_clusters_that_want_to_grow_over_the_cap_are_told():
    found = divide(numbers(6), chain(6, [4_000]), alone(6), np.ones(6, bool), Rules(0, 4))
    linked = linkage.link(found, NOBODY, evenly(4_000))
    assert max(np.bincount(linked.labels)) <= 4
    assert [(h.what, h.type, h.place, h.records) for h in linked.held] == [("cluster", "size", 0, 6)]
    with pytest.raises(ValueError, match="expected 1 to 500"):
        Rules(0, 4, 501)


def test_groups_of_different_colours_do_not_meet():
    found = divide(numbers(5), chain(5, [4_000]), alone(5), np.ones(5, bool), Rules(0))
    colours = np.array([[1, 2, 1, -1, -2], [-1, -1, -1, -1, -1]], np.int32)
    linked = linkage.link(found, NOBODY, evenly(4_000), colours=colours)
    assert linked.labels.tolist() == [0, 1, 0, 0, 4]
    assert linked.held == []


WEIGHTS = st.integers(-4, 8).map(lambda bits: bits * 1000)


@st.composite
def graphs(draw):
    """Several blocks of rows, edges inside blocks only, so that a block is a union of components."""
    size = 18
    pairs = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=40))
    pairs = sorted({(min(p), max(p)) for p in pairs if p[0] % 3 == p[1] % 3 and p[0] != p[1]})
    good = Edges(
        *(np.array([p[i] for p in pairs], np.int32) for i in (0, 1)),
        np.array([draw(st.integers(0, 8)) * 1000 for _ in pairs], np.int32),
    )
    seed = draw(st.integers(0, 99))
    matrix = np.random.default_rng(seed).integers(-4, 9, (size, size)).astype(np.int32) * 1000
    joins = draw(st.sets(st.sampled_from([(0, 3), (1, 7), (2, 8), (5, 11)]), max_size=2))
    order = np.array(draw(st.permutations(range(size))), np.uint64)
    start = comp.components(order, *(np.array([p[i] for p in sorted(joins)], np.int32) for i in (0, 1)))
    return order, good, start, np.maximum(matrix, matrix.T)


@given(graphs(), st.integers(2, 8), st.integers(0, 2))
@settings(max_examples=150)
def test_a_part_of_the_components_gives_what_all_of_them_give(graph, limit, block):
    order, good, start, matrix = graph
    rules = Rules(0, limit, limit)
    here = np.arange(18) % 3 == block
    compared = np.ones(18, bool)
    whole = divide(order, good, start, compared, rules)
    within = good.take(here[good.left])
    start_here = np.where(here, start, np.arange(18)).astype(np.int32)
    part = divide(order, within, start_here, here, rules)
    assert np.array_equal(part.label[here], whole.label[here])
    assert part.held == [h for h in whole.held if here[h.place]]
    assert np.bincount(whole.label).max() <= max(limit, *np.bincount(start).tolist())
    linked, again = (linkage.link(d, NOBODY, by(matrix)) for d in (whole, part))
    assert np.array_equal(linked.labels[here], again.labels[here])
    assert [h for h in linked.held if here[h.place]] == again.held
    inside = here[linked.edges.left]
    assert edges(linked.edges.take(inside)) == edges(again.edges)
    paths, paths_again = (linkage.best_paths(x.labels, x.edges) for x in (linked, again))
    assert np.array_equal(paths[here], paths_again[here])


def edges(found):
    return set(zip(found.left.tolist(), found.right.tolist(), found.weight.tolist(), strict=True))


@given(graphs(), st.integers(2, 8), st.permutations(range(18)))
def test_the_numbers_of_rows_and_the_order_of_edges_play_no_part(graph, limit, moved):
    order, good, start, matrix = graph
    place, back = np.array(moved, np.int32), np.argsort(moved)
    rules = Rules(0, limit, limit)
    first = linkage.link(divide(order, good, start, np.ones(18, bool), rules), NOBODY, by(matrix))
    turned = Edges(place[good.right][::-1], place[good.left][::-1], good.weight[::-1])
    divided = divide(order[back], turned, place[start][back], np.ones(18, bool), rules)
    again = linkage.link(divided, NOBODY, by(matrix[np.ix_(back, back)]))
    assert np.array_equal(place[first.labels], again.labels[moved])


def test_a_giant_chain_ends_soon():
    size = 300_000
    rng = np.random.default_rng(5)
    good = chain(size, rng.integers(0, 40_000, 1_001))
    order = rng.permutation(size).astype(np.uint64)
    found = divide(order, good, alone(size), np.ones(size, bool), Rules(0))
    assert np.bincount(found.label).max() <= 500
    assert [h.records for h in found.held] == [size]
    groups = linkage.arrange(found.label, np.ones(size, bool), 500)
    chunks = list(groups.chunks(200_000))
    assert all(len(linkage.pairs_within(part)[0]) <= 200_000 for _, part in chunks)
    sizes = np.diff(groups.starts)
    assert sum(len(linkage.pairs_within(part)[0]) for _, part in chunks) == (sizes * (sizes - 1) // 2).sum()


def test_helpers_on_labels():
    labels = np.array([0, 0, 2, 2, 4], np.int32)
    assert comp.rows_of_components(labels, np.array([1, 4])).tolist() == [True, True, False, False, True]
    assert comp.named(labels, numbers(5)[::-1].copy()).tolist() == [1, 1, 3, 3, 4]
