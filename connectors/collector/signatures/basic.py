"""HTTP Basic (RFC 7617): for services that sign nothing, such as Postmark.

The source's secret is ``user:password``, as it stands in the address that the service was given:
``https://user:password@events.shop.example/hooks/mail``. It protects a delivery only over TLS, and says
nothing of its body or its age; what comes twice is a duplicate by its ids.

Source: https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook.
"""

from __future__ import annotations

import hashlib
import hmac

from connectors.collector.signing import from_base64
from connectors.collector.webhooks import Answer, Delivery, Keys, Scheme

HEADER = "authorization"


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that names one of the secrets, else why it is refused.

    Reasons: ``missing_credentials``, ``missing_secret``, ``bad_credentials``.
    """
    kind, _, token = delivery.headers.get(HEADER, "").partition(" ")
    if kind.lower() != "basic" or not token:
        return "missing_credentials"
    if not any(keys.secrets):
        return "missing_secret"
    given = from_base64(token)
    if given is None or b":" not in given:
        return "bad_credentials"
    known = False
    for secret in filter(None, keys.secrets):
        known |= hmac.compare_digest(_digest(given), _digest(secret.encode("utf-8", "surrogatepass")))
    return None if known else "bad_credentials"


def greet(delivery: Delivery, keys: Keys) -> Answer | None:
    """Answer who asks by HEAD whether there is anybody here, as Mandrill does of a new webhook."""
    del keys
    return Answer(200, b"") if delivery.method == "HEAD" else None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()  # of one length, so that comparing does not tell that of the secret


SCHEME = Scheme("basic", verify, greet)
