"""`cdp publish`: the last part of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdp.cli.running import execute, quiet_option, wait_option

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("publish")
@click.option("--full", is_flag=True, help="Publish again, also where nothing has changed.")
@wait_option
@quiet_option
@click.pass_obj
def command(context: Context, *, full: bool, wait_seconds: float, quiet: bool) -> int:
    """Choose the golden values, publish a release, write the exports."""
    return execute(context, "publish", full=full, wait_seconds=wait_seconds, quiet=quiet)
