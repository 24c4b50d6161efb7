"""The sensor that makes customers of what a collector has landed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from cdp.lake import Lake
from cdp.ledger import Ledger
from pipelines.job import JOB, today
from pipelines.stages import export

if TYPE_CHECKING:
    from cdp.settings import Settings

SENSOR_SECONDS = 10
ATTEMPTS = 5
NEWEST_TAG = "cdp/newest"
_AT_WORK = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dataclass(frozen=True)
class Collected:
    """What a collector has landed and nobody has standardised: sources, files, and the newest file."""

    sources: tuple[str, ...]
    files: int
    newest: int


def collected_sensor(workspace: Path, settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that starts a run when events that came over HTTP have landed.

    While a run is at work it waits: what lands meanwhile is in the next one, together. Its run key is the
    newest file, which the ledger numbers upwards for ever, and the number of runs that have failed on it:
    Dagster starts no second run for a key, however the first one ended. After ``ATTEMPTS`` it gives up until
    newer events land.
    """

    @dg.sensor(
        name="collected",
        job_name=JOB,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Starts a run when events that `cdp collect` took have landed.",
    )
    def collected(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        found = not_standardised(workspace, settings)
        if not found.files:
            yield dg.SkipReason("No new events.")
        elif context.instance.get_runs_count(dg.RunsFilter(job_name=JOB, statuses=_AT_WORK)):
            yield dg.SkipReason(f"{found.files} new files; they wait for the run that is at work.")
        elif (failed := _failed(context.instance, found.newest)) >= ATTEMPTS:
            yield dg.SkipReason(
                f"{found.files} new files; {failed} runs have failed on them, so this sensor tries no more "
                "until newer events land. Mend the cause, then start the job by hand or `cdp run`."
            )
        else:
            yield dg.RunRequest(
                run_key=f"collected-{found.newest}-{failed + 1}",
                partition_key=today(),
                asset_selection=_assets(settings, found.sources),
                tags={"cdp/files": str(found.files), NEWEST_TAG: str(found.newest)},
            )

    return collected


def _failed(instance: dg.DagsterInstance, newest: int) -> int:
    """Return how many runs have failed that were to standardise all up to file ``newest``."""
    ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    return instance.get_runs_count(
        dg.RunsFilter(job_name=JOB, statuses=ended, tags={NEWEST_TAG: str(newest)})
    )


def not_standardised(workspace: Path, settings: Settings) -> Collected:
    """Return what has been collected and has no events yet, of the sources that are enabled."""
    path = Lake(workspace).ledger_path
    if not path.is_file():
        return Collected((), 0, 0)
    with Ledger(path, read_only=True) as ledger:
        rows = ledger.rows(
            """
            SELECT f.source, count(*) AS files, max(f.file_id) AS newest
            FROM files AS f JOIN batches AS b USING (batch_id)
            WHERE b.collected AND f.zone = 'raw'
              AND NOT EXISTS (SELECT 1 FROM event_files AS e WHERE e.file_id = f.file_id AND e.current)
            GROUP BY f.source ORDER BY f.source
            """
        )
    own = [
        row for row in rows if row["source"] in settings.sources and settings.sources[row["source"]].enabled
    ]
    return Collected(
        tuple(row["source"] for row in own),
        sum(row["files"] for row in own),
        max((row["newest"] for row in own), default=0),
    )


def _assets(settings: Settings, sources: Sequence[str]) -> list[dg.AssetKey]:
    """Return the assets that follow from new events of some sources."""
    followers = ["identity", "customers", "release", *(["exports"] if export.of_each_run(settings) else [])]
    return [*(dg.AssetKey(["events", name]) for name in sources), *map(dg.AssetKey, followers)]
