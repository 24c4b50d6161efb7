"""`cdp serve`: the pages and the API on the published release."""

from __future__ import annotations

import click

from cdp.cli.main import Context

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
@click.pass_obj
def command(context: Context, *, host: str, port: int) -> None:
    """Serve customers, segments and quality as pages, and as an API under /api/v1.

    Prints an address that signs you in, once. Others sign in with a key: `cdp key create`.
    """
    from cdp.lake import Lake
    from cdp.settings import load
    from connectors.registry import names
    from warehouse.serve.context import Serving
    from warehouse.serve.server import run

    workspace = context.workspace.resolve()
    serving = Serving.open(Lake(workspace), load(workspace, names()))
    run(serving, host, port, say=click.echo)
