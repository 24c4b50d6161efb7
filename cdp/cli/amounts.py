"""Amounts as people read them: spans of time, bytes, shares."""

from __future__ import annotations

from typing import Final

_SPANS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_SIZES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
NOTHING: Final = "·"


def span(seconds: float) -> str:
    """Return a span of time in its largest unit.

    >>> span(0.42), span(75), span(7_200), span(200_000), span(-90)
    ('0.4 s', '1 min', '2 h', '2.3 d', '-1 min')
    """
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    length, unit = next(((length, unit) for length, unit in _SPANS if seconds >= length), (1.0, "s"))
    amount = seconds / length
    small = unit in ("s", "d") and amount < 10
    shown = f"{amount:.1f}".removesuffix(".0") if small else f"{int(amount):,}"
    return f"{sign}{shown} {unit}"


def size(count: float) -> str:
    """Return a number of bytes.

    >>> size(512), size(1_250_000)
    ('512 bytes', '1.2 MB')
    """
    length, unit = next(((length, unit) for length, unit in _SIZES if count >= length), (1.0, "bytes"))
    return f"{count / length:.1f} {unit}" if unit != "bytes" else f"{count:,.0f} bytes"


def share(part: float, whole: float) -> str:
    """Return a share in per cent; of nothing, or none of it, a dot.

    >>> share(1, 3), share(1, 100_000), share(0, 5), share(0, 0)
    ('33.3%', '<0.1%', '·', '·')
    """
    if not part or not whole:
        return NOTHING
    percent = 100 * part / whole
    return f"{percent:.1f}%" if percent >= 0.05 else "<0.1%"


def number(count: int) -> str:
    """Return a count; of none a dot."""
    return f"{count:,}" if count else NOTHING


def counted(count: int, word: str) -> str:
    """Return a count with its word.

    >>> counted(1, "segment"), counted(2_000, "request")
    ('1 segment', '2,000 requests')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"
