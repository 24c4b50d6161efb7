"""SendGrid's signed event webhook: ECDSA over the curve P-256, of the time and the body as it came.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features:
SHA-256 over the text of ``X-Twilio-Email-Event-Webhook-Timestamp`` and the body; the signature is DER
in base64, the public key (the source's secret) the DER of a SubjectPublicKeyInfo in base64.

SendGrid tries a delivery again for up to 24 hours and does not say whether it signs anew. Where retries
after an outage are refused as ``stale_timestamp``, let the source's ``tolerance`` be ``24h``: what comes
twice is a duplicate by ``sg_event_id``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from connectors.collector.signing import from_base64, refused_for_age, tolerated, unix_seconds
from connectors.collector.webhooks import Delivery, Keys, Scheme

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_ARMOUR = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the keys signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``bad_key`` (none of the secrets is a public key of
    this curve), ``bad_timestamp``, ``bad_signature``, ``stale_timestamp``, ``future_timestamp``.
    """
    given, timestamp = delivery.headers.get(SIGNATURE), delivery.headers.get(TIMESTAMP)
    if not given or not timestamp:
        return "missing_signature"
    if not any(keys.secrets):
        return "missing_secret"
    public_keys = [key for key in map(public_key, keys.secrets) if key is not None]
    if not public_keys:
        return "bad_key"
    signed_at = unix_seconds(timestamp)
    if signed_at is None:
        return "bad_timestamp"
    signature = from_base64(given)
    signed = timestamp.encode() + delivery.body
    if signature is None or not any(_signed(key, signature, signed) for key in public_keys):
        return "bad_signature"
    return refused_for_age(signed_at, delivery.received, tolerated(keys.settings))


@functools.lru_cache(maxsize=64)
def public_key(text: str) -> EllipticCurvePublicKey | None:
    """Return the public key of its base64 (or PEM) text; None where it is none of the curve P-256."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    for line in _ARMOUR:
        text = text.replace(line, "")
    der = from_base64("".join(text.split()))
    try:
        key = load_der_public_key(der) if der else None
    except (ValueError, UnsupportedAlgorithm):
        return None
    is_ours = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return key if is_ours and isinstance(key, ec.EllipticCurvePublicKey) else None


def _signed(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    try:
        key.verify(signature, message, ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


SCHEME = Scheme("sendgrid", verify)
