"""Columns that are derived from others and serve as blocking keys or for counting people, never for comparing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.normalise import fast, fast_contacts, fast_dates, fast_sounds
from identity.values import Coded, combine, recode

BIRTH_MONTH, BIRTHDAY = "birth month", "birthday"
SPOKEN_NAME, NAME_KEY, DATE_KEY = "spoken name", "name key", "date key"
LOCAL_PART, FIRST_WORD, COMPANY_BY_SOUND = "local part", "first word", "company by sound"
_LOCAL_PART = 5
_WORD = 4


def of_person(columns: Mapping[str, Coded]) -> dict[str, Coded]:
    """The surname by sound with the initial of the given name."""
    if not {"given_name", "surname"} <= columns.keys():
        return {}
    surname, initial = columns["surname"], initials(columns["given_name"])
    return {SPOKEN_NAME: combine(by_sound(surname), initial)}


def of_date(column: Coded) -> dict[str, Coded]:
    """Dates of which day and month are swapped share a key."""
    month = recode(column, pc.utf8_slice_codeunits(column.texts, 0, 6))
    day = recode(column, pc.utf8_slice_codeunits(column.texts, 4, 8))
    return {DATE_KEY: recode(column, fast_dates.keys(column.texts)), BIRTH_MONTH: month, BIRTHDAY: day}


def of_company(column: Coded) -> dict[str, Coded]:
    """An organisation by sound, and its first word that is long enough to tell something."""
    return {COMPANY_BY_SOUND: by_sound(column), FIRST_WORD: recode(column, first_words(column.texts, _WORD))}


def of_email(column: Coded) -> dict[str, Coded]:
    """The local part of an address, where it is long enough to tell something."""
    return {LOCAL_PART: recode(column, fast_contacts.local_parts(column.texts, _LOCAL_PART))}


def by_sound(column: Coded) -> Coded:
    """The column by sound, for names that are spelled differently."""
    return recode(column, fast_sounds.consonant_codes(column.texts))


def initials(column: Coded) -> Coded:
    """The first letter of each value."""
    return recode(column, pc.utf8_slice_codeunits(column.texts, 0, 1))


def name_keys(columns: Mapping[str, Coded], size: int) -> Coded:
    """A coarse key of each record's name: two initials in either order, or the one of an organisation.

    Coarse, so that typing errors and short forms of one person's name do not count as many people.
    """
    nobody = Coded(pa.array([], pa.string()), np.full(size, -1, dtype=np.int32))
    one, two, three = (
        initials(columns[role]) if role in columns else nobody
        for role in ("given_name", "surname", "company")
    )
    person = combine(one, two)
    ordered = ["".join(sorted(text.split(" "))) for text in person.texts.to_pylist()]
    pair = recode(person, pa.array(ordered, pa.string()))
    use = (pair.codes < 0) & (three.codes >= 0)
    codes = np.where(use, three.codes + np.int32(len(pair)), pair.codes)
    return Coded(pa.concat_arrays([pair.texts, three.texts]), codes).used()


def first_words(values: pa.Array, shortest: int) -> pa.Array:
    """The first word of each text that has at least so many letters; the empty text where there is none.

    >>> first_words(pa.array(["the blue ocean", "a b"]), 4).to_pylist()
    ['blue', '']
    """
    parts = pc.split_pattern(values, " ")
    words, offsets = parts.flatten(), np.asarray(parts.offsets.to_numpy())
    long = np.flatnonzero(fast.flags(pc.greater_equal(pc.utf8_length(words), shortest)))
    place = np.searchsorted(long, offsets[:-1])
    first = np.append(long, len(words))[place]
    none = first >= offsets[1:]
    found = pc.fill_null(words.take(pa.array(np.where(none, 0, first), mask=none)), "")

    def slow(value: str) -> str:
        return next((word for word in value.split() if len(word) >= shortest), "")

    return fast.one(values, ~fast.flags(pc.string_is_ascii(values)), slow, found)
