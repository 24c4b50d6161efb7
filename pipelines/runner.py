"""One run of the job from a command line: the same assets that Dagster schedules, in this process.

What there is to do is found first, so that a run with nothing new ends before anything heavy is
imported. ``ENGINES`` names two ways through the stages: Dagster's, which keeps a record of every run
and checks, and a plain one, which makes the same durable writes in the same order (crash tests run it
hundreds of times).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.errors import RunFailedError, UsageError
from cdp.runs import new_run_id
from pipelines import compaction
from pipelines import plan as planning
from pipelines import sources as source_names
from pipelines.compaction import CompactionReport
from pipelines.options import RunOptions
from pipelines.plan import Plan
from pipelines.progress import Progress
from pipelines.report import RunReport
from pipelines.session import Session, open_session
from pipelines.stages import check, customers, export, land, publish, resolve, standardise

if TYPE_CHECKING:
    from cdp.settings import Settings

Engine = Callable[[Session, Plan], None]


def run(  # noqa: PLR0913 - the options of `cdp run`, all by name
    workspace: Path,
    settings: Settings,
    selection: str = "run",
    *,
    sources: Sequence[str] = (),
    options: RunOptions | None = None,
    now: datetime | None = None,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    engine: str = "dagster",
) -> RunReport:
    """Run a selection of the job (``pipelines.plan.SELECTIONS``) on a workspace.

    ``sources`` limits landing and standardising. Raises :class:`cdp.errors.LockedError` where another
    run holds the workspace, and the first error of a stage that failed; what had been committed stays,
    and the next run goes on from there. What a collector has taken and cannot land is such an error, too,
    but all other stages have run by then.
    """
    if selection not in planning.SELECTIONS:
        raise UsageError(
            f"There is no selection {selection!r}.", hint=f"Known: {', '.join(planning.SELECTIONS)}."
        )
    moment = now or datetime.now(UTC)
    names = source_names.enabled(settings, sources)
    with open_session(
        workspace,
        settings,
        selection,
        run_id=new_run_id(moment, secrets.token_hex(2)),
        now=moment,
        wait_seconds=wait_seconds,
        progress=progress,
        options=options,
    ) as session:
        if planning.SELECTIONS[selection].land:
            land.seal(session)
        with session.stage("plan"):
            todo = planning.make(session, planning.SELECTIONS[selection], names)
        session.report.log = session.log.path
        if todo.nothing:
            session.report.nothing_new = True
        else:
            ENGINES[engine](session, todo)
        if not _failed_stages(session):
            compaction.compact_due(session, names)
    if session.report.error is not None:
        raise session.report.error
    return session.report


def compact(
    workspace: Path,
    settings: Settings,
    *,
    sources: Sequence[str] = (),
    now: datetime | None = None,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
) -> list[CompactionReport]:
    """Put all small files of the sources together; return what that did to each."""
    moment = now or datetime.now(UTC)
    names = source_names.enabled(settings, sources)
    with open_session(
        workspace,
        settings,
        "compact",
        run_id=new_run_id(moment, secrets.token_hex(2)),
        now=moment,
        wait_seconds=wait_seconds,
        progress=progress,
    ) as session:
        return [compaction.compact(session, name) for name in names]


def run_plainly(session: Session, todo: Plan) -> None:
    """Call the stages one after the other."""
    report, options = session.report, session.options
    for name in todo.to_land:
        report.landed[name] = land.land(session, name)
    for name in todo.to_standardise:
        report.standardised[name] = standardise.standardise_source(
            session, name, again=options.full, quarantined=options.quarantined
        )
    if todo.resolve:
        report.identity = resolve.resolve(session, full=options.full)
        check.verify_identity(session)
    if todo.publish:
        report.customers = customers.merge_customers(session, full=options.full)
        report.release = publish.publish(session, full=options.full)
        report.exports = export.export_all(session)


def run_with_dagster(session: Session, todo: Plan) -> None:
    """Execute the assets in process, recorded in the workspace's Dagster instance."""
    with session.stage("start Dagster"):
        import dagster as dg

        from pipelines import graph, job
        from pipelines.instance import PROCESS_TAG, mark_dead_runs, open_instance, this_process

        definitions = graph.definitions(session)
        instance = open_instance(session.lake.root)
    with instance:
        mark_dead_runs(instance)
        result = definitions.resolve_job_def(job.JOB).execute_in_process(
            asset_selection=[dg.AssetKey(key) for key in selected_assets(session, todo)],
            partition_key=session.now.astimezone(UTC).date().isoformat(),
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={PROCESS_TAG: this_process(), "cdp/run": session.run_id},
        )
    if not result.success and not _failed_stages(session):
        failed = [event.step_key or "the run" for event in result.all_events if event.is_failure]
        session.report.errors["dagster", None] = RunFailedError(
            f"Dagster reports a failure of {', '.join(dict.fromkeys(failed)) or 'the run'}.",
            hint=f"`dg dev` shows the run {result.dagster_run.run_id}.",
        )


def _failed_stages(session: Session) -> list[str]:
    """Return the stages that failed, but for sealing: what it could not land stops nothing else."""
    return [stage for stage, _ in session.report.errors if stage != land.SEAL]


def selected_assets(session: Session, todo: Plan) -> list[list[str]]:
    """Return the keys of the assets that a plan needs."""
    keys = [["raw", name] for name in todo.to_land]
    keys += [["events", name] for name in todo.to_standardise]
    if todo.resolve:
        keys.append(["identity"])
    if todo.publish:
        keys += [["customers"], ["release"]]
        keys += [["exports"]] if export.of_each_run(session.settings) else []
    return keys


ENGINES: Mapping[str, Engine] = {"dagster": run_with_dagster, "plain": run_plainly}
