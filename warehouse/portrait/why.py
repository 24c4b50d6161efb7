"""Why a customer's records are one person: the records, the evidence, its weakest link, what was kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from warehouse import weights
from warehouse.lookup import Edge, spanning_tree
from warehouse.portrait.seen import Row, Seen
from warehouse.weights import Bar

MOST_RECORDS: Final = 200
MOST_EVIDENCE: Final = 40
MOST_APART: Final = 20
_HOUSEHOLD: Final = "household"


@dataclass(frozen=True)
class Record:
    """A source's view of the person, and what it knows: identifiers that it carries, golden values that it gave."""

    key: str
    source: str
    number: int
    match_probability: float | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    event_count: int
    identifiers: Sequence[tuple[str, str]]
    values: Sequence[tuple[str, str]]

    @property
    def label(self) -> str:
        """The key without the source."""
        return self.key.partition(":")[2] or self.key


@dataclass(frozen=True)
class Step:
    """A bar of a waterfall: where it begins and how wide it is, in per cent of the widest."""

    label: str
    weight: float
    total: float
    start: float
    width: float


@dataclass(frozen=True)
class Link:
    """A piece of evidence, told to people."""

    left: str
    right: str
    kind: str
    weight: float | None
    probability: float | None
    reason: str | None
    bars: Sequence[Bar] = ()

    @property
    def speaks_for(self) -> bool:
        """Whether it speaks for one person."""
        return self.weight is None or self.weight > 0

    @property
    def strength(self) -> str:
        """The weight in a word."""
        if self.weight is None:
            return "decided by a person"
        for least, word in ((10, "very strong"), (6, "strong"), (3, "fair"), (0, "weak")):
            if self.weight > least:
                return word
        return "speaks against it"

    @property
    def agrees(self) -> str:
        """What agrees, as a sentence."""
        return story(self.bars)[0] or self.reason or weights_of(self.kind)

    @property
    def differs(self) -> str:
        """What does not agree, as a sentence; empty where everything does."""
        return story(self.bars)[1]

    @property
    def what(self) -> str:
        """The strongest thing in common, as a noun: ``phone number``."""
        gains = [bar for bar in self.bars if bar.weight > 0 and bar.comparison != weights.PRIOR]
        return weights.word(max(gains, key=lambda bar: bar.weight).comparison) if gains else "link"

    @property
    def steps(self) -> Sequence[Step]:
        """The bars of the waterfall, from the prior to the match weight."""
        run = list(weights.running(self.bars))
        totals = [0.0, *(after for _, _, after in run)]
        low, span = min(totals), (max(totals) - min(totals)) or 1.0
        return [
            Step(
                "two records at random" if bar.comparison == weights.PRIOR else bar.label, bar.weight, after,
                round(100 * (min(before, after) - low) / span, 1), round(100 * abs(bar.weight) / span, 1),
            )
            for bar, before, after in run
        ]  # fmt: skip

    @property
    def verdict(self) -> str:
        """What the weights come to."""
        return weights.verdict(self.bars)


@dataclass(frozen=True)
class Weakest:
    """The lightest edge of the heaviest tree over all records: what the profile hangs on most loosely.

    ``left`` are the records on its greater side, ``right`` those on the other one; ``also`` the next best
    evidence between the two, None where nothing else joins them.
    """

    link: Link
    left: Sequence[str]
    right: Sequence[str]
    also: Link | None

    @property
    def verdict(self) -> str:
        """What would hold without it."""
        if self.also is not None:
            return f"Without it they would still hang together, by {_article(self.also.what)} ({self.also.strength})."
        if self.link.kind == "judgement":
            return "Without this decision they are two people."
        return f"Without this {self.link.what} they are two people."


@dataclass(frozen=True)
class Apart:
    """Another customer with whom something is in common, and why that did not join the two."""

    customer_id: str
    links: Sequence[Link]

    @property
    def why(self) -> str:
        """Why they are two."""
        if any(link.kind == "judgement" for link in self.links):
            return "Somebody decided that they are two people."
        best = max((link.weight or 0.0 for link in self.links), default=0.0)
        if best <= 0:
            return "What they have in common does not outweigh what differs."
        return "Some of their records agree, but taken together too much differs, or a value is one of only one person."


@dataclass(frozen=True)
class Why:
    """Everything that the section shows."""

    records: Sequence[Record]
    links: Sequence[Link]
    weakest: Weakest | None
    apart: Sequence[Apart]
    not_counted: Sequence[Row]
    record_count: int
    link_count: int


def why(seen: Seen, customer_id: str, record_count: int) -> Why:
    """Read why the customer's records are one person."""
    records = _records(seen, customer_id)
    edges = _edges(seen, customer_id)
    links = [_link(edge) for edge in edges]
    return Why(
        records,
        links[:MOST_EVIDENCE],
        weakest(links, edges),
        _apart(seen, customer_id),
        _not_counted(seen, customer_id),
        record_count,
        len(links),
    )


def story(bars: Iterable[Bar]) -> tuple[str, str]:
    """Say what agrees, and what does not.

    >>> story([Bar("prior", "", -9.0), Bar("e-mail", "same", 9.0), Bar("city", "different", -1.0)])
    ('Same e-mail address.', 'Against it: different city.')
    """
    shown = [bar for bar in bars if bar.comparison != weights.PRIOR and abs(bar.weight) >= 0.05]
    gains = _clause(bar for bar in shown if bar.weight > 0)
    losses = _clause(bar for bar in shown if bar.weight < 0)
    return f"{gains[:1].upper()}{gains[1:]}." if gains else "", f"Against it: {losses}." if losses else ""


def _clause(bars: Iterable[Bar]) -> str:
    words = [_phrase(bar) for bar in bars]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _phrase(bar: Bar) -> str:
    name = weights.word(bar.comparison)
    if bar.comparison == _HOUSEHOLD:
        return bar.level
    if bar.level in ("same", "shared", "different"):
        return f"{bar.level.replace('shared', 'same')} {name}"
    return f"{name} ({bar.level})" if bar.level else name


def weights_of(kind: str) -> str:
    """Say what kind of evidence it is, where nothing more may be said."""
    return {"deterministic": "A shared identifier.", "judgement": "Decided by a person."}.get(
        kind, "Their values resemble each other."
    )


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


def _records(seen: Seen, customer_id: str) -> list[Record]:
    query = f"""
        SELECT record_key, source, match_probability, first_seen_at, last_seen_at, event_count FROM customer_records
        WHERE customer_id = ? ORDER BY event_count DESC, record_key LIMIT {MOST_RECORDS}
    """
    rows = seen.rows("customer_records", query, [customer_id])
    carried = _carried(seen, customer_id)
    given = _given(seen, customer_id)
    return [
        Record(
            row["record_key"], row["source"], number, row["match_probability"], row["first_seen_at"],
            row["last_seen_at"], row["event_count"], carried.get(row["record_key"], ()), given.get(row["record_key"], ()),
        )
        for number, row in enumerate(rows, start=1)
    ]  # fmt: skip


def _carried(seen: Seen, customer_id: str) -> dict[str, list[tuple[str, str]]]:
    query = (
        "SELECT type, value, record_keys FROM customer_identifiers WHERE customer_id = ? ORDER BY type, value"
    )
    found: dict[str, dict[tuple[str, str], None]] = {}
    for row in seen.rows("customer_identifiers", query, [customer_id]):
        for key in row["record_keys"]:
            found.setdefault(key, {})[(row["type"], row["value"])] = None
    return {key: list(values) for key, values in found.items()}


def _given(seen: Seen, customer_id: str) -> dict[str, list[tuple[str, str]]]:
    query = "SELECT attribute, value, record_key FROM customer_attributions WHERE customer_id = ? ORDER BY attribute"
    found: dict[str, list[tuple[str, str]]] = {}
    for row in seen.rows("customer_attributions", query, [customer_id]):
        if row["record_key"]:
            found.setdefault(row["record_key"], []).append((row["attribute"], row["value"]))
    return found


_EDGE: Final = "left_record, right_record, kind, match_weight, match_probability, reason, levels"


def _edges(seen: Seen, customer_id: str) -> list[Row]:
    query = f"""
        SELECT {_EDGE} FROM match_evidence WHERE customer_id = ?
        ORDER BY coalesce(match_weight, 'infinity'::DOUBLE) DESC, left_record, right_record, kind, reason
    """
    return seen.rows("match_evidence", query, [customer_id])


def _link(row: Row) -> Link:
    return Link(
        row["left_record"], row["right_record"], row["kind"], row["match_weight"], row["match_probability"],
        row["reason"], weights.bars(row["levels"]),
    )  # fmt: skip


def weakest(links: Sequence[Link], edges: Sequence[Row]) -> Weakest | None:
    """Return the weakest link of evidence that is sorted by weight, heaviest first; None without evidence."""
    supporting = [(Edge(**{name: row[name] for name in _EDGE.split(", ")}), link)
                  for row, link in zip(edges, links, strict=True) if link.speaks_for]  # fmt: skip
    tree = spanning_tree([edge for edge, _ in supporting])
    if not tree:
        return None
    lightest = tree[-1]
    by_edge = {id(edge): link for edge, link in supporting}
    left = _reached(tree[:-1], lightest.left_record)
    crossing = [
        link
        for edge, link in supporting
        if edge is not lightest and (edge.left_record in left) != (edge.right_record in left)
    ]
    everybody = {key for edge in tree for key in (edge.left_record, edge.right_record)}
    few, many = sorted((left, everybody - left), key=lambda side: (len(side), sorted(side)))
    return Weakest(by_edge[id(lightest)], sorted(many), sorted(few), crossing[0] if crossing else None)


def _reached(tree: Sequence[Edge], start: str) -> set[str]:
    neighbours: dict[str, list[str]] = {}
    for edge in tree:
        neighbours.setdefault(edge.left_record, []).append(edge.right_record)
        neighbours.setdefault(edge.right_record, []).append(edge.left_record)
    reached, stack = {start}, [start]
    while stack:
        for other in neighbours.get(stack.pop(), ()):
            if other not in reached:
                reached.add(other)
                stack.append(other)
    return reached


def _apart(seen: Seen, customer_id: str) -> list[Apart]:
    query = f"""
        SELECT CASE WHEN left_customer_id = $1 THEN right_customer_id ELSE left_customer_id END AS other, {_EDGE}
        FROM held_back_evidence WHERE left_customer_id = $1 OR right_customer_id = $1
        ORDER BY kind <> 'judgement', match_weight DESC NULLS FIRST, left_record, right_record LIMIT 200
    """
    found: dict[str, list[Link]] = {}
    for row in seen.rows("held_back_evidence", query, [customer_id]):
        found.setdefault(row["other"], []).append(_link(row))
    return [Apart(other, links) for other, links in list(found.items())[:MOST_APART]]


def _not_counted(seen: Seen, customer_id: str) -> list[Row]:
    """Return values of the customer that link nobody, and why."""
    query = """
        SELECT h.type, h.namespace, h.value, min(h.reason) AS reason, max(h.records) AS records
        FROM held_back_identifiers AS h
        JOIN (SELECT DISTINCT type, coalesce(namespace, '') AS namespace, value FROM customer_identifiers
              WHERE customer_id = ?) AS v
          ON h.type = v.type AND h.value = v.value AND coalesce(h.namespace, '') = v.namespace
        WHERE h.what = 'identifier' GROUP BY h.type, h.namespace, h.value ORDER BY ALL LIMIT 20
    """
    return seen.rows("held_back_identifiers", query, [customer_id])
