"""The table dictionary is true: of the release, of the reference page, of the serving contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdp.schemas import EVENTS, TRAITS
from tests.warehouse_tools import built, event, one, rows, world
from warehouse.tables import reference_page, tables

ROOT = Path(__file__).parents[2]

# DESIGN 7.1, the columns that readers of contract version 1 rely on.
CONTRACT = {
    "customers": """customer_id is_anonymous full_name given_name surname email phone birth_date street city
        region postcode country latitude longitude company language first_seen_at last_seen_at source_count
        record_count event_count channels""",
    "customer_identifiers": "customer_id type namespace value source first_seen_at last_seen_at",
    "customer_records": "record_key source customer_id",
    "customer_redirects": "previous_customer_id customer_id",
    "customer_attributions": "customer_id attribute value source record_key observed_at rule",
    "contact_history": "customer_id record_key event_id source occurred_at channel direction event_type",
    "match_evidence": "customer_id left_record right_record kind match_weight reason",
    "id_changes": "changed_at change customer_id previous_customer_id run_id reason",
    "segments": "segment_id rule_version",
    "segment_members": "segment_id customer_id entered_release exited_release",
    "quality": "source check_name passed observed expected",
}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    with built(world(folder / "events", [[event("a")]], {"web:1": "C1"}), folder) as connection:
        yield connection


def test_reference_page_is_generated_from_the_dictionary():
    written = (ROOT / "docs/reference/tables.md").read_text(encoding="utf-8")
    assert written == reference_page(), (
        "write it again: python -m warehouse.tables > docs/reference/tables.md"
    )


@pytest.mark.parametrize("name", CONTRACT)
def test_contract_columns_are_served(name):
    served = {column.name for column in tables()[name].columns}
    assert set(CONTRACT[name].split()) <= served


def test_release_has_the_tables_columns_types_and_comments_of_the_dictionary(release):
    found = rows(
        release,
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = current_database() ORDER BY table_name, column_index",
    )
    served: dict[str, list[tuple[str, str, str]]] = {}
    for row in found:
        kind = row["data_type"].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replace('"', "")
        served.setdefault(row["table_name"], []).append((row["column_name"], kind, row["comment"]))
    told = {
        name: [(column.name, column.type, column.comment) for column in table.columns]
        for name, table in tables().items()
    }
    assert served == told


def test_release_says_the_kind_and_comment_of_every_table(release):
    found = rows(
        release,
        "SELECT table_name AS name, 'table' AS kind, comment FROM duckdb_tables() "
        "UNION ALL SELECT view_name, 'view', comment FROM duckdb_views() WHERE NOT internal",
    )
    assert {(row["name"], row["kind"], row["comment"]) for row in found} == {
        (table.name, table.kind, table.comment) for table in tables().values()
    }


def test_dictionary_travels_with_the_release(release):
    row = one(
        release, "SELECT * FROM cdp_dictionary WHERE table_name = 'customers' AND column_name = 'email'"
    )
    assert (row["pii"], row["volatile"], row["type"]) == ("direct", False, "VARCHAR")
    count = one(release, "SELECT count(*) AS n FROM cdp_dictionary WHERE column_name IS NOT NULL")["n"]
    assert count == sum(len(table.columns) for table in tables().values())


def test_release_describes_itself(release):
    row = one(release, "SELECT * FROM cdp_release")
    assert (row["contract_version"], row["default_region"], row["base_currency"]) == (1, "GB", "GBP")


def test_segments_are_there_and_empty(release):
    assert (
        one(release, "SELECT (SELECT count(*) FROM segments) + (SELECT count(*) FROM segment_members) AS n")[
            "n"
        ]
        == 0
    )


@pytest.mark.parametrize("trait", TRAITS)
def test_every_trait_is_a_golden_value_and_as_personal_as_the_kernel_says(trait):
    by_name = {column.name: column for column in tables()["customers"].columns}
    assert by_name[trait].pii == TRAITS[trait]


def test_events_are_served_as_personal_as_their_schema_says():
    by_name = {column.name: column for column in tables()["contact_history"].columns}
    served = [field for field in EVENTS if field.name in by_name]
    assert {f.name for f in EVENTS} - {f.name for f in served} == {"traits"}
    for field in served:
        assert by_name[field.name].pii == field.metadata[b"pii"].decode()


def test_texts_of_the_dictionary_are_plain_sentences_without_repetition():
    for table in tables().values():
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names)), table.name
        for column in table.columns:
            assert re.fullmatch(r"\S.*\S", column.comment), (table.name, column.name)
            assert "|" not in column.comment, "a bar would break the table of the reference page"
