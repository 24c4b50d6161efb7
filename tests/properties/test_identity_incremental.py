"""The law of increments: any sequence of batches comes to what all present records come to at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identity.compaction import compacted
from identity.incremental import update
from identity.keys import Limits
from tests.increment_tools import POLICIES, STEPS, Setting, World, full, stored, told

SEEDS = st.integers(0, 2**32 - 1)
LIMITS = [Limits(0, 2, 6), Limits(0, 2, 6), Limits(0, 1, 3), Limits(12, 2, 6), Limits()]
SETTINGS = st.builds(
    Setting,
    cap=st.integers(2, 4),
    limits=st.sampled_from(LIMITS),
    policy=st.sampled_from(POLICIES),
    fitted_late=st.booleans(),
)
BATCHES = st.lists(st.tuples(st.sampled_from(STEPS), SEEDS, st.integers(1, 12)), min_size=1, max_size=6)
BETWEEN = [lambda state: state, lambda state: state, stored, compacted]
"""What may become of a state between two batches."""


def differences(one, two):
    return {name: (one[name], two[name]) for name in one if one[name] != two[name]}


@given(SETTINGS, SEEDS, st.integers(0, 40), BATCHES, st.sampled_from(BETWEEN))
def test_increments_equal_a_full_resolution(setting, seed, size, batches, between):
    world = World()
    world.step("add", seed, size)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        batch = world.step(kind, batch_seed, many)
        state = update(between(state), batch, world.judgements())
        assert not differences(told(state), told(full(world, setting, shuffle=batch_seed)))


@given(SETTINGS, SEEDS, BATCHES, st.sampled_from([stored, compacted]))
def test_a_state_that_was_kept_in_files_or_cleared_of_dead_rows_tells_the_same(setting, seed, batches, kept):
    world = World()
    world.step("add", seed, 30)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        state = update(state, world.step(kind, batch_seed, many), world.judgements())
    again = kept(state)
    assert not differences(told(again), told(state))
    assert again.policy == state.policy
    assert again.version.version == state.version.version
    assert kept is stored or again.live.all()
