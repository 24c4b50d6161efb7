"""Messages of Amazon SNS for tests, signed by a certificate of our own, by the arithmetic of RSA itself."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
HOST = "sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL = f"https://{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM_URL = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f5d51e6e2"

# What the hash is preceded by under PKCS #1 v1.5 (RFC 8017, section 9.2, note 1).
_PREFIXES = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
}


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return a private key; the same for the same number."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@functools.cache
def certificate(
    number: int = 0, days: int = 365, start: datetime = NOW - timedelta(days=1)
) -> x509.Certificate:
    """Return a certificate of a key, signed by itself."""
    builder = x509.CertificateBuilder(
        name("sns.amazonaws.com"), name("sns.amazonaws.com"), key(number).public_key(), 1 + number,
        start, start + timedelta(days=days),
    )  # fmt: skip
    return builder.sign(key(number), hashes.SHA256())


def pem(number: int = 0, **more: Any) -> bytes:
    return certificate(number, **more).public_bytes(Encoding.PEM)


def signature(text: bytes, algorithm: str, number: int = 0) -> str:
    """Sign by RFC 8017, 8.2.1: pad the hash, raise it to the private exponent."""
    numbers = key(number).private_numbers()
    modulus = numbers.public_numbers.n
    length = (modulus.bit_length() + 7) // 8
    info = _PREFIXES[algorithm] + hashlib.new(algorithm, text).digest()
    padded = b"\x00\x01" + b"\xff" * (length - len(info) - 3) + b"\x00" + info
    signed = pow(int.from_bytes(padded), numbers.d, modulus)
    return base64.b64encode(signed.to_bytes(length)).decode()


def signed_text(message: dict[str, Any]) -> bytes:
    """What docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html describes."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", *(["Subject"] if "Subject" in message else []), "Timestamp"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token"]
    lines = [line for name in [*names, "TopicArn", "Type"] for line in (name, message[name])]
    return ("\n".join(lines) + "\n").encode()


def message(version: str = "1", number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a signed notification; ``more`` are members of it, None takes one away."""
    given = {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps({"eventType": "Open", "mail": {"destination": ["ann@c.example"]}, "é": "\n"}),
        "Timestamp": NOW.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe",
    } | more
    kept = {name: value for name, value in given.items() if value is not None}
    return kept | {"Signature": signature(signed_text(kept), "sha1" if version == "1" else "sha256", number)}


def confirmation(version: str = "1", **more: Any) -> dict[str, Any]:
    """Return a signed request to confirm a subscription."""
    given = {
        "Type": "SubscriptionConfirmation",
        "Token": "2336412f37fb687f5d51e6e2",
        "SubscribeURL": CONFIRM_URL,
        "Subject": None,
        "Message": "You have chosen to subscribe to the topic.",
    }
    return message(version, **(given | more))


def body(given: dict[str, Any]) -> bytes:
    return json.dumps(given, indent=2).encode()


def key_pem(number: int = 0) -> bytes:
    return key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
