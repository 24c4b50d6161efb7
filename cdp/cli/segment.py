"""`cdp segment`: segments of customers, kept as versioned files of the workspace."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdp.cli.main import Context
from cdp.cli.options import format_option
from cdp.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from warehouse.segments.desk import Desk
    from warehouse.segments.tree import Node


@click.group("segment")
def command() -> None:
    """List, show, count, save and archive segments; list who is in them.

    A segment is a rule over customers in segments/NAME/v0001.json; `cdp publish` says who entered and left.
    """


@contextlib.contextmanager
def _desk(context: Context) -> Iterator[Desk]:
    from cdp.lake import Lake
    from warehouse.release import current
    from warehouse.segments.desk import Desk

    lake = Lake(context.workspace)
    with current(lake).open() as connection:
        yield Desk.open(lake, connection, personal=True)


@command.command("list", short_help="List all segments with their size.")
@format_option("table")
@click.pass_obj
def list_(context: Context, *, chosen: str) -> None:
    """List all segments: size and change in the current release, version, state."""
    from cdp.cli import terminal
    from warehouse.segments import reading

    with _desk(context) as desk:
        sizes = reading.sizes(desk.connection)
        found = [
            {
                "segment": one.segment_id, "name": one.name, "version": one.last,
                "size": sizes[one.segment_id][-1].size if one.segment_id in sizes else None,
                "entered": sizes[one.segment_id][-1].entered if one.segment_id in sizes else None,
                "exited": sizes[one.segment_id][-1].exited if one.segment_id in sizes else None,
                "state": "problem" if one.problem else "archived" if one.is_archived else "in use",
                "problem": one.problem,
            }
            for one in desk.catalogue.segments.values()
        ]  # fmt: skip
    if chosen == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo(
            "There are no segments yet. Make one with `cdp segment save FILE`, or on the page /segments/new."
        )
        return
    headings = [name for name in found[0] if name != "problem"]
    rows = [[terminal.printable("" if row[n] is None else str(row[n])) for n in headings] for row in found]
    click.echo(terminal.table(headings, rows, right=frozenset({2, 3, 4, 5}), columns=terminal.width()))
    for row in found:
        if row["problem"]:
            click.echo(f"\n{row['segment']}: {terminal.printable(str(row['problem']))}", err=True)


@command.command("show", short_help="Show a segment's rule, sizes and versions.")
@click.argument("segment_id", metavar="SEGMENT")
@format_option("text")
@click.pass_obj
def show(context: Context, segment_id: str, *, chosen: str) -> None:
    """Show a segment: its rule in words, its size over releases, what each version changed."""
    from warehouse.segments import reading
    from warehouse.segments.words import changes

    with _desk(context) as desk:
        segment = desk.catalogue.get(segment_id)
        newest = segment.newest
        sizes = list(reading.sizes(desk.connection, segment_id).get(segment_id, ()))
        if chosen == "json":
            _echo_json(
                {
                    "segment_id": segment_id, "name": segment.name, "version": segment.last,
                    "archived": segment.is_archived, "problem": segment.problem,
                    "rule": newest.rule if newest else None,
                    "sizes": [{"release": one.release, "size": one.size, "entered": one.entered,
                               "exited": one.exited, "merged": one.merged} for one in sizes],
                }
            )  # fmt: skip
            return
        click.echo(f"{segment.name}  ({segment_id}, version {segment.last})")
        if segment.problem:
            click.echo(f"It has a problem: {segment.problem}")
        if newest is None:
            return
        if newest.description:
            click.echo(newest.description)
        click.echo("")
        _echo_said(desk.said(newest), 0)
        if sizes:
            click.echo("\nrelease                  size  entered  exited")
        for size in sizes:
            click.echo(f"{size.release:23}{size.size:>6,}{size.entered:>9,}{size.exited:>8,}")
        for before, after in zip(segment.versions, segment.versions[1:], strict=False):
            click.echo(f"\nversion {after.number}{f' by {after.author}' if after.author else ''}:")
            for line in changes(before, after, desk.teller):
                click.echo(f"  {line}")


def _echo_said(said: Any, depth: int) -> None:
    click.echo(f"{'  ' * depth}{said.text}{':' if said.parts else ''}")
    for part in said.parts:
        _echo_said(part, depth + 1)


def _echo_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _rule(desk: Desk, given: str) -> Node:
    """Return the rule of a segment, or of a file."""
    path = Path(given)
    if given.endswith(".json") or path.is_file():
        return desk.rule(_document(path)["rule"])
    return desk.usable(desk.catalogue.get(given))


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no readable JSON ({type(error).__name__}).") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: expected an object with name and rule, or a rule.")
    return found if "rule" in found else {"rule": found}


@command.command("count", short_help="Count who meets a rule in the current release.")
@click.argument("rule", metavar="SEGMENT|FILE")
@click.pass_obj
def count(context: Context, rule: str) -> None:
    """Count the customers who meet the rule of a segment, or of a JSON file, in the current release."""
    with _desk(context) as desk:
        click.echo(desk.count(_rule(desk, rule)))


@command.command("members", short_help="List the customer ids of who is in a segment.")
@click.argument("rule", metavar="SEGMENT|FILE")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.pass_obj
def members(context: Context, rule: str, *, limit: int | None) -> None:
    """List the ids of the customers who meet the rule of a segment, or of a JSON file, one a line."""
    with _desk(context) as desk:
        for customer_id in desk.members(_rule(desk, rule), limit=limit):
            click.echo(customer_id)


@command.command("save", short_help="Save a segment from a JSON file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--id", "segment_id", help="Its id; else that of the file, or one made from the name.")
@click.option("--name", help="Its name; else that of the file.")
@click.pass_obj
def save(context: Context, file: Path, *, segment_id: str | None, name: str | None) -> None:
    """Save the rule in FILE as a new segment, or as the next version of the one with this id.

    FILE holds an object with name, description and rule (see docs/reference/segments.md), or a rule alone. With
    a member `version`, saving is refused where that is no longer the newest.
    """
    import getpass
    from datetime import UTC, datetime

    from warehouse.segments import files
    from warehouse.segments.files import Draft

    given = _document(file)
    with _desk(context) as desk:
        title = name or given.get("name") or file.stem
        chosen = segment_id or given.get("segment_id") or files.new_id(str(title), desk.catalogue.segments)
        standing = desk.catalogue.segments.get(str(chosen))
        after = given.get("version", standing.last if standing else 0)
        if isinstance(after, bool) or not isinstance(after, int):
            raise UsageError(f"{file}: version: expected a whole number.")
        draft = Draft(
            str(chosen), str(title), given["rule"], str(given.get("description") or ""), getpass.getuser()
        )
        made = files.save(desk.lake, desk.fields, draft, after=after, now=datetime.now(UTC))
    click.echo(files.version_path(made.segment_id, made.number))


@command.command("archive", short_help="Take a segment out of use, or back into it.")
@click.argument("segment_id", metavar="SEGMENT")
@click.option("--restore", is_flag=True, help="Take it back into use.")
@click.pass_obj
def archive(context: Context, segment_id: str, *, restore: bool) -> None:
    """Take a segment out of use: with the next release all members leave it. Its versions stay."""
    import getpass
    from datetime import UTC, datetime

    from warehouse.segments import files

    with _desk(context) as desk:
        segment = desk.catalogue.get(segment_id)
        made = files.archive(
            desk.lake, desk.fields, segment_id, after=segment.last, now=datetime.now(UTC),
            author=getpass.getuser(), archived=not restore,
        )  # fmt: skip
    click.echo(files.version_path(made.segment_id, made.number))


@command.command("schema", short_help="Print the JSON Schema of a segment's file.")
def schema() -> None:
    """Print the JSON Schema of a segment's file, for editors and other programs."""
    from warehouse.segments.schema import schema as made

    _echo_json(made())
