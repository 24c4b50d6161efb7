"""Telephone numbers in E.164, by Google's rules through the `phonenumbers` library.

A number counts only where it is *valid*: of a form that its country gives out. That keeps ``+266696687``
("ANONYMOUS" on a keypad), extensions and made-up numbers away from identity.
"""

from __future__ import annotations

import re
from typing import Final

from cdp.identifiers.phone_plans import PLAIN, e164
from cdp.identifiers.text import Checked, is_placeholder, is_rounded, visible

_SCHEME = re.compile(r"(?:whatsapp|tel|phone|sms|callto|mobile|sips?)\s*:\s*(?://)?", re.IGNORECASE)
_IN_ANGLES = re.compile(r"<([^<>]*)>\s*$")
_EXTENSION = re.compile(r"[\s,;]*(?:;?\s*ext(?:n|ension)?|x|#)[\s.:=]*\d{1,7}\s*$", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{7,15})\.0+")
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_DIGITS_ONLY = re.compile(r"[0-9 ().-]+")
# Names that exchanges and providers put in the place of a number that the caller withheld.
_WITHHELD: Final = frozenset(
    "private restricted unavailable blocked withheld asserted hidden out of area anonymous.invalid".split()
)


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
    if not PLAIN.fullmatch(text):
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
    """Take scheme, name and extension off; return the text, a refusal or None, and the region to use."""
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
