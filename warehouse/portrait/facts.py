"""Who a customer is and what they are worth: golden values with where they came from, contact points, consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from warehouse.portrait.seen import Row, Seen

WHO: Final = ("full_name", "given_name", "surname", "title", "gender", "birth_date", "email", "phone", "street", "city",
              "region", "postcode", "country", "company", "language")  # fmt: skip
RULES: Final[Mapping[str, str]] = {
    "most_recent": "the newest word counts",
    "most_frequent": "what is said most often counts",
    "source_trust": "the most trusted source counts",
    "longest": "the longest word counts",
    "only": "nobody said otherwise",
}
PURPOSES: Final = (
    ("marketing", ("email", "sms", "phone", "post", "social")),
    ("analytics", (None,)),
    ("personalisation", (None,)),
)


@dataclass(frozen=True)
class Fact:
    """A golden value and its attribution."""

    name: str
    value: Any
    source: str | None
    record: str | None
    observed_at: datetime | None
    rule: str | None


@dataclass(frozen=True)
class Consent:
    """Consent for a purpose on a channel (None: whatever the channel); who said so is known where anybody did."""

    purpose: str
    channel: str | None
    state: str
    decided_at: datetime | None = None
    source: str | None = None
    event_type: str | None = None


def customer(seen: Seen, customer_id: str) -> Row | None:
    """Return the row of ``customers``, or None."""
    rows = seen.rows("customers", "SELECT * FROM customers WHERE customer_id = ?", [customer_id])
    return rows[0] if rows else None


def successor(seen: Seen, customer_id: str) -> str | None:
    """Return the customer who holds the records of a retired id, or None."""
    query = "SELECT customer_id FROM customer_redirects WHERE previous_customer_id = ?"
    rows = seen.raw(query, [customer_id])
    return str(rows[0]["customer_id"]) if rows else None


def who(seen: Seen, row: Row) -> list[Fact]:
    """Return the golden values that are known, in the order of :data:`WHO`."""
    columns = "attribute, value, source, record_key, observed_at, rule"
    query = f"SELECT {columns} FROM customer_attributions WHERE customer_id = ?"
    told = {one["attribute"]: one for one in seen.rows("customer_attributions", query, [row["customer_id"]])}
    facts = []
    for name in WHO:
        origin = told.get(name, {})
        value = row.get(name) if row.get(name) is not None else origin.get("value")
        if value is not None:
            facts.append(
                Fact(
                    name,
                    value,
                    *(origin.get(part) for part in ("source", "record_key", "observed_at", "rule")),
                )
            )
    return facts


def identifiers(seen: Seen, customer_id: str) -> list[Row]:
    """Return contact points and other identifiers: reachable ones first, then the newest."""
    query = """
        SELECT type, coalesce(namespace, '') AS namespace, value, list(DISTINCT source ORDER BY source) AS sources,
               min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at
        FROM customer_identifiers WHERE customer_id = ? GROUP BY type, coalesce(namespace, ''), value
        ORDER BY type NOT IN ('email', 'phone'), type = 'anonymous_id', type, last_seen_at DESC NULLS LAST, value
    """
    return seen.rows("customer_identifiers", query, [customer_id])


def consents(seen: Seen, row: Row) -> list[Consent]:
    """Return consent by purpose and channel, and when it was said by which event."""
    query = "SELECT purpose, channel, state, decided_at, source, event_type FROM customer_consents WHERE customer_id = ?"
    said = seen.raw(query, [row["customer_id"]])
    found = []
    for purpose, channels in PURPOSES:
        for channel in channels:
            column = f"consent_{purpose}" + (f"_{channel}" if channel else "")
            found.append(_consent(purpose, channel, str(row.get(column, "unknown")), said))
    return found


def _consent(purpose: str, channel: str | None, state: str, said: Sequence[Row]) -> Consent:
    """Find who said it: of the words that cover purpose and channel, the newest of that state."""
    words = [
        one
        for one in said
        if one["state"] == state and one["purpose"] in (None, purpose) and one["channel"] in (None, channel)
    ]
    if not words:
        return Consent(purpose, channel, state)
    word = max(words, key=lambda one: (one["decided_at"] is not None, one["decided_at"]))
    return Consent(purpose, channel, state, word["decided_at"], word["source"], word["event_type"])


def segments(seen: Seen, customer_id: str) -> list[Row]:
    """Return the segments that the customer is in now, by the names that they had when the release was built."""
    query = """
        SELECT segment_id, arg_max(name, rule_version) AS name FROM segments
        WHERE segment_id IN (
            SELECT segment_id FROM segment_members WHERE customer_id = ? AND exited_release IS NULL
        )
        GROUP BY segment_id ORDER BY segment_id
    """
    return seen.rows("segments", query, [customer_id])


def changes(seen: Seen, customer_id: str) -> list[Row]:
    """Return what happened to the customer's id, newest first."""
    query = """
        SELECT changed_at, change, customer_id, previous_customer_id, reason FROM id_changes
        WHERE customer_id = $1 OR previous_customer_id = $1 ORDER BY change_seq DESC LIMIT 20
    """
    return seen.raw(query, [customer_id])
