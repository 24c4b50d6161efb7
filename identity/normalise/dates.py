"""Dates of birth in mixed formats as eight digits ``yyyymmdd``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from identity.normalise.text import fold

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janner janvier janv enero ene gennaio gen janeiro januari",
            "feb february februar fevrier fevr febrero febbraio fevereiro fev februari",
            "mar march marz mars marzo marco maart mrt",
            "apr april avril avr abril abr aprile",
            "may mai mayo maggio mag maio mei",
            "jun june juni juin junio giugno giu junho",
            "jul july juli juillet juil julio luglio lug julho",
            "aug august aout agosto ago augustus",
            "sep sept september septembre septiembre settembre set setembro",
            "oct october oktober okt octobre octubre ottobre ott outubro out",
            "nov november novembre noviembre novembro",
            "dec december dezember dez decembre diciembre dic dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_ISO = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?$")
_PACKED = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_YEAR_LAST = re.compile(r"^(\d{2})()(\d{2})((?:18|19|20)\d{2})$")  # its year is no month, if read as yyyymmdd
_NUMERIC = re.compile(r"^(\d{1,2})([-/. ])(\d{1,2})[-/. ](\d{4}|\d{2})(?:[T ].*)?$")
_POINT = "."  # nobody who divides a date by points begins with the month
_WORDED = re.compile(r"[0-9]+|[a-z]+")
_PIVOT = 30  # two digits of a year up to 30 are of this century: a fixed rule, since the library has no clock
PLACEHOLDERS = frozenset(
    {"19000101", "19010101", "18000101", "17530101", "00010101", "99991231", "19700101", "11111111"}
)


def day_first(values: Iterable[str]) -> bool:
    """Decide for one column whether ``a/b/yyyy`` means day a: by the values that allow one reading only.

    Where the parts are divided by points, the day is first anyway, and that says nothing of other values.

    >>> day_first(["20/8/1991", "3/1/1970"]), day_first(["3/15/90", "3/1/1970"])
    (True, False)
    """
    day, month = 0, 0
    for value in values:
        found = _numeric(value.strip())
        if found and found[2] != _POINT:
            day += int(found[1]) > 12
            month += int(found[3]) > 12
    return day > month


def month(value: str) -> int:
    """The number of a month written as a number or a word; 0 where it is neither.

    >>> month("3"), month("März"), month("Sept."), month("13")
    (3, 3, 9, 0)
    """
    text = fold(value.strip()).rstrip(".")
    number = int(float(text)) if text.replace(".", "", 1).isdigit() else _MONTHS.get(text, 0)
    return number if number <= 12 else 0


def _year(text: str) -> int:
    number = int(text)
    if len(text) > 2:
        return number
    return number + (2000 if number <= _PIVOT else 1900)


@lru_cache(maxsize=131072)
def parse_date(value: str, *, day_is_first: bool = False) -> str:
    """Return ``yyyymmdd`` or the empty text; an impossible day or month is kept, it may be a typing error.

    >>> parse_date("1977-03-25"), parse_date("05/12/1975"), parse_date("05/12/1975", day_is_first=True)
    ('19770325', '19750512', '19751205')
    >>> parse_date("24-May-11"), parse_date("05.12.1975"), parse_date("31121979"), parse_date("3 août 1980")
    ('20110524', '19751205', '19791231', '19800803')
    >>> parse_date("Mar 1 1970"), parse_date("20/8/1991"), parse_date("unknown")
    ('19700301', '19910820', '')
    """
    text = value.strip()
    found = _numeric(text)
    if found:
        first, second, year = int(found[1]), int(found[3]), _year(found[4])
        if day_is_first or found[2] == _POINT:
            first, second = second, first
        if first > 12 >= second:
            first, second = second, first
        return f"{year:04d}{first:02d}{second:02d}"
    found = _ISO.match(text) or _PACKED.match(text)
    if found:
        return f"{int(found[1]):04d}{int(found[2]):02d}{int(found[3]):02d}"
    return _worded(text)


def _numeric(text: str) -> re.Match[str] | None:
    """Two numbers and then the year: groups 1, 3 and 4, and what parts them."""
    found = _YEAR_LAST.match(text)
    if found:
        low, high = sorted((int(found[1]), int(found[3])))
        return found if 1 <= low <= 12 and high <= 31 else None
    return _NUMERIC.match(text)


def _worded(text: str) -> str:
    month, numbers = 0, []
    for part in _WORDED.findall(fold(text)):
        if part.isdigit():
            numbers.append(part)
        elif part in _MONTHS:
            month = _MONTHS[part]
    if not month and len(numbers) == 1 and len(numbers[0]) == 4:
        return f"{int(numbers[0]):04d}0000"
    if not month or len(numbers) < 2:
        return ""
    day, year = numbers[0], numbers[1]
    if len(day) == 4:
        day, year = year, day
    return f"{_year(year):04d}{month:02d}{int(day) % 100:02d}"
