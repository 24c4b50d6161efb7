"""How each column of each table is shown to those who lack the scope ``read-pii``: said once, used everywhere.

The dictionary says how personal a column is; :func:`treatment` turns that into one of the
:class:`Treatment` s. API and pages apply it to the rows that they show (:func:`row`, :func:`shown`);
:mod:`warehouse.masked_copy` applies the same in SQL to a whole release. A property test holds the two equal.

A column that nobody thought of is safe: direct and quasi texts are hidden, other types are left out.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cdp import masking
from warehouse.tables import Column, tables

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.lookup import Profile

HIDDEN: Final = masking.HIDDEN
NO_DOCUMENT: Final = "{}"
KEY_FILE: Final = "masking.key"
KEY_BYTES: Final = 32
TOKEN_DIGITS: Final = 20
POSTCODE_LETTERS: Final = 3
DEGREE_STEPS: Final = 10
"""Steps per degree to which coordinates are rounded: a tenth of a degree is some 11 km."""
MOST_DEGREES: Final = 360

_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_Row = TypeVar("_Row")


class Treatment(StrEnum):
    """What becomes of a value."""

    KEEP = "keep"
    HIDE = "hide"  # *** says that there is one
    EMPTY = "empty"  # a JSON document without members
    DROP = "drop"  # NULL
    NAME = "name"  # initials
    EMAIL = "email"
    PHONE = "phone"
    CONTENT = "content"  # without what looks personal in it
    YEAR = "year"  # the first of January
    AREA = "area"  # how a postcode begins
    DEGREES = "degrees"  # rounded
    TOKEN = "token"  # noqa: S105 - stands for a value, the same one wherever the value is, and nobody can tell which
    RECORD = "record"  # a record_key: its source, and a token
    RECORDS = "records"
    IDENTIFIERS = "identifiers"  # their values as tokens
    GOLDEN = "golden"  # the value of the attribute that the row names
    EVIDENCE = "evidence"  # words of ours; what a person wrote with a judgement is hidden


# By the name of the column, whatever the table. Ids and texts of the source (``event_id``, ``reference``)
# are keys of people often enough: a contact's event has the contact's number for its id.
_BY_NAME: Final[Mapping[str, Treatment]] = {
    "full_name": Treatment.NAME,
    "given_name": Treatment.NAME,
    "surname": Treatment.NAME,
    "company": Treatment.NAME,
    "email": Treatment.EMAIL,
    "phone": Treatment.PHONE,
    "birth_date": Treatment.YEAR,
    "title": Treatment.CONTENT,
    "gender": Treatment.CONTENT,
    "city": Treatment.CONTENT,
    "region": Treatment.CONTENT,
    "country": Treatment.CONTENT,
    "language": Treatment.CONTENT,
    "postcode": Treatment.AREA,
    "latitude": Treatment.DEGREES,
    "longitude": Treatment.DEGREES,
    "record_key": Treatment.RECORD,
    "left_record": Treatment.RECORD,
    "right_record": Treatment.RECORD,
    "record_keys": Treatment.RECORDS,
    "identifiers": Treatment.IDENTIFIERS,
    "event_id": Treatment.TOKEN,
    "reference": Treatment.TOKEN,
    "agent": Treatment.TOKEN,
    "occurred_text": Treatment.HIDE,
    "properties": Treatment.EMPTY,
}
_BY_COLUMN: Final[Mapping[tuple[str, str], Treatment]] = {
    ("customer_identifiers", "value"): Treatment.TOKEN,
    ("golden_addresses", "value"): Treatment.TOKEN,
    ("shared_addresses", "value"): Treatment.TOKEN,
    ("held_back_identifiers", "value"): Treatment.TOKEN,
    ("tickets", "ticket"): Treatment.TOKEN,
    ("customer_attributions", "value"): Treatment.GOLDEN,
    ("match_evidence", "reason"): Treatment.EVIDENCE,
    ("match_evidence", "levels"): Treatment.EVIDENCE,
    ("held_back_evidence", "reason"): Treatment.EVIDENCE,
    ("held_back_evidence", "levels"): Treatment.EVIDENCE,
    # A rule may compare with an e-mail address; what a check observed may be a value.
    ("segments", "rule"): Treatment.EMPTY,
    ("segments", "name"): Treatment.CONTENT,
    ("segments", "description"): Treatment.CONTENT,
    ("segments", "problem"): Treatment.CONTENT,
    ("quality", "observed"): Treatment.CONTENT,
    ("quality", "expected"): Treatment.CONTENT,
}
JUDGEMENT: Final = "judgement"


def _by_class(column: Column) -> Treatment:
    if column.pii == "none":
        return Treatment.KEEP
    return Treatment.HIDE if column.type == "VARCHAR" else Treatment.DROP


@cache
def treatments(table: str) -> Mapping[str, Treatment]:
    """Return the treatment of each column of a table or view of the release."""
    return {
        column.name: _BY_COLUMN.get((table, column.name)) or _BY_NAME.get(column.name) or _by_class(column)
        for column in tables()[table].columns
    }


def treatment(table: str, column: str) -> Treatment:
    """Return what becomes of a column's values.

    >>> treatment("customers", "email"), treatment("customers", "revenue")
    (<Treatment.EMAIL: 'email'>, <Treatment.KEEP: 'keep'>)
    """
    return treatments(table).get(column) or _BY_NAME.get(column, Treatment.KEEP)


def open_columns(table: str) -> frozenset[str]:
    """Return the columns that everybody sees as they are: by these everybody may filter and sort.

    Rules of segments may ask those with :attr:`Treatment.CONTENT`, too (:mod:`warehouse.segments.fields`).
    """
    return frozenset(name for name, how in treatments(table).items() if how is Treatment.KEEP)


@dataclass(frozen=True)
class Tokens:
    """Makes tokens under a secret key: SHA-256 of key and value, cut to 80 bits (which closes extensions)."""

    key: bytes

    def token(self, value: str) -> str:
        """Return what stands for a value."""
        return hashlib.sha256(self.key + value.encode()).hexdigest()[:TOKEN_DIGITS]

    def record(self, record_key: str) -> str:
        """Return what stands for a record key: its source stays.

        >>> Tokens(bytes(32)).record("web:u1042").partition(":")[0]
        'web'
        """
        source, colon, _ = record_key.partition(":")
        return f"{source}{colon}{self.token(record_key)}" if colon else self.token(record_key)


def new_tokens(folder: Path) -> Tokens:
    """Write a random key into a release's folder, for its owner's eyes; return its tokens.

    The key lies beside the full file, which says more than the key does, and is no part of the masked one.
    """
    found = Tokens(secrets.token_bytes(KEY_BYTES))
    with open(folder / KEY_FILE, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(found.key)
    return found


def tokens_of(folder: Path) -> Tokens:
    """Return the tokens of a release's folder; of a release without a key, some that nobody else has."""
    try:
        return Tokens((folder / KEY_FILE).read_bytes())
    except FileNotFoundError:
        return PASSING


PASSING: Final = Tokens(secrets.token_bytes(KEY_BYTES))
"""Tokens that hold as long as this process."""


def row(table: str, values: Mapping[str, Any], tokens: Tokens = PASSING) -> dict[str, Any]:
    """Return a row of ``table`` (all or some of its columns) as those see it who lack ``read-pii``.

    ``customer_attributions`` needs its ``attribute`` and evidence its ``kind``; without, values are hidden.

    >>> row("customers", {"customer_id": "C1", "email": "jane@mail.example", "city": "York"})
    {'customer_id': 'C1', 'email': 'j***@m***.example', 'city': 'York'}
    """
    return {name: _treated(treatment(table, name), given, values, tokens) for name, given in values.items()}


def value(column: str, given: Any, tokens: Tokens = PASSING) -> Any:
    """Return a value of a column of ``customers``, masked."""
    return _treated(treatment("customers", column), given, {}, tokens)


def shown(table: str, instance: _Row, tokens: Tokens = PASSING) -> _Row:
    """Return a dataclass whose fields are columns of ``table``, masked."""
    given = {field.name: getattr(instance, field.name) for field in fields(instance)}  # type: ignore[arg-type]
    return replace(instance, **row(table, given, tokens))  # type: ignore[type-var]


def profile(found: Profile, tokens: Tokens = PASSING) -> Profile:
    """Return everything about one customer, masked."""
    weakest = found.evidence.weakest
    return replace(
        found,
        columns=row("customers", found.columns, tokens),
        golden=[shown("customer_attributions", golden, tokens) for golden in found.golden],
        identifiers=[shown("customer_identifiers", one, tokens) for one in found.identifiers],
        records=[shown("customer_records", record, tokens) for record in found.records],
        evidence=replace(
            found.evidence, weakest=weakest and shown("match_evidence", weakest, tokens)
        ),
        contacts=[shown("contact_history", contact, tokens) for contact in found.contacts],
    )  # fmt: skip


def _treated(how: Treatment, given: Any, values: Mapping[str, Any], tokens: Tokens) -> Any:
    if how is Treatment.KEEP or given is None:
        return given
    return _PLAIN[how](given) if how in _PLAIN else _IN_ROW[how](given, values, tokens)


def _evidence(given: str, values: Mapping[str, Any], _: Tokens) -> str:
    return given if values.get("kind") not in (None, JUDGEMENT) else HIDDEN


def _identifiers(given: Any, _: Mapping[str, Any], tokens: Tokens) -> list[dict[str, Any]]:
    return [{**one, "value": _token(one["value"], tokens)} for one in given]


_IN_ROW: Final[Mapping[Treatment, Callable[[Any, Mapping[str, Any], Tokens], Any]]] = {
    Treatment.GOLDEN: lambda given, values, _: golden(values.get("attribute"), given),
    Treatment.EVIDENCE: _evidence,
    Treatment.TOKEN: lambda given, _, tokens: tokens.token(str(given)),
    Treatment.RECORD: lambda given, _, tokens: tokens.record(given),
    Treatment.RECORDS: lambda given, _, tokens: [tokens.record(key) for key in given],
    Treatment.IDENTIFIERS: _identifiers,
}


def _token(given: str | None, tokens: Tokens) -> str | None:
    return None if given is None else tokens.token(given)


def golden(attribute: str | None, text: str) -> str:
    """Return the text of a golden value as its column of ``customers`` is shown.

    >>> golden("email", "jane@mail.example"), golden("birth_date", "1980-02-03"), golden("birth_date", "3.2.80")
    ('j***@m***.example', '1980-01-01', '***')
    """
    how = treatments("customers").get(attribute or "")
    if how is Treatment.YEAR:
        return f"{text[:4]}-01-01" if _ISO_DAY.fullmatch(text) else HIDDEN
    return _PLAIN[how](text) if how in TEXT_TREATMENTS else HIDDEN


def _year(given: date | str) -> date | str:
    return golden("birth_date", given) if isinstance(given, str) else date(given.year, 1, 1)


def _area(postcode: str) -> str:
    return f"{postcode[: min(POSTCODE_LETTERS, len(postcode) // 2)]}*"


def _degrees(given: float) -> float | None:
    is_place = abs(given) <= MOST_DEGREES
    return math.floor(given * DEGREE_STEPS + 0.5) / DEGREE_STEPS if is_place else None


def _email(text: str) -> str:
    return masking.identifier("email", text)


def _phone(text: str) -> str:
    return masking.identifier("phone", text)


_PLAIN: Final[Mapping[Treatment, Callable[[Any], Any]]] = {
    Treatment.HIDE: lambda _: HIDDEN,
    Treatment.EMPTY: lambda _: NO_DOCUMENT,
    Treatment.DROP: lambda _: None,
    Treatment.NAME: masking.name,
    Treatment.EMAIL: _email,
    Treatment.PHONE: _phone,
    Treatment.CONTENT: masking.content,
    Treatment.YEAR: _year,
    Treatment.AREA: _area,
    Treatment.DEGREES: _degrees,
}
TEXT_TREATMENTS: Final = {
    how: _PLAIN[how]
    for how in (Treatment.NAME, Treatment.EMAIL, Treatment.PHONE, Treatment.CONTENT, Treatment.AREA)
}
"""Treatments that make a text of a text."""
