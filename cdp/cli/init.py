"""`cdp init`: make a workspace."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cdp.cli import terminal
from cdp.errors import UsageError

if TYPE_CHECKING:
    from cdp.cli.main import Context

KEY_VARIABLE: Final = "CDP_WEB_KEY"
DEMO_SEED: Final = 1
DEMO_NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)  # fixed: the demo is the same every day
_KEY = re.compile(r"[\x21-\x7e]{16,}")

_CONFIG: Final = """\
# Configuration of this workspace. `cdp config check` checks it; every key: docs/reference/config.md
version: 1
workspace: {{name: {name}, timezone: UTC}}     # region: GB, currency: GBP: see the reference

# Our own telephone numbers, domains and handles are no customers:
# own: {{phones: ["+442071234567"], domains: [shop.example]}}

sources:
  web:
    connector: segment              # calls of Segment's and RudderStack's libraries, as JSON
    write_key_env: {variable}      # the variable that holds the key; never the key itself
    on_revision: first              # what a client sends again does not replace what it sent
    path: "inbox/web/**/*"

  # orders:                         # any CSV, JSONL, Parquet or XLSX file
  #   connector: files
  #   path: "inbox/orders/*.csv"
  #   event: {{type: order_placed, id: order_no, time: ordered_at, amount: total, currency: GBP}}
  #   identifiers: {{email: email}}
"""

_IGNORED: Final = """\
# Everything here but the configuration is data.
*
!.gitignore
!cdp.yaml
"""


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Fill it with the demo's made-up data.")
@click.option("--people", type=click.IntRange(min=1), help="With --demo: how many people.")
@click.option("--events", type=click.IntRange(min=1), help="With --demo: about how many events.")
@click.option(
    "--seed", type=int, default=DEMO_SEED, show_default=True, help="With --demo: seed of the generator."
)
@click.option("--write-key", metavar="KEY", help="Write key of the web source, instead of a random one.")
@click.pass_obj
def command(
    context: Context,
    folder: Path,
    *,
    demo: bool,
    people: int | None,
    events: int | None,
    seed: int,
    write_key: str | None,
) -> None:
    """Make a workspace in DIR, which must not exist or be empty.

    It has one web source. Its write key is printed once and stored nowhere: keep it where the collector
    runs, in the variable that cdp.yaml names.
    """
    del context
    _refuse(folder, demo, write_key, people is not None or events is not None)
    if demo:
        _make_demo(folder, {"people": people, "events": events}, seed)
    else:
        _make_empty(folder, write_key or secrets.token_urlsafe(24))


def _refuse(folder: Path, demo: bool, write_key: str | None, sized: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", hint="Name a folder that does not exist yet.")
    if (folder / "cdp.yaml").exists():
        raise UsageError(f"{folder} is a workspace already.", hint=f"Use it with: cdp run -w {folder}")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty.", hint="Name a folder that does not exist yet, or an empty one."
        )
    if demo and write_key is not None:
        raise UsageError("The demo has no write key.", hint="Leave out --write-key, or --demo.")
    if sized and not demo:
        raise UsageError("--people and --events go with --demo.")
    if write_key is not None and not _KEY.fullmatch(write_key):
        raise UsageError(
            "The write key is too short or has odd characters.",
            hint="Expected 16 or more visible ASCII characters.",
        )


def _make_empty(folder: Path, write_key: str) -> None:
    (folder / "inbox" / "web").mkdir(parents=True)
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-") or "workspace"
    (folder / "cdp.yaml").write_text(
        _CONFIG.format(name=f'"{name}"', variable=KEY_VARIABLE), encoding="utf-8"
    )
    click.echo(f"Made the workspace {folder}.\n")
    click.echo("Write key of the source 'web' (shown only now):\n")
    click.echo(f"  export {KEY_VARIABLE}={write_key}\n")
    click.echo("Next:")
    click.echo(f"  put files of Segment or RudderStack calls (JSON) into {folder / 'inbox' / 'web'}")
    click.echo(f"  or take such calls over HTTP: {terminal.program()} collect -w {folder}")
    click.echo(f"  {terminal.program()} run -w {folder}")


def _make_demo(folder: Path, sizes: dict[str, int | None], seed: int) -> None:
    from cdp.demo import generate

    given = {name: size for name, size in sizes.items() if size is not None}
    report = generate(folder, seed=seed, now=DEMO_NOW, **given)
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    size = f"{report.people:,} people, {report.items:,} items in {report.files} files"
    click.echo(f"Made the demo in {folder}: {size} of {len(report.sources)} sources.")
    click.echo(f"Next: {terminal.program()} run -w {folder}")
