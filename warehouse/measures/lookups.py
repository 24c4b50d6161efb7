"""What the measures say of one customer; each is a look-up of milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdp.events import UNATTENDED_OUTCOMES
from warehouse.measures import roles
from warehouse.measures.summaries import Row, rows

if TYPE_CHECKING:
    import duckdb


def _list(bit: int) -> str:
    """Return the event types of a role as an SQL list; they are names of ours."""
    return ", ".join(f"'{name}'" for name in sorted(roles.members(bit)))


def campaigns_of(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Row]:
    """Return the campaigns that reached a customer and what came of them, the newest first.

    Each row: ``campaign, channel, sends, delivered, opens, machine_opens, clicks, responses, bounces,
    unsubscribes, complaints, visits, first_at, last_at``, counts of events. Acts of machines count as
    ``machine_opens`` only; an event without a sound time is not counted.
    """
    numbers = connection.execute(
        "SELECT record_no FROM customer_records WHERE customer_id = ?", [customer_id]
    ).fetchall()
    if not numbers:
        return []
    # A literal list lets DuckDB skip the rest of the table.
    places = ", ".join(str(int(number)) for (number,) in numbers)
    unattended = ", ".join(f"'{word}'" for word in sorted(UNATTENDED_OUTCOMES))
    counted = {
        "sends": roles.TOUCH, "delivered": roles.DELIVERY, "opens": roles.OPEN, "clicks": roles.CLICK,
        "responses": roles.RESPONSE, "bounces": roles.BOUNCE, "unsubscribes": roles.UNSUBSCRIBE,
        "complaints": roles.COMPLAINT, "visits": roles.VISIT,
    }  # fmt: skip
    counts = ", ".join(
        f"count(*) FILTER (NOT machine AND event_type IN ({_list(bit)})) AS {name}"
        for name, bit in counted.items()
    )
    opening = f"{_list(roles.OPEN)}, {_list(roles.CLICK)}"
    return rows(
        connection,
        f"""
        SELECT campaign, channel, {counts},
               count(*) FILTER (machine AND event_type IN ({opening})) AS machine_opens,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM (
            SELECT *, coalesce(outcome IN ({unattended}), false) AS machine FROM record_events
            WHERE record_no IN ({places}) AND campaign IS NOT NULL
                AND (time_flag IS NULL OR time_flag = 'ambiguous')
        )
        GROUP BY campaign, channel ORDER BY last_at DESC, campaign, channel
        """,
    )


def tickets_of(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Row]:
    """Return a customer's tickets and escalated calls and chats (rows of ``tickets``): open ones first."""
    return rows(
        connection,
        "SELECT * FROM tickets WHERE customer_id = ? "
        "ORDER BY coalesce(state = 'open', false) DESC, last_at DESC NULLS LAST, source, ticket",
        [customer_id],
    )


def lifecycle_of(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Row]:
    """Return every lifecycle stage that a customer entered (rows of ``lifecycle_changes``), in order."""
    query = "SELECT * FROM lifecycle_changes WHERE customer_id = ? ORDER BY entered_at NULLS FIRST"
    return rows(connection, query, [customer_id])


def channels_of(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Row]:
    """Return a customer's contacts by channel (rows of ``customer_channels``)."""
    query = "SELECT * FROM customer_channels WHERE customer_id = ? ORDER BY channel"
    return rows(connection, query, [customer_id])
