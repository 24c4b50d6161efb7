"""Why two records are one customer, or are not.

The pair with its levels, and the path through the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from identity.recordset import RecordSet
    from identity.values import Multi
    from identity.version import ModelVersion


@dataclass(frozen=True)
class Level:
    """One bar of the waterfall: comparison, its level, its weight in bits."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True)
class PairExplanation:
    """A pair of records; the weights of ``levels`` sum to ``match_weight`` (bits, prior included)."""

    left: str
    right: str
    kind: str
    match_weight: float
    match_probability: float
    reason: str
    levels: tuple[Level, ...]

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return {
            "left": self.left,
            "right": self.right,
            "kind": self.kind,
            "match_weight": self.match_weight,
            "match_probability": self.match_probability,
            "reason": self.reason,
            "levels": [
                {"comparison": i.comparison, "level": i.level, "weight": i.weight} for i in self.levels
            ],
        }


@dataclass(frozen=True)
class PathExplanation:
    """The widest path between two records of one cluster.

    ``weakest``: its weakest step. ``bridge``: whether no other edge joins the two sides of that step.
    ``without``: comparisons of which each alone, were it unknown, would leave two customers (see ``hinges``).
    """

    steps: tuple[PairExplanation, ...]
    weakest: PairExplanation
    bridge: bool
    without: tuple[str, ...]
    sentence: str


def pair(left: str, right: str, evidence: pa.Table, scored: pa.Table | None = None) -> PairExplanation:
    """Explain a pair from the evidence of a resolution, or from ``scored`` (see ``score_pair``).

    Raises NotFoundError where neither holds the pair.
    """
    low, high = sorted((left, right))
    for table in (evidence, scored):
        if table is None:
            continue
        one, two = table["left_record"], table["right_record"]
        chosen = pc.or_(
            pc.and_(pc.equal(one, low), pc.equal(two, high)), pc.and_(pc.equal(one, high), pc.equal(two, low))
        )
        rows = [_explanation(row) for row in table.filter(chosen).to_pylist()]
        if rows:
            return max(rows, key=lambda row: row.match_weight)
    raise NotFoundError(
        "there is no direct evidence between the two records",
        hint="ask for the path, or score the pair from the records",
    )


def score_pair(
    left: str,
    right: str,
    records: pa.Table,
    identifiers: pa.Table | None,
    model: ModelVersion,
    held: pa.Table | None = None,
) -> pa.Table:
    """Weigh one pair by a model version; ``records`` and ``identifiers`` need hold no more than the two.

    ``held``: what the resolution held back (``Resolution.held_back``): values in it count for nothing. Returns an
    evidence table of one row, whatever the weight. Raises NotFoundError for an unknown record.
    """
    from identity.encode import encode
    from identity.engine import find_rows, scorer_of
    from identity.evidence_table import scored
    from identity.features import FeatureStore
    from identity.policy import IdentityPolicy
    from identity.status import status

    encoded, _ = encode(records, identifiers, model.frozen)
    live = np.ones(len(encoded), bool)
    rows = find_rows(encoded, live, pa.array([left, right], pa.string()))
    if (rows < 0).any():
        raise NotFoundError(
            "one of the two records is not among the records", hint="expected source:key, as in web:42"
        )
    encoded = replace(encoded, identifiers=without_held(encoded, held))
    now = status(encoded, live, np.empty(0, np.int32), IdentityPolicy())
    scorer = scorer_of(model, encoded, now, FeatureStore())
    return scored(encoded, scorer, rows[:1], rows[1:])


def without_held(records: RecordSet, held: pa.Table | None) -> dict[tuple[str, str], Multi]:
    """The identifiers of records without the values that were held back and so count for nothing."""
    from identity.protection import HUB, without

    kept = dict(records.identifiers)
    if held is None:
        return kept
    for (kind, namespace), column in records.identifiers.items():
        mine = pc.and_(pc.equal(held["type"], kind), pc.equal(held["namespace"], namespace))
        values = held.filter(pc.and_(mine, pc.starts_with(held["reason"], HUB)))["value"]
        space = records.spaces[column.space]
        flags = pc.is_in(space.texts, value_set=values.combine_chunks()).to_numpy(zero_copy_only=False)
        kept[kind, namespace] = without(column, flags, space.hashes)
    return kept


def path(left: str, right: str, evidence: pa.Table, without: Sequence[str] | None = None) -> PathExplanation:
    """Explain how two records of one cluster hang together.

    ``evidence``: at least the edges of their cluster; ``without``: what ``hinges`` says of the two. Raises
    NotFoundError where no path joins them.
    """
    if left == right:
        raise UsageError("the two records are the same", hint="name two different records")
    edges = [_explanation(row) for row in evidence.to_pylist()]
    edges.sort(key=lambda e: (-e.match_weight, e.left, e.right))
    tree = _tree(edges)
    steps = _walk(tree, left, right)
    if not steps:
        raise NotFoundError(
            "no evidence joins the two records: they are two customers", hint="compare them as a pair"
        )
    weakest = min(steps, key=lambda e: (e.match_weight, e.left, e.right))
    side = _reach([e for e in tree if e is not weakest], weakest.left)
    crossing = [e for e in edges if (e.left in side) != (e.right in side)]
    told = _sentence(weakest, without, len(crossing))
    return PathExplanation(tuple(steps), weakest, len(crossing) == 1, tuple(without or ()), told)


def _explanation(row: Mapping[str, Any]) -> PairExplanation:
    levels = tuple(Level(item["comparison"], item["level"], item["weight"]) for item in row["levels"] or ())
    return PairExplanation(
        row["left_record"],
        row["right_record"],
        row["kind"],
        row["match_weight"],
        row["match_probability"],
        row["reason"],
        levels,
    )


def _tree(edges: Sequence[PairExplanation]) -> list[PairExplanation]:
    """Maximum spanning forest (Kruskal 1956); edges come with the best first."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    chosen = []
    for edge in edges:
        one, two = root(edge.left), root(edge.right)
        if one != two:
            parent[one] = two
            chosen.append(edge)
    return chosen


def _neighbours(edges: Sequence[PairExplanation]) -> dict[str, list[tuple[str, PairExplanation]]]:
    found: dict[str, list[tuple[str, PairExplanation]]] = {}
    for edge in edges:
        found.setdefault(edge.left, []).append((edge.right, edge))
        found.setdefault(edge.right, []).append((edge.left, edge))
    return found


def _walk(tree: Sequence[PairExplanation], start: str, goal: str) -> list[PairExplanation]:
    around = _neighbours(tree)
    came: dict[str, tuple[str, PairExplanation] | None] = {start: None}
    queue = [start]
    while queue and goal not in came:
        node = queue.pop()
        for other, edge in around.get(node, ()):
            if other not in came:
                came[other] = (node, edge)
                queue.append(other)
    steps: list[PairExplanation] = []
    here = came.get(goal)
    while here is not None:
        steps.append(here[1])
        here = came[here[0]]
    return steps[::-1]


def _reach(edges: Sequence[PairExplanation], start: str) -> set[str]:
    around = _neighbours(edges)
    seen, queue = {start}, [start]
    while queue:
        for other, _ in around.get(queue.pop(), ()):
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return seen


def _sentence(weakest: PairExplanation, without: Sequence[str] | None, crossing: int) -> str:
    link = f"the weakest link is {weakest.left} – {weakest.right}: {weakest.reason}"
    if without:
        return f"{link}; without this {' or this '.join(without)} they are two people"
    if crossing > 1:
        return f"{link}; {crossing - 1} more links join the same two sides"
    return f"{link}; no other link joins the two sides"
