"""One weight, however it is asked for: with all levels, for linkage, or only where it reaches a floor."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.encode import encode
from identity.engine import scorer_of
from identity.features import FeatureStore
from identity.linkage import UNKNOWN
from identity.model import household_term
from identity.policy import IdentityPolicy
from identity.resolution import start
from identity.scorer import linkage_weight
from identity.status import status

NAMES = ("anna", "hannah", "smith", "smyth", "jones", "anna maria", "o'neill", "x" * 70 + "a", "x" * 70 + "b")
PERSON = st.fixed_dictionaries(
    {
        "given_name": st.none() | st.sampled_from(NAMES),
        "surname": st.none() | st.sampled_from(NAMES),
        "suffix": st.none() | st.sampled_from(["jr", "sr"]),
        "birth_date": st.none() | st.sampled_from(["1980-02-03", "1980-03-02", "1971-12-31"]),
        "street": st.none() | st.sampled_from(["1 high street", "12 high st", "7 mill lane"]),
        "city": st.none() | st.sampled_from(["york", "leeds", "yorck"]),
        "postcode": st.none() | st.sampled_from(["12345", "12346", "99999"]),
        "hobby": st.none() | st.sampled_from(["chess club", "ches club", "golf"]),
    }
)
EMAILS = st.sampled_from(["anna@x.org", "smith1@x.org", "anna.s@y.org", "kq7z@x.org", "kq7@x.org"])
PHONES = st.sampled_from(["+442079460101", "+442079460102", "9460101"])
IDENTIFIED = st.tuples(PERSON, st.sets(EMAILS, max_size=2), st.sets(PHONES, max_size=2))


def _tables(people, kinds=()):
    records = [{"record_key": f"r{row}", **person} for row, (person, _, _) in enumerate(people)]
    identifiers = [
        {"record_key": f"r{row}", "type": kind, "namespace": "", "value": value}
        for row, (_, emails, phones) in enumerate(people)
        for kind, values in (("email", emails), ("phone", phones))
        for value in sorted(values)
    ]
    identifiers += [
        {"record_key": f"r{row}", "type": "external_id", "namespace": kind, "value": f"id{row % 3}77"}
        for number, kind in enumerate(kinds)
        for row in range(len(people))
        if (row + number) % 4
    ]
    schema = pa.schema([(name, pa.string()) for name in ("record_key", "type", "namespace", "value")])
    columns = pa.schema([(name, pa.string()) for name in records[0]])
    return pa.Table.from_pylist(records, columns), pa.Table.from_pylist(identifiers, schema)


def _scorer(records, identifiers):
    version = start(records, identifiers).version
    encoded, _ = encode(records, identifiers, version.frozen)
    now = status(encoded, np.ones(len(encoded), bool), np.empty(0, np.int32), IdentityPolicy())
    return scorer_of(version, encoded, now, FeatureStore())


def _assert_one_weight(scorer, size):
    left, right = (np.array(side, np.int32) for side in zip(*combinations(range(size), 2), strict=True))
    pairs = scorer.score(left, right)
    unknown = np.full(len(left), UNKNOWN, np.int32)
    weight, counted = scorer.for_linkage(left, right, unknown)
    some = np.where(np.arange(len(left)) % 3 == 0, pairs.weight, unknown)
    for again, known in zip(scorer.for_linkage(left, right, some), (weight, counted), strict=True):
        assert again.tolist() == known.tolist()
    assert weight.tolist() == pairs.weight.tolist()
    expected = linkage_weight(pairs.weight, pairs.household, scorer.model.threshold)
    assert counted.tolist() == expected.tolist()
    for floor in sorted(
        {*np.quantile(weight, [0, 0.3, 0.6, 0.9]).astype(int).tolist(), scorer.model.threshold}
    ):
        found = list(scorer.above([(left, right)], floor))
        got = {
            (int(a), int(b)): int(w) for e in found for a, b, w in zip(e.left, e.right, e.weight, strict=True)
        }
        above = pairs.weight >= floor
        assert got == {
            (int(a), int(b)): int(w) for a, b, w in zip(left[above], right[above], weight[above], strict=True)
        }
    assert (household_term(scorer.model, np.array([-60_000, 0, 60_000])) <= 0).all()  # what `above` relies on


@given(people=st.lists(IDENTIFIED, min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_way_to_ask_gives_the_same_weight(people):
    _assert_one_weight(_scorer(*_tables(people)), len(people))


@pytest.mark.parametrize("many", [3, 70])
def test_also_of_more_comparisons_than_a_word_has_bits(many):
    person = dict.fromkeys(("given_name", "surname", "suffix", "street", "city", "postcode", "hobby"))
    people = [
        (
            person | {"given_name": NAMES[row % 7], "birth_date": f"198{row % 4}-02-03"},
            {f"kq7z{row % 5}@x.org"} if row % 2 else set(),
            set(),
        )
        for row in range(24)
    ]
    scorer = _scorer(*_tables(people, [f"shop {number}" for number in range(many)]))
    assert len(scorer.comparer.steps) >= many
    _assert_one_weight(scorer, len(people))
