"""`cdp backup`: a copy of what cannot be made again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("backup")
@click.argument("folder", metavar="DEST", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def command(context: Context, folder: Path) -> None:
    """Copy ledger, landed files and cdp.yaml into DEST; into an earlier backup, only what is new.

    Events, identity, releases and exports are made from these: copy DEST to a new folder and call
    `cdp run --full` there. A run may be at work meanwhile.
    """
    from pipelines.backup import backup

    report = backup(context.workspace, folder, now=datetime.now(UTC))
    kept = f", {report.kept:,} of them already there" if report.kept else ""
    click.echo(f"{report.folder}: {report.files:,} files, {report.size:,} bytes{kept}.")
