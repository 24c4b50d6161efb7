"""Increments against full resolutions: long sequences, giant components, labelled people in random batches."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import engine, roles
from identity.compaction import compacted
from identity.encode import encode
from identity.features import FeatureStore
from identity.fit import fit
from identity.incremental import Batch, update
from identity.keys import Limits
from identity.policy import IdentityPolicy
from identity.status import status
from tests.increment_tools import POLICIES, STEPS, Setting, World, full, stored, tables, told

pytestmark = pytest.mark.soak
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=1_500)
@given(
    st.builds(
        Setting,
        cap=st.integers(2, 4),
        limits=st.sampled_from([Limits(0, 2, 6), Limits(0, 1, 3), Limits(40, 2, 6), Limits()]),
        policy=st.sampled_from(POLICIES),
        fitted_late=st.booleans(),
    ),
    SEEDS,
    st.integers(0, 150),
    st.lists(st.tuples(st.sampled_from(STEPS), SEEDS, st.integers(1, 30)), min_size=5, max_size=15),
)
def test_long_sequences_of_batches_equal_a_full_resolution(setting, seed, size, batches):
    draw, world = random.Random(seed), World()
    world.step("add", seed, size)
    state = full(world, setting)
    for kind, batch_seed, many in batches:
        state = draw.choice([lambda s: s, lambda s: s, stored, compacted])(state)
        state = update(state, world.step(kind, batch_seed, many), world.judgements())
        assert told(state) == told(full(world, setting, shuffle=batch_seed))


def chained(number: int) -> dict:
    """A record that shares one address with the record before it and one with the record after it."""
    fields = {"given_name": "ada", "surname": "byron", "birth_date": "1970-01-02", "city": f"town {number}"}
    mails = [("email", "", f"ada{i}@byron.uk", None) for i in (number, number + 1)]
    return {"fields": fields, "identifiers": mails}


@pytest.mark.parametrize("seed", range(4))
def test_components_that_are_divided_equal_those_of_a_full_resolution(seed):
    draw, world = random.Random(seed), World()
    world.people = {f"c{i}": chained(i) for i in range(650)}
    # The model of these worlds thinks little of one shared address.
    setting = Setting(policy=IdentityPolicy(max_cluster=60, threshold=0.05), fitted_late=True)
    state, divided = full(world, setting), 0
    for step in range(12):
        known = sorted(world.people)
        removed = draw.sample(known, 2) if step % 3 == 2 else []
        added = {f"c{i}": chained(i) for i in draw.sample(range(700), 60)}
        added = {key: one for key, one in added.items() if key not in removed}
        for key in removed:
            del world.people[key]
        world.people |= added
        state = update(state, Batch(*tables(added), pa.array(removed, pa.string())), None)
        whole = told(full(world, setting, shuffle=step))
        assert told(state) == whole
        divided += any(kind == "component" for _, kind, *_ in whole["held"])
    assert divided


@pytest.mark.parametrize(("name", "size"), [("customers_20k", 12_000), ("historical_50k", 12_000)])
def test_labelled_people_in_random_batches(shared, name, size):
    table = pq.read_table(shared / "er" / f"{name}.parquet").drop_columns(["entity_id"]).slice(0, size)
    prepared = roles.prepare(table, id_column="record_id")
    keys, draw = prepared.records["record_key"].to_pylist(), random.Random(5)

    def some(wanted):
        values = pa.array(sorted(wanted), pa.string())
        return tuple(
            part.filter(pc.is_in(part["record_key"].cast(pa.string()), value_set=values))
            for part in (prepared.records, prepared.identifiers)
        )

    def whole(wanted, version=None):
        encoded, frozen = encode(*some(wanted), version.frozen if version else None)
        live = np.ones(len(encoded), bool)
        if version is None:
            now = status(encoded, live, np.empty(0, np.int32), IdentityPolicy())
            version = fit(encoded, now, frozen, FeatureStore(), 0.5).version
        return engine.advance(None, encoded, live, None, IdentityPolicy(), version, FeatureStore())

    present = set(draw.sample(keys, len(keys) // 2))
    state = whole(present)
    for step in range(6):
        removed = draw.sample(sorted(present), len(keys) // 20)
        fresh = draw.sample(keys, len(keys) // 10)
        fresh = [key for key in fresh if key not in set(removed)]
        present = (present - set(removed)) | set(fresh)
        state = update(stored(state) if step % 2 else state, Batch(*some(fresh), pa.array(removed)), None)
        assert told(state) == told(whole(present, state.version))
