"""`cdp config`: check the configuration, print what editors and readers need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cdp.cli.main import Context


@click.group("config", help="Check cdp.yaml; print its JSON Schema.")
def command() -> None:
    """Group the commands below."""


@command.command("check")
@click.pass_obj
def check(context: Context) -> None:
    """Check cdp.yaml, and say what it holds.

    Names the line of everything that is wrong, what was expected, and the nearest known name.
    """
    from cdp.settings import FILE, load
    from connectors.registry import connector_for, names

    workspace = context.workspace
    settings = load(workspace, names())
    for source in settings.sources.values():
        connector_for(source)  # a connector may refuse its source's mapping
    click.echo(f"{workspace / FILE}: no mistakes.")
    for source in settings.sources.values():
        state = "" if source.enabled else " (not enabled)"
        click.echo(f"  {source.name}: {source.connector}, {', '.join(source.paths)}{state}")


@command.command("schema")
@click.option("--page", is_flag=True, help="Print the reference page (Markdown) instead.")
def schema(page: bool) -> None:
    """Print the JSON Schema of cdp.yaml, with which editors complete and check it."""
    from cdp.settings import reference

    click.echo(reference.page() if page else reference.json_schema(), nl=False)
