# ruff: noqa: E501 - SQL inside strings reads best in its own lines
"""Made-up events of a big release: seven sources over three years, skewed towards the busy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cdp.schemas import EVENTS, TRAITS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

# Share of all events, and how many events one story (a send, a ticket, an order) has on average.
SHARES: Final = {"web": (0.56, 1.0), "mail": (0.27, 2.33), "shop": (0.06, 1.94), "contacts": (0.02, 1.0),
                 "calls": (0.03, 1.0), "support": (0.03, 2.15), "social": (0.03, 1.0)}  # fmt: skip
_STORIES_PER_FILE: Final = 1_500_000
_OFFSET: Final = 10_000_000_000

_PRODUCTS: Final = (
    "['Oak table', 'Pine shelf', 'Linen curtain', 'Wool rug', 'Desk lamp', 'Armchair', 'Bed frame', 'Mirror', "
    "'Bookcase', 'Sofa', 'Kettle', 'Garden bench', 'Cushion', 'Wardrobe', 'Stool', 'Vase']"
)
_CAMPAIGNS: Final = "['newsletter', 'spring-sale', 'win-back', 'new-arrivals', 'garden', 'clearance', 'loyalty', 'winter-sale']"
# A story happens somewhere in its record's time; the first one of each record at its beginning.
_STORY: Final = f"""
SELECT i, k, r.*, CASE WHEN s.i < s.count THEN start_at ELSE
    date_trunc('day', start_at + (end_at - start_at) * rnd(k, 2))
    + to_seconds((25200 + 28800 * (rnd(k, 3) + rnd(k, 4)))::BIGINT) END AS happened,
    pick({_PRODUCTS}, pow(rnd(k, 5), 1.7)) AS a_product, rnd(k, 6) AS what
FROM (
    SELECT i, i + {{offset}} AS k, n.count,
        CASE WHEN i < n.count THEN i ELSE (n.count * pow(rnd(i + {{offset}}, 1), 1.6))::BIGINT % n.count END AS place
    FROM range({{first}}, {{last}}) AS t (i), (SELECT count(*) AS count FROM records WHERE source = '{{source}}') AS n
) AS s JOIN (SELECT * FROM records WHERE source = '{{source}}') AS r USING (place)
"""


def _campaign(moment: str) -> str:
    week = f"date_diff('week', DATE '2023-01-02', {moment}::DATE)"
    return f"pick({_CAMPAIGNS}, rnd({week}, 40)) || strftime({moment}, '-%G-w%V')"


# Of each source: the columns of its events, over a story.
_EVENTS: Final = {
    "web": f"""
        SELECT *, CASE WHEN what < 0.52 THEN 'page_viewed' WHEN what < 0.72 THEN 'product_viewed'
                WHEN what < 0.84 THEN 'session_started' WHEN what < 0.90 THEN 'product_added'
                WHEN what < 0.93 THEN 'content_searched' WHEN what < 0.95 THEN 'checkout_started'
                WHEN what < 0.97 THEN 'ad_clicked' WHEN what < 0.99 THEN 'signed_in' ELSE 'form_submitted' END AS event_type,
            'web' AS channel, 'inbound' AS direction,
            CASE WHEN what BETWEEN 0.52 AND 0.72 OR what BETWEEN 0.84 AND 0.9 THEN a_product END AS product,
            CASE WHEN what < 0.72 THEN a_product || ' | Harbour & Pine' END AS subject,
            CASE WHEN what BETWEEN 0.95 AND 0.97 THEN {_campaign("happened")} END AS campaign,
            CASE WHEN rnd(k, 7) < 0.01 THEN 'bot' END AS outcome,
            '{{"path":"/p/' || (k % 4000) || '","referrer":"' || pick(['', 'search', 'social', 'mail'], rnd(k, 8)) || '"}}'
                AS properties,
            CASE WHEN rnd(c, 41) < 0.3 THEN round(p_latitude + rnd(c, 42) * 0.05, 4) END AS latitude,
            CASE WHEN rnd(c, 41) < 0.3 THEN round(p_longitude + rnd(c, 43) * 0.05, 4) END AS longitude
        FROM story""",
    "mail": f"""
        SELECT * REPLACE (happened + e.delay AS happened), e.type AS event_type, 'email' AS channel,
            CASE WHEN e.type IN ('email_sent', 'email_delivered', 'email_bounced') THEN 'outbound' ELSE 'inbound' END AS direction,
            {_campaign("happened")} AS campaign, 'News from Harbour & Pine: ' || a_product AS subject, 'M' || k AS reference
        FROM (SELECT * REPLACE (date_trunc('week', happened) + INTERVAL 57 HOUR + to_seconds((7200 * rnd(k, 9))::BIGINT) AS happened),
            unnest(list_filter([{{type: 'email_sent', delay: INTERVAL 0 SECOND, share: 1.0, salt: 10}},
            {{type: CASE WHEN rnd(k, 11) < 0.02 THEN 'email_bounced' ELSE 'email_delivered' END,
              delay: INTERVAL 20 SECOND, share: 1.0, salt: 10}},
            {{type: 'email_opened', delay: to_seconds((90000 * pow(rnd(k, 12), 3))::BIGINT), share: 0.28, salt: 13}},
            {{type: 'email_clicked', delay: to_seconds((95000 * pow(rnd(k, 12), 3))::BIGINT), share: 0.05, salt: 13}},
            {{type: 'email_unsubscribed', delay: to_seconds((99000 * rnd(k, 12))::BIGINT), share: 0.003, salt: 14}}],
            lambda x: rnd(k, x.salt) < x.share)) AS e FROM story)""",
    "shop": f"""
        SELECT * REPLACE (happened + e.delay AS happened), e.type AS event_type, 'orders' AS channel,
            CASE WHEN e.type = 'order_placed' THEN 'inbound' ELSE 'outbound' END AS direction, a_product AS product,
            'O' || (k - {_OFFSET}) AS reference, CASE WHEN e.type <> 'order_shipped' THEN 'GBP' END AS currency,
            CASE WHEN e.type <> 'order_shipped' THEN round(8 + exp(2.2 + 2.4 * rnd(k, 10)), 2) END AS amount,
            CASE WHEN rnd(k, 11) < 0.2 THEN {_campaign("happened")} END AS campaign
        FROM (SELECT *, unnest(list_filter([{{type: 'order_placed', delay: INTERVAL 0 SECOND, share: 1.0}},
            {{type: 'order_shipped', delay: INTERVAL 26 HOUR, share: 0.9}},
            {{type: 'order_refunded', delay: INTERVAL 9 DAY, share: 0.04}}], lambda x: rnd(k, 12) < x.share)) AS e FROM story)""",
    "contacts": """
        SELECT *, CASE WHEN what < 0.6 THEN 'contact_updated' ELSE 'consent_changed' END AS event_type, 'crm' AS channel,
            CASE WHEN what >= 0.6 THEN pick(['marketing', 'marketing', 'analytics', 'personalisation'], rnd(k, 7)) END
                AS consent_purpose,
            CASE WHEN what >= 0.6 THEN pick(['email', 'email', 'sms', 'phone', 'post'], rnd(k, 8)) END AS consent_channel,
            CASE WHEN what >= 0.6 THEN CASE WHEN rnd(k, 9) < 0.75 THEN 'granted' ELSE 'denied' END END AS consent_state
        FROM story""",
    "calls": """
        SELECT *, CASE WHEN what < 0.55 THEN 'call_received' WHEN what < 0.7 THEN 'call_missed' ELSE 'call_placed' END
            AS event_type, 'phone' AS channel, CASE WHEN what < 0.7 THEN 'inbound' ELSE 'outbound' END AS direction,
            CASE WHEN what BETWEEN 0.55 AND 0.7 THEN 0 ELSE round(20 + 900 * pow(rnd(k, 7), 3)) END AS duration_seconds,
            'agent ' || (1 + k % 40) AS agent, pick(['sales', 'returns', 'support', 'billing'], rnd(k, 8)) AS department,
            CASE WHEN what BETWEEN 0.55 AND 0.7 THEN 'missed' ELSE 'answered' END AS outcome, a_product AS product,
            CASE WHEN rnd(k, 9) < 0.04 THEN 1 END AS escalation_level, rnd(k, 10) < 0.12 AS self_service
        FROM story""",
    "support": f"""
        SELECT * REPLACE (happened + e.delay AS happened), e.type AS event_type, 'support' AS channel,
            CASE WHEN e.type IN ('ticket_opened', 'ticket_rated') THEN 'inbound' END AS direction, a_product AS product,
            'Question about ' || a_product AS subject, 'T' || (k - {_OFFSET}) AS reference, 'agent ' || (1 + k % 40) AS agent,
            pick(['returns', 'support', 'billing'], rnd(k, 8)) AS department,
            CASE WHEN e.type = 'ticket_escalated' THEN 2 END AS escalation_level,
            CASE WHEN e.type = 'ticket_rated' THEN pick(['1', '3', '4', '5', '5'], rnd(k, 9)) END AS outcome
        FROM (SELECT *, unnest(list_filter([{{type: 'ticket_opened', delay: INTERVAL 0 SECOND, share: 1.0, salt: 10}},
            {{type: 'ticket_escalated', delay: INTERVAL 5 HOUR, share: 0.1, salt: 11}},
            {{type: 'ticket_solved', delay: to_seconds((400000 * pow(rnd(k, 12), 2))::BIGINT), share: 0.85, salt: 13}},
            {{type: 'ticket_rated', delay: INTERVAL 6 DAY, share: 0.2, salt: 14}}],
            lambda x: rnd(k, x.salt) < x.share)) AS e FROM story)""",
    "social": """
        SELECT *, CASE WHEN what < 0.45 THEN 'message_received' WHEN what < 0.8 THEN 'message_sent'
                WHEN what < 0.92 THEN 'comment_posted' ELSE 'post_mentioned' END AS event_type, 'social' AS channel,
            CASE WHEN what BETWEEN 0.45 AND 0.8 THEN 'outbound' ELSE 'inbound' END AS direction,
            'About the ' || lower(a_product) AS subject
        FROM story""",
}
_MAIN: Final = """[CASE source
    WHEN 'web' THEN {type: 'anonymous_id', namespace: 'web', value: anonymous}
    WHEN 'shop' THEN {type: 'external_id', namespace: 'shop', value: split_part(record_key, ':', 2)}
    WHEN 'contacts' THEN {type: 'external_id', namespace: 'crm', value: split_part(record_key, ':', 2)}
    WHEN 'support' THEN {type: 'external_id', namespace: 'support', value: split_part(record_key, ':', 2)}
    WHEN 'mail' THEN {type: 'email', namespace: '', value: email}
    WHEN 'calls' THEN {type: 'phone', namespace: '', value: phone}
    ELSE {type: 'handle', namespace: 'social', value: handle} END]"""
_COMMON: Final = {
    "event_id": "printf('%016x', hash(k * 64 + 60 + length(event_type) * 7919 + ascii(event_type[-3:])))",
    "file_id": "{file_id}",
    "raw_row": "row_number() OVER () - 1",
    "line_count": "1",
    "record_key": "CASE WHEN source = 'web' AND rnd(k, 15) < 0.02 THEN NULL ELSE record_key END",
    "occurred_at": "happened",
    "occurred_text": "strftime(happened, '%Y-%m-%dT%H:%M:%SZ')",
    "received_at": "TIMESTAMPTZ '{now}'",
    "identifiers": _MAIN,
}
_TYPES: Final = {
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "int32": "INTEGER",
    "decimal128(18, 4)": "DECIMAL(18,4)",
}


def _select(connection: duckdb.DuckDBPyConnection, query: str, file_id: int, now: datetime) -> str:
    present = {row[0] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
    columns = []
    for column in EVENTS:
        if column.name in ("traits", "time_flag"):
            continue
        kind = _TYPES.get(str(column.type))
        given = _COMMON.get(column.name) or (column.name if column.name in present else "NULL::VARCHAR")
        given = given.replace("{file_id}", str(file_id)).replace("{now}", now.isoformat())
        columns.append(f"{given}::{kind} AS {column.name}" if kind else f"{given} AS {column.name}")
    traits = ", ".join(f"{name} VARCHAR" for name in TRAITS)
    return f"SELECT {', '.join(columns)}, NULL::VARCHAR AS time_flag, NULL::STRUCT({traits}) AS traits FROM ({query})"


def _files(events: int) -> Iterator[tuple[str, int, int]]:
    for source, (share, per_story) in SHARES.items():
        stories = int(events * share / per_story)
        for first in range(0, stories, _STORIES_PER_FILE):
            yield source, first, min(first + _STORIES_PER_FILE, stories)


def write(
    connection: duckdb.DuckDBPyConnection, events: int, now: datetime, folder: Path
) -> tuple[Path, ...]:
    """Write about ``events`` events of the table ``records`` as Parquet; return the files."""
    paths = []
    located = (
        "SELECT s.*, p.city_latitude AS p_latitude, p.city_longitude AS p_longitude FROM ({}) AS s "
        "JOIN people AS p USING (c)"
    )
    for file_id, (source, first, last) in enumerate(_files(events), start=1):
        offset = _OFFSET + list(SHARES).index(source) * 1_000_000_000
        story = _STORY.format(source=source, first=first, last=last, offset=offset)
        query = f"WITH story AS ({located.format(story)}) {_EVENTS[source]}"
        paths.append(folder / f"events-{file_id}.parquet")
        connection.execute(
            f"COPY ({_select(connection, query, file_id, now)}) TO '{paths[-1]}' "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 131072)"
        )
    return tuple(paths)
