"""Checks of events and of identity: what passes, what is quarantined, what stops a source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from cdp.schemas import EVENTS
from pipelines.checks.expectations import events_expectations
from pipelines.checks.gx import check_table
from pipelines.checks.model import CheckResult, Expectation, merge
from pipelines.checks.tables import IDENTITY_CHECKS, check_generation

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "source": "web",
    "file_id": 1,
    "line_count": 1,
    "record_key": "web:u1",
    "channel": "web",
    "event_type": "page_viewed",
    "occurred_at": MOMENT,
    "received_at": MOMENT,
}


def events(*changes: dict[str, Any]) -> pa.Table:
    """Return events that differ from a good one as told, each with an id of its own."""
    rows = [{**GOOD, "event_id": f"e{n}", "raw_row": n, **change} for n, change in enumerate(changes)]
    # Built without the schema's NOT NULL, so that a table can lack what it must have.
    loose = pa.schema([field.with_nullable(True) for field in EVENTS])
    return pa.Table.from_pylist(rows, schema=loose)


def failed(table: pa.Table) -> dict[str, CheckResult]:
    results = check_table(table, events_expectations("web"), source="web")
    return {result.check_name: result for result in results if not result.passed}


def test_good_events_pass_every_check() -> None:
    table = events({}, {"latitude": 51.5, "longitude": -0.1, "currency": "GBP", "duration_seconds": 0.0})
    results = check_table(table, events_expectations("web"), source="web")
    assert [result.check_name for result in results if not result.passed] == []
    assert len(results) == len(events_expectations("web"))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"event_type": "page_seen"}, "event_type_known"),
        ({"channel": "telepathy"}, "channel_known"),
        ({"direction": "sideways"}, "direction_known"),
        ({"consent_state": "maybe"}, "consent_state_known"),
        ({"latitude": 90.5}, "latitude_in_range"),
        ({"longitude": -181.0}, "longitude_in_range"),
        ({"duration_seconds": -1.0}, "duration_seconds_in_range"),
        ({"escalation_level": 12}, "escalation_level_in_range"),
        ({"currency": "gbp"}, "currency_known"),
    ],
)
def test_a_row_that_is_not_possible_is_pointed_at(change: dict[str, Any], check: str) -> None:
    found = failed(events({}, change, {}))
    assert list(found) == [check]
    assert (found[check].severity, found[check].failing, found[check].failed) == ("row", (1,), 1)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"event_id": None}, "event_id_present"),
        ({"occurred_at": None}, "occurred_at_present"),
        ({"source": "orders"}, "source_is_its_own"),
        ({"event_id": "e0", "raw_row": 0}, "events_unique"),
    ],
)
def test_what_every_stage_needs_blocks(change: dict[str, Any], check: str) -> None:
    found = failed(events({}, change))
    assert check in found
    assert found[check].blocks


def test_a_missing_column_blocks_and_is_named() -> None:
    found = failed(events({}).drop_columns(["occurred_at"]))
    assert found["occurred_at_present"].blocks
    assert found["occurred_at_present"].observed == "column missing: occurred_at"


def test_an_expectation_that_cannot_be_evaluated_is_no_pass() -> None:
    wrong = Expectation(
        "impossible",
        "warning",
        "expect_column_values_to_be_between",
        ("event_type",),
        {"column": "event_type", "min_value": 1, "max_value": 3},
    )
    (result,) = check_table(events({}), [wrong], source="web")
    assert not result.passed
    assert result.observed.startswith("could not be evaluated")


def test_warnings_look_at_shares_and_quarantine_nothing() -> None:
    found = failed(events(*({"time_flag": "future", "record_key": None} for _ in range(3))))
    assert set(found) == {"time_plausible", "events_attributed"}
    assert {(result.severity, result.failing) for result in found.values()} == {("warning", ())}


def test_results_of_several_groups_of_files_add_up() -> None:
    one = CheckResult("c", "row", passed=True, expected="x", rows=5, source="web")
    two = CheckResult("c", "row", passed=False, expected="x", rows=7, failed=2, source="web", failing=(1, 3))
    (both,) = merge([one, two])
    assert (both.passed, both.rows, both.failed, both.failing) == (False, 12, 2, ())


IDENTITY = {
    "records": {"record_key": ["a:1", "b:1"]},
    "clusters": {"record_key": ["a:1", "b:1"], "cluster_id": ["a:1", "a:1"]},
    "evidence": {"left_record": ["a:1"], "right_record": ["b:1"]},
    "id_map": {"record_key": ["a:1", "b:1"], "customer_id": ["C1", "C1"]},
}


def identity_failures(
    tmp_path: Any, ledger_ids: Any = None, redirects: Any = None, judged: Any = None, **tables: Any
) -> set[str]:
    import pyarrow.parquet as pq

    for name, columns in {**IDENTITY, **tables}.items():
        schema = pa.schema([(column, pa.string()) for column in columns])
        pq.write_table(pa.table(columns, schema=schema), tmp_path / f"{name}.parquet")
    text = pa.string()
    results = check_generation(
        tmp_path,
        pa.table(ledger_ids or tables.get("id_map") or IDENTITY["id_map"]),
        pa.table(
            redirects or {"previous_customer_id": [], "customer_id": []},
            schema=pa.schema([("previous_customer_id", text), ("customer_id", text)]),
        ),
        pa.table(
            judged or {"left_record": [], "right_record": [], "kind": []},
            schema=pa.schema([("left_record", text), ("right_record", text), ("kind", text)]),
        ),
    )
    assert len(results) == len(IDENTITY_CHECKS)
    return {result.check_name for result in results if not result.passed}


def test_a_sound_generation_passes(tmp_path: Any) -> None:
    assert identity_failures(tmp_path) == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"id_map": {"record_key": ["a:1"], "customer_id": ["C1"]}}, "records_have_one_customer"),
        ({"id_map": {"record_key": ["a:1", "b:1"], "customer_id": ["C1", "C2"]}}, "clusters_keep_one_id"),
        (
            {"ledger_ids": {"record_key": ["a:1", "b:1"], "customer_id": ["C1", "C9"]}},
            "ids_are_kept_in_the_ledger",
        ),
        ({"redirects": {"previous_customer_id": ["C1"], "customer_id": ["C7"]}}, "retired_ids_stay_retired"),
        ({"evidence": {"left_record": ["a:1"], "right_record": ["x:9"]}}, "evidence_joins_records"),
        ({"evidence": {"left_record": [], "right_record": []}}, "joined_records_have_evidence"),
        (
            {"judged": {"left_record": ["a:1"], "right_record": ["b:1"], "kind": ["cannot_link"]}},
            "cannot_links_are_kept",
        ),
    ],
)
def test_each_check_of_identity_can_fail(tmp_path: Any, change: dict[str, Any], check: str) -> None:
    assert check in identity_failures(tmp_path, **change)


def test_the_newest_judgement_of_a_pair_counts(tmp_path: Any) -> None:
    judged = {
        "left_record": ["a:1", "a:1"],
        "right_record": ["b:1", "b:1"],
        "kind": ["cannot_link", "must_link"],
    }
    assert identity_failures(tmp_path, judged=judged) == set()
