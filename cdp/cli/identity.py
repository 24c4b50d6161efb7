"""`cdp identity`: what people decide about matches, and how good the matches are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

import click

# name -> module, which holds the click command under that name (blanks and dashes as underscores).
COMMANDS: Final[Mapping[str, str]] = {
    "review": "cdp.cli.identity_review",
    "link": "cdp.cli.identity_judge",
    "split": "cdp.cli.identity_judge",
    "judgements": "cdp.cli.identity_judge",
    "withdraw": "cdp.cli.identity_judge",
    "fit": "cdp.cli.identity_fit",
    "evaluate": "cdp.cli.identity_evaluate",
    "report": "cdp.cli.identity_report",
}


@click.group("identity", help="Review matches, join and split customers, judge and change the model.")
def command() -> None:
    """Group the commands below."""


for _name, _module in COMMANDS.items():
    command.add_command(getattr(importlib.import_module(_module), _name))
