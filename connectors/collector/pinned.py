"""One small document from one known host: what schemes fetch if, and only if, ``cdp.yaml`` allows it.

HTTPS alone, verified as the system verifies; no redirect is followed, and both size and time are bounded.
"""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 5.0
BYTES: Final = 64 * 1024


class UnreachableError(Exception):
    """The document could not be had; the text says why, without what a stranger wrote."""


def fetch(url: str, *, seconds: float = SECONDS, limit: int = BYTES) -> bytes:
    """Return the body of a GET that is answered by 200; else raise :class:`UnreachableError`.

    The caller has made sure that the address is one of a host that it trusts.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        raise UnreachableError("not an address of HTTPS")
    until = time.monotonic() + seconds
    connection = http.client.HTTPSConnection(
        parts.hostname, timeout=seconds, context=ssl.create_default_context()
    )
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise UnreachableError(f"answered by {response.status}")
        return _read(connection, response, until, limit)
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        raise UnreachableError(type(error).__name__) from error
    finally:
        connection.close()


def _read(
    connection: http.client.HTTPSConnection, response: http.client.HTTPResponse, until: float, limit: int
) -> bytes:
    found = b""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise UnreachableError("too slow")
        if connection.sock is not None:
            connection.sock.settimeout(left)
        piece = response.read1(limit + 1 - len(found))
        if not piece:
            return found
        found += piece
        if len(found) > limit:
            raise UnreachableError("too long")
