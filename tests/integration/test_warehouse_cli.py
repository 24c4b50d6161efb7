"""`cdp sql`, `profile`, `explain` and `export` as a person types them."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from cdp.cli.main import run
from cdp.lake import Lake
from tests.warehouse_tools import (
    edge,
    event,
    identifier,
    order,
    publish_into,
    table,
    value,
    world,
)
from warehouse.inputs import REDIRECTS

COLD = [sys.executable, "-c", "from cdp.cli.main import main; main()"]
ROOT = Path(__file__).parents[2]
CONFIG = """\
version: 1
workspace: {name: shop, region: GB, currency: GBP}
exports: {ads: {dataset: customers, format: csv, purpose: marketing}}
"""
ESCAPE = "\x1b[2J"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    events = [
        event("1", "web:1", at=1, subject=f"Home {ESCAPE}[bold]page[/bold]", direction="inbound"),
        order("2", "1234.5", "shop:1", at=2, reference="R1"),
        event(
            "3",
            "crm:1",
            at=3,
            channel="crm",
            event_type="consent_changed",
            consent_state="granted",
            consent_purpose="marketing",
        ),
        event("4", "crm:2", at=1),
        event("5", "crm:3", at=1),
    ]
    inputs = world(
        folder / "in",
        [events],
        {
            "web:1": "C00000001",
            "shop:1": "C00000001",
            "crm:1": "C00000001",
            "crm:2": "C00000002",
            "crm:3": "C00000003",
        },
        identifiers=[
            identifier("web:1", "email", "ann@example.com"),
            identifier("crm:1", "email", "ann@example.com"),
            identifier("crm:1", "phone", "+442079460018"),
        ],
        values=[
            value("crm:1", "full_name", "Ann Smith"),
            value("crm:1", "city", "[red]Leeds"),
            value("crm:2", "full_name", "Bo Li"),
            value("crm:3", "full_name", "Bo Li"),
        ],
        evidence=[
            edge(
                "crm:1",
                "web:1",
                9.5,
                kind="deterministic",
                reason="same e-mail",
                levels=[
                    {"comparison": "e-mail", "level": "same", "weight": 12.0},
                    {"comparison": "prior", "level": "", "weight": -2.5},
                ],
            ),
            edge("crm:1", "shop:1", 3.25, reason="same name and city"),
        ],
        redirects=table(REDIRECTS, [{"previous_customer_id": "C00000009", "customer_id": "C00000001"}]),
    )
    lake = Lake(folder / "ws")
    publish_into(lake, inputs)
    (lake.root / "cdp.yaml").write_text(CONFIG, encoding="utf-8")
    return lake.root


@pytest.fixture
def cdp(workspace, capfdbinary):
    """Run a command line; return exit status, stdout, stderr."""

    def call(*arguments):
        status = run([arguments[0], "-w", str(workspace), *arguments[1:]])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return call


class TestSql:
    def test_a_table_for_the_eye(self, cdp):
        status, out, err = cdp(
            "sql", "SELECT customer_id, revenue, channels FROM customers ORDER BY 1 LIMIT 1"
        )
        assert (status, err) == (0, "(1 row)\n")
        assert out.splitlines() == [
            "customer_id  revenue  channels",
            "-----------  -------  ------------------------",
            'C00000001     1234.5  ["crm", "orders", "web"]',
        ]

    def test_data_cannot_command_the_terminal(self, cdp):
        _, out, _ = cdp("sql", "SELECT subject FROM contact_history WHERE subject IS NOT NULL")
        assert "\x1b" not in out
        assert "[bold]page[/bold]" in out

    @pytest.mark.parametrize("chosen", ["csv", "json", "jsonl"])
    def test_formats_for_programs(self, cdp, chosen):
        status, out, _ = cdp("sql", "SELECT customer_id FROM customers ORDER BY 1", "--format", chosen)
        if chosen == "csv":
            found = [row["customer_id"] for row in csv.DictReader(io.StringIO(out))]
        elif chosen == "json":
            found = [row["customer_id"] for row in json.loads(out)]
        else:
            found = [json.loads(line)["customer_id"] for line in out.splitlines()]
        assert (status, found) == (0, ["C00000001", "C00000002", "C00000003"])

    def test_output_to_a_file_takes_its_format_from_the_ending(self, cdp, tmp_path):
        path = tmp_path / "out.parquet"
        assert cdp("sql", "SELECT 42 AS answer", "--output", str(path))[0] == 0
        with duckdb.connect() as connection:
            assert connection.execute(f"SELECT answer FROM '{path}'").fetchall() == [(42,)]

    def test_a_long_table_says_that_there_is_more(self, cdp):
        _, out, err = cdp("sql", "SELECT * FROM range(500)", "--rows", "3")
        assert (len(out.splitlines()), err) == (5, "(first 3 rows; --rows N shows more)\n")

    @pytest.mark.parametrize(
        ("query", "status", "message"),
        [
            ("SELECT emial FROM customers", 2, 'Candidate bindings: "email"'),
            ("SELECT 1; SELECT 2", 2, "Exactly one query"),
            ("DELETE FROM customers", 2, "Only SELECT reads"),
            ("SELECT error('boom')", 1, "boom"),
        ],
    )
    def test_errors_have_a_status_and_a_reason(self, cdp, query, status, message):
        got, out, err = cdp("sql", query)
        assert (got, out) == (status, "")
        assert message in err

    def test_a_query_that_takes_too_long_is_ended(self, cdp):
        status, _, err = cdp("sql", "SELECT pg_sleep(60)", "--timeout", "1")
        assert status == 1
        assert "took longer than 1 s" in err

    def test_appending_to_a_file_appends(self, workspace, tmp_path):
        path = tmp_path / "out.csv"
        path.write_text("before\n", encoding="utf-8")
        with path.open("ab") as out:
            subprocess.run(
                [*COLD, "sql", "SELECT 1 AS x", "--format", "csv"],
                stdout=out,
                env={**os.environ, "CDP_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
                check=True,
            )
        assert path.read_text(encoding="utf-8") == "before\nx\n1\n"


class TestProfile:
    @pytest.mark.parametrize(
        "identifier", ["ANN@example.com", "020 7946 0018", "C00000009", "web:1", "ann smith"]
    )
    def test_one_page_for_any_identifier(self, cdp, identifier):
        status, out, _ = cdp("profile", identifier)
        assert status == 0
        for text in (
            "Ann Smith",
            "C00000001",
            "1 order",
            "1,234.50 GBP",
            "order placed",
            "R1",
            "same name and city",
        ):
            assert text in out, text
        assert "granted" in out
        assert "\x1b" not in out
        assert "[red]Leeds" in out, "data are no markup"

    def test_json_holds_the_same(self, cdp):
        status, out, _ = cdp("profile", "ann@example.com", "--format", "json", "--history", "1")
        told = json.loads(out)
        assert (status, told["customer_id"], len(told["contacts"])) == (0, "C00000001", 1)
        assert told["former_ids"] == ["C00000009"]

    def test_several_candidates_are_listed(self, cdp):
        status, out, _ = cdp("profile", "bo li")
        assert status == 0
        assert "C00000002" in out
        assert "C00000003" in out

    def test_nobody_found_names_what_is_near(self, cdp):
        status, out, err = cdp("profile", "ann@exampel.com")
        assert (status, out) == (1, "")
        assert "ann@example.com" in err

    def test_a_workspace_without_a_release_says_what_to_do(self, tmp_path, capsys):
        assert run(["profile", "-w", str(tmp_path), "x"]) == 1
        assert "cdp run" in capsys.readouterr().err


class TestExplain:
    def test_one_person(self, cdp):
        status, out, _ = cdp("explain", "web:1", "shop:1")
        assert status == 0
        assert "are one person: C00000001" in out
        assert "Weakest link: crm:1 ↔ shop:1 (match weight +3.2" in out
        bars = [line.split() for line in out.splitlines() if "█" in line or "▒" in line]
        assert [bar[0] for bar in bars] == ["prior", "e-mail:"]
        assert [bar[-2:] for bar in bars] == [["-2.5", "-2.5"], ["+12.0", "+9.5"]]
        assert "Without this link they are two people" in out

    def test_two_people(self, cdp):
        status, out, _ = cdp("explain", "C00000002", "C00000003")
        assert status == 0
        assert "are two people" in out
        assert "full name Bo Li" in out

    def test_json(self, cdp):
        told = json.loads(cdp("explain", "web:1", "shop:1", "--format", "json")[1])
        assert told["same_customer"]
        assert told["weakest"]["match_weight"] == 3.25
        assert [level["weight"] for level in told["path"][0]["levels"]] == [12.0, -2.5]


class TestExport:
    def test_a_configured_export_and_a_dataset(self, cdp, workspace):
        status, out, _ = cdp("export", "ads")
        assert status == 0
        assert "ads: 1 rows" in out
        status, out, _ = cdp("export", "id_map", "--format", "jsonl")
        assert status == 0
        assert "5 insert" in out
        assert (workspace / "exports/id_map/LATEST").is_file()
        assert "was there already" in cdp("export", "ads")[1]

    def test_exports_are_listed(self, cdp):
        out = cdp("export", "--list")[1]
        assert "ads: customers as csv, who consented to marketing" in out

    @pytest.mark.parametrize(
        ("arguments", "message"), [(["cutomers"], "Did you mean 'customers'"), ([], "Name an export")]
    )
    def test_wrong_use_is_told(self, cdp, arguments, message):
        status, _, err = cdp("export", *arguments)
        assert status == 2
        assert message in err


@pytest.mark.serial
@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [(["profile", "ann@example.com"], 1.0), (["profile", "020 7946 0018"], 1.0), (["sql", "SELECT 1"], 1.5)],
)
def test_a_cold_command_is_quick(workspace, arguments, seconds):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*COLD, *arguments],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "CDP_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < seconds
