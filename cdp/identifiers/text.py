"""What all identifiers share: the outcome of a check, the reasons, and the cleaning of text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, NamedTuple

Reason = Literal[
    "empty",
    "placeholder",
    "masked",
    "rounded",
    "not_an_email",
    "no_public_domain",
    "not_a_phone",
    "invalid_phone",
    "not_a_handle",
]

REASONS: Final[dict[Reason, str]] = {
    "empty": "nothing but white space",
    "placeholder": "a word that stands for no value (null, undefined, anonymous, 0, -)",
    "masked": "a part was replaced by stars or dots before we got it",
    "rounded": "a spreadsheet wrote the number as 4.47E+11, so that different people look the same",
    "not_an_email": "it has not the form local@domain",
    "no_public_domain": "the domain has one part only, or is an IP address",
    "not_a_phone": "words or letters, such as client:alice or anonymous",
    "invalid_phone": "no telephone number of that form is given out in its country",
    "not_a_handle": "white space inside, such as a display name",
}


class Checked(NamedTuple):
    """A normalised value, or None and the reason why there is none."""

    value: str | None
    reason: Reason | None


# Zero-width and direction marks come with numbers copied from address books and web pages.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00]")

_ROUNDED = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+?\d{1,3}")

# Lower case. What programs write where they have no value, as seen in logs of trackers and exports.
PLACEHOLDERS: Final = frozenset(
    """null (null) nil none undefined (undefined) nan nat <na> na n/a n.a. #n/a #null! #ref! #value! true
    false unknown (unknown) anonymous anonym anon guest visitor not_authenticated unauthenticated not_set
    notset distinct_id distinctid user_id userid anonymous_id anonymousid blank default nobody
    {{user_id}} ${user_id} $user_id""".split()
) | {"[object object]", "not set", "(not set)", "not provided", "not available", "no value"}


def visible(text: str) -> str:
    """Return ``text`` without white space at its ends and without invisible marks.

    >>> visible(chr(0x202A) + " +44 20 ")
    '+44 20'
    """
    return _INVISIBLE.sub("", text).strip()


def lower_case(text: str) -> str:
    """Return the visible part of ``text`` in lower case and in NFKC, which lower-casing alone may undo.

    >>> lower_case(" Ａlice ")
    'alice'
    """
    lower = unicodedata.normalize("NFKC", visible(text)).lower()
    return visible(unicodedata.normalize("NFKC", lower))


def is_placeholder(text: str) -> bool:
    """Tell whether ``text`` stands for "no value": a placeholder word, only zeros, or only punctuation.

    >>> [is_placeholder(v) for v in ("NULL", "-", "0", "00000000-0000-0000-0000-000000000000", "u-17")]
    [True, True, True, True, False]
    """
    if text.casefold() in PLACEHOLDERS:
        return True
    significant = {c for c in text if c.isalnum()}
    return significant <= {"0"}


def is_rounded(text: str) -> bool:
    """Tell whether ``text`` is a number in the scientific notation of a spreadsheet.

    >>> is_rounded("4.47912E+11"), is_rounded("447912")
    (True, False)
    """
    return _ROUNDED.fullmatch(text) is not None
