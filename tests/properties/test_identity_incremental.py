"""The law of increments: any sequence of batches comes to what all present records come to at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identity.incremental import update
from identity.keys import Limits
from tests.increment_tools import POLICIES, STEPS, Setting, World, full, told

SEEDS = st.integers(0, 2**32 - 1)
SETTINGS = st.builds(
    Setting,
    cap=st.integers(2, 4),
    limits=st.sampled_from([Limits(0, 2, 6), Limits(0, 2, 6), Limits(0, 1, 3), Limits(12, 2, 6), Limits()]),
    policy=st.sampled_from(POLICIES),
    fitted_late=st.booleans(),
)
BATCHES = st.lists(st.tuples(st.sampled_from(STEPS), SEEDS, st.integers(1, 12)), min_size=1, max_size=6)


def differences(one, two):
    return {name: (one[name], two[name]) for name in one if one[name] != two[name]}


@given(SETTINGS, SEEDS, st.integers(0, 40), BATCHES)
def test_increments_equal_a_full_resolution(setting, seed, size, batches):
    world = World()
    world.step("add", seed, size)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        batch = world.step(kind, batch_seed, many)
        state = update(state, batch, world.judgements())
        assert not differences(told(state), told(full(world, setting, shuffle=batch_seed)))
