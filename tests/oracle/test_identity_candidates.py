"""Candidate pairs against their definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from identity.candidates import Limits, count, emit
from tests.candidates_tools import Slow, pairs, random_keys, random_order

SEEDS = st.integers(0, 2**32 - 1)
CAPS = st.integers(2, 4)


@given(SEEDS, st.integers(0, 40), st.integers(1, 8), CAPS, st.integers(1, 3), st.booleans())
def test_emit_is_the_definition_and_gives_each_pair_once(seed, size, spread, cap, star, few):
    random = np.random.default_rng(seed)
    keys, order = random_keys(random, size, spread), random_order(random, size)
    active = random.random(size) < 0.9
    limits = Limits(30 if few else 0, star, 12)
    found = pairs(emit(keys, active, order, cap, limits=limits))
    assert len(found) == len({*found})
    assert {*found} == Slow(keys, active, order, cap, limits).pairs()
    assert all(left < right for left, right in found)


@given(SEEDS, st.integers(1, 40), st.integers(1, 8), CAPS, st.floats(0, 0.5))
def test_emit_of_dirty_records_is_the_full_emission_where_they_take_part(seed, size, spread, cap, share):
    random = np.random.default_rng(seed)
    keys, order = random_keys(random, size, spread), random_order(random, size)
    active, dirty = random.random(size) < 0.9, random.random(size) < share
    limits = Limits(random.integers(0, 20), 2, 12)
    full = pairs(emit(keys, active, order, cap, limits=limits))
    some = pairs(emit(keys, active, order, cap, dirty=dirty, counts=count(keys, active), limits=limits))
    assert len(some) == len({*some})
    assert {*some} == {(a, b) for a, b in full if dirty[a] or dirty[b]}
