"""`cdp explain`: why two are one person, or why they are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdp.cli.main import Context
    from identity.explain import PairExplanation
    from warehouse.explain import Explanation
    from warehouse.lookup import Edge

_JUDGED = 60.0  # a judgement has no weight of its own: it outweighs everything
_WORDS = {"phone": "phone number", "e-mail": "e-mail address"}


@click.command("explain")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@format_option("text")
@click.pass_obj
def command(context: Context, left: str, right: str, *, chosen: str) -> None:
    """Explain why A and B are one person, with the weakest link, or why they are two.

    A and B are record keys, or anything that `cdp profile` finds. Each link is shown with what speaks for
    and against it: the weights of its comparisons, in bits, add up to its match weight.
    """
    from cdp.cli.explain_page import page
    from cdp.cli.terminal import printable
    from cdp.lake import Lake
    from warehouse.explain import explain
    from warehouse.lookup import edges
    from warehouse.release import current

    with current(Lake(context.workspace)).open() as release:
        told = explain(release, left, right)
        found = edges(release, told.left.customer_id) if told.same_customer else []
        without = counterfactual(told, found)
    direct = _direct(context, told)
    if chosen == "json":
        click.echo(json.dumps(as_data(told, direct, without), ensure_ascii=False, indent=2))
        return
    for line in page(told, direct, without):
        click.echo(printable(line))


def _direct(context: Context, told: Explanation) -> PairExplanation | None:
    """Compare the two with each other, where the path does not do so already."""
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from cdp.settings import FILE

    lake = Lake(context.workspace)
    shown = len(told.path) == 1 or bool(set(told.left.records) & set(told.right.records))
    if shown or not lake.ledger_path.is_file() or not lake.path(FILE).is_file():
        return None
    from pipelines.generations import newest
    from pipelines.pairs import compare

    with Ledger(lake.ledger_path, read_only=True) as ledger:
        if newest(ledger) is None:
            return None
        anew = not told.same_customer
        return compare(lake, ledger, told.left.records, told.right.records, anew=anew)


def counterfactual(told: Explanation, found: Sequence[Edge]) -> tuple[str, ...]:
    """Return the comparisons of which each alone, were it unknown, would leave two people."""
    import pyarrow as pa

    from cdp.errors import CdpError
    from identity.explain import path

    nodes = {key for edge in told.path for key in (edge.left_record, edge.right_record)}
    starts = [key for key in told.left.records if key in nodes]
    goals = [key for key in told.right.records if key in nodes and key not in starts]
    if not starts or not goals:
        return ()
    rows = [
        {
            "left_record": edge.left_record,
            "right_record": edge.right_record,
            "kind": edge.kind,
            "match_weight": _JUDGED if edge.match_weight is None else edge.match_weight,
            "match_probability": edge.match_probability,
            "reason": edge.reason or edge.kind,
            "levels": levels(edge.levels),
        }
        for edge in found
        if edge.match_weight is None or edge.match_weight > 0
    ]
    try:
        return path(starts[0], goals[0], pa.Table.from_pylist(rows)).without
    except CdpError:
        return ()


def levels(text: str | None) -> list[dict[str, Any]]:
    """Return the comparisons of an edge: comparison, level, weight.

    >>> levels('[{"comparison": "surname", "level": "same", "weight": 5.25}]')
    [{'comparison': 'surname', 'level': 'same', 'weight': 5.25}]
    """
    found: Any = json.loads(text) if text else []
    return found if isinstance(found, list) else []


def in_words(without: Sequence[str]) -> str:
    """Say what the two hang on.

    >>> in_words(["phone"])
    'Without this phone number they are two people.'
    >>> in_words(["phone", "surname"])
    'Without any one of these they are two people: phone number, surname.'
    """
    words = [_WORDS.get(name, name) for name in without]
    if len(words) == 1:
        return f"Without this {words[0]} they are two people."
    return f"Without any one of these they are two people: {', '.join(words)}."


def as_data(told: Explanation, direct: PairExplanation | None, without: Sequence[str]) -> dict[str, Any]:
    """Return an explanation as plain data; ``levels`` are lists whose weights sum to the match weight."""
    from warehouse.lookup import as_json

    data: dict[str, Any] = {"same_customer": told.same_customer, **as_json(told)}
    for edge in [data["weakest"], *data["path"], *data["against"], *data["held_back"]]:
        if edge is not None:
            edge["levels"] = levels(edge["levels"])
    data["pair"] = None if direct is None else direct.to_dict()
    data["without"] = list(without)
    data["counterfactual"] = in_words(without) if without else told.without_it
    return data
