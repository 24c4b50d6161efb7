"""What must not link, or not silently: hubs and windows, copies and crowds, unique identifiers, odd clusters."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.schemas import HELD_BACK
from identity import protection
from identity.components import start_groups
from identity.held import Held, held_table
from identity.policy import IdentityPolicy, Limit
from identity.values import Multi

DAY = 86_400_000_000
NOBODY = (np.empty(0, np.int32), np.empty(0, np.int32))


def multi(size, seen, times=None) -> Multi:
    """A column of (record, value) sightings; the hash of a value is the value itself."""
    rows = np.array(sorted(seen), np.int32).reshape(-1, 2)
    codes = np.full(size, -1, np.int32)
    for row, value in sorted(seen, reverse=True):
        codes[row] = value
    stamps = (
        np.array([times[tuple(pair)] for pair in rows.tolist()], np.int64) if times else np.empty(0, np.int64)
    )
    return Multi("phone", rows[:, 0], rows[:, 1], codes, stamps)


@given(st.sets(st.tuples(st.integers(0, 11), st.integers(0, 3)), max_size=30), st.data())
def test_streets_of_records_without_a_name_count_in_part(seen, data):
    people = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=12, max_size=12)))
    street = np.array(data.draw(st.lists(st.integers(-1, 30), min_size=12, max_size=12)))
    street[people >= 0] = -1
    found = protection.hubs(
        multi(12, seen), people, Limit(1), np.ones(12, bool), streets=lambda rows: street[rows]
    )
    expected = {}
    for value in range(4):
        rows = [r for r, v in seen if v == value]
        names, streets = {int(people[r]) for r in rows} - {-1}, {int(street[r]) for r in rows} - {-1}
        count = len(names) + len(streets) // protection.STREETS
        if count > 1:
            expected[value] = (count, len(streets))
    told = zip(found.people.tolist(), found.streets.tolist(), strict=True)
    assert dict(zip(found.values.tolist(), told, strict=True)) == expected


SIGHTINGS = st.sets(st.tuples(st.integers(0, 11), st.integers(0, 3)), max_size=30)


@given(SIGHTINGS, st.data())
def test_hubs_equal_a_plain_count(seen, data):
    people = np.array(data.draw(st.lists(st.integers(-1, 4), min_size=12, max_size=12)))
    live = np.array(data.draw(st.lists(st.sampled_from([True, True, False]), min_size=12, max_size=12)))
    times = {pair: data.draw(st.integers(0, 5)) * DAY for pair in seen}
    window = data.draw(st.sampled_from([None, timedelta(days=2)]))
    limit = Limit(2, window)
    expected = {}
    for value in range(4):
        rows = [r for r, v in seen if v == value and live[r]]
        last = max((times[r, value] for r in rows), default=0)
        fresh = [r for r in rows if window is None or times[r, value] >= last - 2 * DAY]
        names = {int(people[r]) for r in fresh} - {-1}
        if len(names) > 2:
            expected[value] = (len(names), len(rows))
    column = multi(12, seen, times)
    found = protection.hubs(column, people, limit, live)
    told = zip(
        found.values.tolist(), zip(found.people.tolist(), found.records.tolist(), strict=True), strict=True
    )
    assert dict(told) == expected
    touched = np.array([True, False, True, False])
    part = protection.hubs(column, people, limit, live, touched)
    assert part.values.tolist() == [v for v in sorted(expected) if touched[v]]


def test_hubs_are_told_with_their_reason_and_taken_out():
    seen = {(0, 1), (1, 1), (2, 1), (2, 0), (2, 2), (3, 0)}
    column = multi(4, seen)
    found = protection.hubs(column, np.arange(4), Limit(2), np.ones(4, bool))
    held = found.held("phone", "", Limit(2))
    assert held == [Held("identifier", "phone", "", 1, "shared by about 3 different names, more than 2", 3)]
    flags = np.array([False, True, False])
    hashes = np.array([9, 1, 4], np.uint64)
    rest = protection.without(column, flags, hashes)
    assert list(zip(rest.record.tolist(), rest.value.tolist(), strict=True)) == [(2, 0), (2, 2), (3, 0)]
    assert rest.codes.tolist() == [-1, -1, 2, 0]  # of two values left, the one with the smaller hash
    assert protection.without(rest, flags, hashes) is rest


CONTENT = st.lists(st.integers(0, 3), min_size=1, max_size=60)


@given(CONTENT, st.data())
def test_copies_are_all_but_the_first_few_of_equal_records(content, data):
    size = len(content)
    order = np.array(data.draw(st.permutations(range(size))), np.uint64)
    among = np.array(data.draw(st.lists(st.sampled_from([True] * 9 + [False]), min_size=size, max_size=size)))
    identified = np.array(content) % 2 == 0
    most = data.draw(st.sampled_from([5, 20, 500]))
    hashes = np.array(content, np.uint64) * np.uint64(2**61 + 1)
    found = protection.copies(hashes, order, among, identified, most)
    expected = set()
    for value in set(content):
        rows = [r for r in range(size) if content[r] == value and among[r]]
        rows.sort(key=lambda r: order[r])
        crowd = len(rows) > most and value % 2 == 1
        expected |= {(rows[0], row, crowd) for row in rows[1 if crowd else 12 :]}
    assert set(zip(found.first.tolist(), found.copy.tolist(), found.crowd.tolist(), strict=True)) == expected
    told = {h.place: h.records for h in found.held()}
    assert told == {
        first: 1 + sum(f == first for f, _, _ in expected) for first, _, crowd in expected if crowd
    }
    dirty = hashes[:1]
    group = among & protection.having(hashes, dirty)
    part = protection.copies(hashes, order, group, identified, most)
    same = np.isin(found.copy, np.flatnonzero(group))
    assert np.array_equal(np.sort(part.copy), np.sort(found.copy[same]))


def test_a_million_equal_records_are_told_in_a_moment():
    size = 1_000_000
    content, order = np.full(size, 7, np.uint64), np.arange(size, dtype=np.uint64)
    found = protection.copies(content, order, np.ones(size, bool), np.zeros(size, bool), 500)
    assert [(h.place, h.records) for h in found.held()] == [(0, size)]


IDS = {
    ("user_id", "web"): multi(6, {(0, 0), (1, 0), (2, 1), (3, 1), (3, 2)}),
    ("email", ""): multi(6, {(0, 0), (4, 0)}),
    ("user_id", "app"): multi(6, {(4, 0), (5, 0)}),
}
ORDER = np.arange(6, dtype=np.uint64)[::-1].copy()
LIVE = np.ones(6, bool)


def test_unique_identifiers_join_and_colour():
    record, value = protection.same_unique(IDS, IdentityPolicy(), LIVE)
    start = start_groups(ORDER, NOBODY, NOBODY, (record, value), NOBODY)
    assert start.tolist() == [1, 1, 3, 3, 5, 5]
    colours = protection.unique_colours(IDS, IdentityPolicy(), LIVE, start)
    assert colours[:, [1, 3, 5]].tolist() == [[-1, -1, 0], [0, -2, -1]]
    edges = protection.unique_edges(IDS, IdentityPolicy(), LIVE, start, ORDER)
    assert [(k, left.tolist(), right.tolist()) for k, left, right in edges] == [
        ("user_id", [5], [4]), ("user_id", [1, 3], [0, 2]),
    ]  # fmt: skip


def test_stars_follow_the_clusters_where_a_judgement_parts_the_holders_of_a_value():
    labels = np.array([0, 1, 0, 1, 4, 5], np.int32)
    column = {("user_id", ""): multi(6, {(r, 0) for r in range(4)})}
    edges = protection.unique_edges(column, IdentityPolicy(), LIVE, labels, ORDER)
    assert {(int(a), int(b)) for _, left, right in edges for a, b in zip(left, right, strict=True)} == {
        (3, 1), (2, 0),
    }  # fmt: skip


def test_judged_records_are_joined_by_no_identifier_where_it_would_break_a_cannot_link():
    """0 and 1 are apart; 0 is linked with 4; all hold one id: the rest is joined, and another value too."""
    must, cannot = (
        (np.array([0], np.int32), np.array([4], np.int32)),
        (np.array([0], np.int32), np.array([1], np.int32)),
    )
    record, value = np.array([0, 1, 2, 3, 4, 1, 5], np.int32), np.array([0, 0, 0, 0, 0, 1, 1], np.int32)
    start = start_groups(ORDER, must, cannot, (record, value), NOBODY)
    assert start.tolist() == [4, 1, 3, 3, 4, 5]
    apart = (np.array([0], np.int32), np.array([5], np.int32))
    free = start_groups(ORDER, must, apart, (record[:5], value[:5]), NOBODY)
    assert free.tolist() == [4, 4, 4, 4, 4, 5]


def test_start_groups_keep_a_cannot_link_that_an_identifier_reaches_through_a_chain_of_judgements():
    must = (np.array([0, 1], np.int32), np.array([2, 3], np.int32))
    cannot = (np.array([0], np.int32), np.array([1], np.int32))
    unique = (np.array([2, 3], np.int32), np.array([0, 0], np.int32))
    assert start_groups(ORDER, must, cannot, unique, NOBODY).tolist() == [2, 3, 2, 3, 4, 5]


def test_clusters_with_several_unique_ids_or_many_names_are_told():
    labels = np.array([3, 3, 3, 3, 5, 5], np.int32)
    held = protection.several_unique(IDS, IdentityPolicy(), LIVE, labels)
    assert [(h.what, h.namespace, h.place, h.records) for h in held] == [("cluster", "web", 3, 4)]
    assert held[0].reason.startswith("holds 3 values of user_id of web")
    texts = pa.array(["ada", "bob", "robert", "carl", "emmy", "karl", "a"])
    labels = np.zeros(9, np.int32)
    given = np.array([0, 1, 2, 3, 4, 5, 6, -1, 0], np.int32)
    live = np.ones(9, bool)
    found = protection.many_names(labels, given, texts, live)
    assert [(h.place, h.records, h.reason.split()[1]) for h in found] == [(0, 8, "4")]
    live[4] = False
    assert protection.many_names(labels, given, texts, live) == []


@pytest.mark.parametrize(
    "held", [[], [Held("cluster", "size", "", 1, "r", 2), Held("identifier", "email", "", 0, "q", 3)]]
)
def test_what_is_held_back_gets_its_name_at_the_end(held):
    table = held_table(held, ["a:1", "b:2"].__getitem__, lambda kind, _, place: f"{kind} {place}")
    assert table.schema.equals(HELD_BACK)
    assert table["value"].to_pylist() == ["b:2", "email 0"][: len(held)]
