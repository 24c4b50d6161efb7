"""Deliveries for tests of signatures, and HMAC computed from its definition, apart from what verifies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cdp.settings.collecting import SignatureSettings
from connectors.collector.webhooks import Delivery, Keys, Scheme

NOW = 1_772_445_600.0
URL = "https://events.shop.example/hooks/shop?a=1"


def rfc2104(key: bytes, message: bytes, name: str = "sha256") -> bytes:
    """Return the HMAC of a message by the definition of RFC 2104: H(K xor opad, H(K xor ipad, text))."""
    block = hashlib.new(name).block_size
    key = hashlib.new(name, key).digest() if len(key) > block else key
    padded = key.ljust(block, b"\0")
    inner = hashlib.new(name, bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.new(name, bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def delivery(
    body: bytes, headers: Mapping[str, str], received: float = NOW, method: str = "POST", url: str = URL
) -> Delivery:
    return Delivery(method, url, {}, {name.lower(): value for name, value in headers.items()}, body, received)


def keys(*secrets: str, **settings: Any) -> Keys:
    return Keys(secrets, SignatureSettings(**settings))


def verdict(
    scheme: Scheme, body: bytes, headers: Mapping[str, str], given: Keys, received: float = NOW
) -> str | None:
    return scheme.verify(delivery(body, headers, received), given)


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Return ``data`` with one bit of one byte changed."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def flipped_text(text: str, at: int, bit: int) -> str:
    """Return a header's text with one bit of one byte changed, read as servers read headers."""
    return flipped(text.encode("latin-1"), at, bit).decode("latin-1")
