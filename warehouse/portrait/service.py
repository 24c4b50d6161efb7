"""What a customer got from us and asked of us: tickets with escalations, campaigns with responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warehouse.portrait.history import bot_test, literal
from warehouse.portrait.seen import Row, Seen

MOST: Final = 20


def tickets(seen: Seen, numbers: Sequence[int]) -> list[Row]:
    """Return the newest tickets, and calls or chats that went to a higher level; open ones first."""
    query = f"""
        SELECT source, coalesce(reference, event_id) AS reference, arg_max(subject, occurred_at) AS subject,
               arg_max(product, occurred_at) AS product, min(occurred_at) AS opened_at, max(occurred_at) AS last_at,
               max(coalesce(escalation_level, 0)) AS escalation_level, count(*) AS event_count,
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


def campaigns(seen: Seen, numbers: Sequence[int]) -> list[Row]:
    """Return the newest campaigns that reached the customer, and what came of them; bots do not count."""
    query = f"""
        SELECT campaign, channel,
               count(*) FILTER (direction = 'outbound' AND event_type LIKE '%\\_sent' ESCAPE '\\') AS sends,
               count(*) FILTER (event_type IN ('email_opened', 'push_opened', 'message_read')) AS opens,
               count(*) FILTER (event_type LIKE '%\\_clicked' ESCAPE '\\' AND direction = 'inbound') AS clicks,
               count(*) FILTER (event_type LIKE '%\\_received' ESCAPE '\\') AS replies,
               count(*) FILTER (event_type LIKE '%\\_unsubscribed' ESCAPE '\\') AS unsubscribes,
               count(*) FILTER (event_type IN ('email_bounced', 'email_dropped', 'sms_failed')) AS failures,
               count(*) FILTER (event_type = 'order_placed') AS orders,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM record_events
        WHERE record_no IN ({literal(numbers)}) AND campaign IS NOT NULL AND NOT {bot_test()}
        GROUP BY campaign, channel ORDER BY last_at DESC, campaign, channel LIMIT {MOST}
    """
    return seen.rows("contact_history", query)


def answer(row: Row) -> tuple[str, str]:
    """Return the strongest answer to a campaign in words, and its kind of state.

    >>> answer({"orders": 0, "replies": 0, "clicks": 2, "opens": 1, "unsubscribes": 0, "failures": 0})
    ('Clicked', 'good')
    """
    for name, text, kind in (
        ("unsubscribes", "Unsubscribed", "bad"), ("orders", "Ordered", "good"), ("replies", "Replied", "good"),
        ("clicks", "Clicked", "good"), ("opens", "Opened", "info"), ("failures", "Not delivered", "warn"),
    ):  # fmt: skip
        if row[name]:
            return text, kind
    return "No answer", "neutral"
