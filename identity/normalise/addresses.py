"""Postal addresses: house number, street, unit, and the locality inside a one-line address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from identity.normalise.text import fold, is_missing, words

_TYPES = {
    "street": "st",
    "st": "st",
    "str": "st",
    "strasse": "st",
    "avenue": "av",
    "ave": "av",
    "av": "av",
    "road": "rd",
    "rd": "rd",
    "drive": "dr",
    "dr": "dr",
    "lane": "ln",
    "ln": "ln",
    "court": "ct",
    "ct": "ct",
    "crt": "ct",
    "boulevard": "bd",
    "blvd": "bd",
    "place": "pl",
    "pl": "pl",
    "square": "sq",
    "sq": "sq",
    "terrace": "tce",
    "tce": "tce",
    "ter": "tce",
    "crescent": "cr",
    "cres": "cr",
    "cr": "cr",
    "circuit": "cct",
    "cct": "cct",
    "circle": "cir",
    "cir": "cir",
    "way": "wy",
    "wy": "wy",
    "parkway": "pkwy",
    "pkwy": "pkwy",
    "highway": "hwy",
    "hwy": "hwy",
    "close": "cl",
    "cl": "cl",
    "grove": "gr",
    "gr": "gr",
    "trail": "trl",
    "trl": "trl",
    "ulitsa": "ul",
    "ul": "ul",
    "rue": "rue",
    "via": "via",
    "calle": "calle",
    "plaza": "pz",
    "pz": "pz",
    "esplanade": "esp",
    "loop": "loop",
}
_DIRECTIONS = {
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}
_SPELLED = {
    word: str(number)
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), start=1
    )
}
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_UNIT = re.compile(
    r"(?:\b(?:apt|apartment|unit|suite|ste|flat|room|rm|floor|fl|appt|penthouse|bldg|building|bld)\b\.?|#)\s*#?\s*([0-9]+[a-z]?|[a-z]\b|)"
)
_BOX = re.compile(r"\bp\s*\.?\s*o\s*\.?\s*box\s*(\d+)")
_NUMBER = re.compile(r"\b(\d+)\s?([a-z])?\b")
_POSTCODES = (
    re.compile(r"\b(\d{5})(?:-?\d{4})?\s*$"),
    re.compile(r"\b([a-z]{1,2}\d[a-z0-9]?\s*\d[a-z]{2})\b"),
    re.compile(r"\b([a-z]\d[a-z]\s*\d[a-z]\d)\b"),
    re.compile(r"\b(\d{5,6})\b(?!\s+[a-z])"),
)


@dataclass(frozen=True)
class Address:
    """House number, street without its type, and what else a one-line address holds.

    Empty texts where absent.
    """

    number: str = ""
    street: str = ""
    rest: str = ""
    postcode: str = ""


def postcode(value: str) -> str:
    """Postcode without blanks; nine-digit US codes lose their last four digits.

    >>> postcode("85975-1414"), postcode("M1S 1T4"), postcode("927230000")
    ('85975', 'm1s1t4', '92723')
    """
    if is_missing(value):
        return ""
    code = words(value).replace(" ", "")
    return code[:5] if code.isdigit() and len(code) == 9 else code


def place(value: str) -> str:
    """Fold the name of a city, region or country.

    >>> place("Saint-Étienne"), place("St. Etienne")
    ('st etienne', 'st etienne')
    """
    if is_missing(value):
        return ""
    text = words(value)
    return "st " + text[6:] if text.startswith("saint ") else text


def _street_tokens(text: str) -> tuple[str, str]:
    found = _NUMBER.search(text)
    number = (found[1].lstrip("0") or "0") if found else ""
    if found:
        text = text[: found.start()] + " " + text[found.end() :]
    text = _ORDINAL.sub(r"\1", text)
    tokens = [_SPELLED.get(t, _DIRECTIONS.get(t, t)) for t in words(text).split()]
    tokens = [
        t[: -len(tail)] if t.endswith(tail) and len(t) > len(tail) + 2 else t
        for t in tokens
        for tail in ("strasse",)
    ]
    core = [t for place_, t in enumerate(tokens) if t not in _TYPES or (place_ == 0 and len(tokens) == 1)]
    core = [t for t in core if len(t) > 1 or t.isdigit() or len(core) == 1] or core
    return number, " ".join(core)


@lru_cache(maxsize=65536)
def parse_address(value: str) -> Address:
    """Split one line into number, street and what follows; the unit is dropped.

    >>> parse_address("2243 Garza Rd Apt 11")
    Address(number='2243', street='garza', rest='', postcode='')
    >>> parse_address("638 Downey St, Salem, OR 97301")
    Address(number='638', street='downey', rest='salem or', postcode='97301')
    """
    if is_missing(value):
        return Address()
    text = fold(value)
    box = _BOX.search(text)
    if box:
        return Address(number=box[1], street="po box")
    text = _UNIT.sub(" ", text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) <= 1:
        number, street = _street_tokens(text)
        return Address(number, street)
    chosen = next(
        (i for i, part in enumerate(parts) if re.search(r"\d", part) and re.search(r"[a-z]{3}", part)), 0
    )
    tail = " ".join(parts[:chosen] + parts[chosen + 1 :])
    code = ""
    for pattern in _POSTCODES:
        found = pattern.search(tail)
        if found:
            code = postcode(found[1])
            tail = tail[: found.start()] + " " + tail[found.end() :]
            break
    number, street = _street_tokens(parts[chosen])
    return Address(number, street, words(tail), code)
