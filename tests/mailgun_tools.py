"""Signatures of Mailgun for tests, computed as its documentation says, by HMAC as its standard says."""

from __future__ import annotations

import hashlib

SECRET = "key-a-webhook-signing-key"
NOW = 1772445600
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


def hmac_sha256(key: bytes, message: bytes) -> str:
    """HMAC by its definition (RFC 2104), so that the tests do not repeat the code that they test."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


def signature(token: str = TOKEN, at: int = NOW, secret: str = SECRET) -> dict[str, str]:
    """What documentation.mailgun.com, Securing Webhooks, describes."""
    return {
        "timestamp": str(at),
        "token": token,
        "signature": hmac_sha256(secret.encode(), f"{at}{token}".encode()),
    }
