"""`cdp identity link`, `split`, `judgements` and `withdraw`: a person's word about who is one person."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdp.cli.main import Context
    from cdp.judgements import Decision, Judgement
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines.known import Known

NEXT = "The next `cdp run` (or `cdp resolve`) applies it."

as_option = click.option(
    "--as", "judge", metavar="NAME", help="Who judges; default: the user of the operating system."
)
note_option = click.option("--note", metavar="TEXT", help="Why; kept with the judgement.")


def judge_name(given: str | None) -> str:
    """Return who judges: the name that was given, else the user of the operating system."""
    import getpass

    from cdp.errors import UsageError

    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError(
            "The operating system knows no user name.", hint="Name yourself: --as NAME."
        ) from None


def keep(
    context: Context, decisions: Sequence[Decision], judge: str | None, *, one_act: bool = True
) -> list[Judgement]:
    """Append decisions to the ledger; ``one_act``: they are taken back as one."""
    from cdp import judgements
    from cdp.lake import Lake
    from cdp.ledger import Ledger

    with Ledger(Lake(context.workspace).ledger_path) as ledger:
        return judgements.append(
            ledger, decisions, by=judge_name(judge), now=datetime.now(UTC), one_act=one_act
        )


@click.command("link", short_help="Say that records are one person.")
@click.argument("records", metavar="A B [C]...", nargs=-1, required=True)
@as_option
@note_option
@click.pass_obj
def link(context: Context, records: tuple[str, ...], *, judge: str | None, note: str | None) -> None:
    """Say that records are one person.

    A, B, C are record keys (source:key), or customer ids, for which their first record stands. It holds
    until a later judgement on the same records says otherwise, or it is taken back.
    """
    from cdp.errors import UsageError
    from cdp.judgements import Decision
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines.known import opened

    if len(records) < 2:
        raise UsageError("One record was given, expected two or more.", hint="cdp identity link A B")
    lake = Lake(context.workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger, opened(lake, ledger) as known:
        keys = [_record(known, text) for text in records]
        together = len({known.customer_of(key) for key in keys}) == 1
    keep(context, [Decision(one, other, "must_link", note) for one, other in pairwise(keys)], judge)
    state = "They are one customer already, and stay so." if together else NEXT
    click.echo(f"{' and '.join(keys)} are one person. {state}", err=True)


def _record(known: Known, text: str) -> str:
    """Return the record that a key or a customer id means."""
    of_customer = known.records_of(text)
    return of_customer[0] if of_customer else known.check(text)


@click.command("split", short_help="Say that two records are two people.")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@as_option
@note_option
@click.pass_obj
def split(context: Context, left: str, right: str, *, judge: str | None, note: str | None) -> None:
    """Say that A and B are two people.

    A and B are record keys (source:key). Where one of them is a customer id, the record leaves that
    customer: it is kept apart from each of the customer's other records. A split stays split, whatever
    data come later, until a later judgement on the same records says otherwise, or it is taken back.
    """
    from cdp.judgements import Decision
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines.known import opened

    lake = Lake(context.workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger, opened(lake, ledger) as known:
        pairs = _apart(known, left, right)
        together = any(known.customer_of(one) == known.customer_of(other) for one, other in pairs)
    keep(context, [Decision(one, other, "cannot_link", note) for one, other in pairs], judge)
    state = NEXT if together else "They are two customers already, and stay so."
    click.echo(f"{left} and {right} are two people. {state}", err=True)


def _apart(known: Known, left: str, right: str) -> list[tuple[str, str]]:
    """Return the pairs of records that a split keeps apart."""
    from cdp.errors import UsageError

    of_left, of_right = known.records_of(left), known.records_of(right)
    if of_left and of_right:
        raise UsageError(
            f"{left} and {right} are both customers: which records are meant?",
            hint=f"They are two already. To keep two records apart, name them: {of_left[0]}, {of_right[0]}.",
        )
    if not of_left and not of_right:
        return [(known.check(left), known.check(right))]
    customer, members, record = (left, of_left, right) if of_left else (right, of_right, left)
    known.check(record)
    if record not in members:
        raise UsageError(
            f"{record} is no record of {customer}.",
            hint=f"It belongs to {known.customer_of(record)}; name two records to keep them apart.",
        )
    if members == [record]:
        raise UsageError(f"{record} is the only record of {customer}.", hint="There is nothing to split.")
    return [(record, member) for member in members if member != record]


def _gone(lake: Lake, ledger: Ledger, found: Sequence[Judgement]) -> set[str]:
    """Return the judged records that are not among those of the newest run."""
    from pipelines.generations import newest
    from pipelines.known import opened

    known = newest(ledger)
    if known is None or not lake.path(known.path).is_dir():
        return set()
    with opened(lake, ledger) as records:
        return records.gone(key for one in found for key in one.pair)


@click.command("judgements", short_help="List what people decided, and what stands.")
@format_option("table")
@click.pass_obj
def judgements(context: Context, *, chosen: str) -> None:
    """List all judgements, oldest first, and say which stand.

    One is replaced by a later one on the same two records, and overruled where later ones say the opposite
    over a chain of records. What was taken back counts as if it had never been said. Where a record is gone,
    what follows for the others still holds, and all of it when the record comes back.
    """
    from dataclasses import asdict

    from cdp import judgements as kept
    from cdp.cli import terminal
    from cdp.lake import Lake
    from cdp.ledger import Ledger

    lake = Lake(context.workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger:
        found = kept.read(ledger)
        gone = _gone(lake, ledger, found)
    states = kept.standing(found)
    absent = [[key for key in one.pair if key in gone] for one in found]
    if chosen == "json":
        told = [
            {**asdict(one), "state": state, "gone": keys}
            for one, state, keys in zip(found, states, absent, strict=True)
        ]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("There are no judgements: `cdp identity review` asks for some.", err=True)
        return
    words = {"must_link": "one person", "cannot_link": "two people"}
    rows = [
        [
            str(one.judgement_id),
            one.decided_at[:19].replace("T", " "),
            terminal.printable(one.decided_by),
            terminal.printable(one.left_record),
            terminal.printable(one.right_record),
            words[one.kind],
            "; ".join([_state(one, state), *(f"{terminal.printable(key)} is gone" for key in keys)]),
            terminal.printable(one.reason or ""),
        ]
        for one, state, keys in zip(found, states, absent, strict=True)
    ]
    headings = ["no.", "when (UTC)", "who", "record", "record", "are", "state", "why"]
    click.echo(terminal.table(headings, rows, right=frozenset({0}), columns=terminal.width()))


def _state(one: Judgement, state: str) -> str:
    from cdp.cli.terminal import printable

    if one.withdrawn_at is None:
        return state
    return f"taken back by {printable(one.withdrawn_by or '')} on {one.withdrawn_at[:10]}"


@click.command("withdraw", short_help="Take judgements back, as if they had never been said.")
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True, type=click.IntRange(min=1))
@as_option
@click.pass_obj
def withdraw(context: Context, numbers: tuple[int, ...], *, judge: str | None) -> None:
    """Take judgements back: the next run decides as if they had never been said.

    `cdp identity judgements` shows the numbers, and keeps listing what was taken back. Of a split of one
    record from several, or a link of several, each number means the whole. Nothing is said in its place:
    records that a split kept apart may become one customer again, where evidence joins them.
    """
    from cdp import judgements as kept
    from cdp.lake import Lake
    from cdp.ledger import Ledger

    with Ledger(Lake(context.workspace).ledger_path) as ledger:
        wanted = kept.whole_acts(kept.read(ledger), numbers)
        taken = kept.withdraw(ledger, wanted, by=judge_name(judge), now=datetime.now(UTC))
    click.echo(f"{len(taken)} judgement{'s' * (len(taken) != 1)} taken back. {NEXT}", err=True)
