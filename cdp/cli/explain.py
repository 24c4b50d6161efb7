"""`cdp explain`: why two are one person, or why they are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cdp.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdp.cli.main import Context
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from identity.explain import PairExplanation
    from warehouse.explain import Explanation


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
    from warehouse.release import current

    with current(Lake(context.workspace)).open() as release:
        told = explain(release, left, right)
    direct, without = _weighed(context, told)
    if chosen == "json":
        click.echo(json.dumps(as_data(told, direct, without), ensure_ascii=False, indent=2))
        return
    for line in page(told, direct, without):
        click.echo(printable(line))


def _weighed(context: Context, told: Explanation) -> tuple[PairExplanation | None, tuple[str, ...] | None]:
    """Compare the two with each other, where the path does not do so already, and find what alone joins them."""
    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from cdp.settings import FILE

    lake = Lake(context.workspace)
    shared = bool(set(told.left.records) & set(told.right.records))
    if shared or not lake.ledger_path.is_file() or not lake.path(FILE).is_file():
        return None, None
    from pipelines.generations import newest
    from pipelines.pairs import compare

    with Ledger(lake.ledger_path, read_only=True) as ledger:
        if newest(ledger) is None:
            return None, None
        direct = None
        if len(told.path) != 1:
            anew = not told.same_customer
            direct = compare(lake, ledger, told.left.records, told.right.records, anew=anew)
        return direct, _without(lake, ledger, told)


def _without(lake: Lake, ledger: Ledger, told: Explanation) -> tuple[str, ...] | None:
    """Return what alone joins the two records at the ends of the path; None where it cannot be said."""
    from cdp.errors import CdpError
    from cdp.settings import load
    from connectors.registry import names
    from pipelines.hinges import hinges

    nodes = {key for edge in told.path for key in (edge.left_record, edge.right_record)}
    starts, goals = ([key for key in side.records if key in nodes] for side in (told.left, told.right))
    if not told.same_customer or not starts or not goals:
        return None
    try:
        settings = load(lake.path("."), names())
        return hinges(lake, ledger, settings, starts[0], goals[0])
    except CdpError:
        return None


def in_words(without: Sequence[str]) -> str:
    """Say what the two hang on.

    >>> in_words(["phone"])
    'Without this phone number they are two people.'
    >>> in_words(["phone", "surname"])
    'Without any one of these they are two people: phone number, surname.'
    >>> in_words(["shop (user_id)"])
    'Without this user id of shop they are two people.'
    """
    from warehouse.weights import word

    words = [word(name) for name in without]
    if len(words) == 1:
        return f"Without this {words[0]} they are two people."
    return f"Without any one of these they are two people: {', '.join(words)}."


def counterfactual(told: Explanation, without: Sequence[str] | None) -> str:
    """Say what would hold without the weakest link, or without what alone joins the two."""
    if without:
        return in_words(without)
    if without is None or not (told.without_it or "").startswith("Without this link"):
        return told.without_it or ""
    return "No single thing that they have in common is all that joins them."


def as_data(
    told: Explanation, direct: PairExplanation | None, without: Sequence[str] | None
) -> dict[str, Any]:
    """Return an explanation as plain data; ``levels`` are lists whose weights sum to the match weight."""
    from warehouse.lookup import as_json
    from warehouse.weights import parts

    data: dict[str, Any] = {"same_customer": told.same_customer, **as_json(told)}
    for edge in [data["weakest"], *data["path"], *data["against"], *data["held_back"]]:
        if edge is not None:
            edge["levels"] = parts(edge["levels"])
    data["pair"] = None if direct is None else direct.to_dict()
    data["without"] = list(without or ())
    data["counterfactual"] = counterfactual(told, without) or None
    return data
