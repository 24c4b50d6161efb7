"""Values as they may be shown to somebody who has no need to see them.

What is personal is told by what a value is (:func:`identifier`, :func:`trait`), or, where nobody says that, by
its content (:func:`content`): whatever looks like an e-mail address, a telephone or card number, a network
address or a token. Whole documents: :mod:`cdp.masking.documents`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

HIDDEN: Final = "***"
FEWEST_DIGITS: Final = 7
"""Digits of the shortest run that may be a telephone number."""

_WORD = re.compile(r"[^\W_]+")
_DIGITS_OF_A_DATE: Final = 8
_SHOWN_OF_TOKEN: Final = 4
_SHORTEST_TOKEN: Final = 16
_LONGEST_WORD: Final = 40
_LONGEST_TOP_LEVEL: Final = 12

# An address of a mailbox; without what stands before the @, a name on a social network.
_MAILBOX = re.compile(
    r"(?:\"[^\"]{1,64}\"|[^\s<>()\[\]\",;:]{0,320})(?:@|%40)\[?[^\s<>()\[\]\",;:|=&?/]+", re.IGNORECASE
)
_URL = re.compile(r"\b[a-z][a-z0-9+.\-]{0,20}://[^\s\"<>]+", re.IGNORECASE)
_DAY = r"(?<![\d.])20\d\d-\d\d-\d\d"
_ZONE = r"(?:Z| ?[+\-]\d\d:?\d\d)?(?!\d)"
# A moment: midnight is how many systems write a day, which may be a day of birth.
_MOMENT = rf"{_DAY}[T ](?!00:00(?![:\d])|00:00:00)\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?{_ZONE}"
_IPV4 = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
_IPV6 = r"(?<![\w:])(?:(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}|[0-9a-f:]{0,34}::[0-9a-f:]{0,34})(?![\w:])"
_TOKEN = rf"[\w+=~\-]{{{_SHORTEST_TOKEN},}}"
_JOINTS = re.compile(r"[_+=~\-]+")
_DIGITS = rf"\d(?:[\s().\-/‐-―−+]{{0,8}}\d){{{FEWEST_DIGITS - 1},}}"
_PERSONAL = re.compile(
    rf"(?P<time>{_MOMENT})|(?P<ip>{_IPV4}|{_IPV6})|(?P<token>{_TOKEN})|(?P<digits>{_DIGITS})", re.IGNORECASE
)
_TIME = re.compile(rf"{_DAY}(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?{_ZONE})?")
_WHOLE_MOMENT = re.compile(_MOMENT)
_DIGIT_RUN = re.compile(_DIGITS)
_CODE = re.compile(r"[A-Za-z]{0,4}[-_]?\d{1,6}")


def mask(text: str | None, *, shown: int = 1) -> str | None:
    """Return ``text`` with all but the first letters of its words hidden; its shape stays.

    >>> mask("jane.doe@example.org"), mask("+44 20 7123 4567")
    ('j•••.d••@e••••••.o••', '+4• 2• 7••• 4•••')
    """
    if text is None:
        return None
    return _WORD.sub(lambda word: word[0][:shown] + "•" * (len(word[0]) - shown), text)


def plain(text: str) -> str:
    """Return ``text`` in the form in which it is looked into: full-width letters and digits are ordinary ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def email(text: str) -> str:
    """Return an e-mail address, or a name on a social network, with its first letters and its last domain.

    >>> email("jane.doe@mail.example.org"), email("@jane"), email("j@x.org")
    ('j***@m***.org', '***@j***', '***@***.org')
    """
    local, _, domain = re.sub("%40", "@", plain(text), flags=re.IGNORECASE).rpartition("@")
    host, dot, last = domain.rpartition(".")
    if not dot or not host or not last.isalpha() or len(last) > _LONGEST_TOP_LEVEL:
        return f"{_initial(local)}@{_initial(domain)}"
    return f"{_initial(local)}@{_initial(host)}.{last}"


def phone(text: str) -> str:
    """Return a telephone number's last two digits; of a number that may be a date of birth none.

    >>> phone("+44 20 7123 4567"), phone("03.02.1980")
    ('***67', '***')
    """
    digits = [c for c in plain(text) if c.isdigit()]
    return HIDDEN + "".join(digits[-2:]) if len(digits) > _DIGITS_OF_A_DATE else HIDDEN


def name(text: str) -> str:
    """Return the initials of a name; of scripts without capital letters nothing, one sign says too much there.

    >>> name("Ann-Marie Doe"), name("王小明")
    ('A.-M. D.', '***')
    """
    return _WORD.sub(lambda word: _initial_of_name(word[0]), plain(text))


def _initial_of_name(word: str) -> str:
    first = word[0]
    return f"{first}." if first.upper() != first.lower() and len(word) > 1 else HIDDEN


def _initial(text: str) -> str:
    """Return the first letter of a text that has several."""
    return (text[0] if len(text) > 1 and text[0].isalnum() else "") + HIDDEN


def token(text: str) -> str:
    """Return the beginning of a long random value, by which two can be told apart.

    >>> token("9f3c2a7e51b04d6c"), token("secret")
    ('9f3c…', 's***')
    """
    return f"{text[:_SHOWN_OF_TOKEN]}…" if looks_random(text) and text.isascii() else _initial(text)


def identifier(type_: str, value: str) -> str:
    """Return an identifier of a person as it may be shown; short running numbers of a system stay.

    >>> identifier("email", "jane@mail.example"), identifier("user_id", "u10387"), identifier("handle", "jane.d")
    ('j***@m***.example', 'u10387', 'j***')
    """
    value = plain(value)
    if type_ == "phone":
        return phone(value)
    if any(c.isspace() for c in value):
        return initials(value)
    if type_ == "email" or "@" in value:
        return email(value)
    if type_ != "handle" and _CODE.fullmatch(value):
        return value
    if _DIGIT_RUN.fullmatch(value):
        return phone(value)
    return token(value) if type_ != "handle" else _initial(value)


_NAMES: Final = frozenset({"full_name", "given_name", "surname", "company"})
_OPEN: Final = frozenset({"country", "language"})


def trait(name_: str, value: str) -> str:
    """Return the value of a trait (``cdp.schemas.TRAITS``) as it may be shown.

    >>> trait("full_name", "Jane Doe"), trait("birth_date", "1980-02-03"), trait("country", "GB")
    ('J. D.', '***', 'GB')
    """
    if name_ in _NAMES:
        return name(value)
    if name_ in ("email", "phone"):
        return identifier(name_, value)
    return content(value) if name_ in _OPEN else HIDDEN


def content(text: str) -> str:
    """Return ``text`` without what looks personal in it, whatever the field; moments stay.

    >>> content("mail jane@mail.example or 020 7946 0018 at 2026-03-02T10:00:00Z from 81.2.69.142")
    'mail j***@m***.example or ***18 at 2026-03-02T10:00:00Z from 81.***'
    >>> content("https://shop.example/lamps?email=jane@mail.example")
    'https://shop.example/***'
    """
    return _masked(plain(text), str)


def initials(text: str) -> str:
    """Return ``text`` with initials for its words, and without what else looks personal in it.

    >>> initials("Jane Doe <jane@mail.example>")
    'J. D. <j***@m***.example>'
    """
    return _masked(plain(text), name)


def _masked(text: str, rest: Callable[[str], str]) -> str:
    """Mask what looks personal; what stands between is given to ``rest``."""
    if "://" in text:
        return _between(_URL, text, lambda found: _address(found[0]), lambda gap: _masked_words(gap, rest))
    return _masked_words(text, rest)


def _masked_words(text: str, rest: Callable[[str], str]) -> str:
    if "@" in text or "%40" in text:
        return _between(
            _MAILBOX, text, lambda found: email(found[0]), lambda gap: _between(_PERSONAL, gap, _hidden, rest)
        )
    return _between(_PERSONAL, text, _hidden, rest)


def _between(
    pattern: re.Pattern[str],
    text: str,
    found_as: Callable[[re.Match[str]], str],
    rest: Callable[[str], str],
) -> str:
    """Replace what matches by ``found_as`` of it, and what does not by ``rest`` of it."""
    parts, at = [], 0
    for found in pattern.finditer(text):
        parts += [rest(text[at : found.start()]), found_as(found)]
        at = found.end()
    return "".join([*parts, rest(text[at:])])


def _address(url: str) -> str:
    """Return a URL's scheme and host."""
    scheme, _, rest = url.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    shown = _between(_PERSONAL, host.rpartition("@")[2], _hidden, str)
    return f"{scheme}://{shown}{f'/{HIDDEN}' if len(rest) > len(host) + 1 else rest[len(host) :]}"


def _hidden(found: re.Match[str]) -> str:
    text = found[0]
    if found["time"]:
        return text
    if found["ip"]:
        return re.split("[.:]", text)[0] + (".***" if "." in text else ":***")
    if found["digits"]:
        return phone(text)
    if not looks_random(text):
        return _DIGIT_RUN.sub(lambda run: phone(run[0]), text)
    return token(text)


def looks_random(text: str) -> bool:
    """Say whether a word is a token, a hash, a random id: letters and digits mixed, or too long for a word.

    >>> looks_random("9f3c2a7e-51b0-4d6c"), looks_random("cNJdCYaZZwKjjKC-iCmTQA")
    (True, True)
    >>> looks_random("black_friday_2026_sale"), looks_random("OrderConfirmationSent"), looks_random("20260302101500")
    (False, False, False)
    """
    if len(text) < _SHORTEST_TOKEN or any(c.isspace() for c in text):
        return False
    parts = _JOINTS.split(text)
    mixed = sum(len(part) for part in parts if not part.isalpha() and not part.isdigit())
    return mixed >= _SHORTEST_TOKEN // 2 or max(map(len, parts)) >= _LONGEST_WORD or _is_jumbled(text)


def _is_jumbled(text: str) -> bool:
    """Say whether capital and small letters change as they do in no word, and in no words written together."""
    pairs = list(pairwise(text))
    changes = sum(one.islower() != two.islower() for one, two in pairs if one.isalpha() and two.isalpha())
    return 3 * changes >= len(text) and sum(one.isupper() and two.isupper() for one, two in pairs) >= 2


def is_time(text: str) -> bool:
    """Say whether a text is a day of this century, with or without a time of day, as ISO 8601 writes it."""
    return _TIME.fullmatch(text) is not None


def is_moment(text: str) -> bool:
    """Say whether a text is a day of this century with a time of day that is not midnight."""
    return _WHOLE_MOMENT.fullmatch(text) is not None


def words(values: Iterable[str | None]) -> frozenset[str]:
    """Return the words of personal values, for :func:`without`.

    >>> sorted(words(["Jane Doe", "j.doe60@mail.example", None]))
    ['doe', 'doe60', 'jane']
    """
    found = {_fold(word) for value in values if value for word in _WORD.findall(plain(value).split("@")[0])}
    return frozenset(word for word in found if len(word) > 1)


def without(text: str, known: frozenset[str]) -> str:
    """Return ``text`` with the words that are ``known`` to be personal hidden, however they are written.

    >>> without("Message for JANE", words(["Jane Doe"]))
    'Message for ***'
    """
    return _WORD.sub(lambda word: HIDDEN if _fold(word[0]) in known else word[0], text) if known else text


def _fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))
