"""Options that many commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")


def format_option(first: Literal["table", "text"], about: str = "Output.") -> Callable[[_Command], _Command]:
    """Return the option `--format`, given as ``chosen``: ``first`` for people (the default), json for programs."""
    return click.option(
        "--format",
        "chosen",
        type=click.Choice([first, "json"]),
        default=first,
        show_default=True,
        help=about,
    )
