"""Deliveries of a shop, of its till and of a form, from the request to the customer: money counts once."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from cdp.settings import load
from connectors.registry import names
from tests import collector_tools
from tests.collector_tools import Client, batches, collecting, seal
from tests.pipelines_tools import rows, run
from tests.signature_tools import rfc2104

AT = 1_772_445_600
CONFIG = """
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
sources:
  shop: {connector: shopify, secret_env: CDP_SHOP_SECRET}
  till: {connector: stripe, secret_env: [CDP_TILL_NEW, CDP_TILL_OLD]}
  leads:
    connector: files
    secret_env: CDP_LEADS_SECRET
    signature: {scheme: hmac, header: X-Signature, timestamp_header: X-Time, signed: "{timestamp}.{body}"}
    event: {type: lead_submitted, id: id, time: at, subject: wish}
    identifiers: {email: email}
    traits: {full_name: name}
"""
SECRETS = {
    "CDP_SHOP_SECRET": "hush",
    "CDP_TILL_NEW": "whsec_b",
    "CDP_TILL_OLD": "whsec_a",
    "CDP_LEADS_SECRET": "s3",
}
Headers = tuple[tuple[str, str], ...]

CUSTOMER = {"id": 7001, "first_name": "Ann", "last_name": "Archer", "email": "ann.archer@mail.example"}
ORDER = {
    "id": 5001,
    "name": "#1001",
    "email": "ann.archer@mail.example",
    "created_at": "2026-02-03T10:00:00Z",
    "updated_at": "2026-02-03T10:00:00Z",
    "financial_status": "pending",
    "total_price": "50.00",
    "currency": "GBP",
    "customer": CUSTOMER,
}
PAID = ORDER | {"financial_status": "paid", "total_price": "59.90", "updated_at": "2026-02-03T10:05:00Z"}
REFUND = {
    "id": 9001,
    "order_id": 5001,
    "created_at": "2026-02-05T12:00:00Z",
    "refund_line_items": [],
    "transactions": [{"kind": "refund", "status": "success", "amount": "9.90", "currency": "GBP"}],
}
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "amount": 5990,
    "amount_captured": 5990,
    "captured": True,
    "status": "succeeded",
    "currency": "gbp",
    "payment_intent": "pi_1",
    "billing_details": {"email": "ann.archer@mail.example", "name": "Ann Archer"},
    "created": AT - 60,
}
INTENT = {"id": "pi_1", "object": "payment_intent", "amount_received": 5990, "status": "succeeded", "currency": "gbp",
          "customer": "cus_1", "created": AT - 90}  # fmt: skip


def shopify(topic: str, body: dict[str, Any]) -> tuple[str, bytes, Headers]:
    data = json.dumps(body).encode()
    signature = base64.b64encode(rfc2104(b"hush", data)).decode()
    return "/hooks/shop", data, (("x-shopify-hmac-sha256", signature), ("x-shopify-topic", topic))


def stripe(
    number: int, kind: str, thing: dict[str, Any], previous: dict[str, Any] | None = None
) -> tuple[str, bytes, Headers]:
    event = {"id": f"evt_{number}", "object": "event", "type": kind, "created": AT - 50 + number}
    data = json.dumps(event | {"data": {"object": thing, "previous_attributes": previous or {}}}).encode()
    signature = rfc2104(b"whsec_a", f"{AT}.".encode() + data).hex()
    return "/hooks/till", data, (("stripe-signature", f"t={AT},v1={'0' * 64},v1={signature}"),)


def lead(body: bytes) -> tuple[str, bytes, Headers]:
    signature = rfc2104(b"s3", f"{AT}.".encode() + body).hex()
    return "/hooks/leads", body, (("x-signature", signature), ("x-time", str(AT)))


LEAD = {
    "id": "l1",
    "at": "2026-02-01T09:00:00Z",
    "email": "ann.archer@mail.example",
    "name": "Ann Archer",
    "wish": "a lamp & a bulb",
}
DELIVERIES = [
    shopify("orders/create", ORDER),
    shopify("orders/paid", PAID),
    shopify("orders/create", ORDER),  # tried again, and late
    shopify("refunds/create", REFUND),
    shopify("orders/updated", PAID | {"updated_at": "2026-02-05T12:00:01Z", "refunds": [REFUND]}),
    stripe(1, "charge.succeeded", CHARGE),
    stripe(1, "charge.succeeded", CHARGE),
    stripe(2, "payment_intent.succeeded", INTENT),
    stripe(3, "charge.refunded", CHARGE | {"amount_refunded": 990}, {"amount_refunded": 0}),
    lead(urlencode(LEAD).encode()),
    lead(json.dumps([LEAD | {"id": "l2"}, LEAD | {"id": "l3"}]).encode()),
    lead(b"hello"),
]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that everything was delivered to, after a run."""
    root = tmp_path_factory.mktemp("shop")
    (root / "cdp.yaml").write_text(CONFIG, encoding="utf-8")
    settings = load(root, names())

    async def work(client: Client) -> list[tuple[int, int]]:
        found = []
        for path, data, headers in DELIVERIES:
            forged = await client(path, data.replace(b"ann.archer", b"eve.archer") + b" ", *headers)
            found.append(((await client(path, data, *headers)).status, forged.status))
        return found

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setitem(collector_tools.ENVIRONMENT, name, value)
        statuses = collecting(root, work, settings, clock=lambda: AT + 1.0)
    assert statuses == [(200, 403)] * len(DELIVERIES)
    landed = batches(seal(root, settings))
    assert sum(batch.landed for batch in landed) == 14
    run(root)
    return root


def test_the_order_counts_once_and_its_payment_is_no_revenue(delivered: Path) -> None:
    money = "SELECT order_count, revenue, refund_count, refunded, net_revenue FROM customers WHERE order_count > 0"
    assert rows(delivered, money) == [(1, Decimal("59.90"), 1, Decimal("9.90"), Decimal("50.00"))]


def test_everybody_who_was_told_of_is_one_person(delivered: Path) -> None:
    found = rows(delivered, "SELECT full_name, email, record_count FROM customers")
    assert [(name, email) for name, email, _ in found] == [("Ann Archer", "ann.archer@mail.example")]
    sources = "SELECT DISTINCT source FROM customer_records ORDER BY source"
    assert rows(delivered, sources) == [("leads",), ("shop",), ("till",)]


def test_each_thing_that_happened_is_in_the_history_once(delivered: Path) -> None:
    history = "SELECT source, event_type, count(*) FROM contact_history GROUP BY ALL ORDER BY ALL"
    assert rows(delivered, history) == [
        ("leads", "lead_submitted", 3),
        ("shop", "order_placed", 1),
        ("shop", "order_refunded", 1),
        ("till", "payment_received", 1),
        ("till", "payment_refunded", 1),
    ]


def test_the_newest_state_of_the_order_stands_however_late_the_first_came(delivered: Path) -> None:
    assert rows(
        delivered, "SELECT amount, outcome FROM contact_history WHERE event_type = 'order_placed'"
    ) == [(Decimal("59.90"), "paid")]


def test_what_says_who_paid_stands(delivered: Path) -> None:
    who = """SELECT count(*) FROM customer_identifiers WHERE source = 'till' AND type = 'email'"""
    assert rows(delivered, who)[0][0] >= 1


def test_the_topic_is_the_type_of_the_envelope_and_a_form_is_a_row(delivered: Path) -> None:
    found = rows(delivered, "SELECT subject FROM contact_history WHERE source = 'leads' ORDER BY event_id")
    assert found == [("a lamp & a bulb",)] * 3
