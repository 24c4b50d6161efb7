"""Contacts of the CRM as dated CSV exports, of which the later ones revise the earlier.

The first export holds everybody so far; later ones hold what is new or changed since, and some rows
again unchanged. One person may have two contacts; families share addresses, landlines and sometimes
an e-mail address; clerks mistype, shorten, and fill required fields with junk.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from random import Random
from typing import Final

from cdp.demo.names import Name
from cdp.demo.noise import (
    JUNK_EMAILS,
    JUNK_NAMES,
    JUNK_PHONES,
    pick,
    plain_name,
    short_name,
    typo,
    written_date,
    written_email,
    written_phone,
)
from cdp.demo.people import Address, Contact, Person, World
from cdp.demo.sink import DAY, Channel
from cdp.demo.when import iso

COLUMNS: Final = tuple(
    "contact_id first_name last_name email phone birth_date street city postcode country company "
    "lead_source instagram_id mastodon consent_email consent_sms updated_at".split()
)

Row = dict[str, str]

_SOURCES: Final = ("web", "store", "phone", "fair", "partner")


@dataclass(frozen=True, slots=True)
class _Version:
    """A row as it stands from a time on (epoch seconds)."""

    since: float
    row: Row


def _versions(person: Person, contact: Contact, contact_id: str, world: World) -> list[_Version]:
    """Return the states of one contact, oldest first."""
    duplicate = contact_id != contact.contact_id
    rng = Random(f"contact-{world.seed}-{contact_id}")
    created = world.start - 86_400.0 * 30 - rng.random() * 86_400.0 * 900
    if rng.random() < 0.14:
        created = world.start + rng.random() * (world.days - 1) * DAY
    row = _row(person, contact, contact_id, created, rng)
    if duplicate:
        _make_duplicate(row, person, contact, created, rng)
    versions = [_Version(created, row | {"updated_at": iso(created)})]
    changed = max(person.changed_at, created + 3600.0)
    later = {} if duplicate else _changes(person, contact, row, rng)
    if later and changed < world.end:
        versions.append(_Version(changed, row | later | {"updated_at": iso(changed)}))
    return versions


def _row(person: Person, contact: Contact, contact_id: str, time: float, rng: Random) -> Row:
    latin = contact.latin and not person.latin_script
    email, phone = contact.email, contact.phone
    if email and email == person.email:
        email = person.email_at(time)
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "contact_id": contact_id,
        "first_name": _first_name(person, rng, latin=latin),
        "last_name": _last_name(person.surname_at(time), rng, latin=latin),
        "email": written_email(email, rng) if email else "",
        "phone": _written(phone, person, rng),
        "birth_date": written_date(person.birth_date, rng) if rng.random() < 0.78 else "",
        "country": pick(rng, person.country.spellings) if rng.random() < 0.3 else person.country.code,
        "company": person.company.name if person.company and rng.random() < 0.5 else "",
        "lead_source": pick(rng, _SOURCES),
        "instagram_id": person.instagram_id or "",
        "mastodon": person.mastodon or "",
        "consent_email": pick(rng, ("granted", "granted", "denied", "")),
        "consent_sms": pick(rng, ("yes", "no", "")),
    }
    if rng.random() < 0.93:
        row |= _address(person.home_at(time), rng)
    if rng.random() < 0.01:
        row["first_name"], row["last_name"] = row["last_name"], row["first_name"]
    return row


def _first_name(person: Person, rng: Random, *, latin: bool) -> str:
    roll = rng.random()
    if roll < 0.06:
        return person.given.latin if latin else short_name(person.given, rng)
    name = plain_name(person.given, rng, latin=latin)
    if roll < 0.08:
        return typo(name, rng)
    if roll < 0.09:
        return f"{name[0]}."
    if roll < 0.11:
        return name.upper()
    return f"Dr {name}" if roll < 0.12 else name


def _last_name(surname: Name, rng: Random, *, latin: bool) -> str:
    name = plain_name(surname, rng, latin=latin)
    roll = rng.random()
    if roll < 0.02:
        return typo(name, rng)
    if roll < 0.04:
        return name.upper()
    return f"{name} " if roll < 0.05 else name


def _address(home: Address, rng: Random) -> Row:
    street = home.street
    if rng.random() < 0.04:
        street = typo(street, rng)
    elif rng.random() < 0.1:
        street = street.replace("Road", "Rd").replace("Street", "St").replace("straße", "str.")
    postcode = home.postcode.replace(" ", "") if rng.random() < 0.12 else home.postcode
    return {"street": street, "city": home.city, "postcode": postcode}


def _written(phone: str | None, person: Person, rng: Random) -> str:
    if phone is None or phone in JUNK_PHONES:
        return phone or ""
    if person.company and phone == person.company.switchboard:
        return phone
    return written_phone(phone, person.country.code, rng)


def _make_duplicate(row: Row, person: Person, contact: Contact, time: float, rng: Random) -> None:
    """Change a row into what somebody else keyed for the same person."""
    kind = contact.duplicate if person.email or contact.duplicate != "email" else "address"
    row["instagram_id"] = row["mastodon"] = ""
    row["email"] = (person.email_at(time) or "") if kind == "email" else ""
    row["phone"] = _written(person.mobile, person, rng) if kind == "phone" else ""
    if person.latin_script and rng.random() < 0.4:
        row["first_name"] = short_name(person.given, rng)
    if kind == "address":
        row["birth_date"] = person.birth_date
        row |= _address(person.home_at(time), rng)
    elif rng.random() < 0.4:
        row |= {"street": "", "city": "", "postcode": ""}


def _changes(person: Person, contact: Contact, row: Row, rng: Random) -> Row:
    """Return what becomes different at the time when the person's life changed."""
    later: Row = {}
    if person.former_surname:
        latin = contact.latin and not person.latin_script
        later["last_name"] = plain_name(person.surname, rng, latin=latin)
    if person.former_home and row["street"]:
        later |= _address(person.home, rng)
    if person.old_email and contact.email == person.email and contact.email:
        later["email"] = contact.email
    if rng.random() < 0.05:
        later["consent_email"] = "granted" if row["consent_email"] == "denied" else "denied"
    return later


def _junk_rows(number: int, world_start: float, rng: Random) -> list[Row]:
    """Return contacts that stand for nobody."""
    rows = []
    for position in range(number):
        first, last = pick(rng, JUNK_NAMES)
        row = dict.fromkeys(COLUMNS, "")
        row |= {"contact_id": f"C{9_000_000 + position}", "first_name": first, "last_name": last}
        row |= {"email": pick(rng, JUNK_EMAILS), "phone": pick(rng, JUNK_PHONES)}
        row |= {"updated_at": iso(world_start - position * 5000.0)}
        rows.append(row)
    return rows


def _render(rows: list[Row], encoding: str, damaged: list[bytes]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    data = text.getvalue().encode(encoding)
    return data + b"".join(damaged)


def write(channel: Channel) -> None:
    """Write the source ``contacts``: three exports."""
    world, tally, rng = channel.world, channel.tally, channel.rng
    states = [
        (person, _versions(person, person.contact, contact_id, world))
        for person in world.people
        if person.contact is not None
        for contact_id in (person.contact.contact_id, person.contact.duplicate_id)
        if contact_id is not None
    ]
    previous = 0.0
    days = (world.days // 6, world.days // 2, world.days - 1)
    for number, day in enumerate(days):
        until = world.start + (day + 1) * DAY
        rows = _junk_rows(5 + len(states) // 250, world.start, rng) if number == 0 else []
        tally.count("junk contact", len(rows))
        for person, versions in states:
            current = [version for version in versions if version.since <= until]
            if not current:
                continue
            _export(channel, person, current, previous, rows)
        encoding = "utf-8-sig" if number == 1 else "utf-8"
        damaged = _damaged() if number == len(days) - 1 else []
        if damaged:
            tally.reject("bad encoding")
            tally.reject("too few cells")
        channel.write(f"contacts-{channel.date(day)}.csv", _render(rows, encoding, damaged))
        previous = until


def _export(
    channel: Channel, person: Person, current: list[_Version], previous: float, rows: list[Row]
) -> None:
    tally, last = channel.tally, current[-1]
    if last.since <= previous and channel.rng.random() > 0.05:
        return
    channel.seen(last.row["contact_id"], person)
    rows.append(last.row)
    tally.count("contact")
    if last.since <= previous:
        tally.duplicates += 1
    elif current[0].since <= previous:
        tally.revisions += 1


def _damaged() -> list[bytes]:
    full = ["C9900001", "Ren\xe9e", "Lef\xe8vre", *[""] * (len(COLUMNS) - 3)]
    return [",".join(full).encode("latin-1") + b"\n", b"C9900002,Cut,Off,cut.off@inbox.example\n"]
