"""Reference pages that are made from the code: the command line, and events with their vocabulary.

Write them again with ``python -m tests.docs.reference_pages``; a test holds them equal to the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pyarrow as pa

from cdp import events, identifiers, schemas
from cdp.cli.main import COMMANDS, cli

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
_WIDTH = 100

_CLI_HEAD = """# Reference: the command line

<!-- Made from the commands by `python -m tests.docs.reference_pages`; a test keeps the two equal. -->

What each command prints with `--help`. Every command takes `-w/--workspace DIR`; without it, the folder that
`CDP_WORKSPACE` names is used, else the current one. Results go to stdout; progress, logs and errors to stderr.

| exit status | meaning |
|---|---|
| 0 | done; also where there was nothing to do |
| 1 | the run failed, or what was asked for is not there, or an input file could not be read |
| 2 | wrong use: an unknown command, option or name, or a mistake in `cdp.yaml` |
| 130 | interrupted |

| variable | meaning |
|---|---|
| `CDP_WORKSPACE` | the workspace folder, where `-w` does not name one |
| `CDP_DEBUG` | `1`: show the traceback of an error, as `--debug` does |
"""

_EVENTS_HEAD = """# Reference: events

<!-- Made from cdp/events.py, cdp/schemas.py and cdp/identifiers by `python -m tests.docs.reference_pages`; a test
keeps them equal. -->

Every standardised event has one word of this vocabulary as its `event_type`. The vocabulary is closed: what a
source calls otherwise becomes `event_tracked` (web), or is quarantined as `unknown_event_type` (files), and is never
lost. **direction** is the default: *inbound*, the person acted towards us; *outbound*, we acted towards the person.
**Engagement** types move `last_engaged_at` of a customer, unless the outcome is `bot` or `machine`: then nobody did
it.
"""


def cli_page() -> str:
    """Return the reference of the command line."""
    index = "".join(f"| [`cdp {name}`](#cdp-{name}) | {about} |\n" for name, (_, about) in COMMANDS.items())
    sections = "".join(f"\n## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps())
    return f"{_CLI_HEAD}\n| command | |\n|---|---|\n{index}{sections}"


def _helps() -> Iterator[tuple[str, str]]:
    for name in COMMANDS:
        parent = click.Context(cli, info_name="cdp")
        command = cli.get_command(parent, name)
        assert command is not None
        yield from _help(command, name, parent)


def _help(command: click.Command, name: str, parent: click.Context) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH)
    context.help_option_names = ["-h", "--help"]
    yield context.command_path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for sub, child in command.commands.items():
            yield from _help(child, sub, context)


def events_page() -> str:
    """Return the reference of events."""
    parts = [_EVENTS_HEAD, *(_channel(name, about) for name, about in events.CHANNELS.items())]
    parts.append(_standardised())
    parts.append(_mapping_table("Traits of a person", "trait", schemas.TRAITS))
    parts.append(_identifier_types())
    parts.append(_raw())
    return "\n".join(parts)


def _channel(channel: str, about: str) -> str:
    rows = "".join(
        f"| `{kind.name}` | {kind.direction or ''} | {'yes' if kind.engagement else ''} | {kind.description} |\n"
        for kind in events.EVENT_TYPES.values()
        if kind.channel == channel
    )
    return f"## Channel `{channel}`\n\n{about}.\n\n| event type | direction | engagement | |\n|---|---|---|---|\n{rows}"


def _standardised() -> str:
    rows = "".join(
        f"| `{field.name}` | `{_type(field)}` | {_meta(field, 'pii')} | {_meta(field, 'comment')} |\n"
        for field in schemas.EVENTS
    )
    return (
        "## Standardised events\n\nThe columns of every file below `events/`, and of `all_events` in a release. **pii** "
        "says how personal a column is: *direct* names or reaches a person, *quasi* may in combination.\n\n"
        f"| column | type | pii | |\n|---|---|---|---|\n{rows}"
    )


def _meta(field: pa.Field, key: str) -> str:
    return (field.metadata or {}).get(key.encode(), b"").decode().replace("|", "\\|").replace("``", "`")


def _type(field: pa.Field) -> str:
    if pa.types.is_struct(field.type):
        return "struct of traits"
    if pa.types.is_list(field.type):
        return "list of (type, namespace, value)"
    return str(field.type).replace("timestamp[us, tz=UTC]", "timestamp UTC")


def _mapping_table(title: str, heading: str, rows: Mapping[str, str]) -> str:
    lines = "".join(f"| `{name}` | {pii} |\n" for name, pii in rows.items())
    return f"## {title}\n\n| {heading} | pii |\n|---|---|\n{lines}"


def _identifier_types() -> str:
    rows = "".join(
        f"| `{kind.name}` | {'everywhere' if kind.is_global else 'in its namespace'} | {kind.description} |\n"
        for kind in identifiers.IDENTIFIER_TYPES.values()
    )
    reasons = "".join(f"| `{name}` | {about} |\n" for name, about in _identifier_reasons())
    return (
        "## Identifiers\n\nIn the order in which the first one that is present gives a record its key. A value that is "
        f"none is left out of the event; the payload keeps it.\n\n| type | valid | |\n|---|---|---|\n{rows}\n"
        f"| a value is no identifier because it is | |\n|---|---|\n{reasons}"
    )


def _identifier_reasons() -> Iterator[tuple[str, str]]:
    yield from dict(identifiers.REASONS).items()


def _raw() -> str:
    rows = "".join(
        f"| `{field.name}` | `{str(field.type).replace('timestamp[us, tz=UTC]', 'timestamp UTC')}` | "
        f"{'quarantine only' if field.name not in schemas.RAW.names else ''} |\n"
        for field in schemas.QUARANTINE
    )
    return (
        "## Landed rows\n\nThe columns of the files below `landing/`: one row is one envelope, its `payload` the very "
        "bytes that the source sent (the row of a table as a JSON object of its cells).\n\n"
        f"| column | type | |\n|---|---|---|\n{rows}"
    )


def api_page() -> str:
    from warehouse.api.reference import reference_page

    return reference_page()


PAGES = {"api.md": api_page, "cli.md": cli_page, "events.md": events_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
