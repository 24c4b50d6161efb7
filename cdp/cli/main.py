"""`cdp`: finds the command, names the workspace, and turns errors into messages and exit statuses.

Nothing heavy is imported here. ``COMMANDS`` says where each command lives and what its help line is, so
that `cdp --help` imports no command at all.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cdp.cli.storage import storage_errors, storage_message
from cdp.errors import CdpError, nearest

# name -> (module, help line); the module holds the click command as ``command``.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "init": ("cdp.cli.init", "Make a workspace, empty or with the demo's data."),
    "run": ("cdp.cli.run", "Do the whole job: land, standardise, resolve, publish, export."),
    "land": ("cdp.cli.land", "Land new input files; nothing is interpreted yet."),
    "collect": ("cdp.cli.collect", "Take events over HTTP: tracking clients and webhooks."),
    "resolve": ("cdp.cli.resolve", "Standardise what has landed and find the people."),
    "publish": ("cdp.cli.publish", "Publish a release and write the exports."),
    "sql": ("cdp.cli.sql", "Ask the current release one question in SQL."),
    "profile": ("cdp.cli.profile", "Show one customer, found by any identifier or name."),
    "explain": ("cdp.cli.explain", "Say why two records are one person, or why not."),
    "dedupe": ("cdp.cli.dedupe", "Find who is whom in one file of people, with no workspace."),
    "identity": ("cdp.cli.identity", "Review matches, join and split customers, judge and change the model."),
    "export": ("cdp.cli.export", "Write customers or the id map as files, with what changed."),
    "quarantine": ("cdp.cli.quarantine", "List what could not be read, and read it again."),
    "segment": ("cdp.cli.segment", "Keep segments of customers: list, count, save, who is in them."),
    "serve": ("cdp.cli.serve", "Serve the pages and the API on the current release."),
    "key": ("cdp.cli.key", "Make, list and revoke keys of the API and the pages."),
    "suppress": ("cdp.cli.suppress", "Keep people out: hold their events back before they land."),
    "sources": ("cdp.cli.sources", "Show the sources and what became of their data."),
    "tail": ("cdp.cli.tail", "Show the last events of a source, and those that come."),
    "connector": ("cdp.cli.connector", "Begin a connector of your own."),
    "config": ("cdp.cli.config", "Check cdp.yaml; print its JSON Schema."),
    "compact": ("cdp.cli.compact", "Put small landed files together, so that they are read faster."),
    "backup": ("cdp.cli.backup", "Copy what cannot be made again: ledger, landed files, configuration."),
    "doctor": ("cdp.cli.doctor", "Check ledger, files and accounting against each other."),
}

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

_WORKSPACE_HELP = "Workspace folder (else CDP_WORKSPACE, else the current folder)."
_DEBUG_HELP = "Show the traceback of an error (also CDP_DEBUG=1)."


class Context:
    """What every command may ask for: the workspace folder. Commands get it by ``click.pass_obj``."""

    def __init__(self) -> None:
        self._named: Path | None = None
        self.debug = False

    def name_workspace(self, folder: Path) -> None:
        """Take the folder that an option names; the one nearest to the command wins."""
        self._named = folder

    @property
    def workspace(self) -> Path:
        """The workspace's folder: named by an option, by ``CDP_WORKSPACE``, or the current one."""
        return self._named or Path(os.environ.get("CDP_WORKSPACE") or ".")


def _set_workspace(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    del parameter
    if value is not None:
        context.ensure_object(Context).name_workspace(value)


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value:
        context.ensure_object(Context).debug = True


def _common_options() -> list[click.Option]:
    """Return the options that every command takes, before and after its name."""
    folder = click.Path(file_okay=False, path_type=Path)
    where: dict[str, Any] = {
        "type": folder,
        "metavar": "DIR",
        "help": _WORKSPACE_HELP,
        "callback": _set_workspace,
    }
    traceback: dict[str, Any] = {
        "is_flag": True,
        "is_eager": True,
        "help": _DEBUG_HELP,
        "callback": _set_debug,
    }
    return [
        click.Option(["-w", "--workspace"], expose_value=False, **where),
        click.Option(["--debug"], expose_value=False, **traceback),
    ]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of ``COMMANDS``."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, with the common options added."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        add_common_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name is answered with the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            close = nearest(name, COMMANDS)
            hint = f"Did you mean {close!r}?" if close else "`cdp --help` lists the commands."
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines without importing any command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


def add_common_options(command: click.Command) -> None:
    """Let a command, and the commands below it, take the common options after their names."""
    present = {option for parameter in command.params for option in parameter.opts}
    command.params += [o for o in _common_options() if not present & set(o.opts)]
    if isinstance(command, click.Group):
        for sub in command.commands.values():
            add_common_options(sub)


@click.group(
    cls=LazyGroup, params=_common_options(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="cdp", message="%(package)s %(version)s")
def cli() -> None:
    """A customer data platform: land events of every channel, find the people, publish one customer table.

    Results go to stdout, progress and logs to stderr. Exit status: 0 done, 1 failed, 2 wrong use.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit status. Errors are written to stderr."""
    context = Context()
    context.debug = os.environ.get("CDP_DEBUG", "") not in ("", "0")
    try:
        return _status(cli.main(list(arguments), prog_name="cdp", standalone_mode=False, obj=context))
    except CdpError as error:
        if context.debug:
            raise
        _complain(error.message, error.hint)
        return error.exit_status
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _complain("Interrupted.", "What was committed stays; the next run goes on from there.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of stdout (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except storage_errors() as error:
        if context.debug:
            raise
        _complain(storage_message(error), "What was committed stays: make room or mend it, and run again.")
        return 1


def _status(returned: Any) -> int:
    return returned if isinstance(returned, int) else 0


def _complain(message: str, hint: str | None) -> None:
    click.echo(f"Error: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def main() -> None:
    """Run `cdp` with the arguments of the process."""
    sys.exit(run(sys.argv[1:]))
