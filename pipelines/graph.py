"""The definitions of a workspace as Dagster sees them; the modules below ``defs/`` hand them over."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from cdp.lake import CONFIG_FILE, Lake
from cdp.ledger import Ledger
from pipelines import assets, collected, export_jobs, job
from pipelines.asset_checks import table_checks
from pipelines.resources import held_session, own_session
from pipelines.session import Session
from pipelines.stages.land import ingest_dates
from pipelines.workspace import folder

if TYPE_CHECKING:
    from cdp.settings import Settings


@cache
def settings_of(workspace: Path) -> Settings | None:
    """Return the settings of a workspace, or None where there is none."""
    from cdp.settings import load
    from connectors.registry import names

    return load(workspace, names()) if (workspace / CONFIG_FILE).is_file() else None


def asset_definitions() -> dg.Definitions:
    """Return the assets of the workspace in use; none where there is no workspace."""
    workspace = folder()
    settings = settings_of(workspace)
    if settings is None:
        return dg.Definitions()
    return dg.Definitions(
        assets=assets.build(settings, _start(workspace)),
        resources={assets.SESSION: own_session(workspace)},
        executor=dg.in_process_executor,
    )


def check_definitions() -> dg.Definitions:
    """Return the checks of whole tables."""
    return dg.Definitions(asset_checks=[table_checks()]) if settings_of(folder()) else dg.Definitions()


def automation_definitions() -> dg.Definitions:
    """Return the job, its schedule and its sensors."""
    workspace = folder()
    settings = settings_of(workspace)
    if settings is None:
        return dg.Definitions()
    followers = dg.AutomationConditionSensorDefinition(
        "follow_up",
        target=dg.AssetSelection.groups("customers", "serving"),
        description="After a backfill of events: identity, customers, release and exports.",
    )
    return dg.Definitions(
        jobs=[job.job(), *export_jobs.jobs(settings)],
        schedules=[job.schedule(settings), *export_jobs.schedules(settings)],
        sensors=[
            job.new_files_sensor(workspace, settings),
            collected.collected_sensor(workspace, settings),
            followers,
        ],
    )


def definitions(session: Session) -> dg.Definitions:
    """Return the same graph for a workspace that is open: what `cdp run` executes."""
    return dg.Definitions(
        assets=assets.build(session.settings, _start(session.lake.root, session.now)),
        asset_checks=[table_checks()],
        jobs=[job.job()],
        resources={assets.SESSION: held_session(session)},
        executor=dg.in_process_executor,
    )


def _start(workspace: Path, now: datetime | None = None) -> date:
    path = Lake(workspace).ledger_path
    moment = now or datetime.now(UTC)
    if not path.is_file():
        return assets.first_day([], moment)
    with Ledger(path, read_only=True) as ledger:
        return assets.first_day(ingest_dates(ledger), moment)
