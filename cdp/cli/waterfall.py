"""The weights of a pair as a waterfall: one line per comparison level, from the prior to the match weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cdp.cli.terminal import printable
from warehouse.weights import Bar, bars, chance, ordered, running, verdict

__all__ = ["COLUMNS", "Bar", "bars", "chance", "lines", "verdict"]

COLUMNS: Final = 80
_LABEL: Final = 33
_BAR: Final = 28
_GAIN, _LOSS, _EMPTY = "█", "▒", " "


def lines(given: Sequence[Bar], *, columns: int = COLUMNS) -> Iterator[str]:
    """Yield one line per bar: label, bar on the scale of the running total, weight, running total.

    >>> for line in lines([Bar("prior", "", -4.0), Bar("email", "same", 9.0)], columns=60):
    ...     print(line)
    prior            ▒▒▒▒▒▒▒▒▒▒▒▒                    -4.0   -4.0
    email: same      ████████████████████████████    +9.0   +5.0
    """
    width = max(8, min(_LABEL, columns - _BAR - 16))
    steps = list(running(ordered(given)))
    totals = [0.0, *(after for _, _, after in steps)]
    low, high = min(totals), max(totals)
    scale = _BAR / (high - low) if high > low else 0.0
    for bar, before, after in steps:
        start, end = sorted((round((before - low) * scale), round((after - low) * scale)))
        drawn = _EMPTY * start + (_GAIN if bar.weight >= 0 else _LOSS) * max(end - start, 1)
        label = printable(bar.label)
        label = label if len(label) <= width else label[: width - 1] + "…"
        yield f"{label:<{width}} {drawn[: _BAR + 1]:<{_BAR + 1}} {bar.weight:>+6.1f} {after:>+6.1f}"
