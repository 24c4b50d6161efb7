"""Candidate pairs against the first engine's ``blocking``; this file goes when that one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import blocking, roles, score
from identity.candidates import Key, Limits, choose_cap, emit
from identity.compare import comparer
from identity.records import encode
from tests.candidates_tools import pairs, random_keys, random_order

NO_STARS = Limits(0, largest_star=0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 8), st.integers(2, 4), st.integers(0, 9))
def test_random_records_have_the_candidates_of_the_first_engine(seed, size, spread, cap, dropped):
    random = np.random.default_rng(seed)
    keys, order = random_keys(random, size, spread), random_order(random, size)
    del keys[dropped : dropped + 1]
    # The first engine joined both places and a third key only where that one stood before them.
    keys.sort(key=lambda key: key.space in {"postcode", "city"})
    slots = [blocking.Slot(key.space, key.codes, key.alone, key.combine) for key in keys]
    old = blocking.block(slots, [key.several for key in keys if key.several], cap)
    found = emit(keys, np.ones(size, bool), order, cap, limits=NO_STARS)
    assert sorted(pairs(found)) == list(zip(old.left.tolist(), old.right.tolist(), strict=True))


@pytest.mark.parametrize("name", ["febrl3", "customers_20k", "historical_50k"])
def test_real_records_have_the_candidates_and_the_cap_of_the_first_engine(shared, name, monkeypatch):
    import pyarrow.parquet as pq

    found = {}
    block = blocking.block

    def spy(slots, extra, cap):
        found.update(slots=slots, extra=extra, cap=cap)
        return block(slots, extra, cap)

    monkeypatch.setattr(blocking, "block", spy)
    table = pq.read_table(shared / "er" / f"{name}.parquet").drop_columns(["entity_id"])
    prepared = roles.prepare(table, id_column="record_id")
    records, _ = encode(prepared.records, prepared.identifiers)
    everyone = np.ones(len(records), bool)
    old = score.candidates(comparer(records), everyone)
    sizes = {s.space: 0 for s in found["slots"]}
    for slot in found["slots"]:
        sizes[slot.space] = max(sizes[slot.space], int(slot.codes.max()) + 1)
    keys = [
        Key(f"{s.space} {i}", s.space, s.codes, sizes[s.space], s.alone, s.combine)
        for i, s in enumerate(found["slots"])
    ]
    assert not found["extra"]
    assert choose_cap(keys, everyone) == found["cap"]
    new = emit(keys, everyone, np.arange(len(records), dtype=np.uint64), found["cap"], limits=NO_STARS)
    packed = np.sort(np.concatenate([blocking.pack(left, right) for left, right in new]))
    assert len(packed) > len(records)
    assert np.array_equal(packed, blocking.pack(old.left, old.right))
    assert old.oversize.items() <= new.oversize.items()
