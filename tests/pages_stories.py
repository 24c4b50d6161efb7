"""Events of made-up customers for tests/pages_world.py: visits, campaigns, tickets, and somebody drawn by chance."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tests.warehouse_tools import Row, event, identifier, order, value

TODAY = 424  # day number of NOW
_GIVEN = (
    "Ben",
    "Chidi",
    "Dora",
    "Elif",
    "Femi",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Kemal",
    "Lena",
    "Marta",
    "Nils",
    "Olga",
    "Priya",
    "Quinn",
    "Rosa",
    "Sven",
    "Tara",
    "Umar",
)
_SURNAMES = (
    "Adeyemi",
    "Brandt",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jones",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "O'Brien",
    "Patel",
    "Rossi",
    "Schmidt",
)
_CITIES = (
    ("London", "SW1A 1AA", 51.5, -0.12),
    ("Leeds", "LS1 4AP", 53.8, -1.55),
    ("York", "YO1 7HH", 53.96, -1.08),
    ("Bristol", "BS1 5TR", 51.45, -2.59),
)
PRODUCTS = ("Atlas of Tides", "Lighthouse Keeping", "Sea Shanties", "Knots and Splices", "Harbour Cookbook")
CAMPAIGNS = ("spring-letter", "summer-sale", "autumn-atlas", "winter-reading", "new-year")


def names(record: str, full: str, email: str | None) -> list[Row]:
    given, _, surname = full.partition(" ")
    told = {"full_name": full, "given_name": given, "surname": surname, "email": email}
    return [value(record, name, text) for name, text in told.items() if text]


def visits(record: str, days: tuple[float, ...], name: str) -> Iterator[Row]:
    for number, at in enumerate(days):
        product = PRODUCTS[number % len(PRODUCTS)]
        yield event(
            f"{name}-v{number}",
            record,
            at=at + 0.40,
            direction="inbound",
            subject="Home",
            properties=json.dumps({"url": "https://harbour.example/", "referrer": "search"}),
        )
        yield event(
            f"{name}-p{number}",
            record,
            at=at + 0.41,
            direction="inbound",
            event_type="product_viewed",
            subject=product,
            product=product,
            properties=json.dumps({"price": 18.2, "list": "bestsellers"}),
        )


def campaign(record: str, name: str, campaign: str, at: float, *, clicks: bool) -> Iterator[Row]:
    given: Row = {
        "channel": "email",
        "campaign": campaign,
        "subject": campaign.replace("-", " ").capitalize(),
        "reference": f"{name}-ref",
    }
    yield event(f"{name}-s", record, at=at, event_type="email_sent", direction="outbound", **given)
    yield event(
        f"{name}-d", record, at=at + 0.001, event_type="email_delivered", direction="outbound", **given
    )
    yield event(
        f"{name}-m",
        record,
        at=at + 0.002,
        event_type="email_opened",
        direction="inbound",
        outcome="machine",
        **given,
    )
    if clicks:
        yield event(f"{name}-o", record, at=at + 0.3, event_type="email_opened", direction="inbound", **given)
        yield event(
            f"{name}-c", record, at=at + 0.301, event_type="email_clicked", direction="inbound", **given
        )


def ticket(
    record: str, reference: str, at: float, subject: str, *, solved: float | None, escalated: float | None
) -> Iterator[Row]:
    given: Row = {
        "channel": "support",
        "reference": reference,
        "subject": subject,
        "product": subject.split(":", maxsplit=1)[0],
    }
    yield event(f"{reference}-open", record, at=at, event_type="ticket_opened", direction="inbound", **given)
    if escalated:
        yield event(
            f"{reference}-up",
            record,
            at=escalated,
            event_type="ticket_escalated",
            escalation_level=2,
            agent="Second level",
            **given,
        )
    if solved:
        yield event(
            f"{reference}-done",
            record,
            at=solved,
            event_type="ticket_solved",
            agent="Marge",
            outcome="solved",
            **given,
        )


def busy(draw: random.Random) -> Iterator[Row]:
    for number in range(5000):
        yield event(
            f"busy-{number}",
            "web:u-3000",
            at=draw.uniform(0, TODAY - 1),
            direction="inbound",
            event_type=draw.choice(("page_viewed", "product_viewed")),
            subject=draw.choice(PRODUCTS),
        )


def somebody(number: int, draw: random.Random) -> Row:
    given, surname = _GIVEN[number % len(_GIVEN)], _SURNAMES[(number * 5) % len(_SURNAMES)]
    email = f"{given}.{surname}{number}@mail.example".lower().replace("'", "")
    phone, (city, postcode, latitude, longitude) = f"+4477009{number:05}", _CITIES[number % len(_CITIES)]
    web, mail = f"web:u-{number}", f"mail:{email}"
    start = draw.randint(0, 330)
    spread = draw.randint(20, TODAY - start - 2)
    events = [
        row
        for at in sorted(draw.sample(range(spread), min(6, spread)))
        for row in visits(web, (start + at,), f"{number}-{at}")
    ]
    for count, name in enumerate(draw.sample(CAMPAIGNS, 3)):
        events += campaign(
            mail, f"{number}-{count}", name, 60 + 80 * CAMPAIGNS.index(name), clicks=draw.random() < 0.5
        )
    for count in range(draw.choice((0, 0, 1, 1, 2, 4))):
        product = draw.choice(PRODUCTS)
        events.append(
            order(
                f"{number}-o{count}",
                f"{draw.randint(12, 180)}.00",
                web,
                at=start + draw.uniform(0, spread),
                subject=product,
                product=product,
                reference=f"O-{number}-{count}",
                direction="inbound",
            )
        )
    if number % 5 == 0:
        events += ticket(
            web,
            f"T-{number}",
            start + 1,
            f"{draw.choice(PRODUCTS)}: where is it?",
            solved=None if number % 2 else start + 4,
            escalated=start + 2 if number % 10 == 0 else None,
        )
    for channel, share in (("email", 0.7), ("sms", 0.3)):
        events.append(
            event(
                f"{number}-{channel}",
                web,
                at=start,
                event_type="consent_changed",
                consent_purpose="marketing",
                consent_channel=channel,
                consent_state="granted" if draw.random() < share else "denied",
            )
        )
    places: Row = {"latitude": latitude, "longitude": longitude}
    events.append(
        event(f"{number}-place", web, at=start + 1, direction="inbound", subject="Shop finder", **places)
    )
    values = [
        *names(web, f"{given} {surname}", email),
        value(web, "phone", phone),
        value(web, "city", city),
        value(web, "postcode", postcode),
        value(web, "country", "GB"),
    ]
    identifiers = [
        identifier(web, "user_id", str(number), namespace="web"),
        identifier(web, "email", email),
        identifier(mail, "email", email),
        identifier(web, "phone", phone),
    ]
    return {"records": (web, mail), "events": events, "identifiers": identifiers, "values": values}
