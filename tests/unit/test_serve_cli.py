"""`cdp key`, and what backup and doctor do with serve.sqlite."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp.cli.main import run
from cdp.lake import Lake
from tests.serve_tools import copy_of, lake_with_release
from warehouse.serve import audit, keys
from warehouse.serve.store import FILE, Store

CONFIG = "version: 1\nworkspace: {name: shop}\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Lake:
    lake = lake_with_release(tmp_path_factory.mktemp("published"))
    (lake.root / "cdp.yaml").write_text(CONFIG)
    return lake


@pytest.fixture
def workspace(published: Lake, tmp_path: Path) -> Path:
    return copy_of(published, tmp_path).root


def cdp(workspace: Path, *arguments: str) -> int:
    return run([*arguments, "-w", str(workspace)])


def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(workspace, capsys):
    assert cdp(workspace, "key", "create", "Ann\u202e", "--scope", "read") == 2
    capsys.readouterr()
    assert (
        cdp(
            workspace,
            "key",
            "create",
            "Ann",
            "--scope",
            "segments",
            "--expires",
            "90d",
            "--rows-per-day",
            "9",
        )
        == 0
    )
    text = capsys.readouterr().out.strip()
    secret = text.split("_", 2)[2]
    assert cdp(workspace, "key", "list") == 0
    shown = capsys.readouterr().out
    assert re.search(r"Ann +read segments +active", shown)
    assert secret not in shown
    assert cdp(workspace, "key", "list", "--format", "json") == 0
    (key,) = json.loads(capsys.readouterr().out)
    assert (key["state"], key["rows_per_day"], key["requests_per_minute"]) == ("active", 9, None)
    assert cdp(workspace, "key", "revoke", key["key_id"]) == 0
    assert cdp(workspace, "key", "revoke", key["key_id"]) == 1
    assert "revoked" in capsys.readouterr().out
    store = Store(workspace / FILE)
    assert keys.check(store, text, datetime.now(UTC)) is None
    lines = audit.lines(store, audit.Wanted(), limit=9)
    assert [(line.caller, line.action, line.subject) for line in lines] == [
        ("command line", "key.revoke", key["key_id"]),
        ("command line", "key.create", key["key_id"]),
    ]
    store.close()


def test_a_folder_that_is_no_workspace_gets_no_file(tmp_path, capsys):
    assert cdp(tmp_path, "key", "list") == 2
    assert "cdp.yaml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_backup_holds_the_keys_and_the_log(workspace, tmp_path, capsys):
    cdp(workspace, "key", "create", "Ann")
    text = capsys.readouterr().out.strip()
    held = Store(
        workspace / FILE
    )  # as a server holds it: what it wrote last may be in the log beside the file
    held.execute("INSERT INTO audit (at, key_id, caller, action) VALUES ('2026', 'k', 'k', 'last')")
    assert cdp(workspace, "backup", str(tmp_path / "copy")) == 0
    held.close()
    store = Store(tmp_path / "copy" / FILE)
    assert keys.check(store, text, datetime.now(UTC)) is not None
    assert audit.lines(store, audit.Wanted(action="last"), limit=9)
    store.close()


def findings(workspace: Path, capsys) -> dict[str, str]:
    capsys.readouterr()
    cdp(workspace, "doctor", "--format", "json")
    found = {finding["about"]: finding for finding in json.loads(capsys.readouterr().out)}
    return dict(found["serve"])


def test_doctor_looks_at_the_keys_and_the_log(workspace, capsys):
    assert findings(workspace, capsys)["text"] == "no keys, no audit log yet"
    cdp(workspace, "key", "create", "Ann")
    whole = findings(workspace, capsys)
    assert whole["state"] == "ok"
    assert "keys not revoked: 1, lines of the audit log: 1" in whole["text"]
    (workspace / FILE).chmod(0o644)
    assert "chmod 600" in findings(workspace, capsys)["advice"]
    damaged = bytearray((workspace / FILE).read_bytes())
    damaged[100:6_000] = b"\xff" * 5_900
    (workspace / FILE).write_bytes(damaged)
    assert findings(workspace, capsys)["state"] == "wrong"
