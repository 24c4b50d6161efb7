"""`cdp run` and its neighbours as a person calls them: what they print, where, and how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cdp.cli.main import run as cdp
from tests.pipelines_tools import FILES, add_files, call, differences, make_shop, run

KNOWN = {"web:u1": "ann", "orders:C1": "ann", "web:u2": "bob", "orders:C2": "bob", "web:u3": "cyd"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after a run. Tests that change it take a copy."""
    workspace = make_shop(tmp_path_factory.mktemp("cli") / "shop")
    run(workspace)
    return workspace


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "shop"))


def test_a_run_sums_up_on_stdout_and_shows_progress_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shop = make_shop(tmp_path / "shop")
    truth = {"record_key": list(KNOWN), "person_id": list(KNOWN.values())}
    pq.write_table(pa.table(truth), shop / "truth.parquet")
    assert cdp(["run", "-w", str(shop)]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert ["web", "14", "14", "10", "1", "1", "·", "2"] in lines
    assert ["orders", "7", "7", "6", "·", "·", "·", "1"] in lines
    assert ["all", "21", "21", "16", "1", "1", "0", "3"] in lines
    assert "8 records → 3 customers; 2 seen in two or more channels" in out
    assert "precision 100.0%, recall 100.0% of 2 pairs" in out
    assert "Time: start" in out
    assert "One of them, merged from several sources" in out
    assert f"-w {shop}" in out
    assert {"Land web", "Land orders", "Standardise web", "Publish release"} <= set(err.splitlines())


def test_without_a_known_truth_nobody_is_shown(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
    assert cdp(["run", "-w", str(own)]) == 0
    out = capsys.readouterr().out
    assert "precision" not in out
    assert "Archer" not in out


def test_a_run_with_nothing_new_says_so(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cdp(["run", "-w", str(own), "--quiet"]) == 0  # the first of a day publishes for that day
    assert cdp(["run", "-w", str(own)]) == 0
    assert capsys.readouterr().out.startswith("Nothing new: release ")
    assert cdp(["run", "-w", str(own), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_empty_workspace_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = make_shop(tmp_path / "shop", files={})
    assert cdp(["run", "-w", str(shop)]) == 0
    assert "There is no input yet" in capsys.readouterr().out
    assert cdp(["publish", "--full", "-w", str(shop)]) == 1
    assert "cdp resolve" in capsys.readouterr().err


def test_an_unknown_source_is_wrong_use(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cdp(["run", "-w", str(own), "--source", "wep"]) == 2
    assert "Did you mean 'web'?" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_makes_the_exit_status_1(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "inbox/web/odd.jsonl").symlink_to("/proc/self/mem")
    add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
    assert cdp(["run", "-w", str(own)]) == 1
    out = capsys.readouterr().out
    assert "odd.jsonl cannot be read" in out
    assert "Nothing new" not in out


def test_sources_show_what_became_of_their_data(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cdp(["sources", "-w", str(finished)]) == 0
    assert "segment" in capsys.readouterr().out
    assert cdp(["sources", "-w", str(finished), "--format", "json"]) == 0
    web, orders = json.loads(capsys.readouterr().out)
    assert (web["source"], web["files"], web["landed"], web["superseded"]) == ("web", 2, 14, 1)
    assert orders["connector"] == "files"
    assert cdp(["sources", "--connectors"]) == 0
    assert "segment" in capsys.readouterr().out.splitlines()


def test_sources_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = make_shop(tmp_path / "shop")
    assert cdp(["sources", "-w", str(shop), "--format", "json"]) == 0
    assert [source["last_landed_at"] for source in json.loads(capsys.readouterr().out)] == [None, None]


def test_the_quarantine_hides_data_unless_it_is_asked_for(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cdp(["quarantine", "list", "-w", str(finished), "--source", "orders", "--format", "json"]) == 0
    (held,) = json.loads(capsys.readouterr().out)
    assert held["reason"] == "bad_amount"
    assert "cyd" not in held["excerpt"].lower()
    shown = ["quarantine", "list", "-w", str(finished), "--source", "orders", "--show", "--format", "json"]
    assert cdp(shown) == 0
    assert "cyd.carver@mail.example" in json.loads(capsys.readouterr().out)[0]["excerpt"]
    assert cdp(["quarantine", "list", "-w", str(finished), "--reason", "truncated"]) == 0
    out, err = capsys.readouterr()
    assert "truncated" in out
    assert "bad_amount" not in out
    assert "3 in quarantine" in err


def test_a_replay_reads_the_quarantine_again(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = own / "cdp.yaml"
    config.write_text(config.read_text().replace('"quantity * unit_price"', "unit_price"))
    assert cdp(["quarantine", "replay", "-w", str(own)]) == 0
    assert "Resolve identities" in capsys.readouterr().err
    assert cdp(["quarantine", "list", "-w", str(own), "--source", "orders"]) == 0
    assert "Nothing is in quarantine" in capsys.readouterr().err


def test_a_backup_becomes_a_workspace_again(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = tmp_path / "backup"
    assert cdp(["backup", str(backup), "-w", str(own)]) == 0
    add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
    run(own)
    assert cdp(["backup", str(backup), "-w", str(own)]) == 0
    assert "already there" in capsys.readouterr().out
    restored = Path(shutil.copytree(backup, tmp_path / "restored"))
    run(restored, full=True)
    assert differences(restored, own) == []
    assert cdp(["doctor", "-w", str(restored)]) == 0


def test_a_backup_refuses_a_folder_of_other_things(own: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    assert cdp(["backup", str(tmp_path / "full"), "-w", str(own)]) == 2
    assert cdp(["backup", str(own / "backup"), "-w", str(own)]) == 2


def findings(shop: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    capsys.readouterr()
    status = cdp(["doctor", "-w", str(shop), "--format", "json"])
    worst: dict[str, str] = {}
    for finding in json.loads(capsys.readouterr().out):
        if worst.get(finding["about"]) != "wrong":
            worst[finding["about"]] = finding["state"]
    return status, worst


def test_the_doctor_finds_a_sound_workspace_sound(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = findings(finished, capsys)
    assert status == 0
    assert set(found.values()) == {"ok"}


@pytest.mark.parametrize(
    ("damage", "about"),
    [
        ("landing/raw/source=web/**/*.parquet", "landed files"),
        ("events/source=orders/*.parquet", "event files"),
        ("identity/*/id_map.parquet", "identity"),
        ("releases/2*/cdp.duckdb", "release"),
    ],
)
def test_the_doctor_finds_what_is_damaged(
    own: Path, capsys: pytest.CaptureFixture[str], damage: str, about: str
) -> None:
    path = next(iter(own.glob(damage)))
    path.write_bytes(path.read_bytes()[:-100]) if about != "identity" else path.unlink()
    status, found = findings(own, capsys)
    assert status == 1
    assert [name for name, state in found.items() if state == "wrong"] == [about]


def test_the_doctor_sees_orphans_and_what_waits(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "events/source=web/stray.parquet").write_bytes(b"half")
    add_files(own, {"inbox/orders/3.csv": [FILES["inbox/orders/1.csv"][0], "A9,2026-02-05,C1,,,Lamp,1,1"]})
    run(own, "land")
    (own / "events/source=web/stray.parquet").write_bytes(b"half")
    status, found = findings(own, capsys)
    assert (status, found["orphans"], found["accounting"]) == (0, "note", "note")
