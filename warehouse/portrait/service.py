"""What a customer got from us and asked of us: tickets with escalations, campaigns with responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from warehouse.measures.lookups import campaigns_of
from warehouse.portrait.history import literal
from warehouse.portrait.seen import Row, Seen

MOST: Final = 20


def tickets(seen: Seen, numbers: Sequence[int]) -> list[Row]:
    """Return the newest tickets, and calls or chats that went to a higher level; open ones first."""
    query = f"""
        SELECT source, coalesce(reference, event_id) AS reference, arg_max(subject, occurred_at) AS subject,
               arg_max(product, occurred_at) AS product, min(occurred_at) AS opened_at, max(occurred_at) AS last_at,
               max(escalation_level) AS escalation_level, count(*) AS event_count,
               bool_or(event_type = 'ticket_escalated' OR coalesce(escalation_level, 0) > 0) AS escalated,
               bool_or(event_type LIKE 'ticket%') AS is_ticket,
               coalesce((max({{moment: occurred_at, closed: {_CLOSED}}}) FILTER ({_STATE})).closed, false) AS closed
        FROM record_events
        WHERE record_no IN ({literal(numbers)}) AND (event_type LIKE 'ticket%' OR escalation_level > 0)
        GROUP BY source, coalesce(reference, event_id)
        ORDER BY NOT is_ticket OR closed, last_at DESC, source, 2 LIMIT {MOST}
    """
    return seen.rows("contact_history", query)


_CLOSED: Final = (
    "(event_type IN ('ticket_solved', 'ticket_closed') "
    "OR coalesce(lower(outcome), '') IN ('solved', 'closed', 'resolved'))"
)
_STATE: Final = (
    "event_type IN ('ticket_opened', 'ticket_reopened', 'ticket_solved', 'ticket_closed') "
    "OR event_type LIKE 'ticket%' AND lower(outcome) IN ('solved', 'closed', 'resolved')"
)


def campaigns(seen: Seen, customer_id: str) -> list[Row]:
    """Return the newest campaigns that reached the customer, and what came of them; bots do not count."""
    return campaigns_of(seen.connection, customer_id)[:MOST]


def answer(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the strongest answer to a campaign in words, and its kind of state.

    >>> answer({"visits": 1, "responses": 2, "clicks": 2, "opens": 1, "bounces": 0, "unsubscribes": 0, "complaints": 0})
    ('Clicked', 'good')
    """
    for name, text, kind in (
        ("complaints", "Complained", "bad"), ("unsubscribes", "Unsubscribed", "bad"), ("clicks", "Clicked", "good"),
        ("responses", "Answered", "good"), ("visits", "Visited", "good"), ("opens", "Opened", "info"),
        ("bounces", "Not delivered", "warn"),
    ):  # fmt: skip
        if row[name]:
            return text, kind
    return "No answer", "neutral"
