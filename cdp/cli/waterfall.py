"""The weights of a pair as a waterfall: one line per comparison level, from the prior to the match weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cdp.cli.terminal import printable

COLUMNS: Final = 80
_LABEL: Final = 33
_BAR: Final = 28
_PRIOR: Final = "prior"
_GAIN, _LOSS, _EMPTY = "█", "▒", " "


@dataclass(frozen=True)
class Bar:
    """A comparison level with its weight in bits."""

    comparison: str
    level: str
    weight: float

    @property
    def label(self) -> str:
        """What is compared, and what came of it."""
        return f"{self.comparison}: {self.level}" if self.level else self.comparison


def ordered(bars: Sequence[Bar]) -> list[Bar]:
    """Return the prior first, then what speaks for one person, then what speaks against it."""
    return sorted(bars, key=lambda bar: (bar.comparison != _PRIOR, -bar.weight, bar.comparison))


def probability(weight: float) -> float:
    """Return the match probability of a weight in bits, prior included.

    >>> probability(0.0), round(probability(10.0), 4)
    (0.5, 0.999)
    """
    odds = math.exp2(max(-60.0, min(60.0, weight)))
    return odds / (1.0 + odds)


def chance(value: float) -> str:
    """Return a probability as a person reads it: never rounded to certainty.

    >>> chance(0.5), chance(0.99997), chance(1.0 - 1e-9)
    ('50.0%', '99.997%', 'over 99.999%')
    """
    if value > 0.99999:
        return "over 99.999%"
    if value < 0.00001:
        return "under 0.001%"
    return f"{value:.3%}" if not 0.001 <= value <= 0.999 else f"{value:.1%}"


def lines(bars: Sequence[Bar], *, columns: int = COLUMNS) -> Iterator[str]:
    """Yield one line per bar: label, bar on the scale of the running total, weight, running total.

    >>> for line in lines([Bar("prior", "", -4.0), Bar("email", "same", 9.0)], columns=60):
    ...     print(line)
    prior            ▒▒▒▒▒▒▒▒▒▒▒▒                    -4.0   -4.0
    email: same      ████████████████████████████    +9.0   +5.0
    """
    width = max(8, min(_LABEL, columns - _BAR - 16))
    steps = ordered(bars)
    totals = [0.0]
    for bar in steps:
        totals.append(totals[-1] + bar.weight)
    low, high = min(totals), max(totals)
    scale = _BAR / (high - low) if high > low else 0.0
    for bar, before, after in zip(steps, totals, totals[1:], strict=False):
        start, end = sorted((round((before - low) * scale), round((after - low) * scale)))
        drawn = _EMPTY * start + (_GAIN if bar.weight >= 0 else _LOSS) * max(end - start, 1)
        label = printable(bar.label)
        label = label if len(label) <= width else label[: width - 1] + "…"
        yield f"{label:<{width}} {drawn[: _BAR + 1]:<{_BAR + 1}} {bar.weight:>+6.1f} {after:>+6.1f}"


def verdict(bars: Sequence[Bar]) -> str:
    """Say what the weights come to."""
    total = sum(bar.weight for bar in bars)
    return f"match weight {total:+.1f} bits: {chance(probability(total))} likely to be one person"
