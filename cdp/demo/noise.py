"""What people and clerks do to values: typos, short names, formats of numbers and dates, junk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

from cdp.demo.names import Name, fold

T = TypeVar("T")

JUNK_EMAILS: Final = ("test@test.com", "none@none.com", "noemail@noemail.com", "asdf@asdf.com")
JUNK_PHONES: Final = ("0000000000", "1234567890", "+441234567890", "99999999999", "n/a", "unknown")
JUNK_NAMES: Final = (("Test", "Test"), ("Anonymous", ""), ("Unknown", "Customer"), ("xxx", "xxx"))

_NEIGHBOURS: Final = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip

_GROUPS: Final = {
    "GB": (5, 6), "US": (3, 3, 4), "DE": (3, 4, 4), "FR": (1, 2, 2, 2, 2), "PL": (3, 3, 3),
    "ES": (3, 3, 3), "BR": (2, 5, 4), "GR": (3, 3, 4), "UA": (2, 3, 2, 2), "JP": (2, 4, 4),
}  # fmt: skip
_CODES: Final = {
    "GB": "44", "US": "1", "DE": "49", "FR": "33", "PL": "48", "ES": "34", "BR": "55", "GR": "30",
    "UA": "380", "JP": "81",
}  # fmt: skip


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one of the items; cheaper than ``Random.choice`` and stable over Python versions."""
    return items[int(rng.random() * len(items))]


def typo(text: str, rng: Random) -> str:
    """Return the text with one slip of the keyboard (never in its first letter).

    >>> typo("Katharina", Random(3))
    'Kattharina'
    """
    if len(text) < 4:
        return text
    at = 1 + int(rng.random() * (len(text) - 2))
    kind = int(rng.random() * 4)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    near = _NEIGHBOURS.get(text[at].lower())
    return text[:at] + pick(rng, near) + text[at + 1 :] if near else text[:at] + text[at + 1 :]


def email_typo(email: str, rng: Random) -> str:
    """Return a mistyped address; the result is still an address."""
    local, _, domain = email.partition("@")
    if rng.random() < 0.5 and len(local) >= 4:
        return f"{typo(local, rng)}@{domain}"
    host, dot, rest = domain.partition(".")
    return f"{local}@{typo(host, rng)}{dot}{rest}"


def written_email(email: str, rng: Random) -> str:
    """Return the address as people type it: now and then with capitals."""
    roll = rng.random()
    if roll < 0.05:
        return email.upper()
    return ".".join(part.capitalize() for part in email.split(".")) if roll < 0.12 else email


def national(phone: str, country: str) -> str:
    """Return the digits of an E.164 number after the country code."""
    return phone[1 + len(_CODES[country]) :]


def written_phone(phone: str, country: str, rng: Random) -> str:
    """Return an E.164 number as it stands in a form read by a British shop.

    British numbers come in national or international style, foreign ones with ``+`` or ``00``;
    all of them mean the same number to a parser whose default region is GB.
    """
    digits = national(phone, country)
    if country == "GB":
        bound = bisect_right(_BRITISH_BOUNDS, rng.random())
        return _BRITISH[bound].format(
            d=digits, a=digits[:4], b=digits[4:], x=digits[:3], y=digits[3:6], z=digits[6:]
        )
    roll = rng.random()
    if roll < 0.5:
        return phone
    if roll < 0.65:
        return f"00{_CODES[country]}{digits}"
    return f"+{_CODES[country]} {_grouped(digits, country)}"


_BRITISH: Final = ("0{d}", "0{a} {b}", "+44 (0){a} {b}", "0{x}-{y}-{z}", "+44{d}", "+44 {a} {b}")
_BRITISH_BOUNDS: Final = (0.35, 0.60, 0.68, 0.72, 0.90)


def _grouped(digits: str, country: str) -> str:
    parts, at = [], 0
    for length in _GROUPS[country]:
        parts.append(digits[at : at + length])
        at += length
    parts.append(digits[at:])
    return " ".join(part for part in parts if part)


def short_name(given: Name, rng: Random) -> str:
    """Return a nickname where the name has one, else the name itself."""
    return pick(rng, given.short) if given.short else given.native


def plain_name(name: Name, rng: Random, *, latin: bool) -> str:
    """Return a name as a clerk keys it: in Latin letters or not, now and then without accents."""
    if latin:
        return name.latin
    return fold(name.native) if rng.random() < 0.12 and name.native[0] < "ʰ" else name.native


def written_date(iso: str, rng: Random) -> str:
    """Return a birth date as it stands in a CRM: ISO mostly, else day first."""
    year, month, day = iso.split("-")
    roll = rng.random()
    if roll < 0.86:
        return iso
    return f"{day}/{month}/{year}" if roll < 0.95 else f"{day}.{month}.{year}"
