"""Columns of people and organisations in comparable form: names, addresses, dates of birth, other texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.kernels.codes import gather
from identity.normalise import dates, fast, fast_addresses, fast_dates, names
from identity.normalise.text import words
from identity.values import Coded, coalesce, combine, distinct, read, recode

NAME_ROLES = frozenset({"full_name", "given_name", "middle_name", "surname", "title", "suffix"})
ADDRESS_ROLES = frozenset({"street", "street_number", "city", "region", "postcode", "country"})
CONTACT_ROLES = frozenset({"email", "phone", "national_id"})
NOT_COMPARED = frozenset({"record_key", "source", "first_seen_at", "last_seen_at", "title"})
NAME_SPACE = "name"
_SPACES = {"given_name": NAME_SPACE, "surname": NAME_SPACE}
_RARE = 10.0  # a placeholder date is junk where it is this many times as frequent as the median date
_FEW = 3


@dataclass(frozen=True)
class DateRules:
    """What was learned of one column of dates: the order of day and month, and placeholders that are junk."""

    day_first: bool = False
    placeholders: tuple[str, ...] = ()


def space(name: str) -> str:
    """The dictionary of a column: given names and surnames share one, so that swapped names can meet."""
    return _SPACES.get(name, name)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column is of text, plain or dictionary-encoded."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def person(table: pa.Table) -> dict[str, Coded]:
    """Given name, middle name, surname and suffix from whatever name columns there are."""
    raw = {role: read(table[role]) for role in sorted(NAME_ROLES - {"title"}) if role in table.column_names}
    found: dict[str, Coded] = {}
    if "given_name" in raw:
        _fill(found, ("given_name", "middle_name", "suffix"), raw["given_name"], fast.given_names)
    if "surname" in raw:
        family: dict[str, Coded] = {}
        _fill(family, ("surname", "suffix"), raw["surname"], fast.surnames)
        found["surname"] = family["surname"]
        _put(found, "suffix", family["suffix"])
    if "middle_name" in raw:
        _put(found, "middle_name", recode(raw["middle_name"], fast.words(raw["middle_name"].texts)))
    if "suffix" in raw:
        _put(found, "suffix", _each(raw["suffix"], lambda value: names.surname_parts("x " + value)[1]))
    if "full_name" in raw:
        _add_full_names(found, raw["full_name"])
    return {role: column for role, column in found.items() if len(column)}


def _fill(
    found: dict[str, Coded], roles: tuple[str, ...], raw: Coded, parse: Callable[[pa.Array], list[pa.Array]]
) -> None:
    for role, texts in zip(roles, parse(raw.texts), strict=True):
        found[role] = recode(raw, texts)


def _put(found: dict[str, Coded], role: str, first: Coded) -> None:
    """Prefer a column to what is known so far."""
    found[role] = coalesce(first, found[role]) if role in found else first


def _add_full_names(found: dict[str, Coded], raw: Coded) -> None:
    """Fill what is absent from the full name; a word alone is no surname where a given name is known."""
    whole: dict[str, Coded] = {}
    _fill(whole, ("given_name", "middle_name", "surname", "suffix"), raw, fast.full_names)
    known = found["given_name"].codes >= 0 if "given_name" in found else np.zeros(len(raw.codes), dtype=bool)
    lone = (whole["given_name"].codes < 0) & known
    for role, column in whole.items():
        own = Coded(column.texts, np.where(lone, np.int32(-1), column.codes)) if role == "surname" else column
        found[role] = coalesce(found[role], own) if role in found else own


def _each(raw: Coded, normalise: Callable[[str], str]) -> Coded:
    return recode(raw, pa.array([normalise(value) for value in raw.texts.to_pylist()], pa.string()))


def address(table: pa.Table) -> dict[str, Coded]:
    """House number, street, door (both), postcode, city, region and country."""
    raw = {role: read(table[role]) for role in sorted(ADDRESS_ROLES) if role in table.column_names}
    found: dict[str, Coded] = {}
    for role, normalise in (
        ("city", fast.places), ("region", fast.places), ("country", fast.places), ("postcode", fast.postcodes),
    ):  # fmt: skip
        if role in raw:
            found[role] = recode(raw[role], normalise(raw[role].texts))
    if "street_number" in raw:
        found["street_number"] = _house_numbers(raw["street_number"])
    if "street" in raw:
        whole: dict[str, Coded] = {}
        _fill(whole, ("street_number", "street", "city", "postcode"), raw["street"], fast_addresses.parse)
        for role, column in whole.items():
            found[role] = coalesce(found[role], column) if role in found else column
        found["door"] = combine(found["street_number"], found["street"])
    return {role: column for role, column in found.items() if len(column)}


def _house_numbers(raw: Coded) -> Coded:
    number = fast_addresses.parse(raw.texts)[0]
    absent = fast.flags(pc.equal(number, ""))
    return recode(raw, fast.one(raw.texts, absent, words, number))


def birth_dates(column: pa.ChunkedArray, rules: DateRules | None) -> tuple[Coded, DateRules]:
    """Dates as ``yyyymmdd``; without ``rules`` the order of day and month and what is junk are learned."""
    raw = distinct(read(column))
    first = fast_dates.day_first(raw.texts) if rules is None else rules.day_first
    parsed = recode(raw, fast_dates.parse(raw.texts, day_is_first=first))
    found = rules or DateRules(first, _junk_dates(parsed))
    if not found.placeholders or not len(parsed):
        return parsed, found
    junk = fast.is_in(parsed.texts, frozenset(found.placeholders))
    keep = np.where(junk, -1, np.arange(len(parsed))).astype(np.int32)
    return Coded(parsed.texts, gather(keep, parsed.codes)).used(), found


def _junk_dates(parsed: Coded) -> tuple[str, ...]:
    if not len(parsed):
        return ()
    counts = parsed.counts()
    often = (counts > float(np.median(counts)) * _RARE + _FEW) & fast.is_in(parsed.texts, dates.PLACEHOLDERS)
    return tuple(sorted(parsed.texts.filter(pa.array(often)).to_pylist()))


def gender(column: pa.ChunkedArray) -> Coded:
    """``m`` or ``f`` where the text begins so."""
    return _each(read(column), lambda value: first if (first := words(value)[:1]) in ("m", "f") else "")


def company(column: pa.ChunkedArray) -> Coded:
    """Names of organisations without their legal form."""
    raw = read(column)
    return recode(raw, fast.organisations(raw.texts))


def text(column: pa.ChunkedArray) -> Coded:
    """The words of any other text."""
    raw = read(column)
    return recode(raw, fast.words(raw.texts))
