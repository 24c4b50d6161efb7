"""Shopify: ``X-Shopify-Hmac-Sha256``, HMAC-SHA256 of the body as it came, in base64, under the app's client secret.

Source: https://shopify.dev/docs/apps/build/webhooks/subscribe/https (*Validate the origin of your webhook*).
There is no time in it, so a delivery that is replayed cannot be refused: it lands as a duplicate. What it is
about stands in ``X-Shopify-Topic`` alone (``orders/create``), which is not signed, and becomes the envelope's type.
"""

from __future__ import annotations

from connectors.collector.hmacs import is_signed
from connectors.collector.webhooks import Delivery, Keys, Scheme

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"
_LONGEST_TOPIC = 200


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the secrets signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``bad_signature``.
    """
    given = delivery.headers.get(SIGNATURE)
    if not given:
        return "missing_signature"
    if not any(keys.secrets):
        return "missing_secret"
    genuine = is_signed(keys.secrets, [given], delivery.body, encoding="base64")
    return None if genuine else "bad_signature"


def kind(delivery: Delivery) -> str:
    """Return the topic, such as ``orders/create``."""
    return delivery.headers.get(TOPIC, "")[:_LONGEST_TOPIC]


SCHEME = Scheme("shopify", verify, kind=kind)
