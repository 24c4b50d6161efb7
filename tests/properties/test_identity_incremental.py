"""The law of increments: any sequence of batches comes to what all present records come to at once.

`make test` tries 20 or 30 examples of each, `make soak` ten times as many, and longer sequences.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import clusters, linkage, scorer, tables
from identity.candidates import Candidates
from identity.compaction import compacted
from identity.incremental import changes, update
from identity.keys import Limits
from identity.version import ModelVersion
from tests.conftest import examples
from tests.increment_tools import (
    POLICIES,
    STEPS,
    Setting,
    World,
    full,
    learned,
    stored,
    told,
    version_of,
)

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


@examples(7)
@given(SETTINGS, SEEDS, st.integers(0, 40), BATCHES, st.sampled_from(BETWEEN))
def test_increments_equal_a_full_resolution(setting, seed, size, batches, between):
    world = World()
    world.step("add", seed, size)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        batch = world.step(kind, batch_seed, many)
        state = update(between(state), batch, world.judgements())
        assert not differences(told(state), told(full(world, setting, shuffle=batch_seed)))


def by_key(state):
    return {row["record_key"]: row for row in tables.clusters(state).to_pylist()}


@examples(7)
@given(SETTINGS, SEEDS, BATCHES)
def test_what_an_update_tells_is_what_changed(setting, seed, batches):
    world = World()
    world.step("add", seed, 30)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        before, state = state, update(state, world.step(kind, batch_seed, many), world.judgements())
        past, now, found = by_key(before), by_key(state), changes(before, state)
        told_now = {row["record_key"]: row for row in found.clusters.to_pylist()}
        assert told_now == {key: row for key, row in now.items() if row != past.get(key)}
        assert sorted(found.gone.to_pylist()) == sorted(past.keys() - now.keys())


@examples(7)
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


@examples(7)
@given(SETTINGS, SEEDS, BATCHES)
def test_chunks_threads_and_the_form_of_the_model_play_no_part(setting, seed, batches):
    world = World()
    world.step("add", seed, 30)
    for kind, batch_seed, many in batches:
        world.step(kind, batch_seed, many)
    usual = told(full(world, setting))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "_CHUNK", 7)
        patch.setattr(scorer, "THREADS", 1)
        patch.setattr(clusters, "THREADS", 3)
        patch.setattr(Candidates, "__iter__", lambda found: found.chunks(5))
        patch.setattr(linkage.Groups.chunks, "__defaults__", (11,))
        version = ModelVersion.from_bytes(version_of(setting).to_bytes())
        assert version.version == version_of(setting).version
        assert not differences(told(full(world, setting, version)), usual)


@examples(10)
@given(SEEDS, st.sampled_from(["aa", "note", "zz"]), st.sampled_from(["colour", "remark", "zzz"]))
def test_names_of_text_columns_play_no_part(seed, one, two):
    world = World()
    for kind in ("late", "family", "late", "family"):
        world.step(kind, seed, 20)
    for place, person in enumerate(world.people.values()):
        person["fields"]["remark"] = f"{person['fields'].get('city')} {place % 5}"
    names = {"note": one, "remark": two}
    usual, renamed = (learned(world, given) for given in ({}, names))
    assert not differences(usual, renamed)


@pytest.mark.parametrize("seed", range(3))
def test_the_law_has_force(seed):
    """The worlds have all that the law is about."""
    seen = Counter()
    draw = random.Random(seed)
    for _ in range(40):
        world, setting = World(), Setting(policy=draw.choice(POLICIES))
        for _ in range(5):
            world.step(draw.choice(STEPS), draw.randrange(2**32), 12)
        state = full(world, setting)
        found = told(state)
        seen.update({name: len(found[name]) for name in ("edges", "inside", "copies", "stated")})
        seen.update(f"{what} {kind}" for what, kind, *_ in found["held"])
        seen["judged"] += len(state.judged.must[0]) + len(state.judged.cannot[0])
        seen["hubs"] += sum(int(flags.sum()) for flags in state.status.hubs.values())
        seen["several"] += int(state.status.several.sum())
        seen["unnamed"] += int((state.live & ~state.status.anchored).sum())
    wanted = ["edges", "inside", "copies", "stated", "judged", "hubs", "several", "unnamed"]
    wanted += ["identifier phone", "cluster user_id", "cluster given_name", "record record"]
    assert not [name for name in wanted if not seen[name]]
