"""Whole runs on a tiny shop: what they do, what they leave alone, and how they fail."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cdp import lock
from cdp.errors import CorruptError, LockedError, RunFailedError, UsageError
from cdp.lake import Lake
from cdp.ledger import Ledger
from connectors import outcomes
from pipelines import overview, quarantine
from pipelines.checks.model import CheckResult
from pipelines.report import RunReport
from pipelines.session import open_session
from pipelines.stages import land, standardise
from tests.pipelines_tools import (
    FILES,
    NOW,
    add_files,
    call,
    copy,
    differences,
    ledger_rows,
    make_shop,
    rows,
    run,
    settings_of,
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop before its first run."""
    return make_shop(tmp_path / "shop")


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunReport]:
    """A shop after its first run, and what that reported. Nobody changes it."""
    workspace = make_shop(tmp_path_factory.mktemp("first") / "shop")
    return workspace, run(workspace)


@pytest.fixture
def ran(first_run: tuple[Path, RunReport], tmp_path: Path) -> Path:
    """A shop after its first run, to change."""
    return copy(first_run[0], tmp_path / "ran")


def edit(shop: Path, old: str, new: str) -> None:
    path = shop / "cdp.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def reasons(shop: Path) -> dict[str, int]:
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        return {reason: count for _, reason, count in quarantine.reasons(ledger)}


def test_a_first_run_brings_customers_of_both_sources(first_run: tuple[Path, RunReport]) -> None:
    shop, report = first_run
    assert report.succeeded
    assert (report.landed["web"].landed, report.landed["orders"].landed) == (14, 7)
    found = rows(
        shop, "SELECT full_name, revenue, refunded, record_count, channels FROM customers ORDER BY email"
    )
    assert found == [
        ("Ann Archer", Decimal(47), None, 3, ["orders", "web"]),
        (found[1][0], Decimal(80), Decimal(80), 3, ["orders", "web"]),
        ("Cyd Carver", None, None, 2, ["web"]),
    ]
    assert rows(
        shop, "SELECT amount, line_count FROM all_events WHERE reference = 'A1' OR event_id = 'A1'"
    ) == [(Decimal(47), 3)]
    assert rows(shop, "SELECT count(*) FROM unattributed") == [(1,)]


def test_every_envelope_has_one_outcome(first_run: tuple[Path, RunReport]) -> None:
    shop, _ = first_run
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        web, orders = overview.sources(ledger, ["web", "orders"])
    assert (web.landed, web.standardised, web.duplicate, web.superseded, web.quarantined) == (14, 10, 1, 1, 2)
    assert (orders.landed, orders.standardised, orders.quarantined) == (7, 6, 1)
    assert reasons(shop) == {"truncated": 1, "unknown_call_type": 1, "bad_amount": 1}


def test_a_second_run_does_nothing_and_says_so(first_run: tuple[Path, RunReport], ran: Path) -> None:
    _, first = first_run
    before = {path: path.stat().st_mtime_ns for path in ran.rglob("*.parquet")}
    second = run(ran, now=NOW + timedelta(hours=1))
    assert second.nothing_new
    assert {path: path.stat().st_mtime_ns for path in ran.rglob("*.parquet")} == before
    assert [time.stage for time in second.times] == ["plan"]
    assert first.release is not None
    assert rows(ran, "SELECT version FROM cdp_release") == [(first.release.version,)]


def test_on_a_later_day_a_run_publishes_stages_and_segments_as_of_that_day(ran: Path) -> None:
    (known,) = rows(ran, "SELECT version FROM cdp_release")
    report = run(ran, now=NOW + timedelta(days=1))
    assert (report.nothing_new, sum(batch.landed for batch in report.landed.values())) == (False, 0)
    assert rows(ran, "SELECT version FROM cdp_release") > [known]


def test_new_files_are_all_that_a_further_run_lands(ran: Path) -> None:
    add_files(ran, {"inbox/web/3.jsonl": [call(40, 0), call(41, 1)]})
    report = run(ran)
    assert list(report.landed) == ["web"]
    assert report.landed["web"].landed == 2
    assert [(r.source, r.envelopes) for r in report.standardised.values()] == [("web", 2)]
    assert rows(ran, "SELECT count(*) FROM contact_history WHERE event_id IN ('m40', 'm41')") == [(2,)]


def test_a_file_that_grows_lands_only_once_per_line(ran: Path) -> None:
    path = ran / "inbox/web/1.jsonl"
    path.write_text(
        path.read_text().replace('{"type": "track", "messageId": "cut\n', "") + call(50, 0) + "\n"
    )
    run(ran)
    assert rows(ran, "SELECT count(*) FROM contact_history WHERE event_id = 'm50'") == [(1,)]
    assert (
        rows(ran, "SELECT count(*), count(DISTINCT (source, event_id)) FROM all_events")[0][0]
        == rows(ran, "SELECT count(DISTINCT (source, event_id)) FROM all_events")[0][0]
    )


def test_parts_of_the_job_follow_each_other(shop: Path, first_run: tuple[Path, RunReport]) -> None:
    landed = run(shop, "land")
    assert (landed.standardised, landed.release) == ({}, None)
    assert run(shop, "land").nothing_new
    resolved = run(shop, "resolve")
    assert resolved.identity is not None
    assert (resolved.identity.customers, resolved.release) == (3, None)
    published = run(shop, "publish")
    assert published.release is not None
    assert run(shop).nothing_new
    assert differences(shop, first_run[0]) == []


def test_one_source_alone_may_be_run(shop: Path) -> None:
    run(shop, sources=["orders"])
    assert rows(shop, "SELECT DISTINCT source FROM customer_records") == [("orders",)]
    run(shop)
    assert len(rows(shop, "SELECT DISTINCT source FROM customer_records")) == 2
    with pytest.raises(UsageError, match="'order'") as error:
        run(shop, sources=["order"])
    assert "orders" in str(error.value.hint)


def test_a_change_of_mapping_needs_no_landing(ran: Path, tmp_path: Path) -> None:
    landed = set((ran / "landing").rglob("*.parquet"))
    edit(ran, "product: product", "product: order_no")
    report = run(ran)
    assert (report.landed, list(report.standardised)) == ({}, ["orders"])
    assert set((ran / "landing").rglob("*.parquet")) == landed
    assert rows(ran, "SELECT DISTINCT product FROM all_events WHERE event_id = 'A1'") == [("A1",)]
    fresh = make_shop(tmp_path / "fresh", config=(ran / "cdp.yaml").read_text())
    run(fresh)
    assert differences(ran, fresh) == []


def test_a_change_of_the_revision_policy_reaches_what_has_landed(ran: Path) -> None:
    product = "SELECT product FROM all_events WHERE event_id = 'm2'"
    assert rows(ran, product) == [("Chair",)]
    edit(ran, 'path: "inbox/web/*"', 'path: "inbox/web/*", on_revision: first')
    run(ran)
    assert rows(ran, product) == [("Lamp",)]
    assert run(ran).nothing_new


def test_survivorship_alone_makes_no_new_identities(ran: Path) -> None:
    edit(ran, "exports:", "survivorship: {default: longest}\nexports:")
    report = run(ran)
    assert report.identity is None
    assert report.release is not None
    assert rows(ran, "SELECT DISTINCT rule FROM customer_attributions") == [("longest",)]


def test_a_new_export_is_written_without_a_new_release(first_run: tuple[Path, RunReport], ran: Path) -> None:
    _, first = first_run
    edit(ran, "exports: {", "exports: {ids: {dataset: id_map, format: jsonl, purpose: internal}, ")
    report = run(ran)
    assert report.release is not None
    assert first.release is not None
    assert (report.release.unchanged, report.release.version) == (True, first.release.version)
    pointer = (ran / "exports/ids/LATEST").read_text().strip()
    lines = (ran / "exports/ids" / pointer / "id_map.jsonl").read_text().splitlines()
    assert len(lines) == 8


def test_everything_again_gives_the_same_release(first_run: tuple[Path, RunReport], ran: Path) -> None:
    run(ran, full=True)
    assert len(list((ran / "releases").glob("2*"))) == 2
    assert differences(ran, first_run[0]) == []


def test_a_merge_keeps_the_older_id_and_redirects_the_other(shop: Path) -> None:
    head = FILES["inbox/orders/1.csv"][0]
    stranger = "Z1,2026-02-12 12:00,C9,Zoe Zander,zoe@mail.example,Lamp,1,30.00"
    add_files(shop, {"inbox/orders/8.csv": [head, stranger]})
    run(shop)
    customer_of = dict(rows(shop, "SELECT record_key, customer_id FROM customer_records"))
    ann, zoe = customer_of["web:u1"], customer_of["orders:C9"]
    assert ann != zoe
    with Ledger(Lake(shop).ledger_path) as ledger, ledger.transaction("judge"):
        ledger.execute(
            "INSERT INTO judgements (left_record, right_record, kind, decided_at, decided_by) "
            "VALUES ('orders:C9', 'web:u1', 'must_link', '2026-03-02T00:00:00+00:00', 'somebody')"
        )
    report = run(shop)
    assert report.identity is not None
    assert (report.landed, report.identity.merged) == ({}, 1)
    assert rows(shop, "SELECT * FROM customer_redirects") in ([(zoe, ann)], [(ann, zoe)])
    assert ("merged",) in rows(shop, "SELECT change FROM id_changes")


def test_an_empty_workspace_has_nothing_to_do(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", files={})
    assert run(shop).nothing_new
    with pytest.raises(RunFailedError, match="No records have been resolved"):
        run(shop, "publish", full=True)


def test_rows_that_fail_a_check_are_quarantined_until_the_mapping_is_repaired(shop: Path) -> None:
    edit(shop, "product: product", "product: product\n      latitude: quantity")
    add_files(
        shop,
        {
            "inbox/orders/9.csv": [
                FILES["inbox/orders/1.csv"][0],
                "B1,2026-02-11 12:00,C1,Ann Archer,ann.archer@mail.example,Lamp,500,1.00",
                "B1,2026-02-11 12:00,C1,Ann Archer,ann.archer@mail.example,Bulb,500,2.00",
                "B2,2026-02-11 12:00,C1,Ann Archer,ann.archer@mail.example,Lamp,3,1.00",
            ]
        },
    )
    report = run(shop)
    assert reasons(shop)["check:latitude_in_range"] == 2
    assert report.standardised["orders"].rejected == 2
    assert rows(shop, "SELECT event_id FROM all_events WHERE event_id LIKE 'B%'") == [("B2",)]
    served = (
        "SELECT passed, observed FROM quality WHERE source = 'orders' AND check_name = 'latitude_in_range'"
    )
    assert rows(shop, served) == [(False, "1 of 6 fail")]
    edit(shop, "      latitude: quantity\n", "")
    run(shop)
    assert "check:latitude_in_range" not in reasons(shop)
    assert rows(shop, "SELECT amount FROM all_events WHERE event_id = 'B1'") == [(Decimal(1500),)]


@pytest.mark.soak
def test_what_could_not_be_read_is_read_again_after_a_repair(shop: Path) -> None:
    head = FILES["inbox/orders/1.csv"][0]
    line = "E1,2026-02-12 12:00,C7,Zoé Zander,zoe@mail.example,Lamp,1,30.00"
    (shop / "inbox/orders/7.csv").write_bytes(f"{head}\n{line}\n".encode("latin-1"))
    run(shop)
    assert reasons(shop)["not_utf8"] == 1
    edit(shop, "connector: files\n", "connector: files\n    encoding: latin-1\n")
    report = run(shop, "replay", quarantined=True)
    assert report.landed == {}
    assert "not_utf8" not in reasons(shop)
    assert rows(shop, "SELECT full_name FROM customers WHERE email = 'zoe@mail.example'") == [("Zoé Zander",)]
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        assert all(batch.holds for batch in outcomes.counts(ledger))
    assert run(shop).nothing_new


def test_a_structural_failure_commits_nothing_of_the_source(shop: Path) -> None:
    broken = CheckResult(
        "events_unique", "structure", passed=False, expected="once", rows=9, failed=2, source="web"
    )

    def land_and_standardise() -> None:
        with open_session(shop, settings_of(shop), "test", run_id="r-test", now=NOW) as session:
            land.land(session, "web")
            standardise.standardise_source(session, "web", check=lambda _, __: [broken])

    with pytest.raises(RunFailedError, match="events_unique: 2 of 9 fail"):
        land_and_standardise()
    assert ledger_rows(shop, "SELECT count(*) FROM event_files") == [(0,)]
    assert ledger_rows(shop, "SELECT check_name, passed FROM quality") == [("events_unique", 0)]
    assert run(shop).succeeded


def test_an_envelope_that_is_lost_fails_the_run(ran: Path) -> None:
    with Ledger(Lake(ran).ledger_path) as ledger, ledger.transaction("tamper"):
        ledger.execute("UPDATE event_files SET envelopes = envelopes - 1 WHERE path LIKE '%source=web%'")
    add_files(ran, {"inbox/web/3.jsonl": [call(40, 0)]})
    with pytest.raises(RunFailedError, match="do not add up"):
        run(ran)
    statuses = ledger_rows(ran, "SELECT status FROM runs ORDER BY started_at, rowid")
    assert statuses[-1] == ("failed",)


def test_events_that_do_not_add_up_are_never_committed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = standardise.standardise_together

    def forgetful(*given):
        for batch in real(*given):
            yield type(batch)(batch.events, batch.outcomes, batch.members.slice(1))

    monkeypatch.setattr(standardise, "standardise_together", forgetful)
    with pytest.raises(RunFailedError, match="do not add up"):
        run(shop)
    assert ledger_rows(shop, "SELECT count(*) FROM event_files") == [(0,)]


def test_a_file_that_cannot_be_read_waits_for_the_next_run(shop: Path) -> None:
    path = shop / "inbox/web/2.jsonl"
    text = path.read_text()
    path.unlink()
    path.symlink_to("/proc/self/mem")  # even the superuser gets an error from its first byte
    report = run(shop)
    assert report.unreadable == 1
    assert report.landed["web"].landed == 10
    assert rows(shop, "SELECT count(*) FROM customers") == [(3,)]
    path.unlink()
    path.write_text(text)
    assert run(shop).landed["web"].landed == 4


def test_a_landed_file_that_is_gone_is_an_error_with_advice(ran: Path) -> None:
    next((ran / "landing/raw/source=web").rglob("*.parquet")).unlink()
    with pytest.raises(CorruptError, match="cannot be read") as error:
        run(ran, full=True)
    assert "backup" in str(error.value.hint)
    assert rows(ran, "SELECT count(*) FROM customers") == [(3,)]


def test_a_second_run_names_who_holds_the_workspace(ran: Path) -> None:
    with lock.writer_lock(ran, run_id="r-other"), pytest.raises(LockedError, match="r-other"):
        run(ran)
    assert run(ran).succeeded


def test_orphans_of_a_dead_run_are_swept(ran: Path) -> None:
    orphans = [
        ran / "landing/raw/source=web/ingest_date=2026-03-01/0123456789abcdef.parquet",
        ran / "events/source=web/9.parquet.tmp",
        ran / "identity/000009-abc/records.parquet",
        ran / "releases/20270101T000000-000009/cdp.duckdb",
        ran / "exports/feed/schema=v1/release=x.tmp/a.csv",
    ]
    for path in orphans:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert run(ran).nothing_new
    assert [path for path in orphans if path.exists()] == []
    assert not (ran / "identity/000009-abc").exists()


def test_old_generations_and_releases_go(ran: Path) -> None:
    for number in range(1, 4):
        add_files(ran, {f"inbox/web/more{number}.jsonl": [call(60 + number, 0)]})
        run(ran, now=NOW + timedelta(hours=number))
    run(ran)
    assert len([path for path in (ran / "identity").glob("0*") if "profiles" not in path.name]) == 2
    assert len(list((ran / "identity/models").iterdir())) == 1
    assert len(list((ran / "releases").glob("2*"))) == 2


def test_the_log_tells_what_was_done_and_names_nobody(first_run: tuple[Path, RunReport]) -> None:
    _, report = first_run
    assert report.log is not None
    text = report.log.read_text(encoding="utf-8")
    stages = [json.loads(line)["event"] for line in text.splitlines()]
    assert stages[:2] == ["start", "plan"]
    assert {"land", "standardise", "resolve", "customers", "publish", "export", "end"} <= set(stages)
    assert not any(word in text for word in ("Archer", "baker", "device-", "m12"))


def test_the_summary_of_a_run_is_kept(first_run: tuple[Path, RunReport]) -> None:
    shop, _ = first_run
    ((status, summary),) = ledger_rows(shop, "SELECT status, summary FROM runs")
    found = json.loads(summary)
    assert status == "succeeded"
    assert (found["landed"], found["records"], found["customers"]) == (21, 8, 3)


def test_settled_batches_hold_for_every_source(first_run: tuple[Path, RunReport]) -> None:
    shop, _ = first_run
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        batches = outcomes.counts(ledger)
    assert len(batches) == 2
    assert all(batch.holds and batch.pending == 0 for batch in batches)


def test_a_run_that_died_is_marked_when_the_next_one_starts(ran: Path) -> None:
    with Ledger(Lake(ran).ledger_path) as ledger, ledger.transaction("die"):
        ledger.execute("UPDATE runs SET status = 'running', finished_at = NULL")
    run(ran, now=NOW + timedelta(days=1))
    assert ledger_rows(ran, "SELECT status FROM runs ORDER BY started_at") == [
        ("abandoned",),
        ("succeeded",),
    ]


def test_amounts_are_converted_by_the_rates_that_lie_in_the_workspace(ran: Path) -> None:
    edit(ran, "currency: GBP}", "currency: EUR}")
    assert rows(run_in(ran), "SELECT DISTINCT amount_base FROM all_events") == [(None,)]
    (ran / "rates.csv").write_text("date,currency,rate\n2026-01-01,GBP,1.20\n")
    assert rows(run_in(ran), "SELECT amount_base FROM all_events WHERE event_id = 'A1'") == [
        (Decimal("56.40"),)
    ]
    assert rows(ran, "SELECT currency, revenue FROM customers WHERE full_name = 'Ann Archer'") == [
        ("EUR", Decimal("56.40"))
    ]
    assert run(ran).nothing_new


def run_in(shop: Path) -> Path:
    run(shop)
    return shop
