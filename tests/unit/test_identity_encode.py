"""Encoding of records and identifiers: forms of columns, what is learned, placeholders, errors."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from cdp.errors import UsageError
from cdp.schemas import HELD_BACK
from identity.encode import Frozen, append, encode
from identity.held import placeholders
from tests.encode_tools import dirty_people, same_values
from tests.identity_tools import identifiers, records


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("form", ["dictionary", "large", "chunks", "dictionary chunks"])
def test_the_form_of_the_columns_plays_no_part(form, threads):
    people, rows = dirty_people(7, 300)
    expected = encode(people, rows, threads=1)
    found = encode(in_form(people, form), in_form(rows, form), threads=threads)
    assert same_values(expected[0], found[0])
    assert expected[1] == found[1]


def in_form(table, form):
    if "chunks" in form:
        parts = [
            in_form(table.slice(i, 70), form.removesuffix("chunks").strip()) for i in range(0, len(table), 70)
        ]
        return pa.concat_tables(parts)
    names = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
    for name in names:
        column = table[name]
        made = column.cast(pa.large_string()) if form == "large" else column
        made = column.dictionary_encode() if form == "dictionary" else made
        table = table.set_column(table.column_names.index(name), name, made)
    return table


def test_values_of_a_dictionary_that_no_row_has_leave_no_trace():
    column = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 2, 0], pa.int32()), pa.array(["1900-01-01", "13/01/1980", None])
    )
    people = pa.table({"record_key": list("abcd"), "birth_date": column})
    found, frozen = encode(people)
    assert found.spaces["birth_date"].texts.to_pylist() == ["19000101"]
    assert frozen.dates["birth_date"].day_first is False


def test_swapped_names_meet_in_one_dictionary():
    found, _ = encode(records({"a:1": {"given_name": "Ada", "surname": "Byron"},
                                  "a:2": {"given_name": "BYRON", "surname": "ada"}}))  # fmt: skip
    given, surname = found.columns["given_name"], found.columns["surname"]
    assert given.space == surname.space == "name"
    assert given.codes.tolist() == surname.codes.tolist()[::-1]


def test_the_value_with_the_smallest_hash_stands_for_a_record():
    rows = identifiers(
        [("a:1", "email", "ann@x.org"), ("a:1", "email", "bob@x.org"), ("a:2", "email", "bob@x.org")]
    )
    people = records({"a:1": {"city": "York"}, "a:2": {"city": "York"}})
    found, _ = encode(people, rows)
    again, _ = encode(people, rows.take([1, 2, 0]))
    emails, values = found.identifiers["email", ""], found.spaces["email/"]
    least = min((int(h), t) for h, t in zip(values.hashes, values.texts.to_pylist(), strict=True))[1]
    assert (
        found.texts(emails).to_pylist()
        == [least, "bob@x.org"]
        == again.texts(again.identifiers["email", ""]).to_pylist()
    )
    assert emails.record.tolist() == [0, 0, 1]


def test_placeholders_are_told_with_their_number_of_records():
    rows = identifiers(
        [("a:1", "email", "test@test.com"), ("a:2", "email", "Test@Test.com"), ("a:1", "phone", "000")]
    )
    found, _ = encode(records({"a:1": {"city": "York"}, "a:2": {"city": "York"}}), rows)
    told = placeholders(found, np.array([True, True]))
    assert told.schema.equals(HELD_BACK)
    assert [tuple(row.values()) for row in told.to_pylist()] == [
        ("identifier", "email", "", "test@test.com", "placeholder value", 2),
        ("identifier", "phone", "", "000", "placeholder value", 1),
    ]
    assert placeholders(found, np.array([False, True]))["records"].to_pylist() == [1]
    assert not found.identifiers


def test_what_was_learned_survives_json_and_is_not_learned_anew():
    people = records({f"a:{i}": {"birth_date": day} for i, day in enumerate(["13/01/1980", "02/03/1980"])})
    _, frozen = encode(people)
    again = Frozen.from_dict(json.loads(json.dumps(frozen.to_dict())))
    assert again == frozen
    later = records({"b:1": {"birth_date": "12/31/1980"}, "b:2": {"birth_date": "02/03/1980"}})
    found, same = encode(later, frozen=again)
    assert same is again
    assert found.texts(found.columns["birth_date"]).to_pylist() == ["19801231", "19800302"]


def test_placeholder_dates_are_junk_only_where_they_are_too_frequent():
    days = ["1900-01-01"] * 20 + [f"19{i}-05-05" for i in range(50, 60)]
    found, frozen = encode(records({f"a:{i:02d}": {"birth_date": day} for i, day in enumerate(days)}))
    assert frozen.dates["birth_date"].placeholders == ("19000101",)
    assert (found.columns["birth_date"].codes < 0).sum() == 20
    few, _ = encode(records({"a:1": {"birth_date": "1900-01-01"}}))
    assert few.texts(few.columns["birth_date"]).to_pylist() == ["19000101"]


def test_codes_of_the_state_stay_when_a_batch_is_appended():
    state, frozen = encode(*dirty_people(1, 200))
    batch, _ = encode(*dirty_people(2, 50, prefix="z"), frozen=frozen)
    both = append(state, batch)
    assert len(both) == 250
    for name, column in state.columns.items():
        assert np.array_equal(both.columns[name].codes[:200], column.codes)
        size = len(state.spaces[column.space])
        assert both.spaces[column.space].texts.slice(0, size).equals(state.spaces[column.space].texts)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (pa.table({"city": ["York"]}), "no column record_key"),
        (pa.table({"record_key": ["a", None]}), "empty in 1 of 2"),
        (pa.table({"record_key": ["a", "b", "a"]}), "3 records, 2 different keys"),
    ],
)
def test_wrong_keys_are_refused(people, message):
    with pytest.raises(UsageError, match=message):
        encode(people)


def test_identifiers_of_unknown_records_are_refused():
    rows = identifiers([("a:1", "email", "a@x.org"), ("b:9", "email", "a@x.org")])
    with pytest.raises(UsageError, match="1 identifiers name a record_key that no record has"):
        encode(records({"a:1": {"city": "York"}}), rows)


def test_no_records_are_encoded_too():
    found, _ = encode(pa.table({"record_key": pa.array([], pa.string()), "city": pa.array([], pa.string())}))
    assert (len(found), found.columns, found.placeholders) == (0, {}, {})
