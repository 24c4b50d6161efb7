"""SendGrid's signatures: the shared vector, an independent computation, every changed byte, every age."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cdp.settings.collecting import SignatureSettings
from connectors.collector.signatures.sendgrid import SCHEME
from connectors.collector.webhooks import Delivery, Keys

NOW = 1772445600
BODY = b'[{"event":"open","email":"ann@c.example","sg_event_id":"1"}]\r\n'
KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
OTHER = ec.derive_private_key(0xBEEF, ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def signed(body: bytes, at: str = str(NOW), key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, str]:
    """Sign a digest that is computed here, of what the documentation says: time, then body."""
    digest = hashlib.sha256(at.encode("ascii") + body).digest()
    signature = key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": at,
    }


SIGNED = signed(BODY)


def verdict(
    body: bytes,
    headers: dict[str, str],
    *secrets: str,
    received: float = NOW + 1,
    tolerance: str | None = None,
) -> str | None:
    settings = SignatureSettings(tolerance=tolerance) if tolerance else SignatureSettings()
    sent = Delivery("POST", "https://shop.example/hooks/mail", {}, headers, body, received)
    return SCHEME.verify(sent, Keys(secrets or (public(KEY),), settings))


def test_the_shared_vector_is_genuine(shared: Path) -> None:
    vector = json.loads((shared / "samples/signature_vectors.json").read_bytes())["sendgrid"]
    headers = {
        "x-twilio-email-event-webhook-signature": vector["signature"],
        "x-twilio-email-event-webhook-timestamp": vector["timestamp"],
    }
    body, at = vector["body"].encode(), float(vector["timestamp"])
    assert verdict(body, headers, vector["public_key"], received=at) is None
    assert verdict(body, headers, vector["public_key"], received=at + 301) == "stale_timestamp"
    assert verdict(body[:-1], headers, vector["public_key"], received=at) == "bad_signature"


def test_any_of_several_keys_may_have_signed() -> None:
    assert verdict(BODY, SIGNED, public(OTHER), public(KEY)) is None
    assert verdict(BODY, SIGNED, public(OTHER)) == "bad_signature"


def test_a_key_may_be_pem_with_its_line_breaks() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert verdict(BODY, SIGNED, pem.decode()) is None


@pytest.mark.parametrize(
    ("received", "tolerance", "reason"),
    [
        (NOW + 300, None, None),
        (NOW + 301, None, "stale_timestamp"),
        (NOW + 301, "24h", None),
        (NOW + 61, "1m", "stale_timestamp"),
        (NOW - 300, None, None),
        (NOW - 301, None, "future_timestamp"),
    ],
)
def test_what_is_older_than_tolerated_is_refused(
    received: float, tolerance: str | None, reason: str | None
) -> None:
    assert verdict(BODY, SIGNED, received=received, tolerance=tolerance) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": ""}, "missing_signature"),
        ({"timestamp": ""}, "missing_signature"),
        ({"timestamp": "yesterday"}, "bad_timestamp"),
        ({"timestamp": "9" * 40}, "bad_timestamp"),
        ({"timestamp": f"+{NOW}"}, "bad_timestamp"),
        ({"timestamp": f"{NOW}, {NOW}"}, "bad_timestamp"),
        ({"timestamp": str(NOW + 1)}, "bad_signature"),
        ({"signature": "no base64"}, "bad_signature"),
        ({"signature": "\u00e9\udc80"}, "bad_signature"),
        ({"signature": "AAAA"}, "bad_signature"),
        ({"signature": "A" * 4_000_000}, "bad_signature"),
        ({"signature": SIGNED["x-twilio-email-event-webhook-signature"] + "\n"}, "bad_signature"),
    ],
)
def test_other_headers_are_refused(change: dict[str, str], reason: str) -> None:
    headers = SIGNED | {f"x-twilio-email-event-webhook-{name}": value for name, value in change.items()}
    assert verdict(BODY, headers) == reason


@pytest.mark.parametrize(
    "secret",
    ["no key", "aGVsbG8=", "é", public(ec.derive_private_key(7, ec.SECP384R1()))],
)
def test_what_is_no_key_of_this_curve_verifies_nothing(secret: str) -> None:
    assert verdict(BODY, SIGNED, secret) == "bad_key"
    assert verdict(BODY, SIGNED, secret, public(KEY)) is None
    assert verdict(BODY, SIGNED, "") == "missing_secret"


@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_every_changed_bit_of_a_body_is_refused(at: int, bit: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ (1 << bit)]) + BODY[at + 1 :]
    assert verdict(changed, SIGNED) == "bad_signature"


@pytest.mark.parametrize("name", list(SIGNED))
@given(data=st.data())
def test_every_changed_character_of_a_header_is_refused(name: str, data: st.DataObject) -> None:
    value = SIGNED[name]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda character: character != value[at]))
    assert verdict(BODY, SIGNED | {name: value[:at] + other + value[at + 1 :]}) is not None


@given(
    body=st.binary(max_size=60), headers=st.dictionaries(st.sampled_from(list(SIGNED)), st.text(max_size=90))
)
def test_strangers_are_refused_whatever_they_send(body: bytes, headers: dict[str, str]) -> None:
    assert verdict(body, headers) is not None
