"""Names derived from content: envelope ids, file names, fingerprints."""

from __future__ import annotations

import hashlib

CUSTOMER_ID_DIGITS = 8


def fingerprint(payload: bytes) -> bytes:
    """Return the first 16 bytes of the payload's SHA-256: what tells a revision from a duplicate.

    >>> fingerprint(b"{}").hex()
    '44136fa355b3678a1146ad16f7e8649e'
    """
    return hashlib.sha256(payload).digest()[:16]


def content_event_id(canonical: bytes, occurrence: int) -> str:
    """Return the id of an envelope whose source gives none.

    ``occurrence`` counts equal payloads within their file from 0, so that equal lines of one
    invoice all count, and the same file landed twice gives the same ids.

    >>> content_event_id(b"{}", 0) == content_event_id(b"{}", 1)
    False
    """
    return hashlib.sha256(canonical + b"\x00" + str(occurrence).encode()).hexdigest()


def sha16(source: str, fingerprints: bytes) -> str:
    """Return the name of a landed file: a hash over the source and its payloads' fingerprints in order.

    >>> sha16("web", fingerprint(b"{}"))
    'c70c3d893dd4badf'
    """
    return hashlib.sha256(source.encode() + b"\x00" + fingerprints).hexdigest()[:16]


def customer_id(number: int) -> str:
    """Return the public id for a number of the ledger's sequence.

    >>> customer_id(42)
    'C00000042'
    """
    return f"C{number:0{CUSTOMER_ID_DIGITS}d}"
