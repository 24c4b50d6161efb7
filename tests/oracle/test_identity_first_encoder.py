"""The encoder gives the same values per record as the engine's first one, which works value by value."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from identity import blocking, evidence, roles
from identity import records as old
from identity.encode import encode
from identity.values import NEVER
from tests.encode_tools import dirty_people, texts

SETS = ("fake_1000", "febrl3", "febrl4", "historical_50k", "senzing_truthset", "customers_20k")


def prepared(path):
    table = pq.read_table(path)
    return roles.prepare(table.drop_columns(["entity_id"]), id_column="record_id")


def assert_like_the_first_encoder(people, rows):
    found, held, _ = encode(people, rows)
    expected, expected_held = old.encode(people, rows)
    order = np.asarray(pc.sort_indices(found.keys))
    assert found.keys.take(pa.array(order)).to_pylist() == expected.keys.to_pylist()
    present = {name for name, column in expected.columns.items() if (column.codes >= 0).any()}
    lone = {"street_number"} if "street" not in people.column_names else set()
    # The first encoder read a house number only where the table has a column of streets, too.
    assert found.columns.keys() - lone == present
    for name in sorted(present):
        column = found.columns[name]
        coded = expected.columns[name]
        values = [coded.values[code] if code >= 0 else None for code in coded.codes.tolist()]
        assert texts(found, column, order) == values, name
    for name, multi in expected.identifiers.items():
        pairs = list(zip(multi.record.tolist(), multi.value.tolist(), strict=True))
        seen = dict(zip(((r, multi.values[v]) for r, v in pairs), multi.seen.tolist(), strict=False))
        assert {(r, multi.values[v]) for r, v in pairs} == pairs_of(found, name, order)
        if any(time != NEVER for time in seen.values()):
            assert times_of(found, name, order) == seen
    assert {(h.type, h.namespace, h.value) for h in held} == {
        (h.type, h.namespace, h.value) for h in expected_held
    }
    assert_keys_like_the_first(found, expected, order)


def pairs_of(found, name, order):
    if name not in found.identifiers:
        return set()
    multi = found.identifiers[name]
    place = np.argsort(order)
    values = found.spaces[multi.space].texts.take(pa.array(multi.value)).to_pylist()
    return set(zip(place[multi.record].tolist(), values, strict=True))


def times_of(found, name, order):
    multi = found.identifiers[name]
    place = np.argsort(order)
    values = found.spaces[multi.space].texts.take(pa.array(multi.value)).to_pylist()
    return dict(zip(zip(place[multi.record].tolist(), values, strict=True), multi.seen.tolist(), strict=True))


def assert_keys_like_the_first(found, expected, order):
    """Derived keys put the same records together as those of the first blocking and evidence."""
    columns = expected.columns
    if {"given_name", "surname"} <= columns.keys():
        initials = np.array([ord(value[0]) for value in columns["given_name"].values], dtype=np.int64)
        spoken = blocking.spoken_names(columns["surname"], columns["given_name"].codes, initials)
        assert same_groups(spoken, found, "spoken name", order)
    names = evidence.name_keys(expected)
    assert same_groups(names, found, "name key", order)
    if "birth_date" in columns:
        assert same_groups(blocking._date_keys(columns["birth_date"]), found, "date key", order)
    if "company" in columns:
        assert same_groups(blocking._first_words(columns["company"]), found, "first word", order)
        assert same_groups(old.sounds(columns["company"]).codes, found, "company by sound", order)


def same_groups(codes, found, name, order):
    if not (codes >= 0).any():
        return name not in found.keys_only
    own = found.keys_only[name].codes[order]
    pairs = set(zip(codes.tolist(), own.tolist(), strict=True))
    return len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs}) and all(
        (a < 0) == (b < 0) for a, b in pairs
    )


@pytest.mark.parametrize("name", SETS)
def test_labelled_people_are_encoded_as_before(shared, name):
    path = shared / "er" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the shared data")
    given = prepared(path)
    assert_like_the_first_encoder(given.records, given.identifiers)


@pytest.mark.parametrize("seed", range(6))
def test_generated_people_with_dirty_values_are_encoded_as_before(seed):
    people, rows = dirty_people(seed, 400)
    assert_like_the_first_encoder(people, rows)
