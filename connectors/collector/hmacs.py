"""HMACs as services write them, compared in constant time."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import Literal

Encoding = Literal["hex", "base64"]
Algorithm = Literal["sha1", "sha256", "sha512"]


def written(
    secret: str, message: bytes, algorithm: Algorithm = "sha256", encoding: Encoding = "hex"
) -> bytes:
    """Return the HMAC of a message as text: small hexadecimal digits, or base64.

    >>> written("key", b"The quick brown fox jumps over the lazy dog")[:16]
    b'f7bc83f430538424'
    """
    computed = hmac.digest(as_bytes(secret), message, algorithm)
    return base64.b64encode(computed) if encoding == "base64" else computed.hex().encode()


def is_signed(
    secrets: Iterable[str],
    given: Iterable[str],
    message: bytes,
    algorithm: Algorithm = "sha256",
    encoding: Encoding = "hex",
) -> bool:
    """Say whether any of the secrets gives any of the signatures; secrets without a character never do.

    The texts are compared, not the bytes that they stand for: one HMAC has one spelling.
    """
    signatures = [as_bytes(signature) for signature in given]
    genuine = False
    for secret in filter(None, secrets):
        computed = written(secret, message, algorithm, encoding)
        for signature in signatures:
            genuine |= hmac.compare_digest(computed, signature)
    return genuine


def as_bytes(text: str) -> bytes:
    """Return a text as bytes, whatever a stranger's header may hold."""
    return text.encode("utf-8", "surrogatepass")
