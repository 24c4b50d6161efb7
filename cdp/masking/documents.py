"""Whole payloads as they may be shown: which fields there are, and of their values what is not personal.

A field is told by its name where that says enough (``email``, ``firstName``, ``msisdn``, ``message``); any
other value by its content. Of texts that nobody knows only codes stay (``paid``, ``GBP``): words become
initials, longer texts their length. Keys that are data themselves do not stay either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cdp.masking import values
from cdp.masking.fields import ANY_KEY, Kind, is_field_name, kind_of
from cdp.masking.values import HIDDEN

_EPOCH: Final = (10**9, 21 * 10**8)
MOST_DEPTH: Final = 12
MOST_MEMBERS: Final = 100
MOST_ITEMS: Final = 10
MOST_TEXT: Final = 60
"""Levels, members of an object, items of a list and characters of a text beyond which only the number is shown."""

_MOST_WORDS: Final = 8
_WORD = re.compile(r"[^\W\d_]+")
# Words of software: paid, add_to_cart, GBP, LAMP-02, en-GB, 2.21.0, text/html, /lamps/red; not janed11.
_CODE = re.compile(
    r"/?[a-z]+(?:[_/\-]+(?:[a-z]+|\d{1,4}))*/?|/|[A-Z]{1,5}\d{0,3}|[A-Z]{1,10}(?:[_/\-][A-Z0-9]{1,6}){1,2}"
    r"|[a-z]{2,3}[-_][A-Z]{2}|[v\-]?\d{1,4}(?:\.\d{1,4}){0,3}|[a-z]+/[a-z0-9.+\-]+"
)
# Other ways to write a time: Sun, 20 Sep 2026 08:40:23 +0000; 20/09/2026 08:40; 1789862740; 1789862740.123
_TIME = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)?(?: (?:[A-Z]{3}|[+\-]\d{4}))?"
    r"|\d{1,4}[/.\-]\d\d?[/.\-]\d{1,4} \d\d?:\d\d(?::\d\d)?|1\d{9}(?:\d{3})?(?:\.\d{1,6})?"
)


def text_length(text: str) -> str:
    """Return what stands for a text that is left out.

    >>> text_length("Hello")
    '(5 characters)'
    """
    return f"({len(text):,} character{'' if len(text) == 1 else 's'})"


def document(value: Any, known: frozenset[str] = frozenset()) -> Any:
    """Return a JSON document without what is personal; ``known`` are words that are (:func:`values.words`).

    >>> document({"event": "signup", "traits": {"name": "Jane Doe", "mail": "jane@mail.example"}, "n": 3})
    {'event': 'signup', 'traits': {'name': 'J. D.', 'mail': 'j***@m***.example'}, 'n': 3}
    """
    return _masked(value, Kind.UNKNOWN, known, 0)


def _masked(value: Any, kind: Kind, known: frozenset[str], depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, kind, known)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, kind)
    if depth >= MOST_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return _object(value, kind, known, depth)
    shown = [_masked(item, kind, known, depth + 1) for item in value[:MOST_ITEMS]]
    return shown + ([f"… {len(value) - MOST_ITEMS:,} more"] if len(value) > MOST_ITEMS else [])


# What an address or a name is made of is as personal as the whole.
_INHERITED: Final = frozenset({Kind.UNSHOWN, Kind.NAME, Kind.PHONE, Kind.MAILBOX})


def _object(value: Mapping[str, Any], kind: Kind, known: frozenset[str], depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    hidden = 0
    for number, (key, member) in enumerate(value.items()):
        if number >= MOST_MEMBERS:
            shown["…"] = f"{len(value) - MOST_MEMBERS:,} more"
            break
        own = kind_of(key)
        if own is Kind.UNKNOWN and kind in _INHERITED:
            own = kind
        name = key
        if not is_field_name(key) or values.without(key, known) != key:
            hidden += 1
            name, own = f"{ANY_KEY}{hidden}", Kind.ANSWER if own is Kind.UNKNOWN else own
        shown[name] = _masked(member, own, known, depth + 1)
    return shown


def _number(value: float, kind: Kind) -> Any:
    if kind not in (Kind.UNKNOWN, Kind.KEY, Kind.OPEN, Kind.TIME):
        return HIDDEN
    is_short = abs(value) < 10 ** (values.FEWEST_DIGITS - 1)
    return value if is_short or (kind is Kind.TIME and _is_epoch(value)) else values.phone(str(value))


def _is_epoch(value: float) -> bool:
    """Say whether a number may be a time of these decades: seconds since 1970, or thousandths or millionths of them."""
    return any(_EPOCH[0] <= value / unit <= _EPOCH[1] for unit in (1, 10**3, 10**6))


def _text(text: str, kind: Kind, known: frozenset[str]) -> str:
    if not text:
        return text
    return values.without(_BY_KIND[kind](text), known) if len(text) <= 10 * MOST_TEXT else text_length(text)


def _time(text: str) -> str:
    return text if values.is_time(text) or _TIME.fullmatch(text) else _unknown(text)


def _open(text: str) -> str:
    return values.content(text) if _is_short(text) else text_length(text)


def _initials(text: str) -> str:
    return values.initials(text) if _is_short(text) else text_length(text)


def _key(text: str) -> str:
    return values.identifier("user_id", text) if len(text) <= 10 * MOST_TEXT else text_length(text)


def _mailbox(text: str) -> str:
    return _initials(text) if "@" in values.plain(text) else _key(text)


def _phone(text: str) -> str:
    return _initials(text) if "@" in text else values.phone(text)


def _unknown(text: str) -> str:
    if _is_short(text) and _CODE.fullmatch(text) and values.content(text) == text:
        return text
    if values.is_moment(text):
        return text
    return values.content(text) if "://" in text and " " not in text else _initials(text)


def _is_short(text: str) -> bool:
    return len(text) <= MOST_TEXT and len(_WORD.findall(text)) <= _MOST_WORDS


_BY_KIND: Final[Mapping[Kind, Callable[[str], str]]] = {
    Kind.UNSHOWN: lambda _: HIDDEN,
    Kind.OPEN: _open,
    Kind.FREE: text_length,
    Kind.MAILBOX: _mailbox,
    Kind.PHONE: _phone,
    Kind.KEY: _key,
    Kind.TIME: _time,
    Kind.NAME: _initials,
    Kind.ANSWER: _initials,
    Kind.UNKNOWN: _unknown,
}
