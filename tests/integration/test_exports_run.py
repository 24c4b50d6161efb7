"""Exports in runs and on the command line: each run, by hand, by cron; a destination that fails stops nothing else."""

from __future__ import annotations

import json

import pytest

from cdp.cli import main
from cdp.errors import RunFailedError
from cdp.ledger import Ledger
from cdp.settings import load
from pipelines import runner
from tests.receiver_tools import Reply, receiving
from warehouse.audiences import shares

CONFIG = """
version: 1
workspace: {name: shop, region: GB, timezone: Europe/London}
sources:
  crm:
    connector: files
    path: "people.csv"
    event: {type: contact_updated, id: id, time: at}
    identifiers: {email: mail}
    traits: {full_name: name}
exports:
  plain: {format: csv, purpose: internal}
  told:
    purpose: internal
    columns: [full_name]
    destination: {url: "URL", private_addresses: true, attempts: 1}
  weekly: {format: csv, purpose: internal, schedule: "0 6 * * 1"}
  by-hand: {formats: [csv, jsonl], purpose: marketing, schedule: manual}
"""
PEOPLE = """id,at,mail,name
1,2026-01-01T00:00:00Z,ann@mail.example,Ann Lee
2,2026-01-02T00:00:00Z,bo@mail.example,Bo Ek
"""


@pytest.fixture
def down():
    """What the destination answers: 503 while it is true."""
    return [True]


@pytest.fixture
def server(down):
    with receiving(lambda *_: Reply(503) if down[0] else None) as found:
        yield found


@pytest.fixture
def shop(tmp_path, server):
    (tmp_path / "cdp.yaml").write_text(CONFIG.replace("URL", server.url), encoding="utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return tmp_path


def run(shop):
    return runner.run(shop, load(shop), engine="plain")


@pytest.fixture
def call(shop, capsys):
    def called(*arguments):
        capsys.readouterr()
        status = main.run(["export", "-w", str(shop), *arguments])
        found = capsys.readouterr()
        return status, found.out, found.err

    return called


def test_runs_write_what_is_due_and_go_on_with_what_failed(shop, server, down):
    with pytest.raises(RunFailedError, match="told: it answered with status 503, 1 times"):
        run(shop)
    assert (shop / "exports" / "plain" / "LATEST").is_file()
    assert not (shop / "exports" / "weekly").exists()
    assert not (shop / "exports" / "by-hand").exists()
    down[0] = False
    report = run(shop)
    assert not report.nothing_new
    assert sorted(row["full_name"] for row in server.audience.values()) == ["Ann Lee", "Bo Ek"]
    assert run(shop).nothing_new
    asked = len(server.requests)
    assert run(shop).nothing_new
    assert len(server.requests) == asked
    with Ledger(shop / "ledger.sqlite") as ledger:
        log = [(one.name, one.kind, one.rows, one.complete) for one in reversed(shares.read(ledger))]
    assert log == [("plain", "files", 2, True), ("told", "http", 0, False), ("told", "http", 2, True)]


def test_an_export_that_fails_in_its_own_way_stops_no_other(shop, server, down):
    down[0] = False
    text = (shop / "cdp.yaml").read_text(encoding="utf-8")
    broken = 'aaa: {purpose: internal, destination: {url: "https://a..b.example/in"}}'
    (shop / "cdp.yaml").write_text(text.replace("exports:\n", f"exports:\n  {broken}\n"), encoding="utf-8")
    with pytest.raises(RunFailedError, match="aaa: The destination's url"):
        run(shop)
    assert (shop / "exports" / "plain" / "LATEST").is_file()
    assert len(server.audience) == 2


def test_on_demand_whatever_the_schedule(shop, server, down, call):
    down[0] = False
    run(shop)
    status, text, _ = call("by-hand")
    assert (status, "0 rows" in text) == (0, True)
    assert call("weekly")[0] == 0
    status, text, _ = call("--json", "--caller=ann", "told")
    assert status == 0
    assert json.loads(text) | {"release": ""} == {
        "name": "told", "release": "", "rows": 2, "added": 0, "changed": 0, "removed": 0, "rejected": 0,
        "problem": None, "repeated": True,
    }  # fmt: skip
    status, text, _ = call("told", "--withdraw")
    assert (status, "2 removed" in text, server.audience) == (0, True, {})
    down[0] = True
    status, text, complaint = call("told", "--retry-rejected")
    assert (status, "0 rows are there" in text, "Not complete" in complaint) == (1, True, True)
    _, text, _ = call("--log", "told")
    assert [line.split(" ")[1] for line in text.splitlines()] == ["told", "told", "told"]
    assert "not complete: it answered with status 503, 1 times" in text.splitlines()[0]
    _, text, _ = call("--list")
    assert "told: customers over HTTP" in text
    assert "weekly: customers as csv; at 0 6 * * 1" in text


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (("--json", "weekly"), "NotFoundError", "no release"),
        (("--json", "told"), "NotFoundError", "no release"),
    ],
)
def test_errors_are_told_as_json_to_programs(call, arguments, kind, says):
    status, text, _ = call(*arguments)
    assert status == 1
    told = json.loads(text)
    assert told["error"] == kind
    assert says in told["message"]


def test_dagster_has_a_job_and_a_schedule_of_exports_with_a_time(shop, monkeypatch, down):
    import dagster as dg

    from pipelines import graph
    from pipelines.workspace import ENVIRONMENT

    down[0] = False
    run(shop)
    monkeypatch.setenv(ENVIRONMENT, str(shop))
    graph.settings_of.cache_clear()
    found = dg.Definitions.merge(graph.asset_definitions(), graph.automation_definitions())
    schedule = found.get_repository_def().get_schedule_def("export_weekly_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * 1", "Europe/London")
    with pytest.raises(dg.DagsterInvariantViolationError):
        found.get_repository_def().get_job("export_by__hand")
    with dg.DagsterInstance.ephemeral() as instance:
        result = found.get_repository_def().get_job("export_weekly").execute_in_process(instance=instance)
    assert result.success
    assert (shop / "exports" / "weekly" / "LATEST").is_file()
    graph.settings_of.cache_clear()
