"""Judgements settle like a slow and obvious reading of the law: newest first, the later word wins over a chain."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.errors import UsageError
from identity import judgements
from identity.judgements import read_judgements, settle

WORDS = st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6), st.booleans()), max_size=25)


def connected(pairs, a, b) -> bool:
    seen, queue = {a}, [a]
    while queue:
        node = queue.pop()
        near = {y for x, y in pairs if x == node} | {x for x, y in pairs if y == node}
        queue += near - seen
        seen |= near
    return b in seen


def slow(words):
    """Newest first; what contradicts what stands already is void."""
    last = {}
    for place, (a, b, must) in enumerate(words):
        if a >= 0 and b >= 0 and a != b:
            last[min(a, b), max(a, b)] = (place, must)
    joined, apart = [], []
    for _, pair, must in sorted(((place, pair, must) for pair, (place, must) in last.items()), reverse=True):
        if must:
            if not any(connected([*joined, pair], *other) for other in apart):
                joined.append(pair)
        elif not connected(joined, *pair):
            apart.append(pair)
    return sorted(joined), sorted(apart)


def arrays(words):
    table = np.array(words, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2] == 1


def pairs(found):
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


@given(WORDS)
def test_settling_equals_the_obvious_way(words):
    found = settle(*arrays(words))
    assert (pairs(found.must), pairs(found.cannot)) == slow(words)
    assert set(found.rows.tolist()) == {row for kind in slow(words) for pair in kind for row in pair}


def test_many_judgements_are_settled_in_little_time():
    """A hundred thousand must-links between records held apart by as many cannot-links."""
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 50_000, (2, 200_000))
    found = settle(left, right, rng.random(200_000) < 0.5)
    assert len(found.must[0]) > 10_000
    assert len(found.cannot[0]) > 10_000
    assert not set(pairs(found.must)) & set(pairs(found.cannot))


KEYS = {"a": 0, "b": 1, "c": 2}


def find(column):
    return np.array([KEYS.get(key, -1) for key in column.to_pylist()], np.int32)


def table(*rows):
    names = ["left_record", "right_record", "kind", "decided_at"]
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def test_the_time_decides_and_unknown_records_are_left_out():
    rows = [("b", "a", "cannot_link", 2), ("a", "b", "must_link", 1), ("a", "gone", "must_link", 3)]
    found = read_judgements(table(*rows), find)
    assert (pairs(found.must), pairs(found.cannot)) == ([], [(0, 1)])
    again = read_judgements(table(*rows, ("a", "b", "must_link", 5)), find)
    assert (pairs(again.must), pairs(again.cannot)) == ([(0, 1)], [])


def test_a_chain_holds_where_the_record_in_its_middle_is_gone():
    rows = [("a", "gone", "must_link", 1), ("gone", "b", "must_link", 2), ("gone", "c", "cannot_link", 3)]
    found = read_judgements(table(*rows), find)
    assert pairs(found.must) == [(0, 1)]
    assert pairs(found.cannot) in ([(0, 2)], [(1, 2)])


PRESENT = st.sets(st.integers(0, 6))


@given(WORDS.filter(bool), PRESENT)
def test_what_judgements_say_of_records_that_are_there_does_not_hang_on_those_that_are_gone(words, present):
    said = [(a, b, must) for a, b, must in words if a >= 0 and b >= 0]
    joined, apart = slow(said)
    kinds = {True: "must_link", False: "cannot_link"}
    rows = [(str(a), str(b), kinds[must], place) for place, (a, b, must) in enumerate(said)]
    row = {str(key): 10 - key for key in present}
    found = read_judgements(
        table(*rows) if rows else None,
        lambda column: np.array([row.get(key, -1) for key in column.to_pylist()], np.int32),
    )
    must, cannot = pairs(found.must), pairs(found.cannot)
    assert all(a < b for a, b in [*must, *cannot])
    assert {10 - at for pair in [*must, *cannot] for at in pair} <= present
    for a in present:
        for b in present - {a}:
            assert connected(must, 10 - a, 10 - b) == connected(joined, a, b)
            held = any(
                (connected(joined, a, x) and connected(joined, b, y))
                or (connected(joined, a, y) and connected(joined, b, x))
                for x, y in apart
            )
            told = any(
                (connected(must, 10 - a, x) and connected(must, 10 - b, y))
                or (connected(must, 10 - a, y) and connected(must, 10 - b, x))
                for x, y in cannot
            )
            assert told == held


def test_no_judgements_and_wrong_ones():
    assert read_judgements(None, find) is judgements.NO_JUDGEMENTS
    for kind in ("maybe", None):
        with pytest.raises(UsageError, match="unknown kind of judgement"):
            read_judgements(table(("a", "b", "must_link", 1), ("a", "c", kind, 2)), find)
