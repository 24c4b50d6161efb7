"""Parts that schemes of signatures share: one reading of base64 and JSON, and how old a signed time may be."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from cdp.settings.base import duration
from cdp.settings.collecting import SignatureSettings

CLOCKS: Final = 300.0
"""Seconds by which the clock of a service may be ahead of ours."""


def from_base64(text: str) -> bytes | None:
    """Return the bytes of base64; None where another spelling of the same bytes was meant to be read.

    A change of the unused bits behind the last byte, of blanks or of padding is a change of the signature.

    >>> from_base64("aGk="), from_base64("aGl="), from_base64("aGk")
    (b'hi', None, None)
    """
    try:
        written = text.encode("ascii")
        found = base64.b64decode(written, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    return found if base64.b64encode(found) == written else None


def one_reading(body: bytes) -> Any | None:
    """Return the value of a JSON document; None where it is none, or could be read in two ways.

    Of a name that an object has twice one reader takes the first value and another the last: what was
    verified might not be what is used.

    >>> one_reading(b'{"a": [1, null]}'), one_reading(b'{"a": 1, "a": 2}'), one_reading(b"NaN")
    ({'a': [1, None]}, None, None)
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError(constant)


def unix_seconds(text: str) -> float | None:
    """Return a time in Unix seconds as text; None where it is none.

    >>> unix_seconds("1772445600"), unix_seconds("-1"), unix_seconds("1e9")
    (1772445600.0, None, None)
    """
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def tolerated(settings: SignatureSettings, tried_for: float = 0.0) -> float:
    """Return how old a signed time may be, in seconds.

    ``tried_for`` is for how long a service may try a delivery again under the signature of its first try:
    unless the source's own ``tolerance:`` says otherwise, that time comes on top.
    """
    allowed = duration(settings.tolerance).total_seconds()
    return allowed if "tolerance" in settings.model_fields_set else allowed + tried_for


def refused_for_age(signed_at: float, received: float, tolerance: float) -> str | None:
    """Return why a time of signing is refused, or None.

    >>> refused_for_age(1000.0, 1290.0, 300.0), refused_for_age(1000.0, 1301.0, 300.0)
    (None, 'stale_timestamp')
    >>> refused_for_age(2000.0, 1000.0, 300.0)
    'future_timestamp'
    """
    if received - signed_at > tolerance:
        return "stale_timestamp"
    return "future_timestamp" if signed_at - received > CLOCKS else None
