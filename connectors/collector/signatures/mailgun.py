"""Mailgun: HMAC-SHA256 of a time and a random token, all of which stand in the body.

Source: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks: in JSON the member
``signature`` has ``timestamp``, ``token``, ``signature`` and, for events of a subaccount, ``parent-signature``;
a form has fields of these names. The key is the *HTTP webhook signing key*.

**Mailgun does not sign what it says.** Who once sees a delivery could send any other body under its
signature. Mailgun's page therefore advises to honour each token once. But it also tries a delivery again, up
to 8 hours after the first time (5, 10, 15 minutes, 1, 2, 4 hours), does not promise to sign it anew, and
those who receive it report the same token. So a token is good for as long as that, and only for the body
that first came with it: the same again is a retry, and a duplicate at most; another body is refused as
``replayed_token``. Bodies are compared by what they say, since the boundary of a form may differ.

Tokens are remembered in memory, the newest 65,536 of them, and forgotten when the collector ends.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import operator
import threading
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from connectors import form_items
from connectors.collector.signing import CLOCKS, one_reading, refused_for_age, tolerated, unix_seconds
from connectors.collector.webhooks import Delivery, Keys, Scheme

TRIED_FOR: Final = 8 * 3600.0
TOKENS: Final = 65_536
_MAX_TEXT: Final = 200


class Signed(NamedTuple):
    """What a body says of its signature, and the SHA-256 of all that it says."""

    timestamp: str
    token: str
    signatures: tuple[str, ...]
    content: bytes


class TokenMemory:
    """Which content came with a token first; bounded, and safe to share between threads.

    >>> memory = TokenMemory(capacity=2)
    >>> memory.admits(b"t1", b"body", now=0.0, until=10.0), memory.admits(b"t1", b"body", now=1.0, until=10.0)
    (True, True)
    >>> memory.admits(b"t1", b"another body", now=2.0, until=10.0)
    False
    """

    def __init__(self, capacity: int = TOKENS) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def admits(self, token: bytes, content: bytes, *, now: float, until: float) -> bool:
        """Remember a token's content until a time; return False where it came with another one."""
        with self._lock:
            while self._seen and self._oldest() < now:
                self._seen.popitem(last=False)
            _, known = self._seen.setdefault(token, (until, content))
            if len(self._seen) > self._capacity:
                self._seen.popitem(last=False)
        return hmac.compare_digest(known, content)

    def _oldest(self) -> float:
        return next(iter(self._seen.values()))[0]


_MEMORY: Final = TokenMemory()


def verify(delivery: Delivery, keys: Keys, memory: TokenMemory = _MEMORY) -> str | None:
    """Return None for a delivery that one of the keys signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``bad_timestamp``, ``bad_signature``,
    ``stale_timestamp``, ``future_timestamp``, ``replayed_token``.
    """
    signed = read_signature(delivery.body)
    if signed is None:
        return "missing_signature"
    secrets = [secret for secret in keys.secrets if secret]
    if not secrets:
        return "missing_secret"
    signed_at = unix_seconds(signed.timestamp)
    if signed_at is None:
        return "bad_timestamp"
    if not _genuine(signed, secrets):
        return "bad_signature"
    allowed = tolerated(keys.settings, TRIED_FOR)
    problem = refused_for_age(signed_at, delivery.received, allowed)
    if problem is not None:
        return problem
    token = hashlib.sha256(_bytes(signed.timestamp + signed.token)).digest()[:16]
    until = signed_at + allowed + CLOCKS
    is_known = memory.admits(token, signed.content, now=delivery.received, until=until)
    return None if is_known else "replayed_token"


def _genuine(signed: Signed, secrets: list[str]) -> bool:
    genuine = False
    for secret in secrets:
        computed = hmac.digest(_bytes(secret), _bytes(signed.timestamp + signed.token), "sha256").hex()
        for given in signed.signatures:
            genuine |= hmac.compare_digest(computed.encode(), _bytes(given))
    return genuine


def read_signature(body: bytes) -> Signed | None:
    """Return the signature in a body, JSON or form; None where there is none."""
    form = form_items.fields(body)
    if form is not None:
        parts = [(field.name, field.filename, _sha256(field.value).hex()) for field in form]
        parts.sort(key=operator.itemgetter(0))  # of several of one name the order tells which counts
        return _signed(form_items.last_values(form), _sha256(json.dumps(parts).encode()))
    document = one_reading(body)
    if not isinstance(document, dict):
        return None
    inner = document.get("signature")
    content = _sha256(json.dumps(document, sort_keys=True).encode())
    return _signed(inner if isinstance(inner, dict) else document, content)


def _signed(values: dict[str, Any], content: bytes) -> Signed | None:
    timestamp, token = values.get("timestamp"), values.get("token")
    timestamp = str(timestamp) if isinstance(timestamp, int) else timestamp
    named = (values.get("signature"), values.get("parent-signature"))
    signatures = tuple(text for text in named if isinstance(text, str) and text)
    if not isinstance(timestamp, str) or not isinstance(token, str) or not signatures or not token:
        return None
    if max(map(len, (timestamp, token, *signatures))) > _MAX_TEXT:
        return None
    return Signed(timestamp, token, signatures, content)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


SCHEME = Scheme("mailgun", verify)
