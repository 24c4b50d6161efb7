"""Ids over runs: what changes, when and why, over increments, full rebuilds, new models and new rules."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from cdp.cli.main import run as cdp
from cdp.errors import CdpError
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.ledger_schema import MIGRATIONS
from pipelines import identity_state, models
from pipelines.report import RunReport
from tests.pipelines_tools import NOW, ORDER_HEAD, add_files, fit, ledger_rows, make_shop, rows, run

Capture = pytest.CaptureFixture[str]
PEOPLE = 12


def order(number: int, customer: str, name: str, email: str) -> str:
    return f"{number},2026-02-{number % 27 + 1:02d} 12:00,{customer},{name},{email},Lamp,1,30.00"


def person(number: int) -> tuple[str, str, str]:
    """Customer number, name and e-mail of one of the shop's people: no two are alike."""
    given = (
        "Ada",
        "Boris",
        "Chiara",
        "Dmitri",
        "Elif",
        "Farid",
        "Greta",
        "Hugo",
        "Ines",
        "Jonas",
        "Kaja",
        "Luc",
    )
    family = (
        "Abel",
        "Bright",
        "Cole",
        "Dorn",
        "Ekwall",
        "Fisk",
        "Gould",
        "Holm",
        "Ivers",
        "Jarvi",
        "Kerr",
        "Lund",
    )
    round_, place = divmod(number, PEOPLE)
    name = f"{given[place]} {family[(place + 5 * round_) % PEOPLE]}"
    return f"P{number}", name, f"{name.lower().replace(' ', '.')}{round_ or ''}@mail.example"


def orders(file: int, numbers: range) -> dict[str, list[str]]:
    lines = [order(100 * file + number, *person(number)) for number in numbers]
    return {f"inbox/orders/p{file}.csv": [ORDER_HEAD, *lines]}


def changes(shop: Path, generation: int) -> set[tuple[str, str, str | None]]:
    found = ledger_rows(
        shop,
        "SELECT change, customer_id, previous_customer_id FROM id_changes WHERE generation = ?",
        generation,
    )
    return {(change, customer, before) for change, customer, before in found}


def reasons(shop: Path, generation: int) -> set[str]:
    """The causes that stand behind the reasons."""
    found = ledger_rows(shop, "SELECT reason FROM id_changes WHERE generation = ?", generation)
    return {reason.rpartition(" (")[2].rstrip(")") for (reason,) in found}


def id_map(shop: Path) -> dict[str, str]:
    return dict(rows(shop, "SELECT record_key, customer_id FROM customer_records"))


def judge(shop: Path, kind: str, one: str, other: str) -> None:
    assert cdp(["identity", kind, one, other, "-w", str(shop), "--as", "kim"]) == 0


def identity(report: RunReport) -> tuple[int | None, int | None, str]:
    assert report.identity is not None
    generation = report.identity.generation
    return generation.moved_records, generation.previous_records, report.identity.cause


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people, each a customer, after a first run. Tests take a copy."""
    folder = make_shop(tmp_path_factory.mktemp("changes") / "shop", orders(1, range(PEOPLE)))
    report = run(folder)
    assert report.identity is not None
    assert (report.identity.customers, report.identity.cause) == (PEOPLE, "the first run")
    return folder


@pytest.fixture
def shop(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "shop"))


def test_the_first_run_creates_every_customer(shop: Path) -> None:
    assert {change for change, _, _ in changes(shop, 1)} == {"created"}
    assert len(changes(shop, 1)) == PEOPLE
    assert reasons(shop, 1) == {"the first run"}


def test_new_data_create_and_merge_and_say_so(shop: Path) -> None:
    before = id_map(shop)
    add_files(
        shop, {"inbox/orders/n.csv": [ORDER_HEAD, order(1, "N1", "Zora Newcomer", "zora@mail.example")]}
    )
    report = run(shop, now=NOW + timedelta(days=1))
    assert identity(report) == (0, PEOPLE, "new data")
    after = id_map(shop)
    assert changes(shop, 2) == {("created", after["orders:N1"], None)}
    assert reasons(shop, 2) == {"new data"}
    assert {key: after[key] for key in before} == before
    ((changed_at, release_change),) = rows(
        shop, "SELECT changed_at::VARCHAR, change FROM id_changes ORDER BY change_seq DESC LIMIT 1"
    )
    assert release_change == "created"
    assert changed_at.startswith("2026-03-02 08:00:00")


def test_a_full_rebuild_changes_nobody(shop: Path) -> None:
    before = id_map(shop)
    report = run(shop, full=True)
    assert identity(report) == (0, PEOPLE, "all made again")
    assert changes(shop, 2) == set()
    assert id_map(shop) == before


def test_a_judgement_merges_and_another_splits_with_redirects(shop: Path) -> None:
    one, other = id_map(shop)["orders:P0"], id_map(shop)["orders:P1"]
    kept, gone = sorted((one, other))
    judge(shop, "link", "orders:P0", "orders:P1")
    assert identity(run(shop)) == (1, PEOPLE, "a judgement")
    assert changes(shop, 2) == {("merged", kept, gone)}
    judge(shop, "split", "orders:P0", "orders:P1")
    assert identity(run(shop)) == (1, PEOPLE, "a judgement")
    new = max(id_map(shop).values())
    assert changes(shop, 3) == {("split", new, kept)}
    assert new not in (one, other), "an id is never used twice"
    assert ledger_rows(shop, "SELECT previous_customer_id, customer_id FROM redirects") == [(gone, kept)]
    assert reasons(shop, 2) == reasons(shop, 3) == {"a judgement"}
    assert identity(run(shop, full=True))[0] == 0


def test_records_that_are_gone_rest_and_come_back_under_their_id(shop: Path) -> None:
    before = id_map(shop)
    config = shop / "cdp.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("{column: customer_no, namespace: shop}", "order_no"), encoding="utf-8")
    run(shop)
    config.write_text(text, encoding="utf-8")
    run(shop)
    assert id_map(shop) == before


def test_changed_rules_are_a_cause(shop: Path) -> None:
    config = shop / "cdp.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "identity: {threshold: 0.9}\n", encoding="utf-8")
    report = run(shop)
    moved, known, cause = identity(report)
    assert (moved, known) == (0, PEOPLE)
    assert "changed rules" in cause


def test_an_alert_threshold_is_no_rule(shop: Path) -> None:
    config = shop / "cdp.yaml"
    config.write_text(
        config.read_text(encoding="utf-8") + "identity: {changed_alert: 10%}\n", encoding="utf-8"
    )
    assert run(shop).nothing_new


# ---------------------------------------------------------------- the alert


def test_many_changes_are_a_warning_in_quality_log_and_summary(shop: Path, capsys: Capture) -> None:
    judge(shop, "link", "orders:P0", "orders:P1")
    assert cdp(["run", "-w", str(shop)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Since the last run (a judgement): 1 of 12 records changed customer (8.3%); 1 merged" in out
    assert "more than identity.changed_alert (2.0%)" in out
    check = "check_name = 'customers_keep_their_records'"
    found = rows(shop, f"SELECT passed, observed, expected FROM quality WHERE {check} ORDER BY checked_at")
    assert found == [
        (True, "0 rows", "at most 2.00% of the records known before change customer"),
        (
            False,
            "1 of 12 records changed customer (8.33%)",
            "at most 2.00% of the records known before change customer",
        ),
    ]
    newest = max((shop / "logs").iterdir(), key=lambda path: path.stat().st_mtime)
    logged = [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]
    assert any(one.get("check") == "customers_keep_their_records" for one in logged)
    assert any((one.get("changed_customer"), one.get("known_before")) == (1, PEOPLE) for one in logged)


def test_below_the_threshold_there_is_no_warning(shop: Path) -> None:
    config = shop / "cdp.yaml"
    config.write_text(
        config.read_text(encoding="utf-8") + "identity: {changed_alert: 0.1}\n", encoding="utf-8"
    )
    judge(shop, "link", "orders:P0", "orders:P1")
    run(shop)
    check = "check_name = 'customers_keep_their_records'"
    assert rows(shop, f"SELECT bool_and(passed) FROM quality WHERE {check}") == [(True,)]


# ---------------------------------------------------------------- models


def versions(shop: Path) -> list[models.ModelVersion]:
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        return models.versions(ledger)


@pytest.mark.soak
def test_runs_keep_the_model_until_the_records_have_doubled(shop: Path) -> None:
    (first,) = versions(shop)
    assert (first.state, first.records, first.reason) == ("current", PEOPLE, "the first run")
    add_files(shop, orders(2, range(PEOPLE, PEOPLE + 6)))
    report = run(shop)
    assert report.identity is not None
    assert report.identity.new_model is None
    assert [one.version for one in versions(shop)] == [first.version]
    run(shop, full=True)
    assert [one.version for one in versions(shop)] == [first.version]
    add_files(shop, orders(3, range(PEOPLE + 6, 2 * PEOPLE)))
    report = run(shop, now=NOW + timedelta(days=1))
    assert report.identity is not None
    assert report.identity.new_model is not None
    assert report.identity.new_model.startswith("24 records, 2 times the 12")
    assert report.identity.cause == "new data and another model"
    old, new = versions(shop)
    assert (old.state, new.state, new.records) == ("retired", "current", 2 * PEOPLE)
    assert run(shop).nothing_new
    with Ledger(Lake(shop).ledger_path, read_only=True) as ledger:
        kept = models.current(ledger)
        assert kept is not None
        assert models.load(Lake(shop), kept) is not None


def test_a_fit_reports_before_it_is_used(shop: Path) -> None:
    add_files(shop, orders(2, range(PEOPLE, PEOPLE + 6)))
    run(shop)
    before, generation = id_map(shop), ledger_rows(shop, "SELECT max(generation) FROM generations")
    report = fit(shop)
    assert not report.used
    assert (report.old.fitted_on, report.new.fitted_on, report.records) == (PEOPLE, PEOPLE + 6, PEOPLE + 6)
    assert report.old.version != report.new.version
    for estimate in (report.old, report.new):
        assert estimate.precision is not None
        assert 0 <= estimate.precision <= 1
    assert sorted(one.state for one in versions(shop)) == ["candidate", "current"]
    assert run(shop).nothing_new
    assert ledger_rows(shop, "SELECT max(generation) FROM generations") == generation

    assert fit(shop, use=True).used
    assert {one.state: one.version for one in versions(shop)} == {
        "retired": report.old.version,
        "current": report.new.version,
    }
    used = run(shop)
    assert identity(used) == (report.moved, PEOPLE + 6, "another model")
    assert id_map(shop) == before or report.moved
    assert ledger_rows(shop, "SELECT model_version FROM generations ORDER BY generation DESC LIMIT 1") == [
        (report.new.version,)
    ]
    assert run(shop).nothing_new
    assert not fit(shop, use=True).used, "the model in use is the one that these records give"


def test_a_model_in_use_before_it_was_run_is_told_by_what_it_makes_of_the_records(shop: Path) -> None:
    """The newest generation is of the model before: its customers say nothing about the one in use."""
    again = [order(700 + i, f"Q{i}", *person(i)[1:]) for i in range(6)]
    add_files(shop, {"inbox/orders/again.csv": [ORDER_HEAD, *again]})
    run(shop)
    strict = "identity: {threshold: 0.9999999}\n"
    config = shop / "cdp.yaml"
    plain = config.read_text(encoding="utf-8")
    config.write_text(plain + strict, encoding="utf-8")
    used = fit(shop, use=True)
    assert used.old.customers != used.new.customers
    again = fit(shop)
    assert again.old == again.new == used.new
    config.write_text(plain, encoding="utf-8")
    other = fit(shop)
    assert other.old.version == used.new.version
    assert other.old.customers != 0
    assert run(shop).identity is not None
    assert ledger_rows(shop, "SELECT customers FROM generations ORDER BY generation DESC LIMIT 1") == [
        (other.old.customers,)
    ]


def test_a_model_whose_file_is_gone_is_made_again(shop: Path) -> None:
    before = id_map(shop)
    (version,) = versions(shop)
    Lake(shop).path(version.path).unlink()
    add_files(shop, orders(2, range(PEOPLE, PEOPLE + 3)))
    report = run(shop)
    assert report.identity is not None
    assert report.identity.new_model == "the file of the last one was gone"
    assert {key: id_map(shop)[key] for key in before} == before


def rewritten(path: Path, change: dict[str, object]) -> bytes:
    """The file of a model with other metadata."""
    table = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()
    body = json.loads(table.schema.metadata[b"cdp_model"]) | change
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema.with_metadata({"cdp_model": json.dumps(body)})) as out:
        out.write_table(table.replace_schema_metadata({"cdp_model": json.dumps(body)}))
    return bytes(sink.getvalue())


DAMAGE = {
    "has format 99": lambda path: rewritten(path, {"format": 99}),
    "is damaged": lambda path: rewritten(path, {"keys": None}),
    "is damaged or no model": lambda path: path.read_bytes()[:-900],
    "is not what was written": lambda path: rewritten(path, {"cap": 3}),
}


ALWAYS = ("is damaged or no model", "is not what was written")


@pytest.mark.parametrize("told", DAMAGE)
def test_a_model_that_cannot_be_read_says_why(shop: Path, capsys: Capture, told: str) -> None:
    (version,) = versions(shop)
    path = Lake(shop).path(version.path)
    path.write_bytes(DAMAGE[told](path))
    with pytest.raises(CdpError, match=told):
        models.load(Lake(shop), version)
    assert cdp(["explain", "orders:P0", "orders:P1", "-w", str(shop)]) == 0
    assert "are two people" in capsys.readouterr().out


@pytest.mark.parametrize(
    "told", [told if told in ALWAYS else pytest.param(told, marks=pytest.mark.soak) for told in DAMAGE]
)
def test_a_model_that_cannot_be_read_is_made_again(shop: Path, told: str) -> None:
    """Here a file that was cut and one that was exchanged; `make soak` tries every kind of damage."""
    before = id_map(shop)
    (version,) = versions(shop)
    path = Lake(shop).path(version.path)
    path.write_bytes(DAMAGE[told](path))
    add_files(shop, orders(2, range(PEOPLE, PEOPLE + 3)))
    report = run(shop)
    assert report.identity is not None
    assert report.identity.new_model is not None
    assert "the last one cannot be read: the " in report.identity.new_model
    assert told in report.identity.new_model
    assert {key: id_map(shop)[key] for key in before} == before
    assert run(shop).nothing_new


def test_a_damaged_model_that_comes_out_the_same_is_written_again(shop: Path) -> None:
    (version,) = versions(shop)
    path = Lake(shop).path(version.path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    report = run(shop, full=True)
    assert report.identity is not None
    assert report.identity.new_model is None
    assert path.read_bytes() == whole


@pytest.mark.parametrize("outline", ["[]", "{}", '{"format": 1}', "no"])
def test_a_state_that_cannot_be_read_is_passed_over(shop: Path, outline: str) -> None:
    ((generation,),) = ledger_rows(shop, "SELECT path FROM generations")
    folder = Lake(shop).path(generation)
    assert identity_state.read(folder) is not None
    (folder / identity_state.FOLDER / "outline").write_text(outline, encoding="utf-8")
    assert identity_state.read(folder) is None


def test_fit_prints_what_would_change(shop: Path, capsys: Capture) -> None:
    assert cdp(["identity", "fit", "-w", str(shop)]) == 0
    out = capsys.readouterr().out
    assert "0 of 12 records would change customer (0.00%)" in out
    assert "It is the model that is in use." in out
    assert cdp(["identity", "fit", "--format", "json", "-w", str(shop)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["records"], told["moved"], told["used"]) == (PEOPLE, 0, False)


def test_before_the_first_run_there_is_nothing_to_fit(tmp_path: Path, capsys: Capture) -> None:
    empty = make_shop(tmp_path / "empty", {})
    assert cdp(["identity", "fit", "-w", str(empty)]) == 2
    assert "Run `cdp run` first" in capsys.readouterr().err


def make_older(path: Path, version: int) -> None:
    """Make a ledger what an older version of cdp would have left: its tables, and in them its columns."""
    newer = path.rename(path.with_suffix(".newer"))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as older:
        for script in MIGRATIONS[:version]:
            older.executescript(script)
        older.execute("ATTACH ? AS newer", (str(newer),))
        tables = older.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = ", ".join(row[1] for row in older.execute(f"PRAGMA main.table_info({table})"))
            older.execute(f"DELETE FROM main.{table}")
            older.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
        older.execute(f"PRAGMA user_version = {version}")
    newer.unlink()


def test_a_ledger_of_an_older_version_is_migrated(shop: Path) -> None:
    make_older(Lake(shop).ledger_path, 1)
    before = id_map(shop)
    assert versions(shop) == []
    report = run(shop)
    assert identity(report) == (0, PEOPLE, "another version of cdp")
    assert id_map(shop) == before
    assert ledger_rows(shop, "PRAGMA user_version") == [(len(MIGRATIONS),)]
