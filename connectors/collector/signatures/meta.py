"""Meta (WhatsApp, Messenger, Instagram, lead ads): ``X-Hub-Signature-256``, and the handshake of a webhook.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started: HMAC-SHA256 of the body
as it came, under the app secret, in small hexadecimal digits behind ``sha256=``. There is no time in
it, so a delivery that is replayed cannot be refused: it lands as a duplicate.

The handshake is a GET with ``hub.mode=subscribe`` and the token that was typed in at Meta; the answer
repeats its challenge.
"""

from __future__ import annotations

import hmac
import re

from connectors.collector.webhooks import Answer, Delivery, Keys, Scheme

HEADER = "x-hub-signature-256"
PREFIX = "sha256="

# What we repeat is a stranger's text: short, of letters and digits, and never to be taken for a page.
_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_PLAIN = ((b"content-type", b"text/plain"), (b"x-content-type-options", b"nosniff"))
_REFUSED = Answer(403, b"forbidden", _PLAIN)


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the app secrets signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``bad_signature``.
    """
    given = delivery.headers.get(HEADER)
    if not given:
        return "missing_signature"
    secrets = [secret for secret in keys.secrets if secret]
    if not secrets:
        return "missing_secret"
    genuine = False
    for secret in secrets:
        computed = PREFIX + hmac.digest(_bytes(secret), delivery.body, "sha256").hex()
        genuine |= hmac.compare_digest(computed.encode(), _bytes(given))
    return None if genuine else "bad_signature"


def greet(delivery: Delivery, keys: Keys) -> Answer | None:
    """Return the challenge to who names our token, 403 to any other GET; None for what is no GET."""
    if delivery.method != "GET":
        return None
    token = delivery.query.get("hub.verify_token", "")
    challenge = delivery.query.get("hub.challenge", "")
    known = hmac.compare_digest(_bytes(token), _bytes(keys.verify_token or "")) and bool(keys.verify_token)
    subscribes = delivery.query.get("hub.mode") == "subscribe"
    if not (known and subscribes and _CHALLENGE.fullmatch(challenge)):
        return _REFUSED
    return Answer(200, challenge.encode(), _PLAIN)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


SCHEME = Scheme("meta", verify, greet)
