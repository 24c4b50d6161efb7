"""How values are written on pages: times in the workspace's zone, money, numbers, events in words.

The filters of the templates: ``when`` (date, time and how long ago), ``ago``, ``day``, ``clock``, ``money``,
``number``, ``compact``, ``percent``, ``chance``, ``seconds``, ``event_words``, ``channel_words``,
``country_words``, ``counted``, ``span``, ``words``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from cdp.identifiers import country_names

NOTHING: Final = "–"
_SYMBOLS: Final[Mapping[str, str]] = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_WHOLE: Final = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})
_STEPS: Final = (
    (timedelta(days=365.25), "year"),
    (timedelta(days=30.44), "month"),
    (timedelta(days=7), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
_CHANNELS: Final[Mapping[str, str]] = {
    "web": "Web",
    "app": "App",
    "email": "E-mail",
    "phone": "Phone",
    "sms": "Text message",
    "social": "Social",
    "chat": "Chat",
    "post": "Post",
    "store": "Store",
    "orders": "Orders",
    "support": "Support",
    "donations": "Donations",
    "memberships": "Memberships",
    "crm": "CRM",
}
_SPELLINGS: Final[Mapping[str, str]] = {"email": "e-mail", "sms": "text message", "id": "ID", "crm": "CRM"}


@dataclass(frozen=True)
class _Frame:
    zone: ZoneInfo
    now: datetime


_frame: ContextVar[_Frame] = ContextVar("frame")


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@contextlib.contextmanager
def frame(zone: str, now: datetime) -> Iterator[None]:
    """Write times of a block in ``zone`` and relative to ``now``."""
    token = _frame.set(_Frame(_zone(zone), now))
    try:
        yield
    finally:
        _frame.reset(token)


def local(moment: datetime) -> datetime:
    """Return a moment in the workspace's zone."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(_frame.get().zone)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, or how far ahead it is, in the largest whole unit.

    >>> at = datetime(2026, 1, 10, tzinfo=UTC)
    >>> relative(at - timedelta(days=3), at), relative(at + timedelta(hours=2), at)
    ('3 days ago', 'in 2 hours')
    >>> relative(at - timedelta(seconds=5), at)
    'just now'
    """
    distance = now - moment
    for step, name in _STEPS:
        count = int(abs(distance) / step)
        if count:
            text = f"{count} {name}{'s' if count > 1 else ''}"
            return f"{text} ago" if distance > timedelta(0) else f"in {text}"
    return "just now"


def _time(moment: datetime, text: str, title: str | None = None) -> Markup:
    hover = Markup(' title="{}"').format(title) if title else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), hover, text
    )


def absolute(moment: datetime) -> str:
    """Return date and time in the workspace's zone: ``12 Mar 2025, 14:03``."""
    here = local(moment)
    return f"{here.day} {here:%b %Y, %H:%M}"


def when(value: Any) -> Markup | str:
    """Date and time, and how long ago that is."""
    moment = _moment(value)
    if moment is None:
        return NOTHING
    ago = relative(local(moment), _frame.get().now)
    shown = _time(moment, absolute(moment))
    return Markup('<span class="text-nowrap">{}</span> <span class="ago">{}</span>').format(shown, ago)


def ago(value: Any) -> Markup | str:
    """How long ago; the date and time on hover."""
    moment = _moment(value)
    if moment is None:
        return NOTHING
    return _time(moment, relative(local(moment), _frame.get().now), absolute(moment))


def day(value: Any) -> Markup | str:
    """The date: ``12 Mar 2025``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"{value.day} {value:%b %Y}"
    moment = _moment(value)
    return NOTHING if moment is None else _time(moment, f"{local(moment).day} {local(moment):%b %Y}")


def clock(value: Any) -> Markup | str:
    """The time of day: ``14:03``; the date on hover."""
    moment = _moment(value)
    return NOTHING if moment is None else _time(moment, f"{local(moment):%H:%M}", absolute(moment))


def money(value: Any, currency: str | None = None) -> str:
    """An amount with its currency.

    >>> money(Decimal("-0.004"), "GBP")  # what is written as nothing has no sign
    '£0.00'
    >>> money(Decimal("1234.5"), "GBP"), money(12, "CHF"), money(-3, "EUR"), money(None, "GBP")
    ('£1,234.50', '12.00 CHF', '−€3.00', '–')
    """
    if value is None:
        return NOTHING
    amount = Decimal(str(value))
    digits = f"{abs(amount):,.{0 if currency in _WHOLE else 2}f}"
    sign = "−" if amount < 0 and digits.strip("0.,") else ""
    symbol = _SYMBOLS.get(currency or "")
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits} {currency or ''}".rstrip()


def number(value: Any, places: int = 0) -> str:
    """A number with separators.

    >>> number(1234567), number(2.345, 1), number(None)
    ('1,234,567', '2.3', '–')
    """
    return NOTHING if value is None else f"{value:,.{places}f}"


def compact(value: Any) -> str:
    """A number in few characters, for tiles.

    >>> compact(950), compact(12_345), compact(3_400_000)
    ('950', '12.3k', '3.4M')
    """
    if value is None:
        return NOTHING
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            divisor = 1e3 if letter == "k" else size
            return f"{value / divisor:.1f}{letter}"
    return f"{value:,.0f}"


def percent(value: Any, places: int = 0) -> str:
    """A share of one as a percentage.

    >>> percent(0.1234), percent(0.1234, 1)
    ('12%', '12.3%')
    >>> percent(0.001), percent(0), percent(0.9999), percent(1)  # somebody is not nobody, most are not all
    ('<1%', '0%', '>99%', '100%')
    """
    if value is None:
        return NOTHING
    text, least = f"{abs(value):.{places}%}", 10**-places
    if value and not text.strip("0.%"):
        return f"<{least:.{places}f}%"
    if 0 < value < 1 and text == f"{1:.{places}%}":
        return f">{100 - least:.{places}f}%"
    return f"{value:.{places}%}"


def chance(value: float | None) -> str:
    """A match probability in words: never rounded to certainty.

    >>> chance(0.9999), chance(0.97), chance(0.6), chance(None)
    ('practically certain', 'very likely', 'more likely than not', 'nothing to compare')
    """
    if value is None:
        return "nothing to compare"
    for least, text in ((0.999, "practically certain"), (0.95, "very likely"), (0.8, "likely"),
                        (0.5, "more likely than not"), (0.2, "doubtful")):  # fmt: skip
        if value >= least:
            return text
    return "unlikely"


def seconds(value: Any) -> str:
    """A length of time.

    >>> seconds(45), seconds(125), seconds(7300), seconds(200_000)
    ('45 s', '2 min', '2 h', '2 d')
    """
    if value is None:
        return NOTHING
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.0f} s"


def words(value: Any) -> str:
    """A name of ours as words.

    >>> words("most_recent"), words("email"), words("user_id")
    ('Most recent', 'E-mail', 'User ID')
    """
    text = " ".join(_SPELLINGS.get(part, part) for part in str(value).split("_"))
    return text[:1].upper() + text[1:]


def event_words(event_type: str) -> str:
    """An event type as words.

    >>> event_words("email_opened"), event_words("page_viewed"), event_words("ticket_solved")
    ('E-mail opened', 'Page viewed', 'Ticket solved')
    """
    return words(event_type)


def channel_words(channel: str) -> str:
    """A channel's name as people say it."""
    return _CHANNELS.get(channel) or words(channel)


def counted(value: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "event"), counted(1200, "event")
    ('1 event', '1,200 events')
    """
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def span(value: Any) -> str:
    """A length of time as cdp.yaml writes it, in words.

    >>> span("7d"), span("1h"), span("36 hours")
    ('7 days', '1 hour', '36 hours')
    """
    text = str(value)
    unit = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}.get(text[-1:])
    return counted(int(text[:-1]), unit) if unit and text[:-1].isdecimal() else text


def country_words(country: str) -> str:
    """A country's name for its code; what is no code stays.

    >>> country_words("DE"), country_words("Atlantis")
    ('Germany', 'Atlantis')
    """
    return country_names().get(country, country)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "when": when,
    "ago": ago,
    "day": day,
    "clock": clock,
    "money": money,
    "number": number,
    "compact": compact,
    "percent": percent,
    "chance": chance,
    "seconds": seconds,
    "words": words,
    "event_words": event_words,
    "channel_words": channel_words,
    "country_words": country_words,
    "counted": counted,
    "span": span,
}
