"""`cdp resolve`: the middle part of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdp.cli.running import execute, quiet_option, sources_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("resolve")
@sources_option
@click.option("--full", is_flag=True, help="Standardise and resolve everything again.")
@wait_option
@quiet_option
@click.pass_obj
def command(
    context: Context, *, sources: tuple[str, ...], full: bool, wait_seconds: float, quiet: bool
) -> int:
    """Standardise what has landed, and find which records are one person.

    `--source` limits standardising only: people are always found among all records.
    """
    return execute(context, "resolve", sources=sources, full=full, wait_seconds=wait_seconds, quiet=quiet)
