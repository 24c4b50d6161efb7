"""Names, places and days for made-up people: as many and as skewed as real ones, made from parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]
Rng = np.random.Generator
DOMAINS = (
    "gmail.com", "yahoo.com", "hotmail.com", "icloud.com", "outlook.com", "aol.com", "proton.me", "gmx.net",
    "mail.org", "fastmail.org",
)  # fmt: skip
_GIVEN, _SURNAMES, _CITIES, _STREETS = 3_000, 120_000, 12_000, 30_000
_REGIONS = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
).split()
_ONSETS = "B Br C Ch Cl D Dr F Fl G Gr H J K Kr L M N P Pr R S Sh St T Th Tr V W Y Z".split()
_VOWELS = "a e i o u ai ea ou".split()
_CODAS = "l n r s t m ck ld ll nd rd rt ss th x".split()
_ENDS = {
    "given": "a ah an en ia ie in is on y".split(),
    "surname": "berg by der er ers field ford ham inger ke ley man mann ner ov sen ski son stein ston ton wood".split(),
    "city": "borough burg bury dale field ford ham haven mouth port ton view ville wick".split(),
    "street": "brook crest dale field gate grove hill lake mill ridge stone view wood worth".split(),
}
_STREET_KINDS = (
    ("Street", "Avenue", "Road", "Drive", "Lane", "Court", "Boulevard"),
    ("St", "Ave", "Rd", "Dr", "Ln", "Ct", "Blvd"),
)


@dataclass(frozen=True)
class Days:
    """Days of birth in three formats."""

    iso: pa.Array
    american: pa.Array
    worded: pa.Array

    def __len__(self) -> int:
        return len(self.iso)


def _days() -> Days:
    days = [date(1932, 1, 1) + timedelta(days=i) for i in range(365 * 74)]
    return Days(
        pa.array([day.isoformat() for day in days]),
        pa.array([f"{day:%m/%d/%Y}" for day in days]),
        pa.array([f"{day:%d %b %Y}" for day in days]),
    )


DAYS = _days()


@dataclass(frozen=True)
class Vocabulary:
    """Words by code, the commonest first; ``short`` is NULL where a given name has no short form."""

    given: pa.Array
    short: pa.Array
    plain_given: pa.Array
    surnames: pa.Array
    plain_surnames: pa.Array
    cities: pa.Array
    streets: pa.Array
    regions: pa.Array
    street_kinds: tuple[pa.Array, pa.Array]
    pairs: pa.Array
    cumulative: dict[str, npt.NDArray[np.float64]]

    def _draw(self, kind: str, rng: Rng, count: int) -> Rows:
        return np.searchsorted(self.cumulative[kind], rng.random(count)).astype(np.int64)

    def given_name(self, rng: Rng, count: int) -> Rows:
        """Draw codes of given names."""
        return self._draw("given", rng, count)

    def surname(self, rng: Rng, count: int) -> Rows:
        """Draw codes of surnames."""
        return self._draw("surname", rng, count)

    def city(self, rng: Rng, count: int) -> Rows:
        """Draw codes of cities."""
        return self._draw("city", rng, count)

    def street(self, rng: Rng, count: int) -> Rows:
        """Draw codes of streets."""
        return self._draw("street", rng, count)

    def tail(self, number: Rows) -> pa.Array:
        """Write a number below 2**31 as six letters and digits, different for different numbers."""
        base = len(self.pairs)
        parts = [self.pairs.take(pa.array(number // base**power % base)) for power in (2, 1, 0)]
        return pc.binary_join_element_wise(*parts, "")


@cache
def vocabulary() -> Vocabulary:
    """Make the words; the same ones every time."""
    from cdp.demo.names import given_names

    known = [name for sex in "mf" for name in given_names("en", sex)]
    taken = {name.latin for name in known}
    more = [word for word in _words("given", 2 * _GIVEN) if word not in taken][: _GIVEN - len(known)]
    given = [name.latin for name in known] + more
    short = [name.short[0] if name.short else None for name in known] + [None] * len(more)
    surnames, cities, streets = (
        _words("surname", _SURNAMES), _words("city", _CITIES), _words("street", _STREETS)
    )  # fmt: skip
    signs = "abcdefghijklmnopqrstuvwxyz0123456789"
    counts = {
        "given": (len(given), 0.95),
        "surname": (_SURNAMES, 0.85),
        "city": (_CITIES, 0.75),
        "street": (_STREETS, 0.6),
    }
    return Vocabulary(
        given=pa.array(given),
        short=pa.array(short, pa.string()),
        plain_given=pc.utf8_lower(pa.array(given)),
        surnames=pa.array(surnames),
        plain_surnames=pc.utf8_lower(pa.array(surnames)),
        cities=pa.array(cities),
        streets=pa.array(streets),
        regions=pa.array(_REGIONS),
        street_kinds=(pa.array(_STREET_KINDS[0]), pa.array(_STREET_KINDS[1])),
        pairs=pa.array([a + b for a, b in product(signs, signs)]),
        cumulative={kind: _zipf(size, exponent) for kind, (size, exponent) in counts.items()},
    )


def _words(kind: str, count: int) -> list[str]:
    """Different words, put together from parts in a fixed shuffled order."""
    ends = _ENDS[kind]
    short = [a + b + end for a, b, end in product(_ONSETS, _VOWELS, ends)]
    long = [a + b + c + end for a, b, c, end in product(_ONSETS, _VOWELS, _CODAS, ends)]
    every = list(dict.fromkeys(short + long))
    order = np.random.default_rng(17).permutation(len(every))
    found = [every[i] for i in order[:count]]
    number = 0
    while len(found) < count:  # double-barrelled, where parts do not suffice
        found.append(f"{every[number % len(every)]}-{every[(number * 7 + 3) % len(every)]}")
        number += 1
    return found


def _zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """Cumulative shares that fall with the rank (Zipf 1949, flattened at the top as names are)."""
    weights = (np.arange(count) + 6.0) ** -exponent
    return np.asarray(np.cumsum(weights) / weights.sum() * (1 + 1e-12))
