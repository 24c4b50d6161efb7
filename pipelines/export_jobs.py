"""Exports with a time of their own: a job and a schedule of Dagster for each."""

# No postponed annotations here: Dagster reads the type of ``context`` as it stands.
from typing import TYPE_CHECKING

import dagster as dg

from cdp.errors import CdpError
from pipelines.assets import SESSION
from pipelines.resources import OpenedSession
from pipelines.stages import export

if TYPE_CHECKING:
    from cdp.settings import Settings


def _name(export_name: str) -> str:
    """Return the name of an export's job; Dagster's names have no hyphens."""
    return f"export_{export_name.replace('-', '__')}"


def _timed(settings: "Settings") -> dict[str, str]:
    return {name: found.cron for name, found in settings.exports.items() if found.cron is not None}


def jobs(settings: "Settings") -> list[dg.JobDefinition]:
    """Return a job per export that has a cron."""
    return [_job(name) for name in _timed(settings)]


def _job(name: str) -> dg.JobDefinition:
    @dg.op(name=f"{_name(name)}_op", required_resource_keys={SESSION})
    def write(context: dg.OpExecutionContext) -> None:
        opened: OpenedSession = context.resources.session
        session = opened()
        try:
            report = export.export_one(session, export.configured(session.settings)[name])
        except CdpError as error:
            session.report.errors["export", name] = error
            raise dg.Failure(str(error), allow_retries=False) from error
        context.add_output_metadata({"dagster/row_count": report.rows, "release": report.release})
        problem = getattr(report, "problem", None)
        if problem:
            raise dg.Failure(f"{name} is not delivered whole: {problem}.", allow_retries=False)

    @dg.job(
        name=_name(name),
        description=f"Writes or delivers the export {name} of the current release.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        write()

    return job


def schedules(settings: "Settings") -> list[dg.ScheduleDefinition]:
    """Return a schedule per export that has a cron, in the workspace's zone; off until somebody turns it on."""
    return [
        dg.ScheduleDefinition(
            name=f"{_name(name)}_schedule",
            job_name=_name(name),
            cron_schedule=cron,
            execution_timezone=settings.workspace.timezone,
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description=f"When the export {name} is written.",
        )
        for name, cron in _timed(settings).items()
    ]
