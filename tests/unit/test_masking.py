"""What may be shown of personal data: by what a value is, by its field, by its content."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cdp import masking
from cdp.masking import content, document, identifier, is_field_name, is_heading, trait


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        ("email", "ann.archer@mail.example", "a***@m***.example"),
        ("email", "a@b.example", "***@***.example"),
        ("email", "ann@localhost", "a***@l***"),
        ("email", "ann@mail.thisisnotatopleveldomain", "a***@m***"),
        ("phone", "+447911123456", "***56"),
        ("handle", "ann.archer", "a***"),
        ("handle", "ann@fedi.example", "a***@f***.example"),
        ("user_id", "u10387", "u10387"),
        ("user_id", "ann.archer", "a***"),
        ("user_id", "ann@mail.example", "a***@m***.example"),
        ("user_id", "447911123456", "***56"),
        ("external_id", "C100335", "C100335"),
        ("anonymous_id", "2e591779-dc25-41f6-a3a5-228d0e8a017f", "2e59…"),
    ],
)
def test_an_identifier_keeps_what_tells_two_apart(type_: str, value: str, shown: str) -> None:
    assert identifier(type_, value) == shown


def test_every_trait_of_a_person_is_masked() -> None:
    from cdp.schemas import TRAITS

    shown = {name: trait(name, "Anna 12345678901") for name, pii in TRAITS.items() if pii != "none"}
    assert {name: value for name, value in shown.items() if "nna" in value or "2345" in value} == {}
    assert trait("country", "GB") == "GB"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to ann@mail.example, please", "write to a***@m***.example, please"),
        ("ann%40mail.example", "a***@m***.example"),
        ("ann＠mail.example", "a***@m***.example"),
        ('"ann archer"@mail.example', "***@m***.example"),
        ("ann@[192.0.2.1]", "a***@***]"),
        ("call (020) 7946-0018 now", "call (***18 now"),
        ("+44 20 7946 0018", "+***18"),
        ("٠٢٠٧٩٤٦٠٠١٨", "***١٨"),
        ("4111 1111 1111 1111", "***11"),
        ("from 81.2.69.142 and 2001:db8::1", "from 81.*** and 2001:***"),
        ("key sk_live_4eC39HqLyjWDarjtT1zdp7dc", "key sk_l…"),
        ("https://ann:secret@shop.example/u/ann?mail=ann@mail.example#x", "https://shop.example/***"),
        ("https://shop.example", "https://shop.example"),
        ("born 1980-02-03", "born ***"),
        ("at 2026-03-02T10:15:00Z", "at 2026-03-02T10:15:00Z"),
        ("1980-02-03T00:00:00Z", "***T00:00:00Z"),
        ("order 12345 of 3", "order 12345 of 3"),
    ],
)
def test_content_tells_what_is_personal(text: str, shown: str) -> None:
    assert content(text) == shown


def test_a_document_keeps_its_fields_and_loses_its_people() -> None:
    call: dict[str, Any] = {
        "type": "track",
        "event": "Order Completed",
        "userId": "u17",
        "messageId": "9f3c2a7e-51b0-4d6c-a3a5-228d0e8a017f",
        "timestamp": "2026-03-02T10:15:00Z",
        "context": {"ip": "81.2.69.142", "locale": "en-GB", "userAgent": "Mozilla/5.0 (X11; Linux)"},
        "traits": {
            "firstName": "Ann",
            "birthday": "1980-02-03",
            "address": {"street": "1 High Street", "line": "Flat 2", "country": "GB"},
            "plan": "premium",
            "loyalty": True,
        },
        "properties": {"total": 47.5, "currency": "GBP", "sku": "LAMP-02", "note": "For Bob, ring twice"},
        "tel": 447911123456,
    }
    assert document(call) == {
        "type": "track",
        "event": "Order Completed",
        "userId": "u17",
        "messageId": "9f3c…",
        "timestamp": "2026-03-02T10:15:00Z",
        "context": {"ip": "81.***", "locale": "en-GB", "userAgent": "(24 characters)"},
        "traits": {
            "firstName": "A.",
            "birthday": "***",
            "address": {"street": "***", "line": "***", "country": "GB"},
            "plan": "premium",
            "loyalty": True,
        },
        "properties": {"total": 47.5, "currency": "GBP", "sku": "LAMP-02", "note": "(19 characters)"},
        "tel": "***",
    }


def test_of_fields_that_nobody_knows_codes_stay_and_words_become_initials() -> None:
    found = document({"x": "paid", "y": "Ann Archer", "z": "Ann Archer <ann@mail.example>", "n": 20794600180})
    assert found == {"x": "paid", "y": "A. A.", "z": "A. A. <a***@m***.example>", "n": "***80"}


def test_words_that_name_the_person_are_hidden_wherever_they_stand() -> None:
    known = masking.words(["Ann Archer", "müller7@mail.example"])
    assert document({"ref": "ann", "path": "/u/archer", "tag": "MULLER7"}, known) == {
        "ref": "***",
        "path": "/u/***",
        "tag": "M.",
    }


def test_keys_that_are_data_do_not_stay() -> None:
    shown = document(
        {"votes": {"ann@mail.example": "Bob", "bob_builder": "yes", "u1038756": 1, "Ann Archer": 2}}
    )
    assert shown == {"votes": {"*1": "B***", "bob_builder": "yes", "*2": "***", "*3": "***"}}


def test_what_is_long_or_deep_is_cut() -> None:
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    shown = document(
        {
            "list": list(range(50)),
            "map": {f"k{chr(97 + n % 26)}{chr(97 + n // 26)}": n for n in range(300)},
            "deep": deep,
        }
    )
    assert shown["list"][-1] == "… 40 more"
    assert shown["map"]["…"] == "200 more"
    assert len(json.dumps(shown)) < 3_000
    assert document("word " * 10_000) == "(50,000 characters)"


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "1 " * 50_000, "a.b-" * 25_000, "@" * 100_000, "::" * 50_000, "http://" * 15_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    before = time.process_time()
    content(text[:2_000])
    document({"x": text, "y": [text], "name": text})
    assert time.process_time() - before < 1.0


def test_names_of_fields_are_told_from_data() -> None:
    assert all(map(is_field_name, ("email", "utm_source", "X-Mailer", "$schema", "firstName", "sha256")))
    assert not any(
        map(
            is_field_name,
            ("", "a b", "ann@mail.example", "ann.archer", "u103875", "Ärger", "k" * 41, "9f3c2a7e51b04d6c"),
        )
    )
    assert is_heading("Customer Name")
    assert is_heading("Größe")
    assert not is_heading("ann@mail.example")
    assert not is_heading("line\nbreak")
