"""E-mail addresses, telephone numbers, handles and other identifiers in comparable form."""

from __future__ import annotations

import re

from identity.normalise.text import fold, is_missing

_ADDRESS = re.compile(r"[^\s<>\",;:]+@[^\s<>\",;:]+")
_NEARLY = re.compile(r"[a-z0-9._-]{5,}\.[a-z]{2,}")  # an address that has lost its sign
_NOT_ID = re.compile(r"[^0-9a-z\u0080-\U0010ffff]+")
_JUNK_LOCAL = frozenset(
    "test tester testing na n/a none no null nil nobody noone noemail nomail no-email "
    "noreply no-reply donotreply "
    "unknown anonymous anon example user email mail me a aa aaa abc asdf xxx x fake nope "
    "notprovided guest".split()
)
_JUNK_DOMAIN = frozenset(
    "example.com example.org example.net test.com test.test none.com na.com noemail.com "
    "nomail.com email.invalid "
    "nowhere.com invalid.com localhost fake.com unknown.com null.com".split()
)
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
_JUNK_ID = frozenset(
    "anonymous anon unknown none null nil na nan undefined test guest user admin root default".split()
)
# From how many of a sign on an identifier is one that was typed to fill a field.
_FILLING = {"0": 1, "9": 4}


def email(value: str) -> str:
    """Lower-case address without display name and sub-address; empty where there is none.

    An address that has lost its @ is kept as it is.

    >>> email("Maria Sentosa<M.Sentosa+news@GMail.com>"), email("not an address")
    ('msentosa@gmail.com', '')
    """
    found = _ADDRESS.search(value)
    if not found:
        text = fold(value.strip())
        return text if _NEARLY.fullmatch(text) else ""
    local, _, domain = fold(found[0]).rpartition("@")
    local = local.split("+", 1)[0] or local
    domain = domain.rstrip(".")
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local and domain else ""


def is_junk_email(value: str) -> bool:
    """Say whether a normalised address is a placeholder that anybody types.

    >>> is_junk_email("test@test.com"), is_junk_email("na@na.com"), is_junk_email("tess@test.org")
    (True, True, False)
    """
    local, _, domain = value.partition("@")
    bare = domain.split(".", 1)[0]
    return domain in _JUNK_DOMAIN or (local in _JUNK_LOCAL and (local == bare or bare in _JUNK_LOCAL))


def phone(value: str) -> str:
    """The last ten significant digits of a number, which makes national and international forms equal.

    >>> phone("+39 0352 6553537") == phone("0352 6553537"), phone("(583) 573-5431 ext. 12")
    (True, '5835735431')
    """
    text = re.split(r"(?i)\s*(?:ext|x|#)\.?\s*\d+\s*$", value)[0]
    digits = "".join(ch for ch in text if ch.isdigit())
    return digits.lstrip("0")[-10:].lstrip("0") or digits[:10]


def is_junk_phone(value: str) -> bool:
    """Say whether digits cannot be a real number: too few, one digit repeated, or a run up or down.

    >>> is_junk_phone("9999999999"), is_junk_phone("1234567890"), is_junk_phone("5835735431")
    (True, True, False)
    """
    if len(value) < 6 or (len(set(value)) <= 2 and len(set(value[-7:])) == 1):
        return True
    return value in "01234567890123456789" or value in "98765432109876543210"


def identifier(value: str) -> str:
    """Fold any other identifier: letters and digits only.

    >>> identifier(" L-8282 9/41 "), identifier("@Sandra.tr")
    ('l8282941', 'sandratr')
    """
    return _NOT_ID.sub("", fold(value))


def is_junk_identifier(value: str) -> bool:
    """Say whether a folded identifier is a placeholder or carries no information.

    One sign repeated is typed to fill a field, but numbers that are handed out one after the other come by
    77 and 111: only zeros are a placeholder at any length, and other signs where there are many of them.

    >>> is_junk_identifier("0000"), is_junk_identifier("anonymous"), is_junk_identifier("a17")
    (True, True, False)
    >>> is_junk_identifier("77"), is_junk_identifier("111"), is_junk_identifier("999999999")
    (False, False, True)
    """
    if not value or value in _JUNK_ID or is_missing(value):
        return True
    return len(set(value)) == 1 and len(value) >= _FILLING.get(value[0], 3 if value[0].isalpha() else 5)
