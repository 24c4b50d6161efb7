"""Doctor: ledger, files and accounting held against each other; it only looks."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import platform
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cdp.lake import SWEPT, WAL, Lake
from cdp.ledger import Ledger
from cdp.lock import LOCK_FILE
from warehouse.serve.store import FILE as SERVE

State = Literal["ok", "note", "wrong"]
_PACKAGES = ("cdp", "dagster", "duckdb", "pyarrow", "great-expectations", "polars", "rapidfuzz", "numba")
_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """What one look found. ``wrong`` needs somebody to act; ``advice`` says how."""

    about: str
    state: State
    text: str
    advice: str = ""


def examine(workspace: Path) -> Iterator[Finding]:
    """Yield what is right and wrong with a workspace. Raises :class:`CorruptError` without a ledger."""
    yield _versions()
    lake = Lake(workspace)
    yield _lock(workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        yield _sqlite(ledger)
        yield _landed(lake, ledger)
        yield _events(lake, ledger)
        yield from _accounting(ledger)
        yield _identity(lake, ledger)
        yield _release(lake, ledger)
        yield _orphans(lake, ledger)
        yield _segments(lake)
        yield from _customer_segments(lake, ledger)
        yield _runs(ledger)
    yield _serve(lake)


def _versions() -> Finding:
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} missing")
    state: State = "ok" if sys.version_info >= (3, 11) else "wrong"
    return Finding("versions", state, ", ".join(found))


def _lock(workspace: Path) -> Finding:
    path = workspace / LOCK_FILE
    if not path.is_file():
        return Finding("lock", "ok", "free")
    with path.open("r+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Finding("lock", "note", f"held: {handle.read().strip() or 'by an unknown process'}")
        return Finding("lock", "ok", "free")


def _sqlite(ledger: Ledger) -> Finding:
    result = ledger.value("PRAGMA quick_check")
    if result == "ok":
        return Finding("ledger", "ok", f"{ledger.path.name} is sound")
    return Finding("ledger", "wrong", f"{ledger.path.name}: {result}", "Restore ledger.sqlite from a backup.")


def _landed(lake: Lake, ledger: Ledger) -> Finding:
    from pipelines.stages.land import file_problem

    rows = ledger.rows(
        "SELECT DISTINCT path, stored_rows AS rows, stored_size AS size FROM stored_files ORDER BY path"
    )
    wrong = [p for row in rows if (p := file_problem(lake, row["path"], rows=row["rows"], size=row["size"]))]
    advice = "Landed files cannot be made again: restore them from a backup."
    return _files("landed files", len(rows), wrong, advice)


def _events(lake: Lake, ledger: Ledger) -> Finding:
    from pipelines.stages.land import file_problem

    rows = ledger.rows(
        "SELECT DISTINCT path, stored_rows AS rows, stored_size AS size FROM stored_events WHERE current ORDER BY path"
    )
    wrong = [p for row in rows if (p := file_problem(lake, row["path"], rows=row["rows"], size=row["size"]))]
    return _files("event files", len(rows), wrong, "Make them again: cdp run --full.")


def _files(about: str, total: int, wrong: list[str], advice: str) -> Finding:
    if not wrong:
        return Finding(about, "ok", f"{total:,} as written")
    more = f" … and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return Finding(about, "wrong", " ".join(wrong[:_SHOWN]) + more, advice)


def _accounting(ledger: Ledger) -> Iterator[Finding]:
    from connectors import outcomes

    batches = outcomes.counts(ledger)
    wrong = [batch.batch_id for batch in batches if not batch.holds]
    landed = sum(batch.landed for batch in batches)
    if wrong:
        text = f"batches {', '.join(wrong[:_SHOWN])} do not add up"
        yield Finding("accounting", "wrong", text, "Please report it, with the output of `cdp sources`.")
    else:
        yield Finding(
            "accounting", "ok", f"{landed:,} envelopes of {len(batches):,} batches, each with one outcome"
        )
    waiting = sum(batch.pending for batch in batches)
    if waiting:
        yield Finding("accounting", "note", f"{waiting:,} envelopes have landed and wait", "cdp run")
    half = ledger.value("SELECT count(*) FROM batches WHERE state = 'intent'")
    if half:
        yield Finding(
            "accounting", "note", f"{half} batches were begun and not finished", "cdp run takes them up"
        )


def _identity(lake: Lake, ledger: Ledger) -> Finding:
    import pyarrow.parquet as pq

    from cdp.ids import customer_id
    from pipelines.generations import newest
    from pipelines.stages.resolve import SEQUENCE

    generation = newest(ledger)
    if generation is None:
        return Finding("identity", "note", "nothing has been resolved yet", "cdp run")
    path = lake.path(generation.path) / "id_map.parquet"
    if not path.is_file():
        return Finding(
            "identity", "wrong", f"{generation.path} is missing", "Make it again: cdp resolve --full."
        )
    table = pq.read_table(path)
    rows = ledger.rows("SELECT record_key, customer_id FROM id_map")
    known: dict[str, str] = {row["record_key"]: row["customer_id"] for row in rows}
    pairs = zip(table["record_key"].to_pylist(), table["customer_id"].to_pylist(), strict=True)
    different = sum(known.get(record) != customer for record, customer in pairs)
    newest_id = max(known.values(), default="")
    if different:
        return Finding(
            "identity", "wrong", f"{different} records have another id in the ledger", "cdp resolve --full"
        )
    if newest_id and newest_id >= customer_id(ledger.next_number(SEQUENCE)):
        return Finding(
            "identity", "wrong", f"the sequence would give {newest_id} again", "Restore the ledger."
        )
    return Finding("identity", "ok", f"{generation.records:,} records, {generation.customers:,} customers")


def _release(lake: Lake, ledger: Ledger) -> Finding:
    from warehouse import release as releases

    standing = releases.find_current(lake)
    listed = {row[0] for row in ledger.rows("SELECT version FROM releases WHERE retired = 0")}
    if standing is None:
        return Finding("release", "wrong" if listed else "note", "there is no current release", "cdp run")
    if standing.version not in listed:
        return Finding("release", "wrong", f"{standing.version} is not in the ledger", "cdp run")
    for entry in standing.manifest["files"]:
        found = releases.file_entry(standing.folder / entry["name"])
        if found != entry:
            text = f"{standing.version}/{entry['name']} is not what was published"
            return Finding("release", "wrong", text, "Publish again: cdp publish --full.")
    return Finding("release", "ok", f"{standing.version} is as published; {len(listed)} releases kept")


def _orphans(lake: Lake, ledger: Ledger) -> Finding:
    from pipelines.sweep import listed

    known = listed(lake, ledger)
    found = [
        path
        for zone in SWEPT
        for path in lake.path(zone).rglob("*")
        if path.is_file() and path.relative_to(lake.root).as_posix() not in known
    ]
    if not found:
        return Finding("orphans", "ok", "none")
    size = sum(path.stat().st_size for path in found)
    return Finding(
        "orphans",
        "note",
        f"{len(found)} files ({size:,} bytes) that nothing lists",
        "the next run removes them",
    )


def _segments(lake: Lake) -> Finding:
    """Look for what a collector has taken of sources that the settings do not have: it never lands."""
    from cdp.errors import CdpError
    from cdp.settings import load
    from connectors.collector import wal
    from connectors.registry import names

    paths = sorted(lake.path(WAL).glob(f"*{wal.SUFFIX}"))
    if not paths:
        return Finding("segments", "ok", "none wait")
    try:
        sources = load(lake.root, names()).sources
    except CdpError as error:
        return Finding("segments", "wrong", f"{len(paths)} wait; {error.message}", "Mend cdp.yaml.")
    events: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    unread: list[str] = []
    for path in paths:
        try:
            found = Counter(request.source for request in wal.read(path).requests)
        except FileNotFoundError:  # it has landed since
            continue
        except (CdpError, OSError):
            unread.append(path.name)
            continue
        events.update(found)
        segments.update(found.keys())
    if unread:
        text = f"cannot be read: {', '.join(unread[:_SHOWN])} ({len(unread)} in all)"
        return Finding("segments", "wrong", text, "Restore them from a backup.")
    gone = sorted(events.keys() - sources.keys())
    if not gone:
        return Finding("segments", "note", f"{len(paths)} wait", "cdp run")
    text = ", ".join(f"{name!r} ({events[name]:,} requests in {segments[name]} segments)" for name in gone)
    return Finding(
        "segments",
        "wrong",
        f"no source in cdp.yaml for what was collected as {text}",
        "Put each back into cdp.yaml under the very name it had, with its connector, and cdp run. While it is "
        "disabled its events land but nobody sees them: leave it enabled if they are to count.",
    )


def _customer_segments(lake: Lake, ledger: Ledger) -> Iterator[Finding]:
    from pipelines.stages.land import file_problem
    from warehouse.segments import files
    from warehouse.segments.fields import known_fields

    rows = ledger.rows("SELECT path, rows, size FROM segment_history")
    wrong = [p for row in rows if (p := file_problem(lake, row["path"], rows=row["rows"], size=row["size"]))]
    catalogue = files.read(lake, known_fields())
    if wrong:
        advice = "Who entered and left cannot be made again: restore the file from a backup."
        yield Finding("segments", "wrong", " ".join(wrong), advice)
    elif catalogue.segments:
        yield Finding("segments", "ok", f"{len(catalogue.rules):,} in use; their history is as written")
    for segment in catalogue.segments.values():
        if segment.problem:
            text = f"{segment.segment_id}: {segment.problem}"
            yield Finding(
                "segments", "wrong", text, "Correct the file; until then its members stay as they were."
            )


def _runs(ledger: Ledger) -> Finding:
    rows = ledger.rows("SELECT run_id, status, summary FROM runs ORDER BY started_at DESC LIMIT 1")
    if not rows:
        return Finding("last run", "note", "none yet")
    run = rows[0]
    failed = json.loads(run["summary"] or "{}").get("failed")
    state: State = "ok" if run["status"] == "succeeded" else "note"
    return Finding("last run", state, f"{run['run_id']} {run['status']}" + (f" ({failed})" if failed else ""))


def _serve(lake: Lake) -> Finding:
    """Look at the keys and the audit log of `cdp serve`; a workspace that was never served has none."""
    path = lake.path(SERVE)
    if not path.is_file():
        return Finding("serve", "ok", "no keys, no audit log yet")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            (result,) = store.execute("PRAGMA quick_check").fetchone()
            keys, lines = store.execute(
                "SELECT count(*) FILTER (WHERE revoked_at IS NULL AND hash IS NOT NULL), "
                "(SELECT count(*) FROM audit) FROM keys"
            ).fetchone()
    except sqlite3.DatabaseError as error:
        result, keys, lines = str(error), 0, 0
    if result != "ok":
        return Finding("serve", "wrong", f"{SERVE}: {result}", f"Restore {SERVE} from a backup.")
    text = f"{SERVE} is sound; keys not revoked: {keys:,}, lines of the audit log: {lines:,}"
    if path.stat().st_mode & 0o077:
        return Finding("serve", "note", f"{text}; others on this machine may read it", f"chmod 600 {path}")
    return Finding("serve", "ok", text)
