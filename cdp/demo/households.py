"""Makes the people: households, their members, and what each member shows to which source."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final

from cdp.demo.names import Name, given_names, surnames
from cdp.demo.noise import JUNK_EMAILS, JUNK_PHONES, email_typo, pick
from cdp.demo.people import CHANNELS, Address, Company, Contact, Person, World
from cdp.demo.places import COUNTRIES, City, Country, fill

_SIZES: Final = (0.70, 0.89, 0.95, 0.985, 1.0)  # cumulative; only members who are customers count
_COUNTRY_BOUNDS: Final = tuple(accumulate(country.share for country in COUNTRIES))
_DOUBLE_SURNAMES: Final = frozenset({"es", "pt"})
_EMAIL_SIDE: Final = frozenset({"news", "mail"})
_PHONE_SIDE: Final = frozenset({"twilio", "calls", "whatsapp"})
_TRADES: Final = ("Logistics", "Bakery", "Design", "Electric", "Garden Supplies", "Legal", "Dental", "Print")
_INSTANCES: Final = ("fedi.example", "toots.example", "social.example")


@dataclass
class _Household:
    """What the members of one household share."""

    country: Country
    home: Address
    former_home: Address | None
    surname: tuple[Name, Name]
    landline: str | None
    email: str | None
    device: str | None
    changed_at: float
    size: int


@dataclass
class _Member:
    """A member's own part before its contacts are worked out."""

    sex: str
    given: Name
    surname: Name
    former_surname: Name | None
    born: int


@dataclass
class _Builder:
    rng: Random
    year: int
    start: float
    days: int
    people: list[Person] = field(default_factory=list)
    companies: list[Company] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)
    taken: dict[str, int] = field(default_factory=dict)
    mobiles: dict[str, int] = field(default_factory=dict)
    landlines: dict[tuple[str, str], int] = field(default_factory=dict)
    contacts: int = 0

    def add_companies(self, count: int) -> None:
        for number in range(count):
            country = self._country()
            name = pick(self.rng, surnames(country.language)).male.latin.split()[0]
            trade = pick(self.rng, _TRADES)
            domain = f"{_letters(name)}-{trade.split()[0].lower()}{number}.example"
            switchboard = self._landline(country, pick(self.rng, country.cities))
            self.shared.add(switchboard)
            self.companies.append(Company(number, f"{name} {trade}", domain, switchboard))

    def add_household(self, limit: int) -> None:
        rng = self.rng
        country = self._country()
        size = min(bisect_right(_SIZES, rng.random()) + 1, limit)
        city = pick(rng, country.cities)
        family = pick(rng, surnames(country.language))
        household = _Household(
            country=country,
            home=_address(country, city, rng),
            former_home=_address(country, pick(rng, country.cities), rng) if rng.random() < 0.03 else None,
            surname=(family.male, family.female),
            landline=self._landline(country, city) if rng.random() < 0.5 else None,
            email=None,
            device=uuid(rng) if size > 1 and rng.random() < 0.12 else None,
            changed_at=self.start + (0.3 + 0.4 * rng.random()) * self.days * 86400,
            size=size,
        )
        if size > 1:
            self._share(household)
        members = self._members(household)
        for member in members:
            self.people.append(self._person(household, member))

    def _share(self, household: _Household) -> None:
        if self.rng.random() < 0.12:
            local = pick(self.rng, ("family", "the", "home", "casa"))
            name = _letters(household.surname[0].latin)
            household.email = self._address_of(f"{local}.{name}", pick(self.rng, household.country.mailboxes))
        self.shared.update(v for v in (household.landline, household.email, household.device) if v)

    def _country(self) -> Country:
        return COUNTRIES[min(bisect_right(_COUNTRY_BOUNDS, self.rng.random()), len(COUNTRIES) - 1)]

    def _landline(self, country: Country, city: City) -> str:
        key = (country.code, city.name)
        ordinal = self.landlines.get(key, 0)
        self.landlines[key] = ordinal + 1
        return city.landline.number(ordinal)

    def _mobile(self, country: Country) -> str:
        ordinal = self.mobiles.get(country.code, 0)
        self.mobiles[country.code] = ordinal + 1
        return country.mobile.number(ordinal)

    def _members(self, household: _Household) -> list[_Member]:
        rng, country = self.rng, household.country
        first_sex = pick(rng, "mf")
        born = self.year - 22 - int(rng.random() ** 1.3 * 60)
        members = [self._member(country, first_sex, household.surname, born)]
        for position in range(1, household.size):
            if position == 1:
                other = "m" if first_sex == "f" else "f"
                partner = other if rng.random() < 0.93 else first_sex
                members.append(self._partner(household, partner, born + int(rng.random() * 13) - 6))
            elif self.year - born >= 40:
                members.append(self._child(household, members))
            else:
                family = pick(rng, surnames(country.language))
                flatmate = born + int(rng.random() * 9) - 4
                names = (family.male, family.female)
                members.append(self._member(country, pick(rng, "mf"), names, flatmate))
        return members

    def _member(self, country: Country, sex: str, family: tuple[Name, Name], born: int) -> _Member:
        names = given_names(country.language, sex)
        given = names[int(self.rng.random() ** 1.25 * len(names))]
        return _Member(sex, given, family[sex == "f"], None, min(born, self.year - 16))

    def _partner(self, household: _Household, sex: str, born: int) -> _Member:
        country, rng = household.country, self.rng
        own = pick(rng, surnames(country.language))
        keeps = country.language in _DOUBLE_SURNAMES or rng.random() < 0.2
        family = (own.male, own.female) if keeps else household.surname
        member = self._member(country, sex, family, min(born, self.year - 20))
        if not keeps and sex == "f" and rng.random() < 0.18:
            member.former_surname = own.female
        return member

    def _child(self, household: _Household, parents: list[_Member]) -> _Member:
        youngest = max(parent.born for parent in parents[:2])
        born = min(youngest + 20 + int(self.rng.random() * 10), self.year - 16)
        sex = pick(self.rng, "mf")
        child = self._member(household.country, sex, household.surname, born)
        namesakes = [p for p in parents[:2] if p.sex == sex == "m"]
        if namesakes and self.rng.random() < 0.25:
            child.given, child.surname = namesakes[0].given, namesakes[0].surname
        return child

    def _person(self, household: _Household, member: _Member) -> Person:
        rng, country = self.rng, household.country
        index = len(self.people)
        company = pick(rng, self.companies) if self.companies and rng.random() < 0.3 else None
        mobile = self._mobile(country)
        email = self._email(household, member)
        channels = self._channels(email)
        changes = "web" in channels and email is not None and email not in self.shared and rng.random() < 0.04
        old = self._address_of(_local(member, rng), pick(rng, country.mailboxes)) if changes else None
        contact = self._contact(household, email, mobile, company, channels) if "crm" in channels else None
        bridged = contact is not None and contact.phone == mobile
        phone_side = bool(channels & _PHONE_SIDE)
        web_phone = rng.random() < 0.35 or (phone_side and not bridged)
        return Person(
            index=index,
            country=country,
            sex=member.sex,
            given=member.given,
            surname=member.surname,
            birth_date=f"{member.born}-{1 + int(rng.random() * 12):02d}-{1 + int(rng.random() * 28):02d}",
            home=household.home,
            channels=channels,
            activity=rng.lognormvariate(0.0, 0.9),
            mobile=mobile,
            landline=household.landline,
            email=email,
            old_email=old,
            work_email=self._work_email(member, company, channels) if company and bridged else None,
            changed_at=household.changed_at,
            former_surname=member.former_surname,
            former_home=household.former_home,
            company=company,
            contact=contact,
            user_id=f"u{10_000 + index}" if "web" in channels else None,
            devices=self._devices(household, channels),
            web_phone=web_phone,
            instagram_id=str(6_100_000_000_000_000 + index * 7_919) if "instagram" in channels else None,
            mastodon=self._handle(member, index) if "mastodon" in channels else None,
        )

    def _email(self, household: _Household, member: _Member) -> str | None:
        rng = self.rng
        if household.email and rng.random() < 0.6:
            return household.email
        if rng.random() < 0.06:
            return None
        local = _local(member, rng)
        if rng.random() < 0.015:
            local = f"{local}+shop"
        return self._address_of(local, pick(rng, household.country.mailboxes))

    def _address_of(self, local: str, domain: str) -> str:
        email = f"{local}@{domain}"
        seen = self.taken.get(email, 0)
        self.taken[email] = seen + 1
        if not seen:
            return email
        head, plus, tag = local.partition("+")
        return self._address_of(f"{head}{seen + 1}{plus}{tag}", domain)

    def _channels(self, email: str | None) -> frozenset[str]:
        rng = self.rng
        chosen = {name for name, share in CHANNELS.items() if rng.random() < share}
        if email is None:
            chosen -= {"news", "mail", "web"}
        if not chosen & {"crm", "web"}:
            chosen = self._lone(chosen, email)
        if "crm" not in chosen and len(chosen) > 1:
            chosen -= {"instagram", "mastodon"}
        if email is None and "crm" not in chosen:
            chosen -= {"orders"}
        return frozenset(chosen) or frozenset({"crm"})

    def _lone(self, chosen: set[str], email: str | None) -> set[str]:
        """Without account and contact nothing ties an address to a phone: keep one of the two."""
        if chosen & {"instagram", "mastodon"}:
            return {pick(self.rng, sorted(chosen & {"instagram", "mastodon"}))}
        if email is not None and chosen & (_EMAIL_SIDE | {"orders", "tickets"}):
            return chosen - _PHONE_SIDE
        return chosen

    def _contact(
        self,
        household: _Household,
        email: str | None,
        mobile: str,
        company: Company | None,
        channels: frozenset[str],
    ) -> Contact:
        rng = self.rng
        phone = self._contact_phone(household, mobile, company, channels)
        given = email
        roll = rng.random()
        by_phone = phone == mobile
        writes = bool(channels & (_EMAIL_SIDE | {"web"}))
        if roll < 0.06 and by_phone and not writes:
            given = None
        elif roll < 0.08 and by_phone and not writes:
            given = pick(rng, JUNK_EMAILS)
        elif 0.08 < roll < 0.095 and by_phone and email:
            given = email_typo(email, rng)
        duplicate = None
        if rng.random() < 0.08:
            duplicate = pick(rng, ("email", "phone", "address"))
        latin = rng.random() < 0.8
        duplicate_id = self._contact_id() if duplicate else None
        return Contact(self._contact_id(), given, phone, latin, duplicate_id, duplicate)

    def _contact_phone(
        self, household: _Household, mobile: str, company: Company | None, channels: frozenset[str]
    ) -> str | None:
        needed = bool(channels & _PHONE_SIDE) and "web" not in channels
        roll = self.rng.random()
        if needed or roll < 0.78:
            return mobile
        if roll < 0.88 and household.landline:
            return household.landline
        if roll < 0.92 and company:
            return company.switchboard
        return pick(self.rng, JUNK_PHONES) if roll < 0.95 else None

    def _contact_id(self) -> str:
        self.contacts += 1
        return f"C{100_000 + self.contacts}"

    def _work_email(self, member: _Member, company: Company, channels: frozenset[str]) -> str | None:
        """Some write from work; a ticket with work address and mobile ties it to the rest."""
        if not {"mail", "tickets"} <= channels or self.rng.random() > 0.3:
            return None
        local = f"{_letters(member.given.latin)}.{_letters(member.surname.latin)}"
        return self._address_of(local, company.domain)

    def _devices(self, household: _Household, channels: frozenset[str]) -> tuple[str, ...]:
        if "web" not in channels:
            return ()
        own = tuple(uuid(self.rng) for _ in range(1 if self.rng.random() < 0.6 else 2))
        return (household.device, *own) if household.device else own

    def _handle(self, member: _Member, index: int) -> str:
        local = f"{_letters(member.given.latin)}{_letters(member.surname.latin)[:1]}{index}"
        return f"{local}@{pick(self.rng, _INSTANCES)}"


def uuid(rng: Random) -> str:
    """Return a random identifier in the form of a version-4 UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isascii() and c.isalnum()) or "x"


def _local(member: _Member, rng: Random) -> str:
    """Return the local part of a new address, in one of the usual styles."""
    given = _letters(member.given.latin)
    surname = _letters((member.former_surname or member.surname).latin)
    roll = rng.random()
    if roll < 0.4:
        return f"{given}.{surname}"
    if roll < 0.55:
        return f"{given[0]}{surname}"
    if roll < 0.7:
        return f"{given}{surname}{member.born % 100:02d}"
    if roll < 0.8:
        return f"{given}_{surname}"
    if roll < 0.9:
        return f"{surname}.{given[0]}"
    return f"{given}{member.born}"


def _address(country: Country, city: City, rng: Random) -> Address:
    number = 1 + int(rng.random() ** 2 * 180)
    street = pick(rng, country.streets)
    flat = (
        "" if rng.random() < 0.85 else f", {pick(rng, ('Flat', 'Apt', 'Unit'))} {1 + int(rng.random() * 20)}"
    )
    line = country.address.format(number=number, street=street) + flat
    latitude = round(city.latitude + (rng.random() - 0.5) * 0.1, 5)
    longitude = round(city.longitude + (rng.random() - 0.5) * 0.1, 5)
    return Address(line, city.name, city.region, fill(city.postcode, rng), latitude, longitude)


def make_world(*, people: int, seed: int, start: float, days: int, year: int) -> World:
    """Return ``people`` persons in households, and all that belongs to several of them.

    >>> world = make_world(people=50, seed=1, start=0.0, days=42, year=2026)
    >>> len(world.people), world.people[7].person_id
    (50, 'p000007')
    """
    builder = _Builder(Random(f"people-{seed}"), year, start, days)
    builder.add_companies(max(3, people // 60))
    while len(builder.people) < people:
        builder.add_household(people - len(builder.people))
    builder.shared.update(JUNK_EMAILS)
    return World(
        tuple(builder.people), tuple(builder.companies), frozenset(builder.shared), start, days, seed
    )
