"""An explanation as text: each link with its waterfall, the weakest one, and what hangs on it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cdp.cli import waterfall
from cdp.cli.explain import counterfactual

if TYPE_CHECKING:
    from identity.explain import PairExplanation
    from warehouse.explain import Explanation, Shared
    from warehouse.lookup import Edge


def page(told: Explanation, direct: PairExplanation | None, without: Sequence[str] | None) -> Iterator[str]:
    """Yield the lines of an explanation, at most 80 columns wide but for long names."""
    yield from _one(told, direct, without) if told.same_customer else _two(told, direct)


def _one(told: Explanation, direct: PairExplanation | None, without: Sequence[str] | None) -> Iterator[str]:
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
            yield from _wrapped(f"Weakest link: {_pair(told.weakest)} ({_weight(told.weakest)}).", "")
        yield from _wrapped(counterfactual(told, without), "")
    if direct is not None:
        yield ""
        yield f"Compared with each other, {direct.left} ↔ {direct.right}:"
        yield from _bars(direct)
    if told.against:
        yield ""
        yield "What speaks against it:"
        for edge in told.against:
            yield from _edge(edge)
    yield from _not_counted(told.shared)


def _two(told: Explanation, direct: PairExplanation | None) -> Iterator[str]:
    left, right = told.left, told.right
    yield f"{left.text} ({left.customer_id}) and {right.text} ({right.customer_id}) are two people."
    if told.held_back:
        yield ""
        yield "Evidence that did not join them:"
        for edge in told.held_back:
            yield from _edge(edge)
    if direct is not None:
        yield ""
        yield f"Compared with each other, {direct.left} ↔ {direct.right}:"
        yield from _bars(direct)
        yield from _wrapped(_why_not(told, direct), "")
    if told.shared:
        yield ""
        yield "What they have in common:"
        for shared in told.shared:
            yield from _common(shared)
    if not told.held_back and not told.shared:
        yield ""
        known = "" if direct else ", and no evidence between them is known"
        yield f"They share no identifier and no value{known}."


def _why_not(told: Explanation, direct: PairExplanation) -> str:
    if any(edge.kind == "judgement" for edge in told.held_back):
        return "A judgement keeps them apart, whatever the weights say."
    if direct.match_weight <= 0:
        return f"Not enough: {-direct.match_weight:.1f} bits are missing to even odds."
    return (
        "These two records alone would be one person. What keeps the customers apart lies in their other "
        "records, or in an identifier of which a person has only one."
    )


def _not_counted(values: Sequence[Shared]) -> Iterator[str]:
    """Yield the common values that count for nothing, whatever else the records say."""
    from identity.held import AMBIGUOUS

    values = [shared for shared in values if shared.held_back != AMBIGUOUS]
    if values:
        yield ""
        yield "Not counted:"
        for shared in values:
            yield from _common(shared)


def _common(shared: Shared) -> Iterator[str]:
    from identity.held import AMBIGUOUS

    reason = f": links nobody ({shared.held_back})" if shared.held_back else ""
    if shared.held_back == AMBIGUOUS:
        reason = ": counts where names are compared; a record without a name is given to neither"
    yield from _wrapped(f"{shared.what.replace('_', ' ')} {shared.value}{reason}", "  ")


def _pair(edge: Edge) -> str:
    return f"{edge.left_record} ↔ {edge.right_record}"


def _weight(edge: Edge) -> str:
    if edge.match_weight is None:
        return "no weight"
    chance = "" if edge.match_probability is None else f", probability {edge.match_probability:.4f}"
    return f"match weight {edge.match_weight:+.1f}{chance}"


def _edge(edge: Edge) -> Iterator[str]:
    yield f"  {_pair(edge)}  ({edge.kind})"
    bars = waterfall.bars(edge.levels)
    if len(bars) > 1:
        yield from _waterfall(bars)
    else:
        weight = [] if edge.match_weight is None else [_weight(edge)]
        yield from _wrapped(": ".join([*weight, *([edge.reason] if edge.reason else [])]), "  ")


def _bars(pair: PairExplanation) -> Iterator[str]:
    yield from _waterfall(
        [waterfall.Bar(level.comparison, level.level or "", level.weight) for level in pair.levels]
    )


def _waterfall(bars: Sequence[waterfall.Bar]) -> Iterator[str]:
    yield from (f"  {line}" for line in waterfall.lines(bars, columns=waterfall.COLUMNS - 2))
    yield f"  {waterfall.verdict(bars)}"


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, waterfall.COLUMNS, initial_indent=indent, subsequent_indent=indent, break_long_words=False
    )
