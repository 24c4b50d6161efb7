"""Attaching unnamed records against a slow version, those that a judgement joined as one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from identity import components as comp
from identity.attach import attach
from identity.policy import IdentityPolicy
from identity.values import Multi

SIZE = 10
TYPES = (("email", ""), ("phone", ""), ("device", "app"))
ROW = st.integers(0, SIZE - 1)
SEEN = st.sets(st.tuples(st.sampled_from(TYPES), ROW, st.integers(0, 4)), max_size=22)
NOBODY = (comp.no_rows(), comp.no_rows())


def columns(seen) -> dict[tuple[str, str], Multi]:
    found = {}
    for kind in sorted({kind for kind, _, _ in seen}):
        rows = np.array(sorted((row, value) for k, row, value in seen if k == kind), np.int32)
        codes = np.full(SIZE, -1, np.int32)
        codes[rows[::-1, 0]] = rows[::-1, 1]
        found[kind] = Multi(kind[0], rows[:, 0], rows[:, 1], codes)
    return found


class Slow:
    """Rounds in which every unit of unnamed records looks at the owners of its values, kind by kind."""

    def __init__(self, labels, unnamed, seen, policy, order, barred, unit) -> None:
        self.owner = [None if waits else int(label) for label, waits in zip(labels, unnamed, strict=True)]
        self.seen, self.policy, self.order = seen, policy, order
        self.members = {u: [row for row in range(SIZE) if unit[row] == u] for u in set(unit.tolist())}
        self.waiting = {u for u in self.members if unnamed[u]}
        self.foes = {(int(unit[a]), int(unit[b])) for a, b in barred}
        self.kinds = sorted({kind for kind, _, _ in seen}, key=lambda kind: (policy.rank(kind[0]), kind))
        self.values = {(kind, value) for kind, _, value in seen}
        self.edges = set()

    def holders(self, kind, value):
        return [row for k, row, v in self.seen if (k, v) == (kind, value)]

    def owner_of(self, kind, value):
        found = [who for row in self.holders(kind, value) if (who := self.owner[row]) is not None]
        if self.policy.ambiguous == "best" and found:
            return min(set(found), key=lambda who: (-found.count(who), self.order[who]))
        return found[0] if len(set(found)) == 1 else None

    def wish(self, unit):
        """Whom a unit would join, and the steps that may show it, by which kind."""
        for kind in self.kinds:
            mine = [
                (row, v)
                for k, row, v in self.seen
                if k == kind and row in self.members[unit] and self.owner_of(kind, v) is not None
            ]
            whom = {self.owner_of(kind, v) for _, v in mine}
            if len(whom) == 1:
                shown = [(h, row) for row, v in mine for h in self.holders(kind, v) if self.owner[h] in whom]
                first = min(self.order[h] for h, _ in shown)
                return whom.pop(), {(kind[0], h, row) for h, row in shown if self.order[h] == first}
        return None

    def contested(self, pairs):
        """Ends of the pairs that have at least as many opponents as each of these."""
        near = {
            a: {y for x, y in pairs if x == a} | {x for x, y in pairs if y == a} for p in pairs for a in p
        }
        return {a for a, others in near.items() if all(len(near[b]) <= len(others) for b in others)}

    def round(self) -> bool:
        wishes = {u: wish for u in self.waiting if self.owner[u] is None and (wish := self.wish(u))}
        place = {u: wishes[u][0] if u in wishes else self.owner[u] for u in self.members}
        clash = {(a, b) for a, b in self.foes if place[a] == place[b] is not None}
        out = {u for a, b in clash for u, v in ((a, b), (b, a)) if u in wishes and v not in wishes}
        while rest := {(a, b) for a, b in clash if a in wishes and b in wishes and not out & {a, b}}:
            out |= self.contested(rest)
        for unit in wishes.keys() - out:
            whom, steps = wishes[unit]
            for row in self.members[unit]:
                self.owner[row] = whom
            self.edges.add(frozenset(steps))
        return bool(wishes.keys() - out)

    def held(self):
        found = set()
        for kind, value in self.values:
            own = [self.owner[row] for row in self.holders(kind, value)]
            if len(set(own) - {None}) > 1 and None in own:
                found.add((*kind, value, own.count(None)))
        return found

    def rest(self):
        """Label of each row, by what it is joined with where nobody owns it."""
        out = set()
        while True:
            links = [(row, u) for u, rows in self.members.items() for row in rows if u in self.waiting]
            for kind, value in self.values:
                here = self.holders(kind, value)
                if all(self.owner[row] is None for row in here):
                    here = [row for row in here if not any(row in self.members[u] for u in out)]
                    links += [(here[0], other) for other in here[1:]]
            found = comp.components(self.order, *(np.array([p[i] for p in links], np.int32) for i in (0, 1)))
            free = {u for u in self.waiting if self.owner[u] is None}
            broken = {(a, b) for a, b in self.foes if {a, b} <= free and found[a] == found[b]}
            if not broken:
                return found
            out |= self.contested(broken)


def slow(*problem):
    found = Slow(*problem)
    while found.round():
        pass
    rest = found.rest()
    labels = [int(rest[row]) if who is None else who for row, who in enumerate(found.owner)]
    return labels, found.edges, found.held()


@st.composite
def problems(draw):
    seen = draw(SEEN)
    unnamed = np.array(draw(st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)))
    order = np.array(draw(st.permutations(range(SIZE))), np.uint64)
    joins = draw(st.sets(st.tuples(ROW, ROW), max_size=3))
    named = [(a, b) for a, b in joins if not unnamed[a] and not unnamed[b]]
    labels = comp.components(order, *(np.array([p[i] for p in named], np.int32) for i in (0, 1)))
    pairs = st.tuples(ROW, ROW).filter(lambda p: p[0] < p[1])
    must = [(a, b) for a, b in draw(st.sets(pairs, max_size=3)) if unnamed[a] and unnamed[b]]
    unit = comp.components(order, *(np.array([p[i] for p in must], np.int32) for i in (0, 1)))
    barred = {(a, b) for a, b in draw(st.sets(pairs, max_size=4)) if unit[a] != unit[b]}
    barred = {(a, b) for a, b in barred if unnamed[a] or unnamed[b]}
    policy = IdentityPolicy(ambiguous=draw(st.sampled_from(["alone", "best"])))
    return labels, unnamed, seen, policy, order, barred, unit


def bars(barred):
    return tuple(np.array([p[i] for p in sorted(barred)], np.int32) for i in (0, 1))


def run(labels, unnamed, seen, policy, order, barred, unit=None, live=None):
    live = np.ones(SIZE, bool) if live is None else live
    return attach(labels, unnamed, columns(seen), policy, bars(barred), order=order, live=live, together=unit)


def told(found):
    edges = {(k, int(a), int(b)) for k, left, right in found.edges for a, b in zip(left, right, strict=True)}
    return edges, {(h.type, h.namespace, h.place, h.records) for h in found.held}


@given(problems())
def test_attaching_equals_the_obvious_way(problem):
    labels, edges, held = slow(*problem)
    found = run(*problem)
    assert found.labels.tolist() == labels
    assert all(len(steps & told(found)[0]) == 1 for steps in edges)
    assert told(found)[1] == held
    for _, left, right in found.edges:
        assert np.array_equal(found.labels[left], found.labels[right])


@given(problems(), st.permutations(range(SIZE)))
def test_the_numbers_of_rows_play_no_part(problem, moved):
    labels, unnamed, seen, policy, order, barred, unit = problem
    place, back = np.array(moved), np.argsort(moved)
    found = run(*problem)
    again = run(
        place.astype(np.int32)[labels[back]],
        unnamed[back],
        {(kind, moved[row], value) for kind, row, value in seen},
        policy,
        order[back],
        {tuple(sorted((moved[a], moved[b]))) for a, b in barred},
        place.astype(np.int32)[unit[back]],
    )
    assert np.array_equal(place[found.labels], again.labels[moved])
    assert {(k, moved[a], moved[b]) for k, a, b in told(found)[0]} == told(again)[0]
    assert told(found)[1] == told(again)[1]


def test_a_long_chain_of_unnamed_records_ends():
    size = 50_000
    record = np.repeat(np.arange(size, dtype=np.int32), 2)
    value = np.minimum(record + np.tile([0, 1], size), size - 1).astype(np.int32)
    keep = np.r_[True, (record[1:] != record[:-1]) | (value[1:] != value[:-1])]
    column = Multi("phone", record[keep], value[keep], np.arange(size, dtype=np.int32))
    unnamed = np.ones(size, bool)
    unnamed[0] = False
    order = np.arange(size, dtype=np.uint64)
    found = attach(
        np.arange(size, dtype=np.int32), unnamed, {("phone", ""): column}, IdentityPolicy(), NOBODY,
        order=order, live=np.ones(size, bool),
    )  # fmt: skip
    assert (found.labels == 0).sum() == 21
    assert len(np.unique(found.labels)) == 2


def test_a_record_that_is_gone_owns_nothing():
    labels = np.arange(SIZE, dtype=np.int32)
    unnamed = np.arange(SIZE) > 1
    seen = {(TYPES[0], 0, 1), (TYPES[0], 1, 1), (TYPES[0], 5, 1)}
    order = np.arange(SIZE, dtype=np.uint64)
    assert run(labels, unnamed, seen, IdentityPolicy(), order, set()).labels[5] == 5
    live = np.arange(SIZE) != 1
    assert run(labels, unnamed, seen, IdentityPolicy(), order, set(), live=live).labels[5] == 0
