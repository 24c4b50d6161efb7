"""Telephone numbers in E.164, by Google's rules through the `phonenumbers` library.

A number counts only where it is *valid*: of a form that its country gives out. That keeps ``+266696687``
("ANONYMOUS" on a keypad), extensions and made-up numbers away from identity.

Most numbers come plain: a plus and digits, or the digits of the source's own country. For these the
answer is looked up in the library's own metadata directly (`_Region`), at about a tenth of the cost of
its general parser, which takes whatever is left. Both give the same; a property test holds them to it.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from cdp.identifiers.text import Checked, is_placeholder, is_rounded, visible

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

_SCHEME = re.compile(r"(?:whatsapp|tel|phone|sms|callto|mobile|sips?)\s*:\s*(?://)?", re.IGNORECASE)
_IN_ANGLES = re.compile(r"<([^<>]*)>\s*$")
_EXTENSION = re.compile(r"[\s,;]*(?:;?\s*ext(?:n|ension)?|x|#)[\s.:=]*\d{1,7}\s*$", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{7,15})\.0+")
_PLAIN = re.compile(r"\+?[0-9 ().-]{7,30}")
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_DIGITS_ONLY = re.compile(r"[0-9 ().-]+")
# Names that exchanges and providers put in the place of a number that the caller withheld.
_WITHHELD: Final = frozenset(
    "private restricted unavailable blocked withheld asserted hidden out of area anonymous.invalid".split()
)
_UNDECIDED: Final = object()


def check_phone(value: str, region: str | None) -> Checked:
    """Check a telephone number; without a plus it is read as dialled in ``region`` (ISO alpha-2).

    With ``region=None`` digits alone are read as an international number, which is how WhatsApp and
    many exports write it; so is what follows ``whatsapp:``.

    >>> check_phone("020 7946 0018", "GB").value, check_phone("447400123456", None).value
    ('+442079460018', '+447400123456')
    >>> check_phone("whatsapp:+44 7400 123456", "US").value
    '+447400123456'
    >>> check_phone("client:alice", "GB").reason, check_phone("+266696687", "GB").reason
    ('not_a_phone', 'invalid_phone')
    """
    text = visible(value)
    if not text:
        return Checked(None, "empty")
    if not _PLAIN.fullmatch(text):
        text, refused, region = _undressed(text, region)
        if refused is not None:
            return refused
    elif whole := _WHOLE_FLOAT.fullmatch(text):
        text = whole[1]
    if region is None and not text.startswith("+") and _DIGITS_ONLY.fullmatch(text):
        text = "+" + _NOT_A_DIGIT.sub("", text).removeprefix("00")
    number = e164(text, region)
    if number is not None:
        return Checked(number, None)
    return Checked(None, "placeholder" if is_placeholder(text) else "invalid_phone")


def _undressed(text: str, region: str | None) -> tuple[str, Checked | None, str | None]:
    """Take scheme, name and extension off; return the text, a refusal or None, and the region to read it in."""
    if angles := _IN_ANGLES.search(text):
        text = angles[1].strip()
    if scheme := _SCHEME.match(text):
        if scheme[0].lower().startswith("whatsapp"):
            region = None
        text = re.split("[@;]", text[scheme.end() :], maxsplit=1)[0].strip()
    text = _EXTENSION.sub("", text)
    if whole := _WHOLE_FLOAT.fullmatch(text):
        text = whole[1]
    if is_rounded(text):
        return text, Checked(None, "rounded"), region
    if any(c.isalpha() for c in text):
        withheld = text.casefold() in _WITHHELD or is_placeholder(text)
        return text, Checked(None, "placeholder" if withheld else "not_a_phone"), region
    return text, None, region


def e164(text: str, region: str | None) -> str | None:
    """Return the E.164 form of a valid number, or None; ``text`` has no letters.

    >>> e164("+1 (202) 555-0123", None), e164("+15551234567", None)
    ('+12025550123', None)
    """
    if _PLAIN.fullmatch(text):
        digits = _NOT_A_DIGIT.sub("", text)
        found = _international(digits) if text[0] == "+" else _national(digits, region)
        if found is not _UNDECIDED:
            assert found is None or isinstance(found, str)
            return found
    return e164_by_library(text, region)


def e164_by_library(text: str, region: str | None) -> str | None:
    """Return what the library's general parser makes of ``text``: the reference for `e164`."""
    import phonenumbers

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
        self._types = tuple(_form(kind) for kind in kinds if kind is not None and kind.national_number_pattern)
        self._leading = re.compile(metadata.leading_digits) if metadata.leading_digits else None

    def possible(self, nsn: str) -> bool:
        """Tell whether the national significant number has a form and length of the region."""
        if self._possible and len(nsn) not in self._possible:
            return False
        return self._general.fullmatch(nsn) is not None

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

    def number(self, nsn: str) -> object:
        """Return the E.164 form of a national significant number, None, or undecided."""
        if nsn[0] == "0" or (self._prefix and self._prefix.match(nsn)):
            return _UNDECIDED
        if len(self._regions) == 1:
            valid = self._regions[0].given_out(nsn)
        else:
            owner = next((r for r in self._regions if r.claims(nsn)), None)
            valid = owner is not None and owner.given_out(nsn)
        return f"+{self.code}{nsn}" if valid else None


class _Region:
    """How numbers are written inside one region."""

    __slots__ = ("_idd", "_numbers", "_prefix", "_trunk", "calling_code")

    def __init__(self, metadata: PhoneMetadata, calling_code: _CallingCode) -> None:
        self.calling_code = calling_code
        self._numbers = _Numbers(metadata)
        self._idd = re.compile(metadata.international_prefix) if metadata.international_prefix else None
        prefix = metadata.national_prefix_for_parsing
        self._prefix = re.compile(prefix) if prefix else None
        self._trunk = prefix if prefix == metadata.national_prefix else None

    def number(self, digits: str) -> object:
        """Return the E.164 form of digits dialled in the region, None, or undecided."""
        if digits.startswith(self.calling_code.code) or (self._idd and self._idd.match(digits)):
            return _UNDECIDED
        if self._prefix and self._prefix.match(digits):
            if self._trunk is None or not self._numbers.possible(digits[len(self._trunk) :]):
                return _UNDECIDED
            digits = digits[len(self._trunk) :]
        return self.calling_code.number(digits) if digits else _UNDECIDED


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


def _international(digits: str) -> object:
    if digits[:1] == "0":
        return _UNDECIDED
    for length in (1, 2, 3):
        code = _calling_code(int(digits[:length] or "0"))
        if code is not None:
            nsn = digits[length:]
            return code.number(nsn) if 4 <= len(nsn) <= 15 else _UNDECIDED
    return _UNDECIDED


def _national(digits: str, region: str | None) -> object:
    found = _region(region) if region else None
    if found is None or not 6 <= len(digits) <= 15:
        return _UNDECIDED
    return found.number(digits)
