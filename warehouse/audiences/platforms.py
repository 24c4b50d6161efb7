"""Lists for advertisers' networks: Google Customer Match and Meta Custom Audiences, hashed, as CSV.

One row per customer. Consent is a person's, for a purpose and a channel: it covers every e-mail address
and telephone number that the person gave, so up to three of each leave, the golden one first. Whoever has
nothing that the network could match has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from warehouse.audiences import normalise as n

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Platform = Literal["google", "meta"]
PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)
Identifiers = Literal["all", "golden"]
EACH: Final = 3
"""Addresses and numbers of one person: Meta takes three columns of each, Google sets no limit."""

_PERSON: Final = (
    "given_name", "surname", "city", "region", "postcode", "country", "birth_date", "gender",
)  # fmt: skip

# ``leaving``: who may leave. Values of all their records, the golden one first, then the newest.
_QUERY: Final = """
WITH given AS (
    SELECT customer_id, type, value, max(last_seen_at) AS seen
    FROM customer_identifiers SEMI JOIN {leaving} USING (customer_id)
    WHERE type IN ('email', 'phone') GROUP BY ALL
),
reached AS (
    SELECT customer_id,
        list(value ORDER BY seen DESC NULLS LAST, value) FILTER (type = 'email') AS emails,
        list(value ORDER BY seen DESC NULLS LAST, value) FILTER (type = 'phone') AS phones
    FROM given GROUP BY customer_id
)
SELECT c.customer_id, {person}, c.email, c.phone, r.emails, r.phones
FROM customers AS c SEMI JOIN {leaving} AS l ON l.customer_id = c.customer_id
LEFT JOIN reached AS r ON r.customer_id = c.customer_id
ORDER BY c.customer_id
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Layout:
    """The CSV of a network: its header, and what becomes of a customer (None: nothing to match)."""

    name: str
    header: tuple[str, ...]
    cells: Callable[[Row, Identifiers], list[str] | None]


def _columns(email: str, phone: str, *others: str) -> tuple[str, ...]:
    return (*[email] * EACH, *[phone] * EACH, *others)


@cache
def _hashed(text: str | None) -> str:
    return n.sha256(text) if text else ""


def _forget() -> None:
    """Let go of the hashes of names and towns: they are kept only while one list is made."""
    _hashed.cache_clear()


def _reached(
    golden: str | None, others: Iterable[str] | None, form: Callable[[str], str | None], which: Identifiers
) -> list[str]:
    """Return the hashes of up to three normal forms, padded with empty cells."""
    values = [golden, *(others or ())] if which == "all" else [golden or next(iter(others or ()), None)]
    forms = dict.fromkeys(found for value in values if value and (found := form(value)))
    cells = [n.sha256(found) for found in list(forms)[:EACH]]
    return cells + [""] * (EACH - len(cells))


def _given(form: Callable[[str], str | None], value: Any) -> str | None:
    return form(str(value)) if value is not None else None


def _google(row: Row, which: Identifiers) -> list[str] | None:
    emails = _reached(row["email"], row["emails"], n.google_email, which)
    phones = _reached(row["phone"], row["phones"], n.google_phone, which)
    address = (
        _given(n.google_given_name, row["given_name"]),
        _given(n.google_surname, row["surname"]),
        _given(n.google_country, row["country"]),
        _given(n.google_postcode, row["postcode"]),
    )
    given_name, surname, country, postcode = address
    whole = all(address)  # Google matches an address by all four or not at all
    if not (emails[0] or phones[0] or whole):
        return None
    cells = [_hashed(given_name), _hashed(surname), country or "", postcode or ""] if whole else [""] * 4
    return [*emails, *phones, *cells]


def _meta(row: Row, which: Identifiers) -> list[str] | None:
    emails = _reached(row["email"], row["emails"], n.meta_email, which)
    phones = _reached(row["phone"], row["phones"], n.meta_phone, which)
    country = _given(n.meta_country, row["country"])
    given_name, surname = _given(n.meta_name, row["given_name"]), _given(n.meta_name, row["surname"])
    postcode = n.meta_postcode(row["postcode"], country) if row["postcode"] else None
    city = _given(n.meta_city, row["city"])
    if not (emails[0] or phones[0] or (given_name and surname and (postcode or city))):
        return None
    born = row["birth_date"]
    others = (
        given_name,
        surname,
        city,
        n.meta_state(row["region"], country) if row["region"] else None,
        postcode,
        country,
        f"{born:%Y%m%d}" if born is not None and born.year >= 1900 else None,
        _given(n.meta_gender, row["gender"]),
    )
    return [*emails, *phones, *(_hashed(value) for value in others), n.sha256(row["customer_id"])]


LAYOUTS: Final[Mapping[Platform, Layout]] = {
    "google": Layout(
        "Google Customer Match",
        _columns("Email", "Phone", "First Name", "Last Name", "Country", "Zip"),
        _google,
    ),
    "meta": Layout(
        "Meta Custom Audiences",
        _columns("email", "phone", "fn", "ln", "ct", "st", "zip", "country", "dob", "gen", "extern_id"),
        _meta,
    ),
}


def write(
    connection: duckdb.DuckDBPyConnection,
    platform: Platform,
    leaving: str,
    parameters: Mapping[str, Any],
    path: Path,
    identifiers: Identifiers = "all",
) -> int:
    """Write the list of a network to ``path``; return its rows.

    ``leaving`` is a table, or a query in parentheses with its ``parameters``, of the ids of those who may leave.
    """
    import csv

    layout, rows = LAYOUTS[platform], 0
    try:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(layout.header)
            for batch in _people(connection, leaving, parameters):
                made = [cells for row in batch.to_pylist() if (cells := layout.cells(row, identifiers))]
                writer.writerows(made)
                rows += len(made)
    finally:
        _forget()
    return rows


# Who has no address of any kind: no row of the list is theirs.
_UNMATCHABLE: Final = """
SELECT count(*) FROM customers AS c SEMI JOIN {leaving} AS l ON l.customer_id = c.customer_id
ANTI JOIN (SELECT customer_id FROM customer_identifiers WHERE type IN ('email', 'phone')) AS i
    ON i.customer_id = c.customer_id
WHERE c.email IS NULL AND c.phone IS NULL AND NOT coalesce({address}, false)
"""
_ADDRESS: Final[Mapping[Platform, str]] = {
    "google": "c.given_name <> '' AND c.surname <> '' AND c.country <> '' AND c.postcode <> ''",
    "meta": "c.given_name <> '' AND c.surname <> '' AND coalesce(nullif(c.postcode, ''), c.city, '') <> ''",
}


def unmatchable(
    connection: duckdb.DuckDBPyConnection, platform: Platform, leaving: str, parameters: Mapping[str, Any]
) -> int:
    """Return how many of those who may leave have nothing that the network could match."""
    query = _UNMATCHABLE.format(leaving=leaving, address=_ADDRESS[platform])
    ((found,),) = connection.execute(query, dict(parameters)).fetchall()
    return int(found)


def _people(
    connection: duckdb.DuckDBPyConnection, leaving: str, parameters: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    person = ", ".join(f"c.{name}" for name in _PERSON)
    query = _QUERY.format(leaving=leaving, person=person)
    reader: Any = connection.sql(query, params=dict(parameters)).to_arrow_reader(10_000)
    yield from reader
