"""`cdp land`: the first part of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdp.cli.running import execute, quiet_option, sources_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("land")
@sources_option
@wait_option
@quiet_option
@click.pass_obj
def command(context: Context, *, sources: tuple[str, ...], wait_seconds: float, quiet: bool) -> int:
    """Land new input files as they are; nothing is interpreted yet.

    `cdp resolve` and `cdp publish` do the rest of the job.
    """
    return execute(context, "land", sources=sources, wait_seconds=wait_seconds, quiet=quiet)
