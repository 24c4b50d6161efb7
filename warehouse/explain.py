"""Why two records, identifiers or names are one person, or why they are not, out of a release's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdp.errors import NotFoundError, UsageError
from warehouse.lookup import Edge, Match, edges, find, near, spanning_tree

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Subject:
    """One of the two that are asked about: a customer, and those of its records that are meant."""

    text: str
    customer_id: str
    records: tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """A value that two customers have in common; ``held_back`` says why it links nobody, if so."""

    what: str
    value: str
    held_back: str | None


@dataclass(frozen=True)
class Explanation:
    """What is known about two subjects.

    Of one customer: ``path`` leads from a record of the left to one of the right over the strongest
    evidence, ``weakest`` is its lightest edge, ``without_it`` what would hold without that edge, and
    ``against`` evidence that speaks for two people, ``shared`` common values that link nobody. Of two
    customers: ``held_back`` is evidence that did not join them, ``shared`` their common values.
    """

    left: Subject
    right: Subject
    path: Sequence[Edge] = ()
    weakest: Edge | None = None
    without_it: str | None = None
    against: Sequence[Edge] = ()
    held_back: Sequence[Edge] = ()
    shared: Sequence[Shared] = ()

    @property
    def same_customer(self) -> bool:
        """Whether both are the same customer in this release."""
        return self.left.customer_id == self.right.customer_id


def explain(connection: duckdb.DuckDBPyConnection, left_text: str, right_text: str) -> Explanation:
    """Explain two identifiers, record keys, customer ids or names.

    Raises :class:`NotFoundError` where one of them leads nowhere, :class:`UsageError` where it leads
    to several customers and the other one does not tell which is meant.
    """
    left_found, right_found = _candidates(connection, left_text), _candidates(connection, right_text)
    common = {match.customer_id for match in left_found} & {match.customer_id for match in right_found}
    left = _subject(connection, left_text, left_found, common)
    right = _subject(connection, right_text, right_found, common)
    if left.customer_id == right.customer_id:
        shared = _held_back_values(connection, left, right)
        return _one_customer(left, right, edges(connection, left.customer_id), shared)
    return _two_customers(connection, left, right)


def _candidates(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    found = find(connection, text)
    if found:
        return found
    close = near(connection, text)
    hint = (
        f"Did you mean {' or '.join(close)}?"
        if close
        else "Give a record_key, customer id, e-mail, phone or name."
    )
    raise NotFoundError(f"Nobody in this release is known as {text!r}.", hint=hint)


def _subject(
    connection: duckdb.DuckDBPyConnection, text: str, found: Sequence[Match], common: set[str]
) -> Subject:
    if len(found) > 1:
        found = [match for match in found if match.customer_id in common] if len(common) == 1 else found
    if len(found) > 1:
        ids = ", ".join(match.customer_id for match in found)
        raise UsageError(
            f"{text!r} leads to {len(found)} customers: {ids}.", hint="Give one of these ids instead."
        )
    match = found[0]
    if match.matched_by == "record_key":
        return Subject(text, match.customer_id, (match.value,))
    query = "SELECT record_key FROM customer_records WHERE customer_id = ? ORDER BY 1"
    parameters = [match.customer_id]
    if match.matched_by == "identifier":
        query = (
            "SELECT DISTINCT unnest(record_keys) FROM customer_identifiers "
            "WHERE customer_id = ? AND value = ? ORDER BY 1"
        )
        parameters.append(match.value)
    rows = connection.execute(query, parameters).fetchall()
    return Subject(text, match.customer_id, tuple(row[0] for row in rows))


def is_link(edge: Edge) -> bool:
    """Tell whether an edge speaks for one person (a judgement, or a positive weight)."""
    return edge.match_weight is None or edge.match_weight > 0


def _held_back_values(connection: duckdb.DuckDBPyConnection, left: Subject, right: Subject) -> list[Shared]:
    """Return values that records of both have and that link nobody: what a reader would wonder about."""
    rows = connection.execute(
        """
        SELECT v.type, v.value, min(h.reason) FROM (
          SELECT type, namespace, value, flatten(list(record_keys)) AS record_keys FROM customer_identifiers
          WHERE customer_id = $customer GROUP BY ALL) AS v
        JOIN held_back_identifiers AS h ON h.what = 'identifier' AND h.type = v.type AND h.value = v.value
          AND coalesce(h.namespace, '') = coalesce(v.namespace, '')
        WHERE list_has_any(v.record_keys, $left) AND list_has_any(v.record_keys, $right)
        GROUP BY ALL ORDER BY ALL
        """,
        {"customer": left.customer_id, "left": list(left.records), "right": list(right.records)},
    ).fetchall()
    return [Shared(*row) for row in rows]


def _one_customer(
    left: Subject, right: Subject, found: Sequence[Edge], shared: Sequence[Shared]
) -> Explanation:
    links = [edge for edge in found if is_link(edge)]
    path = _widest_path(spanning_tree(links), left.records, right.records)
    pair = {*left.records, *right.records}
    against = [e for e in found if not is_link(e) and {e.left_record, e.right_record} <= pair]
    if not path:
        return Explanation(left, right, against=against, shared=shared)
    weakest = min(path, key=_strength)
    rest = [edge for edge in links if edge is not weakest]
    return Explanation(left, right, path, weakest, _without(rest, left, right), against, shared=shared)


def _strength(edge: Edge) -> tuple[float, str, str]:
    weight = float("inf") if edge.match_weight is None else edge.match_weight
    return weight, edge.left_record, edge.right_record


def _widest_path(tree: Iterable[Edge], starts: Sequence[str], goals: Sequence[str]) -> list[Edge]:
    """Return the edges of the path in a tree whose weakest edge is the strongest; the shortest of equals."""
    neighbours: dict[str, list[Edge]] = {}
    for edge in tree:
        neighbours.setdefault(edge.left_record, []).append(edge)
        neighbours.setdefault(edge.right_record, []).append(edge)
    best: list[Edge] = []
    for start in starts:
        if start in goals:
            return []
        paths: dict[str, list[Edge]] = {start: []}
        stack = [start]
        while stack:
            here = stack.pop()
            for edge in neighbours.get(here, ()):
                there = edge.right_record if edge.left_record == here else edge.left_record
                if there not in paths:
                    paths[there] = [*paths[here], edge]
                    stack.append(there)
        for goal in goals:
            path = paths.get(goal, [])
            if path and (not best or _better(path, best)):
                best = path
    return best


def _better(path: list[Edge], than: list[Edge]) -> bool:
    mine, other = min(map(_strength, path))[0], min(map(_strength, than))[0]
    return (-mine, len(path)) < (-other, len(than))


def _without(links: Sequence[Edge], left: Subject, right: Subject) -> str:
    other = _widest_path(spanning_tree(links), left.records, right.records)
    if not other:
        return "Without this link they are two people: no other evidence connects them."
    next_best = min(other, key=_strength)
    weight = "a judgement" if next_best.match_weight is None else f"weight {next_best.match_weight:+.1f}"
    return (
        f"Without it they still hang together over {next_best.left_record} and {next_best.right_record} "
        f"({weight}: {next_best.reason or next_best.kind})."
    )


def _two_customers(connection: duckdb.DuckDBPyConnection, left: Subject, right: Subject) -> Explanation:
    held = connection.execute(
        "SELECT left_record, right_record, kind, match_weight, match_probability, reason, levels "
        "FROM held_back_evidence WHERE (left_customer_id = $a AND right_customer_id = $b) "
        "OR (left_customer_id = $b AND right_customer_id = $a) "
        "ORDER BY kind <> 'judgement', match_weight DESC NULLS FIRST, left_record, right_record",
        {"a": left.customer_id, "b": right.customer_id},
    ).fetchall()
    shared = connection.execute(
        """
        SELECT DISTINCT l.type, l.value, h.reason
        FROM customer_identifiers l
        JOIN customer_identifiers r
          ON r.type = l.type AND r.namespace IS NOT DISTINCT FROM l.namespace AND r.value = l.value
        LEFT JOIN held_back_identifiers h ON h.what = 'identifier' AND h.type = l.type AND h.value = l.value
          AND coalesce(h.namespace, '') = coalesce(l.namespace, '')
        WHERE l.customer_id = $a AND r.customer_id = $b
        UNION ALL
        SELECT l.attribute, l.value, NULL
        FROM customer_attributions l JOIN customer_attributions r
          ON r.attribute = l.attribute AND lower(r.value) = lower(l.value)
        WHERE l.customer_id = $a AND r.customer_id = $b AND l.attribute NOT IN ('email', 'phone')
        ORDER BY ALL
        """,
        {"a": left.customer_id, "b": right.customer_id},
    ).fetchall()
    return Explanation(
        left, right, held_back=[Edge(*row) for row in held], shared=[Shared(*row) for row in shared]
    )
