"""`cdp serve`: the pages and the API on the published release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cdp.cli.main import Context

if TYPE_CHECKING:
    from warehouse.serve.server import Running

DEFAULT_PORT = 8700


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show the address and errors only, no line per request.")
@click.pass_obj
def command(context: Context, *, host: str, port: int, quiet: bool) -> None:
    """Serve customers, segments and quality as pages, and as an API under /api/v1.

    Prints an address that signs you in, once. Others sign in with a key: `cdp key create`.
    A new release is served from the next request on. Ctrl-C stops.
    """
    from functools import partial

    from cdp.lake import Lake
    from cdp.settings import load
    from connectors.registry import names
    from pipelines.exporting import run_export
    from pipelines.facts import WorkspaceFacts
    from warehouse.serve import logs
    from warehouse.serve.context import Serving
    from warehouse.serve.server import run

    workspace = context.workspace.resolve()
    settings = load(workspace, names())
    logs.set_up(quiet=quiet)
    serving = Serving.open(Lake(workspace), settings)
    serving.facts = WorkspaceFacts(workspace, settings, serving.now)
    serving.exporter = partial(run_export, workspace)
    run(serving, host, port, started=_announce)


def _announce(running: Running) -> None:
    click.echo(f"Serving on {running.address}")
    if not running.is_local:
        click.echo(
            "Others can reach this server, and it speaks plain HTTP: keys and personal data could be read on "
            "the way. Put a proxy with TLS before it (docs/how-to/serve.md).",
            err=True,
        )
