"""The session as a Dagster resource: opened for a run of Dagster's own, or the one that `cdp run` holds."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from cdp.runs import new_run_id
from pipelines import compaction, sources
from pipelines.instance import mark_dead_runs, mark_process
from pipelines.session import Session, open_session

WAIT_SECONDS = 600.0

OpenedSession = Callable[[], Session]
"""What the assets are given: a call that returns the run's session, opening it the first time."""


def held_session(session: Session) -> dg.ResourceDefinition:
    """Return a resource for a session that is open already."""
    return dg.ResourceDefinition.hardcoded_resource(lambda: session)


def own_session(workspace: Path) -> dg.ResourceDefinition:
    """Return a resource that holds the workspace from the first asset of a run to its end.

    It opens nothing before that: Dagster also makes resources when it only reads a result.
    """

    @dg.resource(
        config_schema={
            "wait_seconds": dg.Field(
                float,
                default_value=WAIT_SECONDS,
                description="How long to wait for another run of this workspace.",
            )
        },
        description="The workspace's writer lock, ledger and log.",
    )
    def session(context: dg.InitResourceContext) -> Iterator[OpenedSession]:
        opened: list[Session] = []
        with contextlib.ExitStack() as stack:

            def open_once() -> Session:
                if not opened:
                    opened.append(stack.enter_context(_open(workspace, context)))
                return opened[0]

            yield open_once

    return session


@contextlib.contextmanager
def _open(workspace: Path, context: dg.InitResourceContext) -> Iterator[Session]:
    from cdp.settings import load
    from connectors.registry import names

    now = datetime.now(UTC)
    instance, run = context.instance, context.run
    if instance is not None and run is not None:
        mark_process(instance, run.run_id)
    with open_session(
        workspace,
        load(workspace, names()),
        "dagster",
        run_id=new_run_id(now, secrets.token_hex(2)),
        now=now,
        wait_seconds=context.resource_config["wait_seconds"],
    ) as session:
        if instance is not None and run is not None:
            mark_dead_runs(instance, but=run.run_id)
        yield session
        if session.report.succeeded:
            compaction.compact_due(session, sources.enabled(session.settings))
