"""HTTP Basic: the user and password that the address of a webhook holds."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.signatures.basic import SCHEME
from connectors.collector.webhooks import Answer, Delivery, Keys

SECRET = "postmark:pa:ss wörd"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def verdict(header: str | None, *secrets: str) -> str | None:
    headers = {} if header is None else {"authorization": header}
    sent = Delivery("POST", "https://shop.example/hooks/mail", {}, headers, b"{}", 0.0)
    return SCHEME.verify(sent, Keys(secrets or (SECRET,)))


def test_the_user_and_password_are_known() -> None:
    assert verdict(basic(SECRET)) is None
    assert verdict(basic(SECRET), "old:secret", SECRET) is None
    assert verdict(basic(SECRET).replace("Basic", "basic")) is None  # RFC 7617: the word has no case


def test_the_example_of_the_rfc_is_genuine() -> None:
    assert verdict("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin:open sesame") is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing_credentials"),
        ("", "missing_credentials"),
        ("Basic", "missing_credentials"),
        ("Bearer abc", "missing_credentials"),
        (basic("postmark"), "bad_credentials"),
        (basic("postmark:"), "bad_credentials"),
        (basic(SECRET + " "), "bad_credentials"),
        ("Basic " + SECRET, "bad_credentials"),
        ("Basic \u00e9\udc80", "bad_credentials"),
        (basic(SECRET) + ", " + basic(SECRET), "bad_credentials"),
        ("Basic " + "A" * 4_000_000, "bad_credentials"),
    ],
)
def test_all_else_is_refused(header: str | None, reason: str) -> None:
    assert verdict(header) == reason


def test_without_a_secret_nobody_is_known() -> None:
    assert verdict(basic(":"), "") == "missing_secret"
    assert verdict(basic("postmark"), "postmark") == "bad_credentials"


def test_who_asks_whether_there_is_anybody_is_answered() -> None:
    def asked(method: str) -> Answer | None:
        return SCHEME.greet(
            Delivery(method, "https://shop.example/hooks/mail", {}, {}, b"", 0.0), Keys((SECRET,))
        )

    assert asked("HEAD") == Answer(200, b"")
    assert (asked("POST"), asked("GET")) == (None, None)


@given(data=st.data())
def test_every_changed_character_is_refused(data: st.DataObject) -> None:
    value = basic(SECRET)
    at = data.draw(st.integers(len("Basic "), len(value) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda character: character != value[at]))
    assert verdict(value[:at] + other + value[at + 1 :]) == "bad_credentials"


@given(st.text(max_size=80))
def test_strangers_are_refused_whatever_they_send(header: str) -> None:
    assert verdict(header) is not None
    assert verdict(f"Basic {header}") is not None
