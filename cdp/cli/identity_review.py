"""`cdp identity review`: uncertain pairs side by side, and a person's answers."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cdp.cli.identity_judge import NEXT, as_option, keep
from cdp.cli.options import format_option

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from cdp.judgements import Decision, Kind
    from pipelines.review import Question

_ANSWERS: Final[Mapping[str, str]] = {
    "y": "must_link", "yes": "must_link", "must_link": "must_link",
    "n": "cannot_link", "no": "cannot_link", "cannot_link": "cannot_link",
    "s": "", "skip": "", "": "",
}  # fmt: skip
_QUIT: Final = frozenset({"q", "quit"})
_NAME, _VALUE = 14, 31


@click.command("review", short_help="Show uncertain pairs and ask about them.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Most pairs shown.")
@format_option("text", "text asks; json only prints the pairs, with room for answers.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Read answers instead of asking: left_record, right_record, answer (y, n or s) and note, as CSV "
    "or as JSON like --format json prints.",
)
@as_option
@click.pass_obj
def review(context: Context, *, limit: int, chosen: str, answers: Path | None, judge: str | None) -> None:
    """Show the most informative uncertain pairs, one after the other, and ask whether each is one person.

    Answer y (one person), n (two people), s (skip) or q (quit); what follows the letter is kept as the
    reason. Every answer is kept at once, as a judgement.
    """
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from pipelines import review as reviewing
    from pipelines.known import check_all, opened

    lake = Lake(context.workspace)
    with Ledger(lake.ledger_path, read_only=True) as ledger, opened(lake, ledger) as known:
        if answers is not None:
            decisions = list(_read_answers(answers))
            check_all(known, (key for one in decisions for key in (one.one, one.other)))
            _report(len(keep(context, decisions, judge, one_act=False)) if decisions else 0)
            return
        found = reviewing.questions(known, ledger, limit)
        if chosen == "json":
            click.echo(json.dumps([one.to_dict() for one in found], ensure_ascii=False, indent=2))
            return
        _ask_all(context, list(found), judge)


def _report(count: int) -> None:
    if count:
        click.echo(f"{count} judged. {NEXT}", err=True)
    else:
        click.echo("Nothing was judged.", err=True)


def _ask_all(context: Context, found: Sequence[Question], judge: str | None) -> None:
    from cdp.judgements import Decision

    if not found:
        click.echo("No uncertain pair is left to judge.", err=True)
        return
    judged = 0
    for number, question in enumerate(found, 1):
        for line in _shown(question, number, len(found)):
            click.echo(line)
        answer = _ask()
        if answer is None:
            break
        kind, note = answer
        if kind is not None:
            left, right = question.left.record_key, question.right.record_key
            judged += len(keep(context, [Decision(left, right, kind, note or None)], judge))
    _report(judged)


def _ask() -> tuple[Kind | None, str] | None:
    """Ask until the answer is one; None ends the review, and so does the end of the input."""
    while True:
        click.echo("One person? y/n/s(kip)/q [reason] ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            click.echo(err=True)
            return None
        word, _, note = line.strip().partition(" ")
        if word.lower() in _QUIT:
            return None
        if word.lower() in _ANSWERS:
            return _kind(word), note.strip()
        click.echo("Please answer y, n, s or q.", err=True)


def _kind(word: str) -> Kind | None:
    match _ANSWERS[word.strip().lower()]:
        case "must_link":
            return "must_link"
        case "cannot_link":
            return "cannot_link"
        case _:
            return None


def _shown(question: Question, number: int, of: int) -> Iterator[str]:
    from cdp.cli import waterfall

    left, right = question.left, question.right
    what = "a yes joins two customers" if question.joins else "a no splits one customer"
    yield ""
    chance = waterfall.chance(question.match_probability)
    yield f"── {number} of {of} · {chance} · {what} of {question.records} records ──"
    yield _row("", left.record_key, right.record_key, mark=" ")
    yield _row("customer", left.customer_id, right.customer_id)
    names = [*left.values, *(name for name in right.values if name not in left.values)]
    for name in names:
        yield _row(name.replace("_", " "), left.values.get(name, ""), right.values.get(name, ""))
    yield ""
    bars = [waterfall.Bar(*level) for level in question.levels]
    yield from waterfall.lines(bars)
    yield waterfall.verdict(bars)


def _row(name: str, left: str, right: str, mark: str | None = None) -> str:
    from cdp.cli.terminal import printable

    if mark is None:
        mark = "=" if left and left.casefold() == right.casefold() else "≠" if left and right else " "
    cells = [_cut(printable(text), width) for text, width in ((name, _NAME), (left, _VALUE), (right, _VALUE))]
    return f"{cells[0]:<{_NAME}} {cells[1]:<{_VALUE}} {mark} {cells[2]}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _read_answers(path: Path) -> Iterator[Decision]:
    """Yield the decisions of a file; skipped pairs and those without an answer give none."""
    from cdp.errors import NotFoundError, UsageError
    from cdp.judgements import Decision

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.", hint="Name the file with the answers.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", hint="Save the answers as UTF-8.") from None
    for place, row in _rows(path, text):
        needed = ("left_record", "right_record")
        missing = [name for name in needed if not row.get(name)] + ["answer"] * ("answer" not in row)
        if missing:
            raise UsageError(
                f"{path}, {place}: {', '.join(missing)} is missing.",
                hint="Expected left_record, right_record, answer and, if you like, note.",
            )
        word = str(row["answer"] or "").strip().lower()
        if word not in _ANSWERS:
            raise UsageError(
                f"{path}, {place}: the answer {word!r} is not known.", hint="Expected y, n or s."
            )
        kind = _kind(word)
        if kind is not None:
            note = str(row.get("note") or "")
            yield Decision(str(row["left_record"]), str(row["right_record"]), kind, note or None)


def _rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from cdp.errors import UsageError

    start = text.lstrip()[:1]
    if start not in ("[", "{"):
        reader = csv.DictReader(io.StringIO(text))
        for row in reader:
            yield f"line {reader.line_num}", row
        return
    try:
        found = (
            json.loads(text)
            if start == "["
            else [json.loads(one) for one in text.splitlines() if one.strip()]
        )
    except ValueError as error:
        raise UsageError(
            f"{path} is not JSON: {error}.", hint="Expected what --format json prints."
        ) from None
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise UsageError(
                f"{path}, answer {number} is no object.", hint="Expected what --format json prints."
            )
        yield f"answer {number}", row
