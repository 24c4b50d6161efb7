"""A backup is enough to make everything that follows from it."""

from __future__ import annotations

import pytest

from pipelines.backup import backup
from tests.pipelines_tools import NOW, add_files, copy, differences, make_shop, run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace after a run. Tests take a copy."""
    workspace = make_shop(tmp_path_factory.mktemp("restore") / "shop")
    run(workspace)
    return workspace


def test_a_restored_workspace_gives_the_same_release(finished, tmp_path):
    shop = copy(finished, tmp_path / "shop")
    backup(shop, tmp_path / "backup", now=NOW)
    restored = copy(tmp_path / "backup", tmp_path / "restored")
    run(restored, full=True)
    assert differences(shop, restored) == []


def test_so_does_one_whose_quarantine_had_been_replayed(finished, tmp_path):
    shop = copy(finished, tmp_path / "shop")
    line = "A9,2026-02-06 13:00,C3,Cyd Carver,cyd.carver@mail.example,Vasé,1,9.00"
    head = (shop / "inbox/orders/1.csv").read_text(encoding="utf-8").splitlines()[0]
    (shop / "inbox/orders/3.csv").write_bytes(f"{head}\n{line}\n".encode("cp1252"))
    run(shop)
    config = shop / "cdp.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("  orders:\n", "  orders:\n    encoding: cp1252\n"), encoding="utf-8")
    report = run(shop, "replay", quarantined=True)
    assert report.standardised["orders"].events > 0

    backup(shop, tmp_path / "backup", now=NOW)
    restored = copy(tmp_path / "backup", tmp_path / "restored")
    run(restored, full=True)
    assert differences(shop, restored) == []


def test_a_second_backup_into_the_same_folder_takes_only_what_is_new(finished, tmp_path):
    shop = copy(finished, tmp_path / "shop")
    first = backup(shop, tmp_path / "backup", now=NOW)
    add_files(shop, {"inbox/web/3.jsonl": ['{"type":"page","messageId":"n1","anonymousId":"device-9"}']})
    run(shop)
    second = backup(shop, tmp_path / "backup", now=NOW)
    assert (second.files, second.kept) == (first.files + 1, first.files - 1)  # cdp.yaml is always copied
