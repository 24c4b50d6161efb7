"""Twilio's signatures: the published vectors, an independent computation of them, and every changed byte."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.signatures.twilio import SCHEME, addresses, signed_parameters
from connectors.collector.webhooks import Delivery, Keys

TOKEN = "a-token-of-ours"
URL = "https://events.shop.example/hooks/calls"
FORM = {"CallSid": "CA1", "From": "+442079460018", "To": "+442071234567", "CallerName": "Zoë Lee & Co"}


def hmac_sha1(key: bytes, message: bytes) -> bytes:
    """HMAC by its definition (RFC 2104), so that the tests do not repeat the code that they test."""
    block = (hashlib.sha1(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha1(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha1(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def signature(url: str, parameters: dict[str, str], token: str = TOKEN) -> str:
    """What https://www.twilio.com/docs/usage/webhooks/webhooks-security describes."""
    text = url
    for name in sorted(parameters):
        text += name + parameters[name]
    return base64.b64encode(hmac_sha1(token.encode(), text.encode())).decode()


def delivery(body: bytes, signed: str | None, url: str = URL, method: str = "POST") -> Delivery:
    query: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        query.setdefault(name, value)
    headers = {} if signed is None else {"x-twilio-signature": signed}
    return Delivery(method, url, query, headers, body, 1772445600.0)


def verdict(body: bytes, signed: str | None, *tokens: str, url: str = URL) -> str | None:
    return SCHEME.verify(delivery(body, signed, url), Keys(tokens or (TOKEN,)))


def test_the_published_vectors_are_genuine(shared: Path) -> None:
    vector = json.loads((shared / "samples/signature_vectors.json").read_text())["twilio"]
    url, token = vector["url"], vector["auth_token"]
    assert verdict(urlencode(vector["params"]).encode(), vector["signature"], token, url=url) is None
    body = vector["json_body"].encode()
    assert hashlib.sha256(body).hexdigest() == vector["bodySHA256"]
    signed_url = f"{url}&bodySHA256={vector['bodySHA256']}"
    assert verdict(body, signature(signed_url, {}, token), token, url=signed_url) is None


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        # As Twilio's own library has it: names in order, each with its distinct values in order.
        (
            b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
        (b"SidAccount=AC123&Digits=1234&Sid=CA123&Digits=5678", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    ],
)
def test_a_name_that_stands_twice_counts_with_its_distinct_values(body: bytes, signed: str) -> None:
    assert verdict(body, signed, "12345", url="https://mycompany.com/myapp.php?foo=1&bar=2") is None


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        FORM,
        {"Body": "", "From": "+44"},
        {"Body": "a b+c&d=e%20\r\n"},
        {"Body": "日本語 🎉 é", "ProfileName": "Ann=Lee"},
        {"b": "1", "B": "2", "a": "3", "É": "4"},
        {"A": "B", "AB": ""},
    ],
)
def test_a_form_is_genuine_however_it_is_ordered(parameters: dict[str, str]) -> None:
    signed = signature(URL, parameters)
    body = urlencode(parameters).encode()
    assert verdict(body, signed) is None
    assert verdict(b"&".join(reversed(body.split(b"&"))) if body else b"", signed) is None
    assert verdict(body.replace(b"+", b"%20"), signed) is None


@pytest.mark.parametrize(
    ("configured", "signed"),
    [
        ("https://shop.example/hooks/c", "https://shop.example:443/hooks/c"),
        ("http://shop.example/hooks/c?x=1", "http://shop.example:80/hooks/c?x=1"),
        ("https://shop.example:8443/hooks/c", "https://shop.example/hooks/c"),
        ("https://shop.example:8443/hooks/c", "https://shop.example:8443/hooks/c"),
        ("https://me:pass@shop.example/hooks/c", "https://me:pass@shop.example:443/hooks/c"),
        ("https://[2001:db8::1]:8443/hooks/c", "https://[2001:db8::1]/hooks/c"),
        ("https://shop.example/hooks/c?q=a+b(1)", "https://shop.example/hooks/c?q=a%20b(1)"),
        ("https://shop.example/hooks/c?q=a%2fb", "https://shop.example/hooks/c?q=a%2Fb"),
    ],
)
def test_the_address_counts_with_and_without_its_port_and_with_its_query_written_anew(
    configured: str, signed: str
) -> None:
    body = urlencode(FORM).encode()
    assert verdict(body, signature(signed, FORM), url=configured) is None


@pytest.mark.parametrize(
    "signed",
    [
        "https://shop.example:80/hooks/c",
        "http://shop.example/hooks/c",
        "https://shop.example/hooks/C",
        "https://shop.example/hooks/c?",
        "https://shop.example.evil.example/hooks/c",
    ],
)
def test_another_address_is_refused(signed: str) -> None:
    refused = verdict(urlencode(FORM).encode(), signature(signed, FORM), url="https://shop.example/hooks/c")
    assert refused == "bad_signature"


def test_any_of_our_tokens_may_have_signed() -> None:
    body, signed = urlencode(FORM).encode(), signature(URL, FORM)
    assert verdict(body, signed, "old", TOKEN) is None
    assert verdict(body, signed, TOKEN, "new") is None
    assert verdict(body, signed, "old", "new") == "bad_signature"


def test_without_a_signature_or_a_token_nothing_is_genuine() -> None:
    body = urlencode(FORM).encode()
    assert verdict(body, None) == "missing_signature"
    assert verdict(body, "") == "missing_signature"
    assert SCHEME.verify(delivery(body, signature(URL, FORM)), Keys()) == "missing_secret"
    assert verdict(body, signature(URL, FORM, ""), "") == "missing_secret"


def test_a_json_body_is_the_one_that_its_address_names() -> None:
    body = b'{"data": 1}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signed = signature(url, {})
    assert verdict(body, signed, url=url) is None
    assert verdict(b'{"data": 2}', signed, url=url) == "bad_body_hash"
    assert verdict(body, signed, url=URL) == "unreadable_form"
    other = f"{URL}?bodySHA256={hashlib.sha256(b'{}').hexdigest()}"
    assert verdict(b"{}", signed, url=other) == "bad_signature"


@pytest.mark.parametrize(
    "body",
    [b"a=%2b", b"a=1 2", b"a=1\n", b"a", b"=a", b"a=1&", b"&a=1", b"a=1&&b=2", b"a=%", b"a=%4", b"a=%zz"],
)
def test_a_form_that_no_encoder_writes_is_refused(body: bytes) -> None:
    assert signed_parameters(body) is None


def test_a_huge_form_is_refused_quickly() -> None:
    assert signed_parameters(b"&".join([b"a=1"] * 1_400_000)) is None
    assert signed_parameters(b"a=" + b"%41" * 1_400_000) == b"a" + b"A" * 1_400_000


def test_the_answer_is_twiml_that_says_nothing() -> None:
    assert SCHEME.answer.status == 200
    assert SCHEME.answer.body.endswith(b"<Response></Response>")
    assert dict(SCHEME.answer.headers)[b"content-type"].startswith(b"text/xml")
    assert SCHEME.greet(delivery(b"", None, method="GET"), Keys((TOKEN,))) is None


_text = st.text(st.characters(codec="utf-8"), max_size=12)
_forms = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), _text, min_size=1)


@given(parameters=_forms, data=st.data())
def test_every_changed_bit_of_a_form_is_refused(parameters: dict[str, str], data: st.DataObject) -> None:
    body, signed = urlencode(parameters).encode(), signature(URL, parameters)
    assert verdict(body, signed) is None
    place = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    assert verdict(bytes(changed), signed) is not None


@given(body=st.binary(min_size=1, max_size=80), data=st.data())
def test_every_changed_bit_of_a_json_body_or_its_hash_is_refused(body: bytes, data: st.DataObject) -> None:
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signed = signature(url, {})
    assert verdict(body, signed, url=url) is None
    changed = bytearray(body)
    changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert verdict(bytes(changed), signed, url=url) is not None
    place = data.draw(st.integers(len(URL), len(url) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefABCDEFxyz&=?#+ "))
    changed_url = url[:place] + other + url[place + 1 :]
    if changed_url != url:
        assert verdict(body, signed, url=changed_url) is not None


@given(place=st.integers(0, 27), bit=st.integers(0, 7))
def test_every_changed_bit_of_the_signature_is_refused(place: int, bit: int) -> None:
    signed = bytearray(signature(URL, FORM).encode())
    signed[place] ^= 1 << bit
    assert verdict(urlencode(FORM).encode(), signed.decode("latin-1")) is not None


@given(body=st.binary(max_size=60), signed=st.text(max_size=40), url=st.text(max_size=60), token=st.text())
def test_whatever_a_stranger_sends_gets_a_word(body: bytes, signed: str, url: str, token: str) -> None:
    sent = Delivery("POST", url, {"bodySHA256": signed} if len(url) % 2 else {}, {"x-twilio-signature": signed}, body, 0.0)  # fmt: skip  # noqa: E501
    assert SCHEME.verify(sent, Keys((token,))) in (
        "missing_signature", "missing_secret", "unreadable_form", "bad_body_hash", "bad_signature",
    )  # fmt: skip
    assert list(addresses(url))
