"""Find a customer by any identifier, and read everything that one page about them shows.

Every query is a point look-up: first the id map through its index, then the rows of those records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from cdp import ids
from cdp.errors import NotFoundError
from cdp.identifiers import IDENTIFIER_TYPES, check

if TYPE_CHECKING:
    import duckdb

MAX_CANDIDATES: Final = 20
_SHORT_ID: Final = re.compile(r"C?([0-9]{1,15})", re.IGNORECASE)

MatchedBy = Literal["customer_id", "retired_id", "record_key", "identifier", "name"]


@dataclass(frozen=True)
class Match:
    """A customer that an identifier leads to, and by what."""

    customer_id: str
    matched_by: MatchedBy
    value: str


@dataclass(frozen=True)
class Golden:
    """A golden value with its attribution."""

    attribute: str
    value: str
    source: str | None
    observed_at: datetime | None
    rule: str | None


@dataclass(frozen=True)
class Identifier:
    """An identifier of the profile."""

    type: str
    namespace: str
    value: str
    sources: tuple[str, ...]
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True)
class Record:
    """A source record of the profile."""

    record_key: str
    source: str
    match_probability: float | None
    event_count: int


@dataclass(frozen=True)
class Edge:
    """A piece of evidence between two records."""

    left_record: str
    right_record: str
    kind: str
    match_weight: float | None
    match_probability: float | None
    reason: str | None
    levels: str | None = None


@dataclass(frozen=True)
class Evidence:
    """Why the records are one person: how many edges of which kind, and the weakest link.

    ``weakest`` is the edge without which the profile would fall apart into two groups most easily:
    the lightest one of the heaviest tree that connects the records.
    """

    kinds: Mapping[str, int]
    weakest: Edge | None


@dataclass(frozen=True)
class Contact:
    """A line of the contact history."""

    occurred_at: datetime
    time_flag: str | None
    source: str
    channel: str
    direction: str | None
    event_type: str
    subject: str | None
    campaign: str | None
    product: str | None
    reference: str | None
    line_count: int
    amount: Decimal | None
    currency: str | None
    outcome: str | None


@dataclass(frozen=True)
class Profile:
    """Everything about one customer; ``columns`` is the row of ``customers``."""

    customer_id: str
    release: str
    columns: Mapping[str, Any]
    golden: Sequence[Golden]
    identifiers: Sequence[Identifier]
    records: Sequence[Record]
    evidence: Evidence
    contacts: Sequence[Contact]
    former_ids: Sequence[str] = field(default=())

    @property
    def consent(self) -> dict[str, str]:
        """State of consent by purpose and channel, such as ``marketing_email``."""
        prefix = "consent_"
        found = {name: str(value) for name, value in self.columns.items() if name.startswith(prefix)}
        return {name.removeprefix(prefix): state for name, state in found.items()}


def default_region(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the country whose numbers are written without a country code in this workspace."""
    row = connection.execute("SELECT default_region FROM cdp_release").fetchone()
    return None if row is None else row[0]


def spellings(text: str, region: str | None) -> list[str]:
    """Return the canonical forms that ``text`` may have been stored in, likeliest first.

    >>> spellings("020 7946 0018", "GB")[0]
    '+442079460018'
    >>> spellings("Ann@Example.COM", None)[0]
    'ann@example.com'
    """
    kinds = ["email"] if "@" in text else []
    if sum(c.isdigit() for c in text) >= 6:
        kinds.append("phone")
    kinds += ["user_id", "handle"]
    found = [check(kind, text, region).value for kind in kinds]
    return list(dict.fromkeys(value for value in (*found, text) if value))


def find(connection: duckdb.DuckDBPyConnection, identifier_text: str) -> list[Match]:
    """Return the customers that ``identifier_text`` leads to: none, one, or several candidates.

    Tried in turn, and the first that finds somebody decides: customer id, retired id, record_key,
    any identifier (optionally as ``type:value``), customer id without its zeros, full name.
    """
    text = identifier_text.strip()
    return find_exact(connection, text) or (_by_name(connection, text) if text else [])


def find_exact(connection: duckdb.DuckDBPyConnection, identifier_text: str) -> list[Match]:
    """Return the customers that a whole identifier leads to: as :func:`find` does, but not by names."""
    text = identifier_text.strip()
    if not text:
        return []
    for step in (_by_customer_id, _by_record_key, _by_identifier, _by_short_id):
        if found := step(connection, text):
            return found
    return []


def _by_customer_id(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    wanted = text.upper()
    if connection.execute("SELECT 1 FROM customers WHERE customer_id = ?", [wanted]).fetchone():
        return [Match(wanted, "customer_id", wanted)]
    query = "SELECT customer_id FROM customer_redirects WHERE previous_customer_id = ?"
    row = connection.execute(query, [wanted]).fetchone()
    return [Match(row[0], "retired_id", wanted)] if row else []


def _by_short_id(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    """Find C00000404 by C404 and 404; last, for a source's own numbers may look like that."""
    short = _SHORT_ID.fullmatch(text)
    return _by_customer_id(connection, ids.customer_id(int(short[1]))) if short else []


def _by_record_key(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    query = "SELECT customer_id FROM customer_records WHERE record_key = ?"
    row = connection.execute(query, [text]).fetchone()
    return [Match(row[0], "record_key", text)] if row else []


def _by_identifier(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    kind, colon, value = text.partition(":")
    typed = bool(colon) and kind in IDENTIFIER_TYPES
    region = default_region(connection)
    if typed:
        values = [v for v in (check(kind, value, region).value, value.strip()) if v]
    else:
        values = spellings(text, region)
    query = "SELECT DISTINCT customer_id, type FROM customer_identifiers WHERE value = ? ORDER BY customer_id"
    for candidate in values:
        rows = connection.execute(query, [candidate]).fetchall()
        ids = dict.fromkeys(row[0] for row in rows if not typed or row[1] == kind)
        if ids:
            return [Match(customer_id, "identifier", candidate) for customer_id in ids][:MAX_CANDIDATES]
    return []


def _by_name(connection: duckdb.DuckDBPyConnection, text: str) -> list[Match]:
    """Find whole names first, else names that contain every word; accents and case do not matter."""
    query = (
        "SELECT customer_id, coalesce(nullif(parts, ''), full_name) FROM "
        "(SELECT *, concat_ws(' ', given_name, surname) AS parts FROM customers) "
        "WHERE {} ORDER BY last_seen_at DESC NULLS LAST, customer_id LIMIT ?"
    )
    wanted = "strip_accents(lower(?))"
    whole = f"{wanted} IN (strip_accents(lower(full_name)), strip_accents(lower(parts)))"
    rows = connection.execute(query.format(whole), [text, MAX_CANDIDATES]).fetchall()
    words = text.split()
    if not rows and all(len(word) > 1 for word in words):
        both = "strip_accents(lower(concat_ws(' ', full_name, parts)))"
        every = " AND ".join(f"contains({both}, {wanted})" for _ in words)
        rows = connection.execute(query.format(every), [*words, MAX_CANDIDATES]).fetchall()
    return [Match(customer_id, "name", name) for customer_id, name in rows]


def near(connection: duckdb.DuckDBPyConnection, text: str, *, limit: int = 3) -> list[str]:
    """Return names and identifiers that look like ``text``, for the message that it was not found."""
    query = """
        SELECT value FROM (
            SELECT value, jaro_winkler_similarity(lower(value), lower($text)) AS likeness
            FROM customer_identifiers WHERE type <> 'anonymous_id'
            UNION ALL
            SELECT full_name, jaro_winkler_similarity(lower(full_name), lower($text))
            FROM customers WHERE full_name IS NOT NULL)
        WHERE likeness >= 0.88 GROUP BY value ORDER BY max(likeness) DESC, value LIMIT $limit
    """
    return [row[0] for row in connection.execute(query, {"text": text, "limit": limit}).fetchall()]


def profile(connection: duckdb.DuckDBPyConnection, customer_id: str, *, history: int = 20) -> Profile:
    """Return everything about one customer, with the newest ``history`` contacts.

    Raises :class:`NotFoundError` for an id that this release does not have.
    """
    cursor = connection.execute("SELECT * FROM customers WHERE customer_id = ?", [customer_id])
    names = [str(column[0]) for column in cursor.description or ()]
    row = cursor.fetchone()
    if row is None:
        message = f"There is no customer {customer_id!r} in this release."
        raise NotFoundError(message, hint="`cdp profile NAME` also finds by name, e-mail or phone.")
    release = connection.execute("SELECT version FROM cdp_release").fetchone()
    records = _rows(connection, "record_key, source, match_probability, event_count, record_no",
                    "customer_records", customer_id, "record_key")  # fmt: skip
    former = connection.execute(
        "SELECT previous_customer_id FROM customer_redirects WHERE customer_id = ? ORDER BY 1", [customer_id]
    ).fetchall()
    golden = _rows(connection, "attribute, value, source, observed_at, rule",
                   "customer_attributions", customer_id, "attribute")  # fmt: skip
    return Profile(
        customer_id=customer_id,
        release=release[0] if release else "",
        columns=dict(zip(names, row, strict=True)),
        golden=[Golden(*values) for values in golden],
        identifiers=_identifiers(connection, customer_id),
        records=[Record(*values[:4]) for values in records],
        evidence=_evidence(edges(connection, customer_id)),
        contacts=_contacts(connection, [values[4] for values in records], history),
        former_ids=[values[0] for values in former],
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, columns: str, table: str, customer_id: str, order: str
) -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM {table} WHERE customer_id = ? ORDER BY {order}"
    return connection.execute(query, [customer_id]).fetchall()


def _identifiers(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Identifier]:
    query = """
        SELECT type, coalesce(namespace, ''), value, list(DISTINCT source ORDER BY source),
               min(first_seen_at), max(last_seen_at)
        FROM customer_identifiers WHERE customer_id = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
    rows = connection.execute(query, [customer_id]).fetchall()
    return [Identifier(r[0], r[1], r[2], tuple(r[3]), r[4], r[5]) for r in rows]


def edges(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[Edge]:
    """Return the evidence inside a profile, heaviest first; judgements outweigh everything."""
    columns = "left_record, right_record, kind, match_weight, match_probability, reason, levels"
    order = "coalesce(match_weight, 'infinity'::DOUBLE) DESC, left_record, right_record, kind, reason"
    return [Edge(*values) for values in _rows(connection, columns, "match_evidence", customer_id, order)]


def spanning_tree(found: Sequence[Edge]) -> list[Edge]:
    """Return the heaviest edges that connect all records (Kruskal); ``found`` is heaviest first."""
    parent: dict[str, str] = {}

    def root(record: str) -> str:
        while (above := parent.setdefault(record, record)) != record:
            parent[record] = record = parent[above]
        return record

    tree: list[Edge] = []
    for edge in found:
        left, right = root(edge.left_record), root(edge.right_record)
        if left != right:
            parent[left] = right
            tree.append(edge)
    return tree


def _evidence(found: Sequence[Edge]) -> Evidence:
    kinds: dict[str, int] = {}
    for edge in found:
        kinds[edge.kind] = kinds.get(edge.kind, 0) + 1
    tree = spanning_tree(found)
    return Evidence(dict(sorted(kinds.items())), tree[-1] if tree else None)


def _contacts(connection: duckdb.DuckDBPyConnection, record_numbers: list[int], limit: int) -> list[Contact]:
    """Read the history of some records; a literal list lets DuckDB skip the rest of the table."""
    if not record_numbers or limit <= 0:
        return []
    places = ", ".join(str(int(number)) for number in record_numbers)
    query = f"""
        SELECT occurred_at, time_flag, source, channel, direction, event_type, subject, campaign,
               product, reference, line_count, amount, currency, outcome
        FROM record_events WHERE record_no IN ({places})
        ORDER BY occurred_at DESC, source, event_id, event_type LIMIT ?
    """
    return [Contact(*values) for values in connection.execute(query, [limit]).fetchall()]


def candidates(connection: duckdb.DuckDBPyConnection, customer_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return what tells some customers apart, in their order."""
    query = """
        SELECT customer_id, coalesce(full_name, nullif(concat_ws(' ', given_name, surname), '')) AS full_name,
               email, phone, city, strftime(last_seen_at, '%Y-%m-%d') AS last_seen, event_count
        FROM customers WHERE customer_id IN (SELECT unnest(?)) ORDER BY list_position(?, customer_id)
    """
    cursor = connection.execute(query, [list(customer_ids), list(customer_ids)])
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def as_json(value: object) -> Any:
    """Return a profile, or a part of one, as JSON knows it: times in ISO 8601 with Z, money as text.

    >>> as_json(Match("C1", "name", "Ann")), as_json(Decimal("1.50"))
    ({'customer_id': 'C1', 'matched_by': 'name', 'value': 'Ann'}, '1.50')
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: as_json(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Decimal):
        return str(value)
    return value
