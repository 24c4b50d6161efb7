"""Building a release's file from event files and identity: what goes in comes out, in any order."""

from __future__ import annotations

import itertools
import multiprocessing
import resource
import signal
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp import duck
from cdp.errors import CdpError, CorruptError, RunFailedError
from cdp.schemas import HELD_BACK
from tests.warehouse_tools import (
    NOW,
    built,
    day,
    edge,
    event,
    identifier,
    one,
    order,
    rows,
    table,
    value,
    world,
)
from warehouse.build import build
from warehouse.compare import equal
from warehouse.inputs import REDIRECTS, SUPERSEDED
from warehouse.release import Resources
from warehouse.verify import INVARIANTS, verify


def line(event_id, amount, **fields):
    """A partial fold of an order: as standardising writes it per file."""
    given = {"line_count": 2, "properties": f'{{"lines":[{{"amount":{amount or "null"}}}]}}'}
    return order(event_id, amount, **{**given, **fields})


class TestEvents:
    def test_every_event_is_in_the_history_or_unattributed(self, tmp_path):
        files = [[event("1"), event("2", None)], [event("3"), event("4", None, source="mail")]]
        with built(world(tmp_path / "in", files, {"web:1": "C1"}), tmp_path / "out") as release:
            assert [
                r["event_id"] for r in rows(release, "SELECT event_id FROM contact_history ORDER BY 1")
            ] == ["1", "3"]
            assert [r["event_id"] for r in rows(release, "SELECT event_id FROM unattributed ORDER BY 1")] == [
                "2",
                "4",
            ]
            assert one(release, "SELECT count(*) AS n FROM all_events")["n"] == 4

    def test_superseded_envelopes_do_not_count(self, tmp_path):
        files = [[event("1", raw_row=0), event("2", raw_row=1)], [event("1", raw_row=0, subject="revised")]]
        gone = table(SUPERSEDED, [{"file_id": 0, "raw_row": 0}])
        inputs = world(tmp_path / "in", files, {"web:1": "C1"}, superseded=gone)
        with built(inputs, tmp_path / "out") as release:
            got = rows(release, "SELECT event_id, subject FROM contact_history ORDER BY event_id")
        assert [tuple(r.values()) for r in got] == [("1", "revised"), ("2", None)]

    def test_the_history_is_stored_in_the_order_in_which_it_is_read(self, tmp_path):
        events = [event(f"{n}", f"web:{n % 3}", at=7 * n % 11) for n in range(30)]
        inputs = world(tmp_path / "in", [events], {f"web:{n}": "C1" if n else "C2" for n in range(3)})
        with built(inputs, tmp_path / "out") as release:
            got = rows(release, "SELECT record_no, occurred_at FROM record_events")
            keys = [(r["record_no"], r["occurred_at"]) for r in got]
            assert keys == sorted(keys)
            numbers = rows(release, "SELECT record_no, customer_id FROM customer_records ORDER BY record_no")
        assert [r["customer_id"] for r in numbers] == ["C1", "C1", "C2"]

    def test_no_events_at_all_is_a_release_too(self, tmp_path):
        inputs = world(tmp_path / "in", [], {"crm:1": "C1"})
        with built(replace(inputs, event_files=()), tmp_path / "out") as release:
            got = one(release, "SELECT event_count, channels, source_count FROM customers")
        assert tuple(got.values()) == (0, [], 1)

    def test_a_missing_events_file_is_named(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"})
        inputs.event_files[0].unlink()
        with pytest.raises(CorruptError, match=r"events-0\.parquet"):
            build(inputs, tmp_path, now=NOW)

    def test_identity_tables_may_be_files_with_more_columns(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1", "web:2": "C1"})
        levels = [[{"comparison": "name", "level": "same", "weight": 4.0}]]
        wide = pa.table(
            {
                "left_record": ["web:2"],
                "right_record": ["web:1"],
                "kind": ["probabilistic"],
                "match_weight": [4],
                "levels": levels,
                "extra": [1],
            }
        )
        pq.write_table(wide, tmp_path / "evidence.parquet")
        with built(replace(inputs, evidence=tmp_path / "evidence.parquet"), tmp_path / "out") as release:
            columns = "left_record, right_record, match_weight, match_probability, levels"
            got = one(release, f"SELECT {columns} FROM match_evidence")
        assert tuple(got.values()) == (
            "web:1",
            "web:2",
            4.0,
            None,
            '[{"comparison":"name","level":"same","weight":4.0}]',
        )

    def test_what_was_held_back_is_served_with_what_it_is(self, tmp_path):
        held = [
            {"what": "record", "type": "record", "value": "web:1", "reason": "equal records", "records": 900},
            {"what": "identifier", "type": "email", "value": "a@b.c", "reason": "many names", "records": 31},
        ]
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"}, held_back=table(HELD_BACK, held))
        with built(inputs, tmp_path / "out") as release:
            rows = release.sql(
                "SELECT what, type, value, reason, records FROM held_back_identifiers"
            ).fetchall()
        assert sorted(rows) == sorted(tuple(one.values()) for one in held)

    def test_a_table_that_lacks_a_column_is_refused(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"})
        with pytest.raises(CorruptError, match="attributions has no column 'attribute'"):
            build(replace(inputs, attributions=pa.table({"record_key": ["web:1"]})), tmp_path, now=NOW)


class TestFolds:
    def fold(self, folder: Path, files, **more):
        inputs = world(folder / "in", files, {"shop:1": "C1"}, grouped_sources=frozenset({"shop"}), **more)
        with built(inputs, folder / "out") as release:
            return one(release, "SELECT * FROM all_events")

    def test_lines_of_one_order_from_two_files_become_one_event(self, tmp_path):
        files = [
            [
                line(
                    "536365",
                    "10.5",
                    at=2,
                    subject="later",
                    agent="kim",
                    identifiers=[{"type": "email", "value": "a"}],
                )
            ],
            [line("536365", "4", at=1, subject="first", line_count=3)],
        ]
        got = self.fold(tmp_path, files)
        assert (got["amount"], got["line_count"], got["occurred_at"]) == (Decimal("14.5"), 5, day(1))
        assert (got["subject"], got["agent"]) == ("first", "kim")
        assert got["properties"] == '{"lines":[{"amount":10.5},{"amount":4}]}'
        assert [i["value"] for i in got["identifiers"]] == ["a"]

    def test_the_customer_may_be_known_in_one_file_only(self, tmp_path):
        got = self.fold(
            tmp_path, [[line("1", "1", record_key=None, source="shop", at=0)], [line("1", "2", at=1)]]
        )
        assert (got["record_key"], got["amount"]) == ("shop:1", Decimal(3))

    def test_lines_of_several_currencies_have_no_sum(self, tmp_path):
        got = self.fold(tmp_path, [[line("1", "1", currency="EUR")], [line("1", "2", currency="GBP")]])
        assert (got["amount"], got["currency"]) == (None, None)

    def test_a_part_that_mixed_currencies_makes_the_whole_mixed(self, tmp_path):
        got = self.fold(tmp_path, [[line("1", None, currency=None)], [line("1", "2")]])
        assert (got["amount"], got["currency"]) == (None, None)

    def test_other_sources_are_not_folded(self, tmp_path):
        files = [[event("1", at=1)], [event("1", at=2)]]
        inputs = world(tmp_path / "in", files, {"web:1": "C1"}, grouped_sources=frozenset({"shop"}))
        with built(inputs, tmp_path / "out") as release:
            assert one(release, "SELECT count(*) AS n FROM contact_history")["n"] == 2

    def test_a_superseded_part_is_not_folded_in(self, tmp_path):
        gone = table(SUPERSEDED, [{"file_id": 1, "raw_row": 0}])
        got = self.fold(tmp_path, [[line("1", "1")], [line("1", "2")]], superseded=gone)
        assert got["amount"] == Decimal(1)

    def test_the_report_counts_what_was_folded_and_left_out(self, tmp_path):
        files = [[line("1", "1"), line("2", "1", raw_row=1)], [line("1", "2")]]
        gone = table(SUPERSEDED, [{"file_id": 0, "raw_row": 1}])
        inputs = world(
            tmp_path / "in", files, {"shop:1": "C1"}, grouped_sources=frozenset({"shop"}), superseded=gone
        )
        report = build(inputs, tmp_path, now=NOW)
        assert (report.input_rows, report.superseded, report.folded, report.events) == (3, 1, 1, 1)

    def test_parts_that_differ_in_everything_fold_the_same_in_any_order(self, tmp_path):
        def part(name, amount):
            texts = ("subject", "reference", "campaign", "product", "agent", "department", "outcome", "brand")
            fields = {column: f"{column} {name}" for column in (*texts, "occurred_text", "time_flag")}
            return line(
                "1",
                amount,
                identifiers=[{"type": "handle", "namespace": name, "value": name}],
                latitude=float(amount),
                longitude=float(amount),
                self_service=name == "a",
                duration_seconds=float(amount),
                consent_state=name,
                consent_purpose=name,
                **fields,
            )

        parts = [part("b", "2"), part("a", "3"), part("c", "1")]
        found = []
        for number, order_of_files in enumerate(itertools.permutations(parts)):
            inputs = world(
                tmp_path / f"{number}",
                [[row] for row in order_of_files],
                {"shop:1": "C1"},
                grouped_sources=frozenset({"shop"}),
            )
            with built(inputs, tmp_path / f"{number}-out") as release:
                found.append(one(release, "SELECT * EXCLUDE (file_id) FROM contact_history"))
        assert all(row == found[0] for row in found)
        assert (found[0]["amount"], found[0]["line_count"]) == (Decimal(6), 6)


def test_ties_are_settled_by_content_and_never_by_the_order_of_files(tmp_path):
    """Everything happens at one moment: positions, words of consent, tickets, orders of two sources."""
    parts = [
        event("1", "web:1", latitude=1.0, longitude=2.0),
        event(
            "2", "web:1", latitude=3.0, longitude=4.0, consent_state="granted", consent_purpose="marketing"
        ),
        event("3", "app:1", consent_state="granted", consent_purpose="marketing", event_type="identified"),
        event("4", "help:1", event_type="ticket_opened", reference="T"),
        event("5", "help:1", event_type="ticket_solved", reference="T"),
        order("6", "10", "web:1", reference="R", channel="web"),
        order("7", "11", "app:1", reference="R", channel="web"),
    ]
    id_map = dict.fromkeys(("web:1", "app:1", "help:1"), "C1")
    for number, files in enumerate((parts, parts[::-1], parts[3:] + parts[:3])):
        inputs = world(tmp_path / f"{number}-in", [[row] for row in files], id_map)
        with built(inputs, tmp_path / f"{number}"):
            assert equal(tmp_path / "0/cdp.duckdb", tmp_path / f"{number}/cdp.duckdb") == []


class TestRedirects:
    def test_chains_of_retired_ids_lead_to_the_living_one(self, tmp_path):
        moves = [("C1", "C2"), ("C2", "C3"), ("C3", "C4"), ("C9", "C4")]
        redirects = table(REDIRECTS, [{"previous_customer_id": a, "customer_id": b} for a, b in moves])
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C4"}, redirects=redirects)
        with built(inputs, tmp_path / "out") as release:
            got = rows(release, "SELECT * FROM customer_redirects")
        assert [tuple(r.values()) for r in got] == [("C1", "C4"), ("C2", "C4"), ("C3", "C4"), ("C9", "C4")]


def broken(folder, **changes):
    """Build inputs that break a promise, and verify the result."""
    inputs = world(folder / "in", [[event("1")]], {"web:1": "C1", "web:2": "C1"})
    report = build(replace(inputs, **changes), folder, now=NOW)
    with duck.connect(report.path, read_only=True) as connection:
        verify(connection, report)


class TestVerify:
    def test_a_sound_release_passes(self, tmp_path):
        broken(tmp_path)

    @pytest.mark.parametrize(
        ("name", "rows_given", "message"),
        [
            (
                "redirects",
                [{"previous_customer_id": "C8", "customer_id": "C9"}],
                "every redirect leads to a customer",
            ),
            (
                "redirects",
                [{"previous_customer_id": "C1", "customer_id": "C1"}],
                "no living customer is redirected",
            ),
            (
                "attributions",
                [value("web:1", "city", "Leeds"), value("web:2", "city", "York")],
                "every golden value is there once",
            ),
            ("evidence", [edge("web:1", "web:1")], "evidence joins different records"),
        ],
    )
    def test_a_broken_promise_is_named(self, tmp_path, name, rows_given, message):
        schema = getattr(world(tmp_path / "x", [], {}), name).schema
        with pytest.raises(RunFailedError, match=message):
            broken(tmp_path, **{name: table(schema, rows_given)})

    def test_an_event_of_an_unknown_record_is_noticed(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1"), event("2", "web:lost")]], {"web:1": "C1"})
        report = build(inputs, tmp_path, now=NOW)
        with (
            duck.connect(report.path, read_only=True) as connection,
            pytest.raises(RunFailedError, match="2 events came in, 1 are in"),
        ):
            verify(connection, report)

    def test_a_record_of_two_customers_does_not_even_build_and_is_not_named(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"})
        twice = pa.table({"record_key": ["web:1", "web:1"], "customer_id": ["C1", "C2"]})
        with pytest.raises(RunFailedError, match="in it twice") as failed:
            build(replace(inputs, id_map=twice), tmp_path, now=NOW)
        assert "web:1" not in str(failed.value)

    def test_every_invariant_is_a_count_of_what_breaks_it(self, tmp_path):
        inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"})
        with built(inputs, tmp_path / "out") as release:
            for query in INVARIANTS.values():
                assert rows(release, query)[0].popitem()[1] == 0


def test_memory_limit_is_kept_by_spilling_and_nothing_is_left_behind(tmp_path):
    events = [event(f"{n}", f"web:{n % 500}", at=n % 97, properties="x" * 400) for n in range(20_000)]
    inputs = world(tmp_path / "in", [events], {f"web:{n}": f"C{n}" for n in range(500)})
    out = tmp_path / "out"
    out.mkdir()
    report = build(inputs, out, now=NOW, resources=Resources(threads=1, memory_limit="60MB"))
    assert report.events == 20_000
    assert [path.name for path in out.iterdir()] == ["cdp.duckdb"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,currency,rate\n2025-01-01,EUR,much\n", "rates.csv cannot be read"),
        ("a,b\n1,2\n", "no column 'date'"),
    ],
)
def test_a_rates_file_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / "rates.csv").write_text(text, encoding="utf-8")
    inputs = world(tmp_path / "in", [[event("1")]], {"web:1": "C1"}, rates=tmp_path / "rates.csv")
    with pytest.raises(CdpError, match=message):
        build(inputs, tmp_path, now=NOW)


def _build_on_a_small_disk(inputs, out, answers):
    """No file may grow beyond 500 kB: what a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
    try:
        build(inputs, out, now=NOW)
    except RunFailedError as error:
        answers.put(str(error))


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_like_a_release(tmp_path):
    inputs = world(
        tmp_path / "in", [[event(f"{n}", subject=f"{n}" * 20) for n in range(20_000)]], {"web:1": "C1"}
    )
    out = tmp_path / "out"
    out.mkdir()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_build_on_a_small_disk, args=(inputs, out, answers))
    process.start()
    told = answers.get(timeout=60)
    process.join(60)
    assert "could not be built" in told
    assert "disk space" in told
    assert not (out / "spill").exists()


def test_an_equal_release_is_equal_whatever_its_ids_and_times_of_landing(tmp_path):
    events = [event("1", at=1), event("2", at=NOW, time_flag="missing"), order("3", "10")]
    later = [
        {
            **row,
            "received_at": day(900),
            "occurred_at": day(900) if row.get("time_flag") else row["occurred_at"],
        }
        for row in events
    ]
    names = {
        "values": [value("web:1", "city", "Leeds")],
        "identifiers": [identifier("web:1", "email", "a@b.example")],
    }
    one_build = world(tmp_path / "a", [events], {"web:1": "C1", "shop:1": "C1"}, **names)
    other = world(tmp_path / "b", [later[2:], later[:2]], {"web:1": "C7", "shop:1": "C7"}, **names)
    with built(one_build, tmp_path / "one"), built(other, tmp_path / "other"):
        assert equal(tmp_path / "one/cdp.duckdb", tmp_path / "other/cdp.duckdb") == []


@pytest.mark.parametrize(
    ("changed", "table_name", "column"),
    [
        ({"id_map": {"web:1": "C1", "shop:1": "C2"}}, "customers", "record_count"),
        ({"events": [event("1", at=1), order("3", "11")]}, "contact_history", "amount"),
        ({"events": [event("1", at=1)]}, "contact_history", "event_id"),
        ({"events": [event("1", at=1), order("3", "10"), order("3", "10")]}, "contact_history", "event_id"),
        ({"city": "York"}, "customer_attributions", "value"),
    ],
)
def test_a_difference_between_releases_is_named_without_its_value(tmp_path, changed, table_name, column):
    def make(name, *, events=None, id_map=None, city="Leeds"):
        inputs = world(
            tmp_path / name / "in",
            [events or [event("1", at=1), order("3", "10")]],
            id_map or {"web:1": "C1", "shop:1": "C1"},
            values=[value("web:1", "city", city)],
        )
        with built(inputs, tmp_path / name):
            return tmp_path / name / "cdp.duckdb"

    found = equal(make("one"), make("other", **changed))
    (told,) = [text for text in found if text.startswith(f"{table_name}:")]
    assert column in told
    assert "York" not in "".join(found)
