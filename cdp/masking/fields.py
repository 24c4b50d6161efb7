"""What the name of a field says of its values, and which keys are names of fields at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cdp.masking import values

ANY_KEY: Final = "*"
"""Stands for keys that are data."""

_FIELD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$\-]{0,39}")
_MOST_DIGITS: Final = 3
_LONGEST_HEADING: Final = 60
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


class Kind(StrEnum):
    """What a field holds, as far as its name tells."""

    UNSHOWN = "unshown"  # secrets, dates of birth, places
    OPEN = "open"  # words that developers and systems choose
    FREE = "free"  # what people write
    MAILBOX = "mailbox"
    PHONE = "phone"
    KEY = "key"  # ids, log-ins
    TIME = "time"
    NAME = "name"
    ANSWER = "answer"  # what a person may have typed
    UNKNOWN = "unknown"


# Kind -> words of a key that say so; the first kind that is met holds.
_WORDS: Final[Mapping[Kind, str]] = {
    Kind.UNSHOWN: """auth card cvc dob bday iban ssn gender sex age lat lon lng latitude longitude coordinate
        coordinates geo location city town zip zipcode postcode postal county region house line1 line2 line3""",
    Kind.OPEN: """event type kind action status state channel currency version timezone zone locale lang language
        country encoding charset format platform model build""",
    Kind.MAILBOX: "",
    Kind.PHONE: "tel fax cell clid src dst did calling called",
    Kind.KEY: "id ids mid sid uuid guid key sha256 md5 hash etag",
    Kind.TIME: "time timestamp date day ts moment created updated modified expires at sent received start end",
    Kind.FREE: """text body message messages comment comments note notes description subject title content snippet
        html plain query search question caption bio summary reason response diagnostic
        headline term q ua preview excerpt detail details feedback review""",
    Kind.NAME: "first last middle full given family display",
    Kind.ANSWER: "value values val answer answers data",
}
# The same, said by a part of the key.
_PARTS: Final[Mapping[Kind, str]] = {
    Kind.UNSHOWN: """password passwd passphrase secret token api_key write_key cookie signature session birth religio
        health nationality street address post_code""",
    Kind.OPEN: "event_name app_name os_name library_name template_name mime_type",
    Kind.MAILBOX: "mail",
    Kind.PHONE: "phone mobile msisdn wa_id caller callee",
    Kind.FREE: "user_agent",
    Kind.NAME: "name company employer author organisation organization",
}
_PEOPLE: Final = frozenset(
    {"user", "login", "handle", "nick", "acct", "account", "from", "to", "cc", "bcc", "sender", "recipient", "reply",
     "customer", "contact", "profile", "owner", "member", "person", "who", "by"}
)  # fmt: skip
_SIGNS: Final = [
    (kind, frozenset(words.split()), tuple(_PARTS.get(kind, "").split())) for kind, words in _WORDS.items()
]


def kind_of(key: str) -> Kind:
    """Return what a field of this name holds.

    >>> [str(kind_of(key)) for key in ("firstName", "e-mail", "sentAt", "utm_term", "library_name", "plan")]
    ['name', 'mailbox', 'time', 'free', 'open', 'unknown']
    """
    words = [word.lower() for word in _HUMPS.split(key) if word]
    whole = "_".join(words)
    for kind, signs, parts in _SIGNS:
        if not signs.isdisjoint(words) or any(part in whole for part in parts):
            return kind
    return Kind.UNKNOWN if _PEOPLE.isdisjoint(words) else Kind.KEY


def is_field_name(key: str) -> bool:
    """Say whether a key looks like the name of a field, not like data.

    >>> [is_field_name(key) for key in ("utm_source", "X-Mailer", "jane@mail.example", "Jane Doe", "u10387")]
    [True, True, False, False, False]
    """
    return (
        _FIELD.fullmatch(key) is not None
        and sum(c.isdigit() for c in key) <= _MOST_DIGITS
        and not values.looks_random(key)
    )


def is_heading(key: str) -> bool:
    """Say whether a key may be the heading of a table's column, where all rows have it: it may hold blanks."""
    return 0 < len(key) <= _LONGEST_HEADING and key.isprintable() and values.content(key) == values.plain(key)
