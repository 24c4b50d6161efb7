"""`cdp connector new`: the beginning of a connector in a checkout of the source, with its tests."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Final

import click

from cdp.cli.connector_files import MODULE, REFERENCE, TEST
from cdp.errors import UsageError
from cdp.events import CHANNELS

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_REGISTRY: Final = "CONNECTORS: dict[str, str] = {\n"


@click.group("connector", help="Begin a connector of your own.")
def command() -> None:
    """Group the commands below."""


@command.command("new")
@click.argument("name")
@click.option(
    "--channel",
    type=click.Choice(sorted(CHANNELS)),
    default="web",
    show_default=True,
    help="Channel of its events, where their type does not say.",
)
def new(name: str, channel: str) -> None:
    """Write connectors/NAME.py with a mapping to change, and tests that pass from the start.

    For a checkout of cdp's source that is installed editable. Nothing that is there is overwritten. The
    connector reads JSON: objects, arrays, and lines of either; change what it splits where yours differs.
    """
    root = _checkout()
    _check(name, root)
    replaced = {"NAME": name, "Name": name.replace("_", " ").capitalize(), "CHANNEL": channel}
    module, test = root / "connectors" / f"{name}.py", root / "tests" / "unit" / f"test_connectors_{name}.py"
    module.write_text(_filled(MODULE, replaced), encoding="utf-8")
    test.write_text(_filled(TEST, replaced), encoding="utf-8")
    _register(root / "connectors" / "registry.py", name)
    reference = root / "docs" / "reference" / "connectors.md"
    reference.write_text(
        reference.read_text(encoding="utf-8").rstrip("\n") + "\n" + _filled(REFERENCE, replaced),
        encoding="utf-8",
    )
    for path in (module, test, root / "connectors" / "registry.py", reference):
        click.echo(f"  {path.relative_to(root)}")
    click.echo("\nNext, in that checkout:")
    click.echo(f"  python -m pytest -q {test.relative_to(root)}    # passes; put your own payloads into it")
    click.echo(
        f"  $EDITOR {module.relative_to(root)}    # what an event is: see docs/how-to/add-a-connector.md"
    )


def _checkout() -> Path:
    from connectors import registry

    root = Path(registry.__file__).resolve().parents[1]
    if (
        not (root / "tests" / "unit").is_dir()
        or not (root / "docs" / "reference" / "connectors.md").is_file()
    ):
        raise UsageError(
            "This cdp is no checkout of its source.",
            hint="Clone it, run `make setup` there, and call .venv/bin/cdp connector new NAME.",
        )
    return root


def _check(name: str, root: Path) -> None:
    from connectors.registry import CONNECTORS

    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is no name of a connector.",
            hint="Expected lower-case letters, digits and underscores, a letter first.",
        )
    if name in CONNECTORS:
        raise UsageError(f"There is a connector {name!r} already: {CONNECTORS[name]}.")
    test = root / "tests" / "unit" / f"test_connectors_{name}.py"
    for path in (root / "connectors" / f"{name}.py", root / "connectors" / name, test):
        if path.exists():
            raise UsageError(f"{path.relative_to(root)} exists already.", hint="Choose another name.")


def _register(path: Path, name: str) -> None:
    """Add a line at the end of the registry's dictionary."""
    text = path.read_text(encoding="utf-8")
    start = text.find(_REGISTRY)
    end = text.find("\n}\n", start)
    if start < 0 or end < 0:
        raise UsageError(f"{path} has no dictionary CONNECTORS.", hint="Add the connector by hand.")
    path.write_text(f'{text[:end]}\n    "{name}": "connectors.{name}",{text[end:]}', encoding="utf-8")


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"<{name}>", value)
    return template
