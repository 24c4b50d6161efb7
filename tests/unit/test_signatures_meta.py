"""Meta's signatures and handshake: an independent computation of them, and every changed byte."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.signatures.meta import SCHEME
from connectors.collector.webhooks import Delivery, Keys

SECRET, TOKEN = "an-app-secret", "a-token-that-we-made-up"
BODY = b'{"object":"page","entry":[{"id":"1","time":1772445600000,"text":"\\u00e9"}]}'


def hmac_sha256(key: bytes, message: bytes) -> str:
    """HMAC by its definition (RFC 2104), so that the tests do not repeat the code that they test."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


def signature(body: bytes, secret: str = SECRET) -> str:
    """What https://developers.facebook.com/docs/graph-api/webhooks/getting-started describes."""
    return "sha256=" + hmac_sha256(secret.encode(), body)


def verdict(body: bytes, signed: str | None, *secrets: str) -> str | None:
    headers = {} if signed is None else {"x-hub-signature-256": signed}
    sent = Delivery("POST", "https://shop.example/hooks/fb", {}, headers, body, 0.0)
    return SCHEME.verify(sent, Keys(secrets or (SECRET,)))


@pytest.mark.parametrize("body", [BODY, b"", b"\xff\x00 no JSON", b"{}\n"])
def test_a_signed_body_is_genuine_to_the_byte(body: bytes) -> None:
    assert verdict(body, signature(body)) is None
    assert verdict(body, signature(body), "another", SECRET) is None
    assert verdict(body + b"\n", signature(body)) == "bad_signature"


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        (None, "missing_signature"),
        ("", "missing_signature"),
        (signature(BODY, "another"), "bad_signature"),
        (signature(BODY).upper(), "bad_signature"),
        (signature(BODY).removeprefix("sha256="), "bad_signature"),
        ("sha1=" + "0" * 40, "bad_signature"),
        ("sha256=", "bad_signature"),
        (signature(BODY) + " ", "bad_signature"),
        ("sha256=\u00e9\udc80", "bad_signature"),
    ],
)
def test_other_signatures_are_refused(signed: str | None, reason: str) -> None:
    assert verdict(BODY, signed) == reason


def test_without_a_secret_nothing_is_genuine() -> None:
    assert verdict(BODY, signature(BODY, ""), "") == "missing_secret"


@given(body=st.binary(min_size=1, max_size=80), data=st.data())
def test_every_changed_bit_is_refused(body: bytes, data: st.DataObject) -> None:
    signed = signature(body)
    assert verdict(body, signed) is None
    changed = bytearray(body)
    changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert verdict(bytes(changed), signed) == "bad_signature"
    changed = bytearray(signed.encode())
    changed[data.draw(st.integers(0, len(signed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert verdict(body, changed.decode("latin-1")) == "bad_signature"


@given(body=st.binary(max_size=60), signed=st.text(max_size=90), secret=st.text())
def test_whatever_a_stranger_sends_gets_a_word(body: bytes, signed: str, secret: str) -> None:
    assert verdict(body, signed, secret) in ("missing_signature", "missing_secret", "bad_signature")


HELLO = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}


def greeted(
    query: dict[str, str], token: str | None = TOKEN, method: str = "GET"
) -> tuple[int, bytes] | None:
    sent = Delivery(method, "https://shop.example/hooks/fb", query, {}, b"", 0.0)
    answer = SCHEME.greet(sent, Keys((SECRET,), verify_token=token))
    if answer is None:
        return None
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"text/plain"
    assert headers[b"x-content-type-options"] == b"nosniff"
    return answer.status, answer.body


def test_who_names_our_token_gets_the_challenge_back() -> None:
    assert greeted(HELLO) == (200, b"1158201444")


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": TOKEN + " "},
        {"hub.verify_token": ""},
        {"hub.verify_token": "\udcff\u00e9"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1\r\nSet-Cookie: a=b"},
        {"hub.challenge": "1" * 257},
        {"hub.challenge": "\u0661\u0662"},
    ],
)
def test_any_other_greeting_is_refused(change: dict[str, str]) -> None:
    assert greeted(HELLO | change) == (403, b"forbidden")


@pytest.mark.parametrize("name", HELLO)
def test_a_greeting_that_lacks_something_is_refused(name: str) -> None:
    assert greeted({key: value for key, value in HELLO.items() if key != name}) == (403, b"forbidden")


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_of_ours_nobody_is_greeted(token: str | None) -> None:
    assert greeted(HELLO | {"hub.verify_token": ""}, token) == (403, b"forbidden")
    assert greeted(HELLO, token) == (403, b"forbidden")


def test_a_delivery_is_no_greeting() -> None:
    assert greeted(HELLO, method="POST") is None


@given(query=st.dictionaries(st.sampled_from([*HELLO, "x"]), st.text(max_size=300)))
def test_no_stranger_is_greeted(query: dict[str, str]) -> None:
    assert greeted(query | {"hub.mode": "subscribe"}) == (403, b"forbidden")
