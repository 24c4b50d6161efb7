"""Keys that a system gave to a person: user_id, external_id, anonymous_id; and handles of networks."""

from __future__ import annotations

import re
import unicodedata

from cdp.identifiers.text import Checked, is_placeholder, is_rounded, lower_case, visible

_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+")
_PROFILE_LINK = re.compile(
    r"(?:https?://)?[\w.-]+\.[a-z]{2,}/(?:[^\s?#]*/)?@?([^\s/?#]+)/?(?:[?#].*)?", re.IGNORECASE
)


def check_key(value: str) -> Checked:
    """Check a key: trimmed, NFC, case kept; 17850.0 becomes 17850; placeholders are refused.

    >>> check_key(" 17850.0 ").value
    '17850'
    >>> check_key("undefined").reason
    'placeholder'
    """
    text = unicodedata.normalize("NFC", visible(value))
    if not text:
        return Checked(None, "empty")
    if whole := _WHOLE_FLOAT.fullmatch(text):
        text = whole[1]
    if is_placeholder(text):
        return Checked(None, "placeholder")
    if "E+" in text and is_rounded(text):
        return Checked(None, "rounded")
    return Checked(text, None)


def check_handle(value: str) -> Checked:
    """Check a handle: NFKC, lower case, without a leading @; of a link to a profile, its last part.

    >>> check_handle("@Alice_B").value, check_handle("https://www.instagram.com/alice_b/?hl=en").value
    ('alice_b', 'alice_b')
    >>> check_handle("Alice@mastodon.social").value
    'alice@mastodon.social'
    >>> check_handle("Alice Brown").reason
    'not_a_handle'
    """
    text = lower_case(value)
    if link := _PROFILE_LINK.fullmatch(text):
        text = link[1]
    text = text.removeprefix("@")
    if not text:
        return Checked(None, "empty")
    if is_placeholder(text):
        return Checked(None, "placeholder")
    if any(c.isspace() for c in text):
        return Checked(None, "not_a_handle")
    return Checked(text, None)
