"""Questions that the page of analysts begins with: what each is for, and its SQL."""

from __future__ import annotations

from typing import Final

_CHANNELS: Final = """
SELECT channel, direction, count(*) AS contacts, count(DISTINCT customer_id) AS customers
FROM contact_history
GROUP BY ALL
ORDER BY contacts DESC
"""
_REACH: Final = """
SELECT len(channels) AS channels, count(*) AS customers, sum(net_revenue) AS net_revenue, currency
FROM customers
GROUP BY ALL
ORDER BY ALL
"""
_REVENUE: Final = """
SELECT date_trunc('month', occurred_at)::DATE AS month, product, sum(amount) AS revenue, currency
FROM contact_history
WHERE event_type = 'order_placed'
GROUP BY ALL
ORDER BY month DESC, revenue DESC
"""
_CONSENT: Final = """
SELECT consent_marketing_email AS email, consent_marketing_sms AS sms, count(*) AS customers
FROM customers
GROUP BY ALL
ORDER BY customers DESC
"""
_EVIDENCE: Final = """
SELECT kind, reason, count(*) AS edges, round(avg(match_weight), 1) AS weight
FROM match_evidence
GROUP BY ALL
ORDER BY edges DESC
LIMIT 50
"""

EXAMPLES: Final = tuple(
    (name, query.strip())
    for name, query in (
        ("Contacts and customers by channel", _CHANNELS),
        ("Customers by number of channels", _REACH),
        ("Revenue by month and product", _REVENUE),
        ("Who may be written to", _CONSENT),
        ("Why records are one person", _EVIDENCE),
    )
)
