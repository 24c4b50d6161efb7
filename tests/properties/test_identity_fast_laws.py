"""The normalisers over whole arrays give what the normalisers of one value give, whatever the text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.normalise import (
    addresses,
    contacts,
    dates,
    fast,
    fast_addresses,
    fast_contacts,
    fast_dates,
    names,
)

WORDS = st.sampled_from(
    "Ann ann BOB O'Hare Dr. Mr st Saint van de Jr II 3rd PhD the Inc. Ltd & Company na N/A unknown no name "
    "None - . Müller 王杰 Василий Straße Apt apt. Unit # 4 12 0012 12a 12-14 5th St Street Avenue Ave Lane "
    'P.O. Box box 90817 zzyzx qqq North York Leeds LS1 4DY 97301 97301-1234 M1S 1T4 (Bob) "Bo" , ;'.split()
)
JOINTS = st.sampled_from([" ", " ", " ", ", ", ",", "  ", "-", ".", "\t", "\x1c", "\u00a0", ""])


@st.composite
def phrases(draw, most=6):
    parts = draw(st.lists(st.tuples(WORDS, JOINTS), max_size=most))
    return "".join(word + joint for word, joint in parts)


TEXTS = st.one_of(st.text(max_size=24), phrases(), st.text("aZ1 .-'", max_size=12))
DIGIT = st.integers(0, 9).map(str)
NUMBERS = st.one_of(
    st.from_regex(r"\A\+?[0-9]{0,4}[ .(-]{0,2}[0-9]{3}[ .)-]{0,2}[0-9]{3,9}( ?(x|ext|#)\.? ?[0-9]{1,3})?\Z"),
    st.text("0123456789+-() x#", max_size=16),
    TEXTS,
)
LOCAL = st.text("aB.c+_-1@", max_size=8)
DOMAIN = st.sampled_from(
    ["gmail.com", "GoogleMail.com", "x.org", "Example.com", "test.com", "x.org.", "", "@x"]
)
EMAILS = st.one_of(
    st.builds("{}@{}".format, LOCAL, DOMAIN),
    st.builds("{} <{}@{}>".format, st.text("An ", max_size=4), LOCAL, DOMAIN),
    st.sampled_from(["test@test.com", "na@na.com", "oliverjones82bond.biz", "None"]),
    TEXTS,
)
MONTHS = st.sampled_from(["Jan", "FEB", "mai", "okt", "abc", "13", "sept", "@[`"])
SIGN = st.sampled_from("-/. :")
DATES = st.one_of(
    st.from_regex(r"\A[0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,4}\Z"),
    st.from_regex(r"\A[0-9]{4,10}\Z"),
    st.builds(lambda d, s, m, z, y: f"{d:02d}{s}{m}{z}{y:04d}", st.integers(0, 99), SIGN, MONTHS, SIGN,
              st.integers(0, 9999)),
    st.builds("{} {} {}".format, MONTHS, st.integers(0, 40), st.integers(0, 123456)),
    TEXTS,
)  # fmt: skip
IDENTIFIERS = st.one_of(st.text("0aA-/ ", max_size=8), TEXTS)
STREETS = st.one_of(st.builds("{} {}".format, st.integers(0, 120), phrases()), TEXTS)


def lists(texts):
    return st.lists(texts, max_size=12)


def slowly(call, values):
    return [call(value) for value in values]


def columns(parts):
    return list(zip(*(part.to_pylist() for part in parts), strict=True))


def array(values):
    return pa.array(["sliced off", *values], pa.string()).slice(1)


@given(lists(TEXTS))
def test_words_places_and_postcodes(values):
    assert fast.words(array(values)).to_pylist() == slowly(fast.worded, values)
    assert fast.places(array(values)).to_pylist() == slowly(addresses.place, values)
    assert fast.postcodes(array(values)).to_pylist() == slowly(addresses.postcode, values)


@given(lists(TEXTS))
def test_names_of_people_and_organisations(values):
    assert columns(fast.given_names(array(values))) == slowly(names.given_parts, values)
    assert columns(fast.surnames(array(values))) == slowly(names.surname_parts, values)
    parsed = slowly(names.parse_full_name, values)
    expected = [(name.given, name.middle, name.surname, name.suffix) for name in parsed]
    assert columns(fast.full_names(array(values))) == expected
    assert fast.organisations(array(values)).to_pylist() == slowly(names.organisation, values)


@given(lists(STREETS))
def test_addresses(values):
    parsed = slowly(addresses.parse_address, values)
    expected = [(found.number, found.street, found.rest, found.postcode) for found in parsed]
    assert columns(fast_addresses.parse(array(values))) == expected


@given(lists(DATES), st.booleans())
def test_dates(values, day_first):
    expected = [dates.parse_date(value, day_is_first=day_first) for value in values]
    assert fast_dates.parse(array(values), day_is_first=day_first).to_pylist() == expected
    assert fast_dates.day_first(array(values)) == dates.day_first(values)
    normal = sorted({text for text in expected if text})
    assert fast_dates.keys(pa.array(normal, pa.string())).to_pylist() == slowly(fast_dates.date_key, normal)


@pytest.mark.parametrize(
    ("kind", "normalise", "junk"),
    [
        ("email", contacts.email, contacts.is_junk_email),
        ("phone", contacts.phone, contacts.is_junk_phone),
        ("handle", contacts.identifier, contacts.is_junk_identifier),
    ],
)
@given(values=st.one_of(lists(EMAILS), lists(NUMBERS), lists(IDENTIFIERS)))
def test_identifiers_and_their_placeholders(kind, normalise, junk, values):
    normal = fast_contacts.normalised(kind, array(values))
    assert normal.to_pylist() == slowly(normalise, values)
    present = [text for text in normal.to_pylist() if text]
    assert fast_contacts.are_junk(kind, pa.array(present, pa.string())).tolist() == slowly(junk, present)


@given(lists(EMAILS))
def test_local_parts(values):
    addresses_ = [text for text in slowly(contacts.email, values) if text]
    local = [text.partition("@")[0] for text in addresses_]
    expected = [text if len(text) >= 5 else "" for text in local]
    assert fast_contacts.local_parts(pa.array(addresses_, pa.string()), 5).to_pylist() == expected
