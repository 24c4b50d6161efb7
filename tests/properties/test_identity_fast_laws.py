"""The normalisers over whole arrays give what the normalisers of one value give, whatever the text."""

from __future__ import annotations

import itertools

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
    fast_sounds,
    names,
    text,
)

WORDS = st.sampled_from(
    "Ann ann BOB O'Hare Dr. Mr st Saint van de Jr II 3rd PhD the Inc. Ltd & Company na N/A unknown no name "
    "None - . Müller 王杰 Василий محمد 김민수 ヤマダ Straße Apt apt. Unit # 4 12 0012 12a 12-14 5th "
    "St Street Avenue Ave Lane "
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
MONTHS = st.sampled_from(
    ["Jan", "FEB", "mai", "okt", "abc", "13", "sept", "@[`", "août", "MÄR", "März", "fé"]
)
SIGN = st.sampled_from("-/. :")
DATES = st.one_of(
    st.from_regex(r"\A[0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,4}\Z"),
    st.from_regex(r"\A[0-9]{4,10}\Z"),
    st.from_regex(r"\A[0-3][0-9][0-3][0-9](17|18|19|20|21)[0-9]{2}\Z"),
    st.builds(lambda d, s, m, z, y: f"{d:02d}{s}{m}{z}{y:04d}", st.integers(0, 99), SIGN, MONTHS, SIGN,
              st.integers(0, 9999)),
    st.builds("{} {} {}".format, MONTHS, st.integers(0, 40), st.integers(0, 123456)),
    TEXTS,
)  # fmt: skip
IDENTIFIERS = st.one_of(st.text("0aA-/ ", max_size=8), TEXTS)
STREET_WORDS = "main hill street st north apt unit # floor o box a 4 12 b2 po strasse p".split()
PLAIN = st.lists(st.sampled_from(STREET_WORDS), min_size=1, max_size=5).map(" ".join)
STREETS = st.one_of(
    st.builds("{} {}".format, st.integers(0, 120), st.one_of(PLAIN, phrases())),
    st.builds("{} {},{}".format, st.integers(0, 120), PLAIN, st.one_of(PLAIN, phrases())),
    TEXTS,
)


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


NAME_WORDS = "ann lee Jr mr st de of phd no name o i 3rd ltd Trading".split()


def test_every_name_of_up_to_three_words():
    values = [" ".join(words) for size in (1, 2, 3) for words in itertools.product(NAME_WORDS, repeat=size)]
    assert columns(fast.given_names(array(values))) == slowly(names.given_parts, values)
    assert columns(fast.surnames(array(values))) == slowly(names.surname_parts, values)
    parsed = slowly(names.parse_full_name, values)
    expected = [(name.given, name.middle, name.surname, name.suffix) for name in parsed]
    assert columns(fast.full_names(array(values))) == expected
    assert fast.organisations(array(values)).to_pylist() == slowly(names.organisation, values)


LETTERS = st.text("abcdefghijklmnopqrstuvwxyzé 1", max_size=10)


@given(lists(LETTERS))
def test_names_by_sound(values):
    expected = [text.consonant_code(value.replace(" ", "")) for value in values]
    assert fast_sounds.consonant_codes(array(values)).to_pylist() == expected


def test_every_word_of_up_to_three_letters_by_sound():
    values = [
        "".join(letters) for size in (1, 2, 3) for letters in itertools.product("acghknpqswzrm", repeat=size)
    ]
    assert fast_sounds.consonant_codes(array(values)).to_pylist() == slowly(text.consonant_code, values)


def assert_parsed(values):
    parsed = slowly(addresses.parse_address, values)
    expected = [(found.number, found.street, found.rest, found.postcode) for found in parsed]
    assert columns(fast_addresses.parse(array(values))) == expected


@given(lists(STREETS))
def test_addresses(values):
    assert_parsed(values)


@pytest.mark.parametrize("tail", ["", ", Salem", ",apt 4"])
def test_every_street_of_up_to_three_words(tail):
    streets = [
        " ".join(words) for size in (1, 2, 3) for words in itertools.product(STREET_WORDS, repeat=size)
    ]
    assert_parsed([f"{place % 200} {street}{tail}" for place, street in enumerate(streets)])


@given(lists(DATES), st.booleans())
def test_dates(values, day_first):
    expected = [dates.parse_date(value, day_is_first=day_first) for value in values]
    assert fast_dates.parse(array(values), day_is_first=day_first).to_pylist() == expected
    assert fast_dates.day_first(array(values)) == dates.day_first(values)
    normal = sorted({found for found in expected if found})
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
    present = [found for found in normal.to_pylist() if found]
    assert fast_contacts.are_junk(kind, pa.array(present, pa.string())).tolist() == slowly(junk, present)


@given(lists(EMAILS))
def test_local_parts(values):
    addresses_ = [found for found in slowly(contacts.email, values) if found]
    local = [found.partition("@")[0] for found in addresses_]
    expected = [found if len(found) >= 5 else "" for found in local]
    assert fast_contacts.local_parts(pa.array(addresses_, pa.string()), 5).to_pylist() == expected
