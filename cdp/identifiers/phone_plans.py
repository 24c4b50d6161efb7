"""The E.164 form of a valid number, from the numbering plans that the `phonenumbers` library carries.

Most numbers come plain: a plus and digits, or the digits of the source's own country. For these the
answer is looked up in the library's metadata directly, at about a tenth of the cost of its general
parser, which takes whatever is left. Both give the same; a property test holds them to it.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

PLAIN: Final = re.compile(r"\+?[0-9 ().-]{7,30}")
_NOT_A_DIGIT = re.compile(r"[^0-9]+")


class Undecided(enum.Enum):
    """The short way does not cover the number: ask the library's parser."""

    TOKEN = enum.auto()


UNDECIDED: Final = Undecided.TOKEN


def e164(text: str, region: str | None) -> str | None:
    """Return the E.164 form of a valid number, or None; ``text`` has no letters.

    >>> e164("+1 (202) 555-0123", None), e164("+15551234567", None)
    ('+12025550123', None)
    """
    if PLAIN.fullmatch(text):
        digits = _NOT_A_DIGIT.sub("", text)
        found = _international(digits) if text[0] == "+" else _national(digits, region)
        if found is not UNDECIDED:
            return found
    return e164_by_library(text, region)


def e164_by_library(text: str, region: str | None) -> str | None:
    """Return what the library's general parser makes of ``text``: the reference for `e164`."""
    import phonenumbers

    phonenumbers.enable_pattern_cache()  # else numbers of many countries cost ten times as much
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class _Numbers:
    """The forms of the numbers that one region gives out."""

    __slots__ = ("_general", "_leading", "_possible", "_types")

    def __init__(self, metadata: PhoneMetadata) -> None:
        self._general, self._possible = _form(metadata.general_desc)
        kinds = (
            metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate,
            metadata.shared_cost, metadata.voip, metadata.personal_number, metadata.pager,
            metadata.uan, metadata.voicemail,
        )  # fmt: skip
        self._types = tuple(
            _form(kind) for kind in kinds if kind is not None and kind.national_number_pattern
        )
        self._leading = re.compile(metadata.leading_digits) if metadata.leading_digits else None

    def matches(self, nsn: str) -> bool:
        """Tell whether the digits have the general form of the region's numbers, of whatever length."""
        return self._general.fullmatch(nsn) is not None

    def possible(self, nsn: str) -> bool:
        """Tell whether the national significant number has a form and length of the region."""
        if self._possible and len(nsn) not in self._possible:
            return False
        return self.matches(nsn)

    def given_out(self, nsn: str) -> bool:
        """Tell whether a number of that form is given out, of whatever type."""
        if not self.possible(nsn):
            return False
        return any((not n or len(nsn) in n) and form.fullmatch(nsn) for form, n in self._types)

    def claims(self, nsn: str) -> bool:
        """Tell whether, of the regions under one calling code, this one is the number's."""
        return bool(self._leading.match(nsn)) if self._leading else self.given_out(nsn)


class _CallingCode:
    """The regions under one country calling code, the main one first."""

    __slots__ = ("_prefix", "_regions", "code")

    def __init__(self, code: int, regions: tuple[str, ...]) -> None:
        from phonenumbers import PhoneMetadata

        self.code = str(code)
        found = [PhoneMetadata.metadata_for_region_or_calling_code(code, name) for name in regions]
        self._regions = tuple(_Numbers(metadata) for metadata in found if metadata is not None)
        main = found[0].national_prefix_for_parsing if found and found[0] else None
        self._prefix = re.compile(main) if main else None

    def number(self, nsn: str) -> str | Undecided | None:
        """Return the E.164 form of a national significant number, None where it is invalid, or undecided."""
        if nsn[:1] in ("", "0") or (self._prefix and self._prefix.match(nsn)):
            return UNDECIDED
        if len(self._regions) == 1:
            valid = self._regions[0].given_out(nsn)
        else:
            owner = next((r for r in self._regions if r.claims(nsn)), None)
            valid = owner is not None and owner.given_out(nsn)
        return f"+{self.code}{nsn}" if valid else None


class _Region:
    """How numbers are written inside one region."""

    __slots__ = ("_idd", "_numbers", "_prefix", "_rewrites", "calling_code")

    def __init__(self, metadata: PhoneMetadata, calling_code: _CallingCode) -> None:
        self.calling_code = calling_code
        self._numbers = _Numbers(metadata)
        self._idd = re.compile(metadata.international_prefix) if metadata.international_prefix else None
        prefix = metadata.national_prefix_for_parsing
        self._prefix = re.compile(prefix) if prefix else None
        self._rewrites = bool(metadata.national_prefix_transform_rule)

    def number(self, digits: str) -> str | Undecided | None:
        """Return the E.164 form of digits dialled in the region, None where invalid, or undecided."""
        if self._idd and self._idd.match(digits):
            return UNDECIDED
        if digits.startswith(self.calling_code.code) and not self._numbers.possible(digits):
            # The country code without its plus, where only the rest is a number of the region.
            rest = digits[len(self.calling_code.code) :]
            doubtful = self._numbers.matches(digits) or (self._prefix and self._prefix.match(rest))
            return (
                UNDECIDED if doubtful or not self._numbers.matches(rest) else self.calling_code.number(rest)
            )
        if self._prefix and (prefix := self._prefix.match(digits)):
            digits = digits[prefix.end() :]
            if self._rewrites or not self._numbers.possible(digits):
                return UNDECIDED
        return self.calling_code.number(digits)


def _form(desc: object) -> tuple[re.Pattern[str], frozenset[int]]:
    pattern = getattr(desc, "national_number_pattern", None) or ""
    lengths = frozenset(getattr(desc, "possible_length", ()) or ())
    return re.compile(pattern), lengths


@functools.cache
def _calling_code(code: int) -> _CallingCode | None:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
    return _CallingCode(code, regions) if regions else None


@functools.cache
def _region(name: str) -> _Region | None:
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(name, None)
    code = _calling_code(metadata.country_code) if metadata is not None else None
    return _Region(metadata, code) if metadata is not None and code is not None else None


def _international(digits: str) -> str | Undecided | None:
    if digits[:1] == "0":
        return UNDECIDED
    for length in (1, 2, 3):
        code = _calling_code(int(digits[:length] or "0"))
        if code is not None:
            nsn = digits[length:]
            return code.number(nsn) if 4 <= len(nsn) <= 15 else UNDECIDED
    return UNDECIDED


def _national(digits: str, region: str | None) -> str | Undecided | None:
    found = _region(region) if region else None
    if found is None or not 6 <= len(digits) <= 15:
        return UNDECIDED
    return found.number(digits)
