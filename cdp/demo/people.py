"""The people behind the demo's traffic: who they are, how they can be reached, where they show up.

:func:`make_world` builds households first (they share surname, address, landline, sometimes a
family e-mail address or a device), then their members. What a source gets to see of a person is
decided here, so that the truth is known: everybody who uses several channels is tied together by
at least one identifier or by name, birth date and address, as in real life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdp.demo.names import Name
from cdp.demo.places import Country

CHANNELS: Final[dict[str, float]] = {
    "crm": 0.78,
    "web": 0.58,
    "news": 0.62,
    "mail": 0.17,
    "twilio": 0.24,
    "calls": 0.22,
    "whatsapp": 0.27,
    "instagram": 0.08,
    "mastodon": 0.035,
    "orders": 0.52,
    "tickets": 0.17,
}
"""How many of the people use a channel (before :mod:`cdp.demo.households` makes it consistent)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a household lives."""

    street: str
    city: str
    region: str
    postcode: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Company:
    """An employer: its name, mail domain, and the switchboard that all colleagues share."""

    number: int
    name: str
    domain: str
    switchboard: str


@dataclass(frozen=True, slots=True)
class Contact:
    """How the CRM holds a person: ids and which e-mail and phone it was given.

    ``email`` and ``phone`` are values as the CRM knows them before writing styles (None: empty);
    ``duplicate`` says how a second contact of the same person came about: ``email`` (same address,
    name written differently), ``phone`` or ``address`` (only name, birth date and address agree).
    """

    contact_id: str
    email: str | None
    phone: str | None
    latin: bool
    duplicate_id: str | None = None
    duplicate: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One person. Times are epoch seconds; phones are E.164; ``email`` is the address in use."""

    index: int
    country: Country
    sex: str
    given: Name
    surname: Name
    birth_date: str
    home: Address
    channels: frozenset[str]
    activity: float
    mobile: str
    landline: str | None
    email: str | None
    old_email: str | None
    work_email: str | None
    changed_at: float
    former_surname: Name | None
    former_home: Address | None
    company: Company | None
    contact: Contact | None
    user_id: str | None
    devices: tuple[str, ...]
    web_phone: bool
    instagram_id: str | None
    mastodon: str | None

    @property
    def person_id(self) -> str:
        """The person's id in ``truth.parquet``."""
        return f"p{self.index:06d}"

    @property
    def latin_script(self) -> bool:
        """Whether the person's name is written in Latin letters at home."""
        return self.given.native[0] < "ʰ"

    def email_at(self, time: float) -> str | None:
        """Return the address in use at a time: some people change theirs."""
        return self.old_email if self.old_email and time < self.changed_at else self.email

    def surname_at(self, time: float) -> Name:
        """Return the surname at a time: some people marry."""
        return self.former_surname if self.former_surname and time < self.changed_at else self.surname

    def home_at(self, time: float) -> Address:
        """Return the address at a time: some people move."""
        return self.former_home if self.former_home and time < self.changed_at else self.home

    def full_name(self, *, latin: bool = False) -> str:
        """Return the name in the order of its country."""
        given = self.given.latin if latin else self.given.native
        surname = self.surname.latin if latin else self.surname.native
        return f"{surname} {given}" if self.country.surname_first and not latin else f"{given} {surname}"


@dataclass(frozen=True, slots=True)
class World:
    """Everybody, the window of time in which they act, and what belongs to several of them.

    ``start`` and ``end`` are midnights (UTC, epoch seconds) ``days`` apart. ``shared`` holds the
    e-mail addresses, phone numbers and devices of more than one person, and all junk.
    """

    people: tuple[Person, ...]
    companies: tuple[Company, ...]
    shared: frozenset[str]
    start: float
    days: int
    seed: int

    @property
    def end(self) -> float:
        """The midnight at which everything is over."""
        return self.start + self.days * 86400.0

    def using(self, channel: str) -> list[Person]:
        """Return the people who use a channel, in order."""
        return [person for person in self.people if channel in person.channels]
