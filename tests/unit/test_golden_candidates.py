"""What survivorship chooses from: contacts in normal form, names whole."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp.schemas import RECORD_IDENTIFIERS, RECORD_VALUES
from pipelines import golden
from pipelines.records import RECORDS

EARLY, LATE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def chosen_from(tmp_path):
    """A function from records' traits and identifiers to the values that survivorship sees."""

    def build(records, identifiers=()):
        rows = [{"record_key": key, "source": "s", **traits} for key, _, traits in records]
        values = [
            {"record_key": key, "source": "s", "attribute": name, "value": value, "observed_at": at}
            for key, at, traits in records
            for name, value in traits.items()
        ]
        sightings = [
            {
                "record_key": key,
                "source": "s",
                "type": type_,
                "namespace": "",
                "value": value,
                "last_seen_at": at,
            }
            for key, type_, value, at in identifiers
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=RECORDS), tmp_path / "records.parquet")
        pq.write_table(pa.Table.from_pylist(values, schema=RECORD_VALUES), tmp_path / "values.parquet")
        pq.write_table(
            pa.Table.from_pylist(sightings, schema=RECORD_IDENTIFIERS), tmp_path / "identifiers.parquet"
        )
        clusters = pa.table(
            {"record_key": [row["record_key"] for row in rows], "cluster_id": ["c"] * len(rows)}
        )
        found = golden.candidates(tmp_path, clusters).to_pylist()
        return {(row["record_key"], row["attribute"], row["value"], row["observed_at"]) for row in found}

    return build


def test_email_and_phone_come_from_the_identifiers_in_normal_form(chosen_from):
    found = chosen_from(
        [("s:1", EARLY, {"email": "Jane@Shop.Example", "phone": "020 7946 0018"})],
        [("s:1", "email", "jane@shop.example", LATE), ("s:1", "phone", "+442079460018", LATE)],
    )
    assert found == {("s:1", "email", "jane@shop.example", LATE), ("s:1", "phone", "+442079460018", LATE)}


def test_a_trait_that_is_no_identifier_is_normalised_and_left_out_where_it_is_no_address(chosen_from):
    found = chosen_from(
        [
            ("s:1", EARLY, {"email": "Jane@Shop.Example", "phone": "+44 20 7946 0018"}),
            ("s:2", EARLY, {"email": "jane at shop", "phone": "07946"}),
        ]
    )
    assert found == {("s:1", "email", "jane@shop.example", EARLY), ("s:1", "phone", "+442079460018", EARLY)}


def test_a_full_name_is_made_of_its_parts_where_a_record_has_only_these(chosen_from):
    found = chosen_from([("s:1", EARLY, {"given_name": "Jane", "surname": "Doe"})])
    assert ("s:1", "full_name", "Jane Doe", EARLY) in found


def test_a_name_of_one_word_stands_only_where_there_is_no_other(chosen_from):
    whole, nick = ("s:1", EARLY, {"full_name": "Jane Doe"}), ("s:2", LATE, {"full_name": "janey"})
    assert chosen_from([whole, nick]) == {("s:1", "full_name", "Jane Doe", EARLY)}
    assert chosen_from([nick]) == {("s:2", "full_name", "janey", LATE)}
