"""A shared secret in a header: ``Authorization: Bearer <secret>``, or as it stands in ``signature.header``.

For services that sign nothing but let one choose a header. It protects a delivery only over TLS, and says nothing
of its body or its age; what comes twice is a duplicate by its ids. Source of the default: RFC 6750, section 2.1.
"""

from __future__ import annotations

import hashlib
import hmac

from connectors.collector.hmacs import as_bytes
from connectors.collector.webhooks import Delivery, Keys, Scheme

_DEFAULT_HEADER = "authorization"
_BEARER = "bearer "


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that names one of the secrets, else why it is refused.

    Reasons: ``missing_credentials``, ``missing_secret``, ``bad_credentials``.
    """
    given = _given(delivery, keys)
    if not given:
        return "missing_credentials"
    if not any(keys.secrets):
        return "missing_secret"
    known = False
    for secret in filter(None, keys.secrets):
        for spelling in _spellings(given):
            known |= hmac.compare_digest(_digest(spelling), _digest(as_bytes(secret)))
    return None if known else "bad_credentials"


def _given(delivery: Delivery, keys: Keys) -> str:
    """Return the secret that the delivery names, or nothing."""
    header, prefix = keys.settings.header, keys.settings.prefix
    value = delivery.headers.get((header or _DEFAULT_HEADER).lower(), "")
    if prefix:
        return value.removeprefix(prefix) if value.startswith(prefix) else ""
    if header is None or header.lower() == _DEFAULT_HEADER:
        return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else ""
    return value


def _spellings(text: str) -> tuple[bytes, bytes]:
    """Return the bytes of a header: letters beyond ASCII are read as Latin-1, and were UTF-8 mostly."""
    return as_bytes(text), text.encode("latin-1", "replace")


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()  # of one length: comparing tells nothing of the secret's


SCHEME = Scheme("token", verify)
