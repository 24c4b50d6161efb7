"""Any HMAC that ``signature:`` of the source describes: header, hash, how it is written, what is signed.

``signed`` is a template of what the service signs: ``{body}`` is the body as it came, ``{timestamp}`` the text
of ``timestamp_header``, ``{url}`` the address that the service was given, ``{method}`` the request's. The header
may hold several signatures, parted by commas or blanks; those that begin with ``prefix`` count. Where the time
stands in that header, too (``t=1772445600,v1=...``), ``timestamp_header`` names the same one.

How GitHub, Slack, Calendly, HubSpot and others are written in these words: docs/how-to/add-a-webhook-source.md.
"""

from __future__ import annotations

import re
from typing import Final

from cdp.settings.collecting import SignatureSettings
from connectors.collector.hmacs import as_bytes, is_signed
from connectors.collector.signing import refused_for_age, tolerated, unix_seconds
from connectors.collector.webhooks import Delivery, Keys, Scheme

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_BETWEEN: Final = re.compile(r"[,\s]+")
_TIME: Final = "t="
_MOST_PARTS: Final = 32
_MILLISECONDS: Final = 13
"""Digits of a time in milliseconds, as HubSpot gives it."""


def verify(delivery: Delivery, keys: Keys) -> str | None:
    """Return None for a delivery that one of the secrets signed, else why it is refused.

    Reasons: ``missing_signature``, ``missing_secret``, ``missing_timestamp``, ``bad_timestamp``,
    ``bad_signature``, ``stale_timestamp``, ``future_timestamp``.
    """
    settings = keys.settings
    signatures = _signatures(delivery, settings)
    if not signatures:
        return "missing_signature"
    if not any(keys.secrets):
        return "missing_secret"
    timestamp = _timestamp(delivery, settings)
    signed_at = None
    if settings.timestamp_header:
        if not timestamp:
            return "missing_timestamp"
        signed_at = _seconds(timestamp)
        if signed_at is None:
            return "bad_timestamp"
    message = _message(settings.signed, delivery, timestamp)
    if not is_signed(keys.secrets, signatures, message, settings.algorithm, settings.encoding):
        return "bad_signature"
    return None if signed_at is None else refused_for_age(signed_at, delivery.received, tolerated(settings))


def _parts(value: str) -> list[str]:
    parts = [part for part in _BETWEEN.split(value) if part]
    return parts if len(parts) <= _MOST_PARTS else []


def _signatures(delivery: Delivery, settings: SignatureSettings) -> list[str]:
    """Return the signatures of the header, as the digits would be written here."""
    value = delivery.headers.get((settings.header or "").lower(), "")
    found = [part.removeprefix(settings.prefix) for part in _parts(value) if part.startswith(settings.prefix)]
    if settings.encoding == "hex":
        return [text.lower() if text.isupper() else text for text in found if text]
    return [text for text in found if text]


def _timestamp(delivery: Delivery, settings: SignatureSettings) -> str:
    name = (settings.timestamp_header or "").lower()
    value = delivery.headers.get(name, "").strip() if name else ""
    times = [part.removeprefix(_TIME) for part in _parts(value) if part.startswith(_TIME)]
    return times[0] if len(times) == 1 else value


def _seconds(text: str) -> float | None:
    if len(text) == _MILLISECONDS and text.isascii() and text.isdigit():
        return int(text) / 1000
    return unix_seconds(text)


def _message(template: str, delivery: Delivery, timestamp: str) -> bytes:
    """Return what was signed, in bytes: a body is no text.

    Names that are no placeholder stand for themselves (``cdp config check`` complains of them).
    """
    values = {
        "body": delivery.body,
        "timestamp": as_bytes(timestamp),
        "url": as_bytes(delivery.url),
        "method": as_bytes(delivery.method),
    }
    pieces = _PLACEHOLDER.split(template)  # text, name, text, name ... text
    return b"".join(
        values.get(piece, as_bytes("{" + piece + "}")) if n % 2 else as_bytes(piece)
        for n, piece in enumerate(pieces)
    )


SCHEME = Scheme("hmac", verify)
