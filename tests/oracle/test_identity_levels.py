"""Compiled levels against plain ones: the same level for every pair, also of values that nobody has thought of."""

from __future__ import annotations

import string

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import roles
from identity.comparer import Usual, bind, plan
from identity.encode import encode
from identity.features import FeatureStore
from tests import reference_levels
from tests.conftest import SHARED, examples

WORDS = (
    "smith smyth smithe schmidt jones jonas johnson anna ann hannah bob robert roberta william will liz jean-luc "
    "o'neill müller mueller van dyk de la cruz лев lev 李 acme corp ltd inc 12 14 main high street saint st acmecorp "
    "international business machines ibm store #7"
).split()
TEXT = st.lists(
    st.sampled_from(WORDS) | st.text(string.ascii_lowercase + "é '-", max_size=6), max_size=4
).map(" ".join)
DIGITS = st.text("0123456789", min_size=4, max_size=9)
EMAIL = st.builds(
    "{}@{}".format,
    st.text("ab.c+1", max_size=9) | st.sampled_from(["anna", "bob7", "smith.a", "smith12"]),
    st.sampled_from(["x.org", "y.example", "gmail.com", "z"]),
)
DATE = st.sampled_from(
    [
        "1980-02-03",
        "1980-03-02",
        "1980-02-13",
        "1981-02-03",
        "1970-02-03",
        "1980-02",
        "1980",
        "2080-02-03",
        "1979-12-31",
    ]
)
PERSON = st.fixed_dictionaries(
    {
        "given_name": st.none() | TEXT,
        "surname": st.none() | TEXT,
        "middle_name": st.none() | TEXT,
        "birth_date": st.none() | DATE,
        "street": st.none() | TEXT,
        "street_number": st.none() | st.sampled_from(["1", "12", "14"]),
        "city": st.none() | TEXT,
        "postcode": st.none() | DIGITS,
        "region": st.none() | st.sampled_from(["n", "s"]),
        "company": st.none() | TEXT,
        "hobby": st.none() | TEXT,
    }
)
IDENTIFIER = st.tuples(st.integers(0, 5), st.sampled_from(["email", "phone", "user_id"]))


def levels_are_equal(records, left, right):
    features = FeatureStore()
    chosen = plan(records)
    comparer = bind(records, chosen, features, Usual.of(records, features))
    found = comparer.levels(left, right)
    expected = reference_levels.levels(records, chosen, left, right)
    for row, item in enumerate(chosen):
        name = item.comparison.name
        wrong = np.flatnonzero(found[row] != expected[name])
        assert not len(wrong), (
            name,
            found[row][wrong[0]],
            expected[name][wrong[0]],
            int(left[wrong[0]]),
            int(right[wrong[0]]),
        )


@given(
    st.lists(PERSON, min_size=2, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), EMAIL), max_size=6),
    st.lists(st.tuples(st.integers(0, 5), DIGITS), max_size=6),
    st.sets(st.sampled_from(["street", "company", "given_name", "postcode", "city"]), max_size=3),
)
@examples(100)
def test_levels_equal_those_of_plain_measures(people, emails, phones, absent):
    table = pa.Table.from_pylist([{"record_key": str(i), **p} for i, p in enumerate(people)])
    table = table.drop_columns(sorted(absent))
    ids = [(str(i), "email", "", v) for i, v in emails if i < len(people)]
    ids += [(str(i), "phone", "", "+1212" + v) for i, v in phones if i < len(people)]
    names = ("record_key", "type", "namespace", "value")
    identifiers = pa.table({n: pa.array([row[k] for row in ids], pa.string()) for k, n in enumerate(names)})
    records, _ = encode(table, identifiers)
    one, two = np.triu_indices(len(people), 1)
    levels_are_equal(records, one.astype(np.int32), two.astype(np.int32))


@pytest.mark.parametrize("name", ["fake_1000", "febrl3", "senzing_truthset"])
def test_levels_equal_those_of_plain_measures_on_labelled_people(name):
    path = SHARED / "er" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the project")
    prepared = roles.prepare(
        pq.read_table(path).drop_columns(["entity_id"]).slice(0, 1200), id_column="record_id"
    )
    records, _ = encode(prepared.records, prepared.identifiers)
    rng = np.random.default_rng(3)
    left, right = (rng.integers(0, len(records), 20_000).astype(np.int32) for _ in range(2))
    near = np.argsort(np.array(prepared.records.column(1).to_pylist(), dtype=str), kind="stable").astype(
        np.int32
    )
    levels_are_equal(records, np.concatenate([left, near[:-1]]), np.concatenate([right, near[1:]]))
