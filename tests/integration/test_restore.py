"""A backup is enough to make everything that follows from it."""

from __future__ import annotations

import pytest

from cdp import durable
from cdp.lake import WAL
from connectors.collector import wal
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


@pytest.mark.soak
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


def waiting(workspace, name="0001.wal"):
    """An open segment that holds one request."""
    segment = wal.Segment(workspace / WAL / name, ["web"])
    segment.append([wal.Request(1_700_000_000_000_000, "web", True, "page", b'{"anonymousId":"device-1"}')])
    return segment


def finish(segment):
    """Close a segment and give it its final name, as the collector's committer does."""
    segment.close()
    left = segment.path.with_name(segment.path.name + wal.OPEN)
    if left.exists():
        wal.complete(left)


def segments(folder):
    return sorted(path.name for path in (folder / WAL).glob("*"))


@pytest.mark.parametrize("when", ["write", "rename", "renamed"])
def test_a_segment_that_the_collector_completes_meanwhile_is_in_the_backup(finished, tmp_path, when):
    shop = copy(finished, tmp_path / "shop")
    segment, steps = waiting(shop), []

    def collector(step):
        steps.append(step)
        if step == f"{when} 0001.wal.open":  # the backup is about to copy it, or has copied it
            finish(segment)

    with durable.crash_hook(collector):
        backup(shop, tmp_path / "backup", now=NOW)
    assert segments(shop) == segments(tmp_path / "backup") == ["0001.wal"]
    copied, original = (folder / WAL / "0001.wal" for folder in (tmp_path / "backup", shop))
    assert copied.read_bytes() == original.read_bytes()
    assert steps.index("renamed 0001.wal") < steps.index("write ledger.sqlite")


@pytest.mark.parametrize("step", ["write ledger.sqlite", "rename ledger.sqlite", "write cdp.yaml"])
def test_a_backup_that_fails_leaves_the_earlier_one_whole(finished, tmp_path, step):
    shop = copy(finished, tmp_path / "shop")
    finish(waiting(shop))
    backup(shop, tmp_path / "backup", now=NOW)
    (shop / WAL / "0001.wal").unlink()  # it has landed
    finish(waiting(shop, "0002.wal"))

    def full(now):
        if now == step:
            raise OSError(28, "No space left on device")

    with durable.crash_hook(full), pytest.raises(OSError, match="No space"):
        backup(shop, tmp_path / "backup", now=NOW)
    assert segments(tmp_path / "backup") == ["0001.wal", "0002.wal"]
    backup(shop, tmp_path / "backup", now=NOW)
    assert segments(tmp_path / "backup") == ["0002.wal"]
