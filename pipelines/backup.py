"""Backup: what has not landed yet, the two SQLite files through SQLite's own backup, then what they list.

A backup taken while a run works is whole: files are never changed once written, and whatever the
copied ledger lists was there before it. Write-ahead segments of a collector go first: one that lands
meanwhile is in both, which landing it again finds out.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cdp import durable
from cdp.errors import CorruptError, UsageError
from cdp.lake import CONFIG_FILE, WAL, Lake
from cdp.ledger import Ledger, timestamp
from cdp.lock import reading
from connectors.collector import wal
from pipelines import models
from pipelines.workspace import RATES
from warehouse.segments import files as segment_files

MANIFEST = "backup.json"
SERVE = "serve.sqlite"
WRITTEN = (CONFIG_FILE, RATES)
LANDED = ("landing/raw", "landing/quarantine")


@dataclass(frozen=True)
class BackupReport:
    """What was copied: files and bytes, of these ``kept`` that an earlier backup into this folder had."""

    folder: Path
    files: int
    size: int
    kept: int


def backup(workspace: Path, into: Path, *, now: datetime) -> BackupReport:
    """Copy what cannot be made again into the folder ``into``; a second time only what is new.

    Raises :class:`UsageError` where ``into`` holds something else, :class:`CorruptError` where a file
    that the ledger lists is missing.
    """
    lake = Lake(workspace)
    if not lake.ledger_path.is_file():
        raise UsageError(
            f"{workspace} holds no ledger.", hint="Name a workspace with -w that has run before."
        )
    if into.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            f"{into} lies inside the workspace.", hint="Name a folder elsewhere, on another disk."
        )
    if into.exists() and any(into.iterdir()) and not (into / MANIFEST).is_file():
        raise UsageError(f"{into} is not empty and holds no earlier backup.", hint="Name another folder.")
    durable.make_directory(into)
    with reading(workspace):
        return _backup(lake, into, now)


def _backup(lake: Lake, into: Path, now: datetime) -> BackupReport:
    workspace = lake.root
    waiting = _copy_unlanded(lake, into)
    for name in (lake.ledger_path.name, SERVE):
        if (workspace / name).is_file():
            _copy_sqlite(workspace / name, into / name)
    copied, kept, size = len(waiting), 0, sum(waiting.values())
    listed = list(_listed(workspace, into))
    for relative in listed:
        source, target = workspace / relative, into / relative
        if not source.is_file():
            raise CorruptError(f"{relative} is listed but missing.", hint="`cdp doctor` shows what is wrong.")
        if target.is_file() and target.stat().st_size == source.stat().st_size and relative not in WRITTEN:
            kept += 1
        else:
            _copy(source, target)
            copied += 1
        size += source.stat().st_size
    # An earlier backup stays whole until all of the new one is there.
    for old in sorted((into / WAL).glob("*")):
        if old.name not in waiting:
            durable.remove(old)
    Lake(into).sweep(set(listed), zones=LANDED)  # what has been put together since the backup before
    manifest = {"created_at": timestamp(now), "files": copied + kept, "bytes": size}
    durable.write_bytes(into / MANIFEST, json.dumps(manifest, indent=1).encode())
    return BackupReport(into, copied + kept, size, kept)


def _copy_unlanded(lake: Lake, into: Path) -> dict[str, int]:
    """Copy the segments that wait to be landed; return their names and sizes.

    One that a collector completes meanwhile gets another name, so that it looks like one that has landed:
    they are listed until no name is new.
    """
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    while new := sorted({path.name for path in lake.path(WAL).glob("*")} - seen):
        seen.update(new)
        for name in new:
            try:
                _copy(lake.path(WAL) / name, into / WAL / name)
            except FileNotFoundError:  # it has landed since, or has another name now
                continue
            sizes[name] = (into / WAL / name).stat().st_size
            # Completed, it is a copy of all that was in it while it was open.
            if sizes.pop(name + wal.OPEN, None) is not None:
                durable.remove(into / WAL / (name + wal.OPEN))
    return sizes


def _listed(workspace: Path, into: Path) -> Iterator[str]:
    """Yield what people wrote, and the landed files that the copied ledger lists."""
    yield from (name for name in WRITTEN if (workspace / name).is_file())
    yield from segment_files.listed(Lake(workspace))
    with Ledger(into / Lake(workspace).ledger_path.name, read_only=True) as ledger:
        for row in ledger.rows("SELECT DISTINCT path FROM stored_files ORDER BY path"):
            yield row["path"]
        # A model could be estimated again, but not the same one: a restored workspace keeps its customers.
        yield from models.listed(ledger)
        yield from (row["path"] for row in ledger.rows("SELECT path FROM segment_history"))


def _copy_sqlite(source: Path, target: Path) -> None:
    with durable.atomic_file(target) as temporary:
        origin = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
        copy = sqlite3.connect(temporary)
        try:
            origin.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
            origin.close()


def _copy(source: Path, target: Path) -> None:
    with durable.atomic_file(target) as temporary:
        shutil.copyfile(source, temporary)
