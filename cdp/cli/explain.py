"""`cdp explain`: why two are one person, or why they are not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cdp.cli.main import Context
    from warehouse.explain import Explanation
    from warehouse.lookup import Edge


@click.command("explain")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output.",
)
@click.pass_obj
def command(context: Context, left: str, right: str, *, chosen: str) -> None:
    """Explain why A and B are one person, with the weakest link, or what is known where they are not.

    A and B are record keys, or anything that `cdp profile` finds.
    """
    from cdp.lake import Lake
    from warehouse.explain import explain
    from warehouse.lookup import as_json
    from warehouse.release import current

    with current(Lake(context.workspace)).open() as release:
        explanation = explain(release, left, right)
    if chosen == "json":
        told = {"same_customer": explanation.same_customer, **as_json(explanation)}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    from cdp.cli.terminal import printable

    for line in _one(explanation) if explanation.same_customer else _two(explanation):
        click.echo(printable(line))


def _one(told: Explanation) -> Iterator[str]:
    yield f"{told.left.text} and {told.right.text} are one person: {told.left.customer_id}."
    yield ""
    if not told.path:
        common = sorted(set(told.left.records) & set(told.right.records))
        if common:
            yield f"Both belong to the same record: {', '.join(common)}."
        else:
            yield "This release holds no evidence that connects them."
        return
    yield "The strongest way from one to the other:"
    for edge in told.path:
        yield from _edge(edge)
    if told.weakest is not None:
        yield ""
        if len(told.path) > 1:
            yield f"Weakest link: {_pair(told.weakest)} ({_weight(told.weakest)})."
        yield told.without_it or ""
    if told.against:
        yield ""
        yield "What speaks against it:"
        for edge in told.against:
            yield from _edge(edge)
    if told.shared:
        yield ""
        yield "Not counted:"
        yield from _common(told)


def _two(told: Explanation) -> Iterator[str]:
    left, right = told.left, told.right
    yield f"{left.text} ({left.customer_id}) and {right.text} ({right.customer_id}) are two people."
    yield ""
    if told.held_back:
        yield "Evidence that did not join them:"
        for edge in told.held_back:
            yield from _edge(edge)
    if told.shared:
        yield "What they have in common:"
        yield from _common(told)
    if not told.held_back and not told.shared:
        yield "They share no identifier and no value, and no evidence between them is known."


def _common(told: Explanation) -> Iterator[str]:
    for shared in told.shared:
        reason = f": links nobody ({shared.held_back})" if shared.held_back else ""
        yield f"  {shared.what.replace('_', ' ')} {shared.value}{reason}"


def _pair(edge: Edge) -> str:
    return f"{edge.left_record} ↔ {edge.right_record}"


def _weight(edge: Edge) -> str:
    if edge.match_weight is None:
        return "no weight"
    chance = "" if edge.match_probability is None else f", probability {edge.match_probability:.4f}"
    return f"match weight {edge.match_weight:+.1f}{chance}"


def _edge(edge: Edge) -> Iterator[str]:
    weight = "" if edge.match_weight is None else f", {_weight(edge)}"
    yield f"  {_pair(edge)}  ({edge.kind}{weight})"
    if edge.reason:
        yield f"      {edge.reason}"
    parts = levels(edge.levels)
    if len(parts) > 1:
        yield f"      = {' · '.join(parts)}"


def levels(text: str | None) -> Sequence[str]:
    """Return the comparisons of an edge, each with its level and weight.

    >>> levels('[{"comparison": "surname", "level": "same", "weight": 5.25}]')
    ['surname same +5.2']
    """
    found: Any = json.loads(text) if text else []
    if not isinstance(found, list):
        return []
    return [
        f"{' '.join([part['comparison'], part['level']]).strip()} {part['weight']:+.1f}" for part in found
    ]
