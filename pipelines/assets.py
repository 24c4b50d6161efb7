"""The asset graph of a workspace: raw files per source and day, events, identity, customers, release.

An asset's body calls one stage and reports; what a stage does is in :mod:`pipelines.stages`.
"""

# No postponed annotations here: Dagster reads the type of ``context`` as it stands.
import contextlib
import errno
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from cdp.errors import CdpError
from pipelines import metadata
from pipelines.checks.model import CheckResult
from pipelines.resources import OpenedSession
from pipelines.session import Session
from pipelines.stages import customers, export, land, publish, resolve, standardise

if TYPE_CHECKING:
    from cdp.settings import Settings, SourceSettings

SESSION = "session"
CHECK_GROUPS = {
    "structure": "Events have what every later stage needs; a failure stops the source before it commits.",
    "rows": "Every event is possible; those that are not go to quarantine.",
    "plausibility": "Times and identifiers look as they should.",
}
_GROUP_OF = {"structure": "structure", "row": "rows", "warning": "plausibility"}
_NOT_WORTH_A_RETRY = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EFBIG}
RETRIES = 2
RETRY_SECONDS = 5


def days(start: date) -> dg.DailyPartitionsDefinition:
    """Return the partitions of landing: one per day (UTC) on which something landed, today included."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)


def build(settings: "Settings", start: date) -> list[dg.AssetsDefinition]:
    """Return the assets of a workspace whose first landing was on ``start``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies, since years
        return _build(settings, start)


def _build(settings: "Settings", start: date) -> list[dg.AssetsDefinition]:
    names = [name for name, source in settings.sources.items() if source.enabled]
    partitions = days(start)
    deadline = dg.FreshnessPolicy.cron(
        deadline_cron=_an_hour_after(settings.schedule),
        lower_bound_delta=timedelta(hours=2),
        timezone=settings.workspace.timezone,
    )
    found = [_raw(name, settings.sources[name], partitions) for name in names]
    found += [_events(name, partitions) for name in names]
    found += [_identity(names), _customers(), _release(deadline)]
    found += [_exports(settings)] if export.of_each_run(settings) else []
    return found


def _an_hour_after(cron: str) -> str:
    minute, hour, *rest = cron.split()
    return f"{minute} {(int(hour) + 1) % 24} {' '.join(rest)}" if hour.isdigit() else cron


def _raw(
    name: str, source: "SourceSettings", partitions: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    from cdp.settings import duration

    fresh = (
        dg.FreshnessPolicy.time_window(fail_window=duration(source.freshness)) if source.freshness else None
    )

    @dg.asset(
        key=["raw", name],
        group_name="landing",
        kinds={source.connector, "parquet"},
        description=f"{source.description or name}: envelopes as they came, immutable, by day of landing. "
        "Today's partition lands what is new; an older one checks its files against the ledger.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=fresh,
        required_resource_keys={SESSION},
    )
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            older = _older_days(context, session)
            verified = land.verify(session, name, older) if older else 0
            if older and not _has_today(context, session):
                return dg.MaterializeResult(metadata={"dagster/row_count": verified, "verified": True})
            report = land.land(session, name)
        session.report.landed[name] = report
        return dg.MaterializeResult(metadata=metadata.landing(session, report))

    return raw


def _events(name: str, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(["events", name])

    @dg.asset(
        key=key,
        deps=[dg.AssetKey(["raw", name])],
        group_name="events",
        kinds={"duckdb", "parquet"},
        description="Standardised events by day of landing. Today's partition takes whatever has no events "
        "under the mapping in use; an older one makes its events again.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": metadata.event_columns()},
        check_specs=[
            dg.AssetCheckSpec(group, asset=key, description=about, blocking=group == "structure")
            for group, about in CHECK_GROUPS.items()
        ],
        required_resource_keys={SESSION},
    )
    def events(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            options = session.options
            report = standardise.standardise_source(
                session,
                name,
                days=_older_days(context, session),
                again=options.full,
                quarantined=options.quarantined,
            )
        session.report.standardised[name] = report
        for day, rows in report.days.items():
            if context.has_partition_key and day != context.partition_key:
                _log_other_day(context, key, day, rows)
        return dg.MaterializeResult(
            metadata=metadata.standardised(session, report),
            check_results=list(_check_results(key, report.checks)),
        )

    return events


def _log_other_day(context: dg.AssetExecutionContext, key: dg.AssetKey, day: str, rows: int) -> None:
    """Tell Dagster that another day's partition has been made, too."""
    context.log_event(
        dg.AssetMaterialization(asset_key=key, partition=day, metadata={"dagster/row_count": rows})
    )


def _check_results(key: dg.AssetKey, results: Sequence[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    for group in CHECK_GROUPS:
        own = [result for result in results if _GROUP_OF[result.severity] == group]
        failed = [result for result in own if not result.passed]
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=group,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if group == "structure" else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{r.check_name}: {r.observed}" for r in failed)
            or f"{len(own)} checks passed",
            metadata={
                result.check_name: f"{result.observed} (expected: {result.expected})" for result in own
            },
        )


def _identity(names: Iterable[str]) -> dg.AssetsDefinition:
    @dg.asset(
        deps=[dg.AssetKey(["events", name]) for name in names],
        group_name="customers",
        kinds={"python", "parquet"},
        description="Records, evidence between them, clusters, and permanent customer ids.",
        automation_condition=dg.AutomationCondition.eager(),
        required_resource_keys={SESSION},
    )
    def identity(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            report = session.report.identity = resolve.resolve(session, full=session.options.full)
        version = dg.DataVersion(report.generation.input_digest)
        return dg.MaterializeResult(metadata=metadata.identity(session, report), data_version=version)

    return identity


def _customers() -> dg.AssetsDefinition:
    @dg.asset(
        name="customers",
        deps=["identity"],
        group_name="customers",
        kinds={"duckdb", "parquet"},
        description="The golden value of every attribute of every customer, with its attribution.",
        automation_condition=dg.AutomationCondition.eager(),
        required_resource_keys={SESSION},
    )
    def customers_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            report = session.report.customers = customers.merge_customers(session, full=session.options.full)
        version = dg.DataVersion(report.profiles.input_digest)
        return dg.MaterializeResult(metadata=metadata.customers(session, report), data_version=version)

    return customers_asset


def _release(deadline: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    @dg.asset(
        deps=["customers"],
        group_name="serving",
        kinds={"duckdb"},
        description="The published DuckDB file: customers, contact history, evidence, quality.",
        automation_condition=dg.AutomationCondition.eager(),
        freshness_policy=deadline,
        required_resource_keys={SESSION},
    )
    def release(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            report = session.report.release = publish.publish(session, full=session.options.full)
        version = dg.DataVersion(report.version)
        return dg.MaterializeResult(metadata=metadata.release(session, report), data_version=version)

    return release


def _exports(settings: "Settings") -> dg.AssetsDefinition:
    @dg.asset(
        deps=["release"],
        group_name="serving",
        kinds=_kinds(settings),
        description=f"For other systems, after each run: {', '.join(export.of_each_run(settings))}.",
        automation_condition=dg.AutomationCondition.eager(),
        required_resource_keys={SESSION},
    )
    def exports(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the bare class
        with working(context) as session:
            session.report.exports = export.export_all(session)
        written: dict[str, Any] = {
            report.export.name: dg.MetadataValue.path(str(report.folder)) for report in session.report.exports
        }
        rows = sum(report.rows for report in session.report.exports)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, **written})

    return exports


def _kinds(settings: "Settings") -> set[str]:
    """Return the formats of what each run exports; Dagster shows three at most."""
    exported = export.of_each_run(settings).values()
    formats = {into for one in exported for into in one.formats or ("http",)}
    return set(sorted(formats)[:3])


@contextlib.contextmanager
def working(context: dg.AssetExecutionContext) -> Iterator[Session]:
    """Yield the run's session; ask for another try where the machine may have been the trouble."""
    opened: OpenedSession = context.resources.session
    session: Session | None = None
    try:
        session = opened()
        yield session
    except CdpError as error:
        if session is not None:
            session.report.errors.setdefault((context.op_execution_context.op.name, None), error)
        raise dg.Failure(str(error), allow_retries=False) from error
    except (OSError, sqlite3.OperationalError) as error:
        if getattr(error, "errno", None) in _NOT_WORTH_A_RETRY:
            raise dg.Failure(
                f"{type(error).__name__}: the disk is full or not writable.", allow_retries=False
            ) from error
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error


def _partition_days(context: dg.AssetExecutionContext) -> list[str]:
    return (
        list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else []
    )


def _today(session: Session) -> str:
    return session.now.astimezone(UTC).date().isoformat()


def _has_today(context: dg.AssetExecutionContext, session: Session) -> bool:
    return _today(session) in _partition_days(context)


def _older_days(context: dg.AssetExecutionContext, session: Session) -> list[str]:
    return [day for day in _partition_days(context) if day != _today(session)]


def first_day(ingest_dates: Iterable[str], now: datetime) -> date:
    """Return the first partition: the earliest day of landing, today before anything has landed."""
    return min([*(date.fromisoformat(day) for day in ingest_dates), now.astimezone(UTC).date()])
