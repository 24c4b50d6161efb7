"""`cdp identity fit`: a new model on the present records, reported before it is used."""

from __future__ import annotations

import json
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option
from cdp.cli.running import wait_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdp.cli.main import Context
    from pipelines.fit import FitReport


@click.command("fit", short_help="Estimate a new model; report before use.")
@click.option("--use", is_flag=True, help="Take the new model into use; the next run resolves with it.")
@format_option("text")
@wait_option
@click.pass_obj
def fit(context: Context, *, use: bool, chosen: str, wait_seconds: float) -> None:
    """Estimate a new model on the present records, and report what it would change.

    Nothing changes until it is used: `cdp identity fit --use`, then `cdp run`. Runs keep using one version
    of the model, and make a new one of their own when the records have doubled since, or say what it does not read.
    """
    from cdp.runs import new_run_id
    from cdp.settings import load
    from connectors.registry import names
    from pipelines import fit as fitting
    from pipelines.progress import for_stream
    from pipelines.session import open_session

    workspace, now = context.workspace.resolve(), datetime.now(UTC)
    with (
        for_stream(sys.stderr, quiet=chosen == "json") as progress,
        open_session(
            workspace,
            load(workspace, names()),
            "identity fit",
            run_id=new_run_id(now, secrets.token_hex(2)),
            now=now,
            wait_seconds=wait_seconds,
            progress=progress,
        ) as session,
    ):
        report = fitting.fit(session, use=use)
    if chosen == "json":
        click.echo(json.dumps(report.to_dict(), indent=2))
        return
    for line in _lines(report):
        click.echo(line)


def _lines(report: FitReport) -> Iterator[str]:
    from cdp.cli import terminal

    old, new = report.old, report.new
    rows = [
        ["version", old.version, new.version],
        ["estimated on", f"{old.fitted_on:,} records", f"{new.fitted_on:,} records"],
        ["customers", f"{old.customers:,}", f"{new.customers:,}"],
        ["estimated precision", _share(old.precision), _share(new.precision)],
        ["estimated recall", _share(old.recall), _share(new.recall)],
    ]
    yield terminal.table(["model", "in use", "new"], rows, right=frozenset({1, 2}), columns=terminal.width())
    yield ""
    yield (
        f"{report.moved:,} of {report.records:,} records would change customer ({report.changed_share:.2%}): "
        f"{report.merged:,} customers merged into others, {report.split:,} split."
    )
    if new.version == old.version:
        yield "It is the model that is in use."
    elif report.used:
        yield "The new model is in use from now on: the next `cdp run` (or `cdp resolve`) applies it."
    else:
        yield "Nothing has changed. To use it: cdp identity fit --use"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
