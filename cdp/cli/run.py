"""`cdp run`: the whole job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdp.cli.running import execute, quiet_option, sources_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("run")
@sources_option
@click.option("--full", is_flag=True, help="Do everything again, also what has not changed.")
@wait_option
@quiet_option
@click.pass_obj
def command(
    context: Context, *, sources: tuple[str, ...], full: bool, wait_seconds: float, quiet: bool
) -> int:
    """Land what is new, standardise it, find the people, publish a release, write the exports.

    A run with nothing new does no work. One that fails or is killed leaves the last release in place,
    and the next run goes on from there. Exit status 1 also where an input file could not be read.
    """
    return execute(context, "run", sources=sources, full=full, wait_seconds=wait_seconds, quiet=quiet)
