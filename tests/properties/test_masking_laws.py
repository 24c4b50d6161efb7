"""Laws of masking: of an e-mail address, a telephone number or a name, wherever it stands, nothing comes through."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from cdp import masking
from cdp.demo.households import make_world
from cdp.demo.noise import plain_name, short_name, written_email, written_phone

WORLD = make_world(people=400, seed=7, start=1_760_000_000.0 // 86_400 * 86_400, days=42, year=2026)

# Fields of which nobody has ever heard, of which names tell what they hold, and of which they mislead.
KEYS = (
    "x",
    "custom_7",
    "fieldA",
    "email",
    "phone",
    "full_name",
    "to",
    "ref",
    "data",
    "message",
    "type",
    "id",
    "at",
)
AROUND = ("{}", "({})", "for {} only", "<{}>", "{};", "{}\n", "a={}&b=1", "https://x.example/?q={}", "x\t{}")

numbers = st.integers(0, len(WORLD.people) - 1)
randoms = st.integers(0, 2**32).map(Random)
keys = st.sampled_from(KEYS)
frames = st.sampled_from(AROUND)


def shown(value: Any) -> str:
    """Return a masked document as it would be printed."""
    return json.dumps(masking.document(value), ensure_ascii=False)


def placed(key: str, text: str, way: int) -> Any:
    """Return a document that holds a text in one of several places."""
    return (
        {key: text},
        {key: [text, text]},
        {"outer": {key: text}},
        [{key: {"inner": text}}],
        {key: {text: 1}},
    )[way]


def digits(text: str) -> list[str]:
    """Return the runs of digits of a text, whatever stands between the digits."""
    return [re.sub(r"\D", "", run) for run in re.findall(r"\d[\d\s()./\-]*", text)]


@given(st.emails(), keys, frames, st.integers(0, 4))
def test_no_email_comes_through(address: str, key: str, frame: str, way: int) -> None:
    local, _, domain = address.rpartition("@")
    text = frame.format(address)
    for found in (shown(placed(key, text, way)), masking.content(text), masking.initials(text)):
        assert address not in found
        assert f"@{domain}" not in found
        assert len(local) < 2 or not local.strip("*") or f"{local}@" not in found


@given(numbers, randoms, keys, frames, st.integers(0, 4))
def test_no_email_of_a_person_comes_through_however_it_is_written(
    number: int, rng: Random, key: str, frame: str, way: int
) -> None:
    person = WORLD.people[number]
    for address in filter(None, (person.email, person.old_email, person.work_email)):
        written = written_email(address, rng).strip()
        found = shown(placed(key, frame.format(written), way)).lower()
        assert address.lower() not in found
        assert written.lower() not in found
        assert masking.identifier("email", written) != written


@given(numbers, randoms, keys, frames, st.integers(0, 4))
def test_no_telephone_number_comes_through_however_it_is_written(
    number: int, rng: Random, key: str, frame: str, way: int
) -> None:
    person = WORLD.people[number]
    for phone in filter(None, (person.mobile, person.landline)):
        written = written_phone(phone, person.country.code, rng)
        text = frame.format(written)
        for found in (shown(placed(key, text, way)), masking.content(text), masking.phone(written)):
            assert not any(phone[-7:] in run for run in digits(found))


@given(st.integers(10**6, 10**18), keys)
def test_no_long_number_comes_through_but_as_a_time(number: int, key: str) -> None:
    may_be_a_time = any(10**9 <= number / unit <= 21 * 10**8 for unit in (1, 10**3, 10**6))
    assert str(number) not in shown({key: number}) or (key == "at" and may_be_a_time)
    assert str(number) not in shown({key: str(number)}) or (key == "at" and may_be_a_time)


# A single word as a key may be the name of a field.
@given(numbers, randoms, keys, st.integers(0, 4), st.booleans())
def test_no_name_comes_through(number: int, rng: Random, key: str, way: int, whole: bool) -> None:
    if key == "type":  # what kind of event it is, is for developers to name
        key = "label"
    person, way = WORLD.people[number], way if whole else way % 4
    given_name = plain_name(person.given, rng, latin=rng.random() < 0.5)
    surname = plain_name(person.surname, rng, latin=rng.random() < 0.5)
    texts = (f"{given_name} {surname}", f"{surname}, {given_name}", short_name(person.given, rng))
    text = texts[rng.randrange(2)] if whole else texts[2]
    assume(whole or not text.isupper())  # JP may be a country
    found = shown(placed(key, text, way))
    for word in re.findall(r"[^\W\d_]{2,}", text):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", found.replace(f'"{key}"', "")), found


@given(numbers, keys, st.sampled_from([str.lower, str.upper, str.title]))
def test_no_known_name_comes_through_in_any_writing(number: int, key: str, written: Any) -> None:
    name = WORLD.people[number].full_name(latin=True)
    known = masking.words([name])
    found = json.dumps(
        masking.document({key: written(name), "tags": [written(name)]}, known), ensure_ascii=False
    )
    for word in re.findall(r"[^\W\d_]{2,}", written(name)):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", found.replace(f'"{key}"', "")), found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_every_document_can_be_masked_and_twice_is_once(value: Any) -> None:
    once = masking.document(value)
    json.dumps(once)
    assert type(once) is type(value) or isinstance(once, str)


@given(st.text())
def test_every_text_can_be_masked(text: str) -> None:
    for masked in (masking.content, masking.initials, masking.name, masking.email, masking.phone):
        assert isinstance(masked(text), str)
    for type_ in ("email", "phone", "handle", "user_id"):
        assert isinstance(masking.identifier(type_, text), str)
