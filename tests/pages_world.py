"""A small shop for the tests of the pages: some sixty customers on all channels, one of whom is known thoroughly.

``ADA`` has seven records of six sources that evidence joins, a split judgement and a name twin beside her, a
retired id, consents, campaigns with responses, orders with a refund, tickets with an escalation, and opens that
a mail client did on its own. ``BUSY`` has several thousand events. Everybody else is drawn from a fixed seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from cdp.schemas import HELD_BACK
from tests.pages_stories import CAMPAIGNS, PRODUCTS, busy, campaign, names, somebody, ticket, visits
from tests.warehouse_tools import NOW, Row, day, edge, event, identifier, order, table, value, world
from warehouse.inputs import ID_CHANGES, JUDGEMENTS, QUALITY, REDIRECTS, BuildInputs

ADA: Final = "C00000001"
TWIN: Final = "C00000002"
BUSY: Final = "C00000003"
RETIRED: Final = "C00000900"
HOSTILE: Final = (
    "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
)
RECORDS: Final = (
    "crm:1042",
    "mail:ada.okafor@mail.example",
    "calls:+447700900142",
    "shop:O-77",
    "web:u-1042",
    "web:anon-5f2c",
    "social:@ada.okafor",
)
SETTINGS: Final = """\
version: 1
workspace: {name: Harbour Books, timezone: Europe/London, region: GB, currency: GBP}
sources:
  web: {connector: segment, write_key_env: CDP_WEB_KEY}
"""
_RULES = ("most_recent", "source_trust")


def shop(folder: Path) -> BuildInputs:
    """Return what the shop's release is made of; event files go into ``folder``."""
    draw = random.Random(7)
    id_map: dict[str, str] = dict.fromkeys(RECORDS, ADA) | {"web:u-2000": TWIN, "web:u-3000": BUSY}
    events = [*_ada(), *_twin(), *busy(draw)]
    identifiers, values = _known_of_ada(), names("web:u-2000", "Adaeze Okafor", None)
    for number, (name, (record, text)) in enumerate(ada_values().items()):
        values.append(
            {**value(record, name, text), "observed_at": day(30 * number), "rule": _RULES[number % 2]}
        )
    values += names("web:u-3000", "Bruno Castell", "bruno@mail.example")
    identifiers += [
        identifier("web:u-2000", "phone", "+447700900142"),
        identifier("web:u-2000", "user_id", "2000", namespace="web"),
        identifier("web:u-3000", "email", "bruno@mail.example"),
    ]
    for number in range(4, 64):
        some = somebody(number, draw)
        id_map |= dict.fromkeys(some["records"], f"C{number:08}")
        events += some["events"]
        identifiers += some["identifiers"]
        values += some["values"]
    return world(
        folder,
        [events[::2], events[1::2]],
        id_map,
        identifiers=identifiers,
        values=values,
        evidence=_evidence(),
        probabilities=dict.fromkeys(RECORDS, 0.9931) | {"social:@ada.okafor": 0.9731},
        held_back=table(HELD_BACK, _held_back()),
        judgements=table(JUDGEMENTS, [_split()]),
        redirects=table(REDIRECTS, [{"previous_customer_id": RETIRED, "customer_id": ADA}]),
        id_changes=table(ID_CHANGES, _id_changes(sorted(set(id_map.values())))),
        quality=table(QUALITY, list(_quality())),
        workspace="Harbour Books",
    )


def _ada() -> Iterator[Row]:
    yield from visits("web:u-1042", (2, 40, 41, 90, 180, 240, 300, 395, 420, 423), "ada")
    yield from visits("web:anon-5f2c", (1, 39, 299), "anon")
    for number, (name, at) in enumerate(zip(CAMPAIGNS, (60, 150, 240, 330, 380), strict=True)):
        yield from campaign("mail:ada.okafor@mail.example", f"a{number}", name, at, clicks=number != 2)
    for number, (at, amount, product) in enumerate(
        ((41, "24.00", 0), (90, "61.50", 1), (181, "18.20", 2), (300, "44.90", 3), (396, "129.00", 4))
    ):
        yield order(
            f"o{number}",
            amount,
            "shop:O-77",
            at=at + 0.6,
            subject=PRODUCTS[product],
            product=PRODUCTS[product],
            reference=f"O-77{number}",
            direction="inbound",
        )
    yield event(
        "refund",
        "shop:O-77",
        at=310,
        channel="orders",
        event_type="order_refunded",
        amount=Decimal("18.20"),
        currency="GBP",
        reference="O-772",
        subject="Sea Shanties: damaged in the post",
        direction="outbound",
    )
    yield from ticket("crm:1042", "T-501", 303, "Sea Shanties arrived damaged", solved=309, escalated=305)
    yield from ticket("crm:1042", "T-733", 418, "Atlas of Tides: wrong edition", solved=None, escalated=421)
    yield event(
        "call-1",
        "calls:+447700900142",
        at=304.4,
        channel="phone",
        event_type="call_received",
        direction="inbound",
        duration_seconds=412.0,
        agent="Marge",
        department="Customer care",
        outcome="answered",
        subject="Customer care",
    )
    yield event(
        "call-2",
        "calls:+447700900142",
        at=419.4,
        channel="phone",
        event_type="call_missed",
        direction="inbound",
        department="Customer care",
        outcome="no answer",
        subject="Customer care",
    )
    yield event(
        "dm-1",
        "social:@ada.okafor",
        at=305.1,
        channel="social",
        event_type="message_received",
        direction="inbound",
        subject="Any news of my parcel?",
        brand="harbour",
    )
    yield event(
        "dm-2",
        "social:@ada.okafor",
        at=305.2,
        channel="social",
        event_type="message_sent",
        direction="outbound",
        subject="Sorry! A new copy leaves today.",
    )
    yield event(
        "consent-1",
        "web:u-1042",
        at=2.1,
        event_type="consent_changed",
        consent_purpose="marketing",
        consent_channel="email",
        consent_state="granted",
        subject="Newsletter form",
    )
    yield event(
        "consent-2",
        "crm:1042",
        at=306,
        channel="crm",
        event_type="consent_changed",
        consent_purpose="marketing",
        consent_channel="phone",
        consent_state="denied",
        subject="Asked not to be called",
    )
    yield event(
        "crm-1", "crm:1042", at=0, channel="crm", event_type="contact_updated", subject="Contact created"
    )


def _twin() -> Iterator[Row]:
    yield from visits("web:u-2000", (120, 220, 350), "twin")
    hostile = {"subject": HOSTILE, "campaign": HOSTILE, "reference": HOSTILE, "product": HOSTILE}
    told = json.dumps({HOSTILE: HOSTILE, "deep": {"url": "javascript:alert(1)"}})
    yield event(
        "hostile",
        "web:u-2000",
        at=360,
        direction="inbound",
        event_type="order_placed",
        properties=told,
        **hostile,
    )


def _known_of_ada() -> list[Row]:
    seen = {"first_seen_at": day(1), "last_seen_at": day(420)}
    return [
        identifier("crm:1042", "external_id", "1042", namespace="crm", **seen),
        identifier("crm:1042", "email", "ada.okafor@mail.example", **seen),
        identifier("crm:1042", "phone", "+447700900142", **seen),
        identifier("mail:ada.okafor@mail.example", "email", "ada.okafor@mail.example", **seen),
        identifier("calls:+447700900142", "phone", "+447700900142", **seen),
        identifier("shop:O-77", "email", "ada@harbour-office.example", **seen),
        identifier("shop:O-77", "external_id", "O-77", namespace="shop", **seen),
        identifier("web:u-1042", "user_id", "1042", namespace="web", **seen),
        identifier("web:u-1042", "email", "ada.okafor@mail.example", **seen),
        identifier("web:u-1042", "anonymous_id", "5f2c", namespace="web", **seen),
        identifier("web:anon-5f2c", "anonymous_id", "5f2c", namespace="web", **seen),
        identifier("social:@ada.okafor", "handle", "@ada.okafor", namespace="social", **seen),
    ]


def ada_values() -> dict[str, tuple[str, str]]:
    """Golden values of ADA: record and text by attribute."""
    return {
        "full_name": ("crm:1042", "Ada Okafor"),
        "given_name": ("crm:1042", "Ada"),
        "surname": ("crm:1042", "Okafor"),
        "email": ("mail:ada.okafor@mail.example", "ada.okafor@mail.example"),
        "phone": ("calls:+447700900142", "+447700900142"),
        "birth_date": ("crm:1042", "1988-04-17"),
        "street": ("shop:O-77", "14 Quay Street"),
        "city": ("shop:O-77", "Bristol"),
        "postcode": ("shop:O-77", "BS1 5TR"),
        "country": ("shop:O-77", "GB"),
        "language": ("web:u-1042", "en"),
    }


_LEVELS: Final = (
    ("prior", "two records taken at random", -11.8),
    ("given name", "same", 6.1),
    ("surname", "same", 8.9),
    ("street", "near", 5.2),
    ("postcode", "same", 6.4),
    ("e-mail", "different", -2.1),
)


def _levels(*parts: tuple[str, str, float]) -> list[Row]:
    return [{"comparison": name, "level": level, "weight": weight} for name, level, weight in parts]


def _shared(one: str, other: str, kind: str, weight: float) -> Row:
    left, right = sorted((one, other))
    return {
        "left_record": left,
        "right_record": right,
        "kind": "deterministic",
        "match_weight": weight,
        "match_probability": 1 / (1 + 2**-weight),
        "reason": f"same {kind} (weight {weight:.1f})",
        "levels": _levels((kind, "same", weight)),
    }


def _evidence() -> list[Row]:
    fuzzy = sum(part[2] for part in _LEVELS)
    return [
        _shared("crm:1042", "mail:ada.okafor@mail.example", "email", 17.3),
        _shared("crm:1042", "web:u-1042", "email", 17.3),
        _shared("mail:ada.okafor@mail.example", "web:u-1042", "email", 17.3),
        _shared("crm:1042", "calls:+447700900142", "phone", 7.0),
        _shared("web:anon-5f2c", "web:u-1042", "anonymous_id", 8.0),
        edge(
            "crm:1042",
            "shop:O-77",
            round(fuzzy, 3),
            kind="probabilistic",
            match_probability=1 / (1 + 2**-fuzzy),
            reason="same surname (weight 8.9); same postcode (6.4); same given name (6.1)",
            levels=_levels(*_LEVELS),
        ),
        edge(
            "crm:1042",
            "social:@ada.okafor",
            5.2,
            kind="probabilistic",
            match_probability=0.9731,
            reason="same full name (weight 15.0)",
            levels=_levels(
                ("prior", "two records taken at random", -11.8),
                ("full name", "same", 15.0),
                ("city", "near", 2.0),
            ),
        ),
        edge(
            "calls:+447700900142",
            "web:u-2000",
            3.1,
            kind="deterministic",
            match_probability=0.895,
            reason="same phone, given name differs (weight 3.1)",
            levels=_levels(("phone", "same", 7.0), ("given name", "different", -3.9)),
        ),
    ]


def _held_back() -> list[Row]:
    return [
        {
            "what": "identifier",
            "type": "phone",
            "namespace": "",
            "value": "+447700900142",
            "reason": "unnamed records share it with several customers",
            "records": 3,
        },
        {
            "what": "identifier",
            "type": "email",
            "namespace": "",
            "value": "none@none.com",
            "reason": "placeholder value",
            "records": 9,
        },
    ]


def _split() -> Row:
    return {
        "judgement_id": 1,
        "left_record": "crm:1042",
        "right_record": "web:u-2000",
        "kind": "cannot_link",
        "decided_at": day(200),
        "decided_by": "marge",
        "reason": "Sisters: they share a telephone",
    }


def _id_changes(customers: list[str]) -> list[Row]:
    rows = [
        {"change": "created", "customer_id": one, "changed_at": day(3 + number)}
        for number, one in enumerate(customers)
    ]
    rows.append({"change": "created", "customer_id": RETIRED, "changed_at": day(50)})
    rows.append(
        {
            "change": "merged",
            "customer_id": ADA,
            "previous_customer_id": RETIRED,
            "changed_at": day(301),
            "reason": "new evidence",
        }
    )
    return [
        {"change_seq": number, "generation": 1, "run_id": "run", **row}
        for number, row in enumerate(rows, start=1)
    ]


def _quality() -> Iterator[Row]:
    for number in range(5):
        for source in ("web", "shop"):
            yield {
                "source": source,
                "check_name": "events_have_times",
                "passed": (number, source) != (3, "shop"),
                "observed": "0 without a time",
                "expected": "0",
                "run_id": f"run-{number}",
                "checked_at": NOW - timedelta(days=number),
            }
