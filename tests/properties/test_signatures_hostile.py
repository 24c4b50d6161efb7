"""Whatever a stranger sends, every scheme answers in a word: nothing is genuine, nothing is raised."""

from __future__ import annotations

import importlib
import json
import re
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.settings.collecting import Scheme as SchemeName
from cdp.settings.collecting import SignatureSettings
from connectors.collector.signatures import OWN_SCHEMES
from connectors.collector.webhooks import Answer, Delivery, Keys, Scheme

NAMES = typing.get_args(SchemeName)
REASON = re.compile(r"[a-z][a-z_]{2,39}")
SETTINGS = {
    "hmac": SignatureSettings(
        header="X-Signature", prefix="v1=", timestamp_header="X-Time", signed="{method}{url}{timestamp}{body}"
    ),
    "token": SignatureSettings(header="X-Api-Key"),
    "sns": SignatureSettings(topics=("arn:aws:sns:eu-west-1:123456789012:mail",)),
}

# Headers that some scheme reads, and what stands in them: nearly right, broken, or anything.
HEADERS = (
    "authorization", "x-signature", "x-time", "x-api-key", "stripe-signature", "x-shopify-hmac-sha256",
    "x-shopify-topic", "x-hub-signature-256", "x-twilio-signature", "i-twilio-idempotency-token",
    "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp", "x-mandrill-signature",
    "x-amz-sns-message-type", "content-type",
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda data: data.decode("latin-1")),
    st.sampled_from(
        [
            "t=1772445600,v1=", f"t=1772445600,v1={'0' * 64}", "v1=" + "0" * 64, f"sha256={'f' * 64}", "Basic Og==",
            "Basic " + "A" * 2_000, "Bearer x", "MEUCIQ==", "AAAA", "====", "\ud800", "\x00", "1772445600", "-1", "1e999",
            "9" * 400, "," * 2_000, "t=,t=,v1=,v1=",
        ]
    ),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b'{"signature": {"timestamp": "1772445600", "token": "t", "signature": "0"}, "event-data": {}}',
            b'{"Type": "Notification", "Message": "", "Signature": "AAAA", "SigningCertURL": "https://evil.example/x.pem"}',
            b'{"Type": "SubscriptionConfirmation", "SubscribeURL": "http://169.254.169.254/"}',
            b"timestamp=1&token=%FF&signature=", b"[" * 5_000, b'{"a":' * 5_000, b"\xff" * 100, b"",
            b'--x\r\nContent-Disposition: form-data; name="signature"\r\n\r\n0\r\n--x--',
        ]
    ),
)  # fmt: skip
SECRETS = st.sampled_from([("s3cret",), ("user:password",), ("", "s3cret"), ("é",), ("A" * 300,)])


def scheme(name: str) -> Scheme:
    found: Scheme = importlib.import_module(f"connectors.collector.signatures.{name}").SCHEME
    return found


def keys(name: str, secrets: tuple[str, ...]) -> Keys:
    return Keys(secrets, SETTINGS.get(name, SignatureSettings()), verify_token="a token")


def test_every_scheme_that_can_be_configured_is_there_and_known_by_its_name() -> None:
    assert {name: scheme(name).name for name in NAMES} == {name: name for name in NAMES}
    assert set(OWN_SCHEMES.values()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@given(
    body=BODIES,
    headers=st.dictionaries(st.sampled_from(HEADERS) | st.text(max_size=15), VALUES, max_size=5),
    query=st.dictionaries(
        st.sampled_from(["hub.mode", "hub.challenge", "hub.verify_token", "bodySHA256"]), VALUES, max_size=3
    ),
    url=st.sampled_from(["https://events.shop.example/hooks/a", "", "http://[", "//", "https://é/?a=%"]),
    method=st.sampled_from(["POST", "GET", "HEAD", "PUT", ""]),
    secrets=SECRETS,
)
def test_what_a_stranger_sends_is_refused_in_a_word(
    name: str,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    url: str,
    method: str,
    secrets: tuple[str, ...],
) -> None:
    found, sent = scheme(name), Delivery(method, url, query, headers, body, 1_772_445_600.0)
    given_keys = keys(name, secrets)
    greeting = found.greet(sent, given_keys)
    assert greeting is None or isinstance(greeting, Answer)
    kind = found.kind(sent)
    assert isinstance(kind, str)
    assert len(kind) <= 200
    verdict = found.verify(sent, given_keys)
    if name == "none":
        assert verdict is None
    else:
        assert verdict is not None
        assert REASON.fullmatch(verdict), verdict


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("none", "sns")])
@given(body=BODIES, headers=st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=4))
def test_without_a_secret_nothing_is_genuine(name: str, body: bytes, headers: Mapping[str, str]) -> None:
    sent = Delivery("POST", "https://events.shop.example/hooks/a", {}, headers, body, 1_772_445_600.0)
    for secrets in ((), ("",)):
        assert scheme(name).verify(sent, keys(name, secrets)) is not None
