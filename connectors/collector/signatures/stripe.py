"""Stripe: ``Stripe-Signature: t=<time>,v1=<signature>``, HMAC-SHA256 of ``<time>.<body>`` in hexadecimal digits.

Source: https://docs.stripe.com/webhooks#verify-manually. There are several ``v1`` while a secret is being changed;
other versions (``v0`` of test deliveries) are not looked at. Stripe signs each try anew, so a time that is older
than the tolerance is a replay.
"""

from __future__ import annotations

from connectors.collector.hmacs import as_bytes, is_signed
from connectors.collector.signing import refused_for_age, tolerated, unix_seconds
from connectors.collector.webhooks import Delivery, Keys, Scheme

SIGNATURE = "stripe-signature"
_MOST_PARTS = 32


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the secrets signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``bad_timestamp``, ``bad_signature``,
    ``stale_timestamp``, ``future_timestamp``.
    """
    parts = [part.strip().partition("=") for part in delivery.headers.get(SIGNATURE, "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1" and value]
    if not signatures or len(parts) > _MOST_PARTS:
        return "missing_signature"
    if not any(keys.secrets):
        return "missing_secret"
    signed_at = unix_seconds(times[0]) if len(times) == 1 else None
    if signed_at is None:
        return "bad_timestamp"
    if not is_signed(keys.secrets, signatures, as_bytes(times[0]) + b"." + delivery.body):
        return "bad_signature"
    return refused_for_age(signed_at, delivery.received, tolerated(keys.settings))


SCHEME = Scheme("stripe", verify)
