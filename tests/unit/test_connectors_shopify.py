"""Shopify: resources and their states become events that count once, whatever the topic and the way they came."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cdp.duck import connect
from connectors import shopify
from connectors.envelopes import EnvelopeContext, seal
from connectors.protocol import SplitContext
from connectors.reading import Gathered, Item
from connectors.shopify_documents import kind_of, preview
from connectors.standardise import standardise
from connectors.testing import NOW
from tests.channel_tools import DATA, context, events, reasons

ADDRESS = {
    "name": "Ann Archer",
    "address1": "1 High Street",
    "city": "York",
    "zip": "YO1",
    "country_code": "GB",
}
ORDER: dict[str, Any] = {
    "id": 5001,
    "admin_graphql_api_id": "gid://shopify/Order/5001",
    "name": "#1001",
    "email": "ann@c.example",
    "created_at": "2026-03-02T10:00:00Z",
    "updated_at": "2026-03-02T10:00:00Z",
    "financial_status": "pending",
    "total_price": "59.90",
    "currency": "GBP",
    "billing_address": ADDRESS,
}
REFUND: dict[str, Any] = {
    "id": 9001,
    "order_id": 5001,
    "created_at": "2026-03-05T12:00:00Z",
    "refund_line_items": [],
    "transactions": [{"kind": "refund", "status": "success", "amount": "9.95", "currency": "GBP"}],
}
CUSTOMER: dict[str, Any] = {
    "id": 7001,
    "email": "ann@c.example",
    "verified_email": True,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-03-02T10:00:00Z",
}


def one(document: object) -> dict[str, Any]:
    (event,) = events("shopify", document)
    return event


def kinds(document: object) -> list[str]:
    return [event["event_type"] for event in events("shopify", document)]


def with_topic(payload: object, topic: str | None) -> list[dict[str, Any]]:
    """Return the events of a delivery whose header named a topic."""
    data = json.dumps(payload).encode()
    gathered, item = Gathered(), Item(hashlib.sha256(data).hexdigest(), topic)
    for chunk in shopify.split(data, SplitContext("")):
        chunk.kinds = [topic] * len(chunk.payloads)
        gathered.add(chunk, item)
    with connect() as connection:
        raw, _ = seal(connection, shopify.CONNECTOR, gathered, EnvelopeContext("shopify", "b1", NOW))
    found: list[dict[str, Any]] = standardise(
        raw, shopify.CONNECTOR, context("shopify"), file_id=1
    ).events.to_pylist()
    return found


def state_id(payload: dict[str, Any]) -> str | None:
    found: str | None = json.loads(preview(json.dumps(payload).encode()))["id"]
    return found


class TestOrders:
    def test_an_order_is_one_event_whatever_its_state(self):
        paid = ORDER | {"financial_status": "paid", "updated_at": "2026-03-02T10:05:00Z"}
        assert state_id(ORDER) == state_id(paid) == "order:5001"
        assert (one(ORDER)["outcome"], one(paid)["outcome"]) == ("pending", "paid")
        assert one(paid)["occurred_at"] == "2026-03-02T10:00:00+00:00"

    @pytest.mark.parametrize(
        "topic", [None, "orders/create", "orders/updated", "orders/paid", "orders/fulfilled"]
    )
    def test_the_topic_of_an_order_changes_nothing(self, topic):
        (event,) = with_topic(ORDER, topic)
        assert (event["event_type"], str(event["amount"])) == ("order_placed", "59.9000")

    def test_the_same_order_has_one_id_with_and_without_its_global_id(self):
        assert state_id({k: v for k, v in ORDER.items() if k != "admin_graphql_api_id"}) == "order:5001"

    def test_an_order_names_its_customer_and_joins_what_belongs_to_it(self):
        order = ORDER | {"customer": {"id": 7001, "first_name": "Ann"}, "cart_token": "cart-1"}
        assert one(order)["identifiers"] == [
            "external_id shopify:7001",
            "external_id shopify_order:order:5001",
            "anonymous_id shopify:cart-1",
            "email :ann@c.example",
        ]
        assert one(REFUND)["identifiers"] == ["external_id shopify_order:order:5001"]

    def test_a_guest_is_known_by_address(self):
        event = one(ORDER)
        assert event["traits"]["full_name"] == "Ann Archer"
        assert (event["traits"]["postcode"], event["traits"]["country"]) == ("YO1", "GB")

    def test_a_cancelled_order_was_placed_and_cancelled(self):
        order = ORDER | {
            "cancelled_at": "2026-03-02T12:00:00Z",
            "cancel_reason": "fraud",
            "financial_status": "refunded",
        }
        placed, cancelled = events("shopify", order)
        assert (placed["event_type"], placed["amount"]) == ("order_placed", "59.9000")
        assert (cancelled["event_type"], cancelled["outcome"]) == ("order_cancelled", "fraud")
        assert cancelled["occurred_at"] == "2026-03-02T12:00:00+00:00"

    @pytest.mark.parametrize(
        "state",
        [
            {"financial_status": "voided"},
            {"financial_status": "pending", "cancelled_at": "2026-03-02T12:00:00Z"},
            {"financial_status": "authorized", "cancelled_at": "2026-03-02T12:00:00Z"},
            {"financial_status": "paid", "test": True},
        ],
    )
    def test_what_was_never_paid_is_no_revenue(self, state):
        placed = events("shopify", ORDER | state)[0]
        assert placed["event_type"] == "order_placed"
        assert "amount" not in placed
        assert placed["properties"]["total"] == "59.90"

    @pytest.mark.parametrize(("said", "consent"), [(True, "granted"), (False, None), (None, None)])
    def test_a_box_that_was_not_ticked_is_no_word_on_consent(self, said, consent):
        assert one(ORDER | {"buyer_accepts_marketing": said}).get("consent_state") == consent

    def test_the_campaign_is_that_of_the_landing_page(self):
        event = one(ORDER | {"landing_site": "/?utm_source=x&utm_campaign=spring#top"})
        assert event["campaign"] == "spring"
        assert "campaign" not in one(ORDER | {"landing_site": "/lamps"})

    def test_an_amount_that_is_none_is_told(self):
        assert reasons("shopify", ORDER | {"total_price": "a lot"}) == {"quarantined:bad_amount": 1}


class TestRefunds:
    def test_what_is_paid_back_is_what_was_really_moved(self):
        rows = [
            {"kind": "refund", "status": "success", "amount": "9.95", "currency": "GBP"},
            {"kind": "refund", "status": "success", "amount": "0.05", "currency": "GBP"},
            {"kind": "refund", "status": "failure", "amount": "50.00", "currency": "GBP"},
            {"kind": "void", "status": "success", "amount": "1.00", "currency": "GBP"},
        ]
        event = one(REFUND | {"transactions": rows})
        assert (event["event_type"], event["amount"], event["currency"]) == (
            "order_refunded",
            "10.0000",
            "GBP",
        )
        assert event["reference"] == "5001"

    def test_goods_that_came_back_without_money_have_no_amount(self):
        assert "amount" not in one(REFUND | {"transactions": []})

    def test_a_refund_in_two_currencies_names_none(self):
        two = [
            *REFUND["transactions"],
            {"kind": "refund", "status": "success", "amount": "1", "currency": "EUR"},
        ]
        assert "currency" not in one(REFUND | {"transactions": two})

    def test_a_refund_of_a_test_is_none(self):
        rows = [row | {"test": True} for row in REFUND["transactions"]]
        assert "amount" not in one(REFUND | {"transactions": rows})

    def test_a_refund_is_the_same_inside_its_order_and_by_itself(self):
        found = events("shopify", ORDER | {"refunds": [REFUND]})
        assert [event["event_id"] for event in found] == ["order:5001", "refund:9001"]
        assert one(REFUND) == found[1]

    def test_a_sum_that_is_none_is_told(self):
        rows = [{"kind": "refund", "status": "success", "amount": "x"}]
        assert reasons("shopify", REFUND | {"transactions": rows}) == {"quarantined:bad_amount": 1}


class TestCustomers:
    def test_a_customer_is_a_contact_with_traits(self):
        person = CUSTOMER | {"first_name": "Ann", "last_name": "Archer", "phone": "+442079460958"}
        event = one(person | {"default_address": ADDRESS | {"company": "Harbour"}})
        assert (event["event_type"], event["channel"]) == ("contact_updated", "crm")
        assert (
            event["traits"] | {"given_name": "Ann", "surname": "Archer", "company": "Harbour"}
            == event["traits"]
        )

    @pytest.mark.parametrize(
        ("topic", "word"), [("customers/create", "contact_created"), ("customers/update", "contact_updated")]
    )
    def test_whether_a_customer_is_new_the_topic_says(self, topic, word):
        (event,) = with_topic(CUSTOMER, topic)
        assert event["event_type"] == word

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ("subscribed", ["granted"]),
            ("unsubscribed", ["denied"]),
            ("not_subscribed", []),
            ("pending", []),
            (None, []),
        ],
    )
    def test_each_word_on_consent_is_an_event(self, state, words):
        given = {"state": state, "consent_updated_at": "2026-02-02T08:00:00Z"}
        found = events("shopify", CUSTOMER | {"email_marketing_consent": given})
        said = [event for event in found if event["event_type"] == "consent_changed"]
        assert [event["consent_state"] for event in said] == words
        assert all(event["occurred_at"] == "2026-02-02T08:00:00+00:00" for event in said)
        assert all((e["consent_purpose"], e["consent_channel"]) == ("marketing", "email") for e in said)

    def test_a_number_has_its_own_consent(self):
        given = {"state": "subscribed", "consent_updated_at": "2026-02-02T08:00:00Z"}
        said = events("shopify", CUSTOMER | {"sms_marketing_consent": given})[1]
        assert (said["consent_channel"], said["consent_state"]) == ("sms", "granted")

    @pytest.mark.parametrize(
        ("old", "words"),
        [
            ({"accepts_marketing": True}, ["granted"]),
            ({"accepts_marketing": False}, []),
            ({"accepts_marketing": False, "accepts_marketing_updated_at": "2026-01-01T00:00:00Z"}, []),
            (
                {"accepts_marketing": False, "accepts_marketing_updated_at": "2026-02-01T00:00:00Z"},
                ["denied"],
            ),
        ],
    )
    def test_customers_as_they_were_before_2022(self, old, words):
        found = events("shopify", CUSTOMER | old)
        assert [event["consent_state"] for event in found if "consent_state" in event] == words

    def test_consent_may_come_by_itself(self):
        word = {"state": "unsubscribed", "consent_updated_at": "2026-02-02T08:00:00Z"}
        body = {"customer_id": 7001, "email_address": "ann@c.example", "email_marketing_consent": word}
        event = one(body)
        assert (event["event_type"], event["consent_state"]) == ("consent_changed", "denied")
        assert event["identifiers"] == ["external_id shopify:7001", "email :ann@c.example"]
        none = body | {"email_marketing_consent": {"state": "not_subscribed"}}
        assert reasons("shopify", none) == {"ignored:no_word_on_consent": 1}

    def test_a_customer_that_is_gone(self):
        gone = {
            "id": 7001,
            "phone": None,
            "addresses": [],
            "admin_graphql_api_id": "gid://shopify/Customer/7001",
        }
        assert (one(gone)["event_type"], one(gone)["record_key"]) == ("contact_deleted", "shopify:7001")
        assert state_id(gone) != state_id(CUSTOMER), "or the deletion would be taken for a state"
        (event,) = with_topic({"id": 7001}, "customers/delete")
        assert event["event_type"] == "contact_deleted"
        assert with_topic({"id": 7001}, "orders/delete") == []

    def test_a_part_of_a_customer_is_no_deletion(self):
        part = {"id": 7001, "first_name": "Ann", "admin_graphql_api_id": "gid://shopify/Customer/7001"}
        assert one(part)["event_type"] == "contact_updated"

    def test_a_request_about_personal_data_is_noted(self):
        body = {
            "shop_id": 1,
            "shop_domain": "shop.example",
            "customer": {"id": 7001, "email": "ann@c.example"},
        }
        (event,) = with_topic(body, "customers/redact")
        assert (event["event_type"], event["outcome"]) == ("note_added", "customers/redact")
        assert [one["type"] for one in event["identifiers"]] == ["external_id"], "no more than it takes"

    @pytest.mark.parametrize(
        ("number", "country", "known"),
        [("020 7946 0958", "GB", "+442079460958"), ("02 1234 5678", "IT", "+390212345678"), ("555-625-1199", "US", None),
         ("+39 02 1234 5678", None, "+390212345678"), ("020 7946 0958", None, None)],
    )  # fmt: skip
    def test_a_number_in_an_address_is_read_by_its_country(self, number, country, known):
        address = ADDRESS | {"phone": number, "country_code": country}
        found = [i for i in one(ORDER | {"billing_address": address})["identifiers"] if i.startswith("phone")]
        assert found == ([f"phone :{known}"] if known else [])


class TestTheWayToAnOrder:
    def test_a_cart_leads_to_the_checkout_and_the_order(self):
        cart = {
            "id": "c1",
            "token": "c1",
            "updated_at": "2026-03-02T09:00:00Z",
            "line_items": [{"title": "Lamp"}],
        }
        checkout = {
            "token": "k1",
            "cart_token": "c1",
            "abandoned_checkout_url": "https://x",
            "email": "ann@c.example",
        }
        found = [one(cart), one(checkout), one(ORDER | {"cart_token": "c1"})]
        assert [event["event_type"] for event in found] == [
            "product_added",
            "checkout_started",
            "order_placed",
        ]
        assert all("anonymous_id shopify:c1" in event["identifiers"] for event in found)
        assert [event["channel"] for event in found] == ["web", "web", "orders"]

    def test_a_shipment_is_sent_and_delivered(self):
        shipment = {
            "id": 6001,
            "order_id": 5001,
            "status": "success",
            "tracking_number": "RA1",
            "created_at": "2026-03-03",
        }
        assert kinds(shipment) == ["order_shipped"]
        assert kinds(shipment | {"shipment_status": "delivered"}) == ["order_shipped", "order_delivered"]
        assert reasons("shopify", shipment | {"status": "pending"}) == {"ignored:not_shipped": 1}

    @pytest.mark.parametrize(
        ("transaction", "found"),
        [
            ({"kind": "sale", "status": "success"}, ["payment_received"]),
            ({"kind": "capture", "status": "failure"}, ["payment_failed"]),
            ({"kind": "authorization", "status": "success"}, {"ignored:no_money_moved": 1}),
            ({"kind": "refund", "status": "success"}, {"ignored:told_by_refund": 1}),
            ({"kind": "sale", "status": "pending"}, {"ignored:not_settled": 1}),
        ],
    )
    def test_a_payment_is_no_revenue_beside_its_order(self, transaction, found):
        body = {
            "id": 1,
            "order_id": 5001,
            "gateway": "bogus",
            "amount": "59.90",
            "currency": "GBP",
        } | transaction
        assert (kinds(body) or reasons("shopify", body)) == found


class TestShapes:
    def test_rest_documents_are_taken_apart(self):
        assert kinds({"orders": [ORDER, ORDER | {"id": 5002}]}) == ["order_placed", "order_placed"]
        assert kinds({"customer": CUSTOMER}) == ["contact_updated"]
        assert reasons("shopify", {"orders": []}) == {"ignored:unsupported_resource": 1}
        assert reasons("shopify", {"orders": [ORDER, 5]}) == {"quarantined:not_an_object": 1}

    def test_what_it_has_no_place_for_is_told(self):
        assert reasons("shopify", {"id": 1, "title": "Lamp", "created_at": "2026-03-02"}) == {
            "ignored:unsupported_resource": 1
        }
        assert reasons("shopify", {"hello": "world"}) == {"quarantined:not_a_shopify_resource": 1}
        assert with_topic({"hello": "world"}, "themes/publish") == []

    def test_half_a_letter_does_no_harm(self):
        assert reasons("shopify", b'{"id": 1, "admin_graphql_api_id": "\\ud800", "created_at": "x"}') != {}

    def test_every_payload_of_the_tests_is_what_its_name_says(self):
        found = {
            path.stem: kind_of_file(path)
            for path in (DATA / "shopify").glob("*.json")
            if path.stem != "orders"
        }
        assert found == {
            "order": "order",
            "refund": "refund",
            "customer": "customer",
            "checkout": "checkout",
            "cart": "cart",
            "consent": "consent",
            "fulfillment": "fulfillment",
        }


def kind_of_file(path: Path) -> str:
    (chunk,) = shopify.split(path.read_bytes(), SplitContext(path.name))
    return kind_of(
        {name: json.dumps(value).encode() for name, value in json.loads(chunk.payloads[0]).items()}
    )
