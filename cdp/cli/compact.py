"""`cdp compact`: many small files become few."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cdp.cli.running import quiet_option, sources_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("compact")
@sources_option
@wait_option
@quiet_option
@click.pass_obj
def command(context: Context, *, sources: tuple[str, ...], wait_seconds: float, quiet: bool) -> None:
    """Put the small files of each source and day together, so that they are read faster.

    `cdp run` does so by itself where there are many. Nothing that is published changes. Readers and a
    collector may be at work meanwhile; the old files go with a run that starts an hour later.
    """
    from cdp.settings import load
    from connectors.registry import names
    from pipelines import runner
    from pipelines.progress import for_stream

    workspace = context.workspace.resolve()
    settings = load(workspace, names())
    with for_stream(sys.stderr, quiet=quiet) as progress:
        reports = runner.compact(
            workspace, settings, sources=sources, wait_seconds=wait_seconds, progress=progress
        )
    if quiet:
        return
    done = [report for report in reports if report.packs]
    for report in done:
        click.echo(
            f"{report.source}: {report.files:,} files became {report.packs:,} "
            f"({report.rows:,} rows, {report.size:,} bytes)."
        )
    if not done:
        click.echo("There are no small files to put together.")
