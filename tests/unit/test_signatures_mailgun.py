"""Mailgun's signatures: which deliveries are genuine, which are retries, and which are replays."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.settings.collecting import SignatureSettings
from connectors.collector.signatures import mailgun
from connectors.collector.signatures.mailgun import TokenMemory, read_signature
from connectors.collector.webhooks import Delivery, Keys
from tests.mailgun_tools import NOW, SECRET, TOKEN, signature

EVENT = {"event": "opened", "id": "e1", "timestamp": 1772445599.5, "recipient": "ann@c.example"}


def body(event: dict[str, Any] = EVENT, **signed: str) -> bytes:
    return json.dumps({"signature": signature() | signed, "event-data": event}).encode()


def form(**more: str) -> bytes:
    return urlencode({"event": "opened", "recipient": "ann@c.example"} | more | signature()).encode()


def multipart(boundary: str, text: str = "Hello") -> bytes:
    fields = {"body-plain": text, **signature()}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}' for n, v in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\nfile'
    return "\r\n".join([*parts, file, f"--{boundary}--", ""]).encode()


def verdict(
    given: bytes,
    memory: TokenMemory | None = None,
    *,
    received: float = NOW + 1,
    secrets: tuple[str, ...] = (SECRET,),
    tolerance: str | None = None,
) -> str | None:
    settings = SignatureSettings(tolerance=tolerance) if tolerance else SignatureSettings()
    sent = Delivery("POST", "https://shop.example/hooks/mg", {}, {}, given, received)
    return mailgun.verify(sent, Keys(secrets, settings), memory if memory is not None else TokenMemory())


@pytest.mark.parametrize("given", [body(), form(), multipart("----x"), json.dumps(signature()).encode()])
def test_a_signed_delivery_is_genuine_in_each_form(given: bytes) -> None:
    assert verdict(given) is None
    assert verdict(given, secrets=("another", SECRET)) is None
    assert verdict(given, secrets=("another",)) == "bad_signature"
    assert verdict(given, secrets=("",)) == "missing_secret"


def test_the_scheme_remembers_between_deliveries() -> None:
    token = "the-scheme-itself".ljust(50, "x")
    one, two = body(**signature(token)), body(EVENT | {"recipient": "eve@g.example"}, **signature(token))
    found = [
        mailgun.SCHEME.verify(Delivery("POST", "", {}, {}, data, NOW + 1.0), Keys((SECRET,)))
        for data in (one, two, one)
    ]
    assert found == [None, "replayed_token", None]


def test_events_of_a_subaccount_may_be_verified_with_the_key_of_its_parent() -> None:
    given = body(**(signature(secret="the-subaccounts") | {"parent-signature": signature()["signature"]}))
    assert verdict(given) is None
    assert verdict(given, secrets=("the-subaccounts",)) is None
    assert verdict(given, secrets=("another",)) == "bad_signature"


@pytest.mark.parametrize("given", [body(), form(), multipart("----x")])
def test_what_mailgun_tries_again_is_taken_for_eight_hours(given: bytes) -> None:
    memory = TokenMemory()
    for minutes in (0, 5, 15, 30, 90, 210, 450, 484):
        assert verdict(given, memory, received=NOW + 60 * minutes) is None
    assert verdict(given, memory, received=NOW + 60 * 486) == "stale_timestamp"


def test_a_retry_is_known_by_what_it_says_not_by_its_bytes() -> None:
    memory = TokenMemory()
    again = json.dumps({"event-data": EVENT, "signature": signature()}, indent=2).encode()
    assert [verdict(given, memory) for given in (body(), again)] == [None, None]
    memory = TokenMemory()
    assert [verdict(multipart(boundary), memory) for boundary in ("----x", "----another")] == [None, None]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (body(), body(EVENT | {"recipient": "eve@g.example"})),
        (body(), form()),
        (form(), form(url="https://eve.example")),
        (multipart("----x"), multipart("----x", "Another text")),
        (form(), b"event=clicked&" + form()),
        (b"event=clicked&" + form(), form() + b"&event=clicked"),
    ],
)
def test_a_token_with_another_body_is_a_replay(first: bytes, second: bytes) -> None:
    memory = TokenMemory()
    assert verdict(first, memory) is None
    assert verdict(second, memory) == "replayed_token"
    assert verdict(first, memory) is None


@pytest.mark.parametrize(
    ("received", "tolerance", "reason"),
    [
        (NOW + 301, None, None),
        (NOW + 301, "5m", "stale_timestamp"),
        (NOW + 86_000, "24h", None),
        (NOW - 301, None, "future_timestamp"),
    ],
)
def test_a_sources_own_tolerance_is_the_last_word(
    received: float, tolerance: str | None, reason: str | None
) -> None:
    assert verdict(body(), received=received, tolerance=tolerance) == reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "missing_signature"),
        (b"{}", "missing_signature"),
        (b"[1]", "missing_signature"),
        (b"no JSON, no form", "missing_signature"),
        (b'{"signature": {"timestamp": 1, "token": "t"}}', "missing_signature"),
        (b'{"signature": {"timestamp": [], "token": "t", "signature": "s"}}', "missing_signature"),
        (body(token="t" * 201), "missing_signature"),
        (body(timestamp="yesterday"), "bad_timestamp"),
        (body(timestamp=str(NOW + 1)), "bad_signature"),
        (body(token=TOKEN[:-1]), "bad_signature"),
        (body(signature=signature()["signature"].upper()), "bad_signature"),
        (body(signature="\u00e9"), "bad_signature"),
        (body(signature="\ud800"), "bad_signature"),
        (b'{"event-data": {}, ' + body()[1:], "missing_signature"),
        (b"[" * 100_000, "missing_signature"),
        (b'{"signature":' * 5_000, "missing_signature"),
    ],
)
def test_all_else_is_refused(given: bytes, reason: str) -> None:
    assert verdict(given) == reason


def test_a_timestamp_may_be_a_number() -> None:
    given = json.dumps({"signature": signature() | {"timestamp": NOW}, "event-data": EVENT}).encode()
    assert verdict(given) is None


def test_the_memory_of_tokens_is_bounded_and_forgets_what_is_too_old_to_come_again() -> None:
    memory = TokenMemory(capacity=100)
    for number in range(1_000):
        assert memory.admits(b"%d" % number, b"a", now=0.0, until=10.0)
    assert len(memory) == 100
    assert not memory.admits(b"999", b"b", now=1.0, until=10.0)
    assert memory.admits(b"0", b"b", now=1.0, until=10.0)
    assert memory.admits(b"new", b"a", now=11.0, until=20.0)
    assert len(memory) == 1


def test_the_memory_of_tokens_lets_one_body_in_however_many_come_at_once() -> None:
    memory, admitted = TokenMemory(), []

    def come(number: int) -> None:
        if memory.admits(b"token", b"%d" % number, now=0.0, until=10.0):
            admitted.append(number)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 1


@pytest.mark.parametrize("given", [body(), form(), multipart("----x")])
@given(data=st.data())
def test_a_changed_byte_is_refused_unless_it_changes_nothing_that_is_said(
    given: bytes, data: st.DataObject
) -> None:
    memory = TokenMemory()
    assert verdict(given, memory) is None
    at = data.draw(st.integers(0, len(given) - 1))
    changed = (
        given[:at]
        + bytes([data.draw(st.integers(0, 255).filter(lambda n: n != given[at]))])
        + given[at + 1 :]
    )
    read = read_signature(changed)
    assert (verdict(changed, memory) is None) == (read == read_signature(given))


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: b'{"signature":' + text.encode() + b"}")
)
def test_strangers_are_refused_whatever_they_send(given: bytes) -> None:
    assert verdict(given) is not None
