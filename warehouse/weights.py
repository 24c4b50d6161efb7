"""The weights of evidence, told to people: comparison levels as bars, a probability that is never certainty."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

PRIOR: Final = "prior"
_WORDS: Final = {"phone": "phone number", "e-mail": "e-mail address", "email": "e-mail address"}


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


def bars(levels: str | None) -> list[Bar]:
    """Return the levels of an edge, as the release holds them, prior first.

    >>> bars('[{"comparison": "surname", "level": "same", "weight": 5.25}]')
    [Bar(comparison='surname', level='same', weight=5.25)]
    """
    return ordered([Bar(part["comparison"], part["level"] or "", part["weight"]) for part in parts(levels)])


def parts(levels: str | None) -> list[dict[str, Any]]:
    """Return the comparisons of an edge: comparison, level, weight; none of what cannot be read.

    >>> parts(None), parts("***")
    ([], [])
    """
    try:
        found: Any = json.loads(levels) if levels else []
    except json.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []


def ordered(given: Sequence[Bar]) -> list[Bar]:
    """Return the prior first, then what speaks for one person, then what speaks against it."""
    return sorted(given, key=lambda bar: (bar.comparison != PRIOR, -bar.weight, bar.comparison))


def running(steps: Sequence[Bar]) -> Iterator[tuple[Bar, float, float]]:
    """Yield each bar with the total before it and after it.

    >>> list(running([Bar("prior", "", -4.0), Bar("email", "same", 9.0)]))[1][1:]
    (-4.0, 5.0)
    """
    totals = list(accumulate((bar.weight for bar in steps), initial=0.0))
    yield from zip(steps, totals, totals[1:], strict=False)


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


def verdict(given: Sequence[Bar]) -> str:
    """Say what the weights come to."""
    total = sum(bar.weight for bar in given)
    return f"match weight {total:+.1f} bits: {chance(probability(total))} likely to be one person"


def word(comparison: str) -> str:
    """Say what a comparison compares; identifiers are named by their namespace, as in ``shop (user_id)``.

    >>> word("phone"), word("shop (user_id)"), word("mastodon (handle)")
    ('phone number', 'user id of shop', 'handle of mastodon')
    """
    namespace, bracket, kind = comparison.removesuffix(")").partition(" (")
    of = f" of {namespace}" if namespace != kind else ""
    words = kind + of if bracket else _WORDS.get(comparison, comparison)
    return words.replace("_", " ")
