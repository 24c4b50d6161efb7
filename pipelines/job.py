"""The one job of a workspace, and what starts it: a schedule, new files, a person."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from cdp.lake import Lake
from cdp.ledger import Ledger

if TYPE_CHECKING:
    from cdp.settings import Settings
    from connectors.inbox import InboxFile

JOB = "cdp"
SENSOR_SECONDS = 60
# A file that was written to a moment ago may still be growing.
SETTLED_SECONDS = 30


def job() -> dg.UnresolvedAssetJobDefinition:
    """Return the job of all assets and checks; `cdp run`, `land`, `resolve`, `publish` are parts of it.

    Started without a partition (`dg launch --job cdp`), it works on the day on which it was loaded.
    """
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Land, standardise, resolve, merge, publish, export.",
        executor_def=dg.in_process_executor,
        tags={"dagster/partition": today()},
    )


def today() -> str:
    """Return today's partition."""
    return datetime.now(UTC).date().isoformat()


def schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the daily schedule of ``cdp.yaml``; it is off until somebody turns it on."""

    @dg.schedule(
        name="daily",
        job_name=JOB,
        cron_schedule=settings.schedule,
        execution_timezone=settings.workspace.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="The daily run: whatever is new.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y%m%dT%H%M}", partition_key=today())

    return daily


def new_files_sensor(workspace: Path, settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that starts a run when input files are new or have grown.

    What has landed is in the ledger, so the sensor remembers nothing but its last request. Its run key
    holds sizes and times of the files: the same files ask once, and once more when one of them changes.
    """

    @dg.sensor(
        name="new_files",
        job_name=JOB,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Starts a run when a source has new input files that are no longer growing.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        waiting = list(unlanded(workspace, settings))
        if not waiting:
            yield dg.SkipReason("No new files.")
            return
        newest = max(file.path.stat().st_mtime for file in waiting)
        if time.time() - newest < SETTLED_SECONDS:
            yield dg.SkipReason(f"{len(waiting)} new files; the newest may still be growing.")
            return
        key = run_key(waiting)
        context.update_cursor(json.dumps({"run_key": key, "files": len(waiting)}))
        yield dg.RunRequest(run_key=key, partition_key=today(), tags={"cdp/files": str(len(waiting))})

    return new_files


def unlanded(workspace: Path, settings: Settings) -> Iterator[InboxFile]:
    """Yield the input files of enabled sources that have not landed as they are now."""
    from connectors import inbox

    cursors: dict[str, dict[str, str]] = {}
    ledger_path = Lake(workspace).ledger_path
    if ledger_path.is_file():
        with Ledger(ledger_path, read_only=True) as ledger:
            for row in ledger.rows("SELECT source, origin, cursor FROM cursors"):
                cursors.setdefault(row["source"], {})[row["origin"]] = row["cursor"]
    for name, source in settings.sources.items():
        if source.enabled:
            yield from inbox.files(workspace, source.paths, cursors.get(name, {}))


def run_key(files: list[InboxFile]) -> str:
    """Return a key of bounded length over the files' names, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.origin):
        digest.update(f"{file.origin}\x00{file.cursor}\n".encode())
    return f"{len(files)}-{digest.hexdigest()[:24]}"
