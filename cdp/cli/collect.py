"""`cdp collect`: events over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from cdp.cli.main import Context
    from cdp.settings import Settings

DEFAULT_PORT = 8787


@click.command("collect")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show the address and errors only.")
@click.option("--seal", "sealing", is_flag=True, hidden=True, help="Land what a collector has written.")
@click.pass_obj
def command(context: Context, *, host: str, port: int, quiet: bool, sealing: bool) -> int:
    """Take events over HTTP: of Segment's and RudderStack's clients, and of services' webhooks.

    An event is answered with 200 when it is on disk. What has been taken lands by itself in the
    background; `cdp run` makes customers of it. Ctrl-C stops: what has been answered lands first.
    """
    from cdp.settings import load
    from connectors.registry import names

    workspace = context.workspace.resolve()
    settings = load(workspace, names())
    if sealing:
        return _seal(workspace, settings)
    return _serve(workspace, settings, host, port, quiet=quiet)


def _serve(workspace: Path, settings: Settings, host: str, port: int, *, quiet: bool) -> int:
    import os

    from cdp.cli.collect_view import View
    from cdp.errors import LockedError
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from cdp.lock import collector_lock
    from cdp.wire.server import Address
    from connectors.collector.endpoints import endpoints
    from connectors.collector.server import Server, sealer_command

    open_to = endpoints(settings, workspace, os.environ)
    with collector_lock(workspace) as alone:
        if not alone:
            raise LockedError(f"A collector works on {workspace} already.", hint="Stop it first.")
        Ledger(Lake(workspace).ledger_path).close()  # make it, or find out now that it cannot be used
        view = View(open_to, quiet=quiet)
        server = Server(workspace, settings, open_to, sealer_command(workspace), view.landed)
        with view.watching(server.app):
            server.run(Address(host, port), lambda bound: view.listening(host, bound))
        view.ended(server.app)
    return 0


def _seal(workspace: Path, settings: Settings) -> int:
    """Be the process that lands segments, until the collector closes our standard input."""
    import signal

    from connectors.collector import sealing
    from connectors.collector.seal import Sealer
    from pipelines.stages.land import hold_back

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the collector says when
    with Sealer(workspace, settings, lambda ledger, name: hold_back(ledger, settings, name)) as sealer:
        sealing.serve(sealer, _say, sealing.end_of_input())
    return 0


def _say(line: Any) -> None:
    click.echo(line)
