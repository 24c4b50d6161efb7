"""Whether the first line of delimited text is a header, or a record already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from identity.normalise import dates
from identity.normalise.text import is_missing
from identity.role_content import by_content, has_legal_form
from identity.role_names import by_name, header_words, is_header

_MOST: Final = 0.7  # share of a column's values that decides what it holds
_EMAIL: Final = re.compile(r"[^\s<>\",;:@]+@[^\s<>\",;:@]+\.[a-z]{2,}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[\d\s()./-]*\d")
_LONG: Final = 5  # digits that no header has, unless it is a month or a pair of years
_PERIOD: Final = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2]|\s*[/-]\s*(?:(?:19|20)?\d\d))")
_SAYING: Final = frozenset("to from by of at for no nr id is name code type date".split())
"""Short words of headers: "Bill To" is nobody's name."""


def is_record(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether ``first`` is a record like the ``rows`` after it, rather than the names of the columns.

    An e-mail address names no column. Otherwise the cells must be what the columns below hold: a date, a long
    number, or at least two cells (or all) that fit; and a cell that says what a column is called, or has no
    digit above numbers or dates, makes a header.

    >>> is_record(["Ada Byron", "12 Moss Street"], [["Carl Gauss", "3 Kiln Lane"]])
    True
    >>> is_record(["client", "2020-01-31"], [["Carl Gauss", "117.50"]])
    False
    """
    cells = [cell.strip() for cell in first]
    if any(_EMAIL.fullmatch(cell) for cell in cells):
        return True
    below = [[row[place].strip() for row in rows if place < len(row)] for place in range(len(cells))]
    columns = [
        _Column(cell, [value for value in values if not is_missing(value)])
        for cell, values in zip(cells, below, strict=True)
        if not is_missing(cell)
    ]
    if any(is_header(column.cell) or column.denies() for column in columns):
        return False
    return any(column.is_long() for column in columns) or _are_like_people(columns)


@dataclass(frozen=True)
class _Column:
    """A cell of the first line and the values below it, none of them missing."""

    cell: str
    values: list[str]

    def denies(self) -> bool:
        """Whether a word stands above addresses, dates or numbers."""
        kind = _kind_of_all(self.values)
        return kind == "email" or (kind != "" and not any(sign.isdigit() for sign in self.cell))

    def is_number(self) -> bool:
        """Whether a date stands above dates, or a number above numbers."""
        kind = _kind(self.cell)
        return kind != "" and kind == _kind_of_all(self.values)

    def is_long(self) -> bool:
        """Whether it is one that is no header: a day, or a number of many digits."""
        digits = sum(sign.isdigit() for sign in self.cell)
        return (
            self.is_number() and (_kind(self.cell) == "date" or digits >= _LONG) and not _is_period(self.cell)
        )

    def fits(self) -> bool | None:
        """Whether the cell says of the column what its values say; None where these say nothing."""
        role = by_content(self.values)
        if role is None or role.role in ("record_type", "email"):
            return None
        if role.role in ("gender", "region"):  # of few values, so that another row has this one
            return self.cell.casefold() in {value.casefold() for value in self.values}
        if role.role == "company":  # "Hotel Group" may stand above names of some
            return has_legal_form(self.cell)
        own = by_content([self.cell])
        return (
            own is not None and own.role == role.role and _SAYING.isdisjoint(header_words(self.cell).split())
        )


def _are_like_people(columns: Sequence[_Column]) -> bool:
    if any(by_name(column.cell) and not any(sign.isdigit() for sign in column.cell) for column in columns):
        return False
    told = [column.fits() for column in columns]
    if False in told or True not in told:
        return False
    agreeing = told.count(True) + sum(
        column.is_number() for column, fit in zip(columns, told, strict=True) if not fit
    )
    return agreeing >= 2 or (len(columns) == 1 and len(columns[0].cell.split()) > 1)


def _kind(value: str) -> str:
    if _EMAIL.fullmatch(value):
        return "email"
    if len(value) >= 6 and not _is_period(value) and dates.parse_date(value)[4:] not in ("", "0000"):
        return "date"
    return "number" if _NUMBER.fullmatch(value) else ""


def _is_period(value: str) -> bool:
    return _PERIOD.fullmatch(value) is not None


def _kind_of_all(values: Sequence[str]) -> str:
    kinds = [_kind(value) for value in values]
    return next((kind for kind in ("email", "date", "number") if kinds.count(kind) > _MOST * len(kinds)), "")
