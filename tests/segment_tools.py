"""A plain evaluator of rules, row by row: slow, obvious, and held against the SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cdp.lake import Lake
from tests.warehouse_tools import NOW, Row
from warehouse.segments.fields import known_fields
from warehouse.segments.files import Draft, save
from warehouse.segments.tree import All, AnyOf, Compare, Did, InSegment, Near, Node, Not


def holds(  # noqa: PLR0911 - a return per kind of node
    node: Node,
    customer: Row,
    events: Sequence[Row],
    segments: Mapping[str, Node],
    *,
    now: datetime = NOW,
    base: str | None = "GBP",
) -> bool:
    """Whether a customer meets a rule; ``events`` are those of the customer."""
    again: dict[str, Any] = {"now": now, "base": base}
    if isinstance(node, All):
        return all(holds(part, customer, events, segments, **again) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(holds(part, customer, events, segments, **again) for part in node.parts)
    if isinstance(node, Not):
        return not holds(node.part, customer, events, segments, **again)
    if isinstance(node, InSegment):
        return holds(segments[node.segment_id], customer, events, segments, **again)
    if isinstance(node, Near):
        return near(node, customer)
    if isinstance(node, Did):
        return did(node, events, now, base)
    return not of_another_currency(node, customer, base) and compare(
        node.op, customer[node.field], node.value, now
    )


def of_another_currency(node: Compare, row: Row, base: str | None) -> bool:
    """Whether an amount is in a currency that the condition does not ask for."""
    if not isinstance(row.get(node.field), Decimal) or node.op in ("is_known", "is_unknown"):
        return False
    wanted = node.currency or base
    return wanted is not None and row["currency"] != wanted


def compare(op: str, value: Any, wanted: Any, now: datetime) -> bool:  # noqa: C901, PLR0911, PLR0912 - a plain table
    if op == "is_known":
        return value is not None and value != []
    if op == "is_unknown":
        return value is None or value == []
    if value is None:
        return False
    if op == "includes":
        return wanted in value
    if op == "includes_any":
        return any(one in value for one in wanted)
    if op == "includes_all":
        return all(one in value for one in wanted)
    if isinstance(value, date):
        return in_time(op, value, wanted, now)
    if isinstance(value, str):
        value = value.lower()
        wanted = [one.lower() for one in wanted] if isinstance(wanted, tuple) else wanted.lower()
    if op in ("is", "is_not"):
        return (value == wanted) == (op == "is")
    if op in ("is_any_of", "is_none_of"):
        return (value in wanted) == (op == "is_any_of")
    if op == "contains":
        return wanted in value
    if op == "starts_with":
        return value.startswith(wanted)
    if op == "between":
        return wanted[0] <= value <= wanted[1]
    return {
        "at_least": value >= wanted, "at_most": value <= wanted, "more_than": value > wanted,
        "less_than": value < wanted,
    }[op]  # fmt: skip


def in_time(op: str, value: date, wanted: Any, now: datetime) -> bool:
    def moment(day: date) -> Any:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) if isinstance(value, datetime) else day

    if op in ("within_days", "before_days"):
        start: Any = now - timedelta(days=wanted)
        end: Any = now
        if not isinstance(value, datetime):
            start, end = start.date(), end.date()
        return start <= value <= end if op == "within_days" else value < start
    if op == "between":
        return moment(wanted[0]) <= value < moment(wanted[1] + timedelta(days=1))
    return value < moment(wanted) if op == "before" else value >= moment(wanted)


def did(node: Did, events: Sequence[Row], now: datetime, base: str | None) -> bool:
    number = sum(counts(node, event, now, base) for event in events)
    low = node.at_least or 0
    return number >= low and (node.at_most is None or number <= node.at_most)


def counts(node: Did, event: Row, now: datetime, base: str | None) -> bool:
    if event["outcome"] in ("bot", "machine") or (node.types and event["event_type"] not in node.types):
        return False
    if node.within_days or node.before_days:
        if event["time_flag"] not in (None, "ambiguous"):
            return False
        age = now - event["occurred_at"]
        if node.within_days and not timedelta(0) <= age <= timedelta(days=node.within_days):
            return False
        if node.before_days and age <= timedelta(days=node.before_days):
            return False
    return all(meets(part, event, now, base) for part in node.where)


def meets(part: Compare, event: Row, now: datetime, base: str | None) -> bool:
    value = event[part.field]
    if part.field == "amount" and part.op not in ("is_known", "is_unknown"):
        if part.currency:
            value = value if event["currency"] == part.currency else None
        elif base:
            value = event["amount_base"]
    return compare(part.op, value, part.value, now)


def near(node: Near, customer: Row) -> bool:
    if customer["latitude"] is None or customer["longitude"] is None:
        return False
    one, other = math.radians(node.latitude), math.radians(customer["latitude"])
    east = math.radians(customer["longitude"] - node.longitude)
    cosine = math.sin(one) * math.sin(other) + math.cos(one) * math.cos(other) * math.cos(east)
    return math.acos(max(-1.0, min(1.0, cosine))) * 6371.0088 <= node.km


def keep_segment(
    folder: Path, segment_id: str, rule: object, *, after: int = 0, archived: bool = False
) -> None:
    """Save a version of a segment in a workspace."""
    draft = Draft(segment_id, segment_id.title(), rule, author="marge", archived=archived)
    save(Lake(folder), known_fields(), draft, after=after, now=NOW)
