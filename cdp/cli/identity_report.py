"""`cdp identity report`: what the model of the workspace has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.command("report")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write a page instead.",
)
@click.pass_obj
def report(context: Context, *, out: Path | None) -> None:
    """Show what the identity model has learned.

    Match weights of all pairs, estimated precision and recall over thresholds, m and u of every level, and which
    keys bring pairs together. With --out the same as one HTML page that needs nothing else; no values of
    customers are in either.
    """
    from cdp.cli.identity_evaluate import generation_folder

    model = json.loads((generation_folder(context.workspace) / "model.json").read_bytes())
    if out is None:
        from identity.evaluation.modelreport import text

        click.echo(text(model))
        return
    from cdp import durable
    from identity.evaluation.modelreport_html import html

    durable.write_bytes(out, html(model).encode())
    click.echo(f"written: {out}")
