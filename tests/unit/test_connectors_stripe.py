"""Stripe: one payment is one event however often it is told, and no revenue beside its order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.stripe_documents import preview
from connectors.stripe_money import in_currency
from tests.channel_tools import events, reasons

AT = 1772445600
CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "object": "charge",
    "amount": 5990,
    "amount_captured": 5990,
    "captured": True,
    "status": "succeeded",
    "currency": "eur",
    "customer": "cus_1",
    "payment_intent": "pi_1",
    "billing_details": {
        "email": "ann@c.example",
        "name": "Ann Archer",
        "address": {"city": "York", "country": "GB"},
    },
    "created": AT,
}
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 5990,
    "amount_received": 5990,
    "status": "succeeded",
    "currency": "eur",
    "customer": "cus_1",
    "latest_charge": "ch_1",
    "created": AT - 100,
}
SESSION: dict[str, Any] = {
    "id": "cs_1",
    "object": "checkout.session",
    "mode": "payment",
    "payment_status": "paid",
    "status": "complete",
    "payment_intent": "pi_1",
    "amount_total": 5990,
    "currency": "eur",
    "customer_details": {"email": "ann@c.example", "name": "Ann Archer"},
    "created": AT - 200,
}
INVOICE: dict[str, Any] = {
    "id": "in_1",
    "object": "invoice",
    "status": "paid",
    "amount_due": 5990,
    "amount_paid": 5990,
    "currency": "eur",
    "customer": "cus_1",
    "customer_email": "ann@c.example",
    "payment_intent": "pi_1",
    "billing_reason": "manual",
    "created": AT,
}
SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_1",
    "object": "subscription",
    "status": "active",
    "customer": "cus_1",
    "currency": "usd",
    "start_date": AT,
    "items": {"data": [{"quantity": 2, "price": {"id": "p1", "nickname": "Club", "unit_amount": 1000}}]},
    "created": AT,
}


def event(
    kind: str, thing: dict[str, Any], previous: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    data = {"object": thing} | ({"previous_attributes": previous} if previous is not None else {})
    return {"id": "evt_1", "object": "event", "type": kind, "created": AT, "data": data} | more


def one(document: object, connector: str = "stripe") -> dict[str, Any]:
    (found,) = events(connector, document)
    return found


def fate(document: object) -> str:
    """Return the event type of a payload, or why it is none."""
    found = [event["event_type"] for event in events("stripe", document)]
    return ",".join(found or reasons("stripe", document))


def told(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(preview(json.dumps(document).encode()))
    return found


class TestPayments:
    @pytest.mark.parametrize(
        ("kind", "thing"),
        [
            ("charge.succeeded", CHARGE),
            ("charge.captured", CHARGE),
            ("payment_intent.succeeded", INTENT),
            ("checkout.session.completed", SESSION),
            ("checkout.session.async_payment_succeeded", SESSION),
            ("invoice.paid", INVOICE),
            ("invoice.payment_succeeded", INVOICE),
        ],
    )
    def test_whatever_tells_of_a_payment_tells_of_the_same(self, kind, thing):
        for document in (event(kind, thing), thing):
            found = one(document)
            assert (found["event_id"], found["event_type"]) == ("payment:pi_1", "payment_received")
            assert (found["amount"], found["currency"], found["reference"]) == ("59.9000", "EUR", "pi_1")
            assert "external_id stripe_payment:pi_1" in found["identifiers"]

    def test_what_says_who_paid_stands(self):
        assert told(event("charge.succeeded", CHARGE))["sent"] == AT
        assert told(event("payment_intent.succeeded", INTENT, created=AT + 9))["sent"] is None
        assert fate(event("payment_intent.succeeded", INTENT | {"customer": None})) == "ignored:no_customer"

    def test_a_charge_that_was_not_captured_is_no_payment(self):
        held = CHARGE | {"captured": False, "amount_captured": 0}
        assert fate(event("charge.succeeded", held)) == fate(held) == "ignored:not_captured"

    def test_only_what_was_captured_counts(self):
        assert one(event("charge.captured", CHARGE | {"amount_captured": 1000}))["amount"] == "10.0000"

    @pytest.mark.parametrize(
        "thing",
        [
            INTENT | {"status": "processing"},
            INVOICE | {"status": "draft"},
            {"object": "order", "id": "o", "status": "open"},
        ],
    )
    def test_what_is_under_way_is_no_payment(self, thing):
        assert fate(thing) == "ignored:payment_progress"

    def test_a_payment_without_an_intent_is_known_by_its_charge(self):
        assert one(CHARGE | {"payment_intent": None})["event_id"] == "payment:ch_1"
        assert (
            one(CHARGE | {"payment_intent": {"id": "pi_1", "object": "payment_intent"}})["event_id"]
            == "payment:pi_1"
        )

    def test_the_shops_own_number_is_the_reference(self):
        assert one(CHARGE | {"metadata": {"order_id": 5001}})["reference"] == "5001"
        assert one(SESSION | {"client_reference_id": "order-9"})["reference"] == "order-9"

    def test_consent_to_advertising_is_a_word_on_consent(self):
        for said, state in (("opt_in", "granted"), ("opt_out", "denied"), (None, None)):
            assert one(SESSION | {"consent": {"promotions": said}}).get("consent_state") == state

    def test_who_paid(self):
        found = one(CHARGE)
        assert found["identifiers"] == [
            "external_id stripe:cus_1",
            "external_id stripe_payment:pi_1",
            "email :ann@c.example",
        ]
        assert found["traits"] == {
            "full_name": "Ann Archer",
            "email": "ann@c.example",
            "city": "York",
            "country": "GB",
        }

    def test_an_address_in_the_place_of_a_name_is_an_address(self):
        found = one(CHARGE | {"billing_details": {"name": "ann@c.example", "email": None}})
        assert found["traits"] == {"email": "ann@c.example"}

    def test_an_attempt_that_failed_is_one_however_often_it_is_told(self):
        failed = CHARGE | {"status": "failed", "failure_message": "Declined."}
        tried = INTENT | {"status": "requires_payment_method"}
        found = [
            one(event("charge.failed", failed)),
            one(event("payment_intent.payment_failed", tried)),
            one(failed),
        ]
        assert {(e["event_id"], e["event_type"]) for e in found} == {("failure:ch_1", "payment_failed")}
        assert found[0]["subject"] == "Declined."


class TestRefunds:
    def test_each_refund_is_an_event_and_a_charge_says_how_much_more(self):
        first = event("charge.refunded", CHARGE | {"amount_refunded": 1990}, {"amount_refunded": 0})
        second = event("charge.refunded", CHARGE | {"amount_refunded": 2990}, {"amount_refunded": 1990})
        found = [one(first), one(second)]
        assert [e["amount"] for e in found] == ["19.9000", "10.0000"]
        assert [e["event_id"] for e in found] == ["refund:pi_1:1990", "refund:pi_1:1000"]
        assert {e["event_type"] for e in found} == {"payment_refunded"}

    def test_a_refund_is_the_same_told_by_itself(self):
        refund = {"id": "re_1", "object": "refund", "amount": 1990, "charge": "ch_1", "payment_intent": "pi_1",
                  "currency": "eur", "status": "succeeded", "created": AT}  # fmt: skip
        found = one(event("refund.created", refund))
        assert (found["event_id"], found["amount"]) == ("refund:pi_1:1990", "19.9000")
        assert found["identifiers"] == ["external_id stripe_payment:pi_1"], "which joins it to who paid"
        assert fate(event("refund.failed", refund | {"status": "failed"})) == "ignored:not_refunded"

    def test_a_dispute_is_one_event_in_all_its_states(self):
        dispute = {"id": "dp_1", "object": "dispute", "amount": 5990, "currency": "eur", "payment_intent": "pi_1",
                   "charge": "ch_1", "status": "needs_response", "reason": "fraudulent", "created": AT - 50}  # fmt: skip
        opened = one(event("charge.dispute.created", dispute))
        closed = one(event("charge.dispute.closed", dispute | {"status": "lost"}, created=AT + 9))
        assert opened["event_id"] == closed["event_id"] == "dispute:dp_1"
        assert (opened["event_type"], closed["outcome"]) == ("payment_disputed", "lost")
        assert told(event("charge.dispute.closed", dispute, created=AT + 9))["sent"] == AT + 9


class TestTheOrderBook:
    def test_a_payment_is_no_order_unless_stripe_is_the_order_book(self):
        refund = event("charge.refunded", CHARGE | {"amount_refunded": 1990}, {"amount_refunded": 0})
        assert [one(CHARGE)["event_type"], one(refund)["event_type"]] == [
            "payment_received",
            "payment_refunded",
        ]
        book = [one(CHARGE, "stripe_orders"), one(refund, "stripe_orders")]
        assert [e["event_type"] for e in book] == ["order_placed", "order_refunded"]
        assert [e["amount"] for e in book] == ["59.9000", "19.9000"]


class TestInvoices:
    def test_an_invoice_for_the_next_period_renews_a_membership(self):
        found = one(event("invoice.paid", INVOICE | {"billing_reason": "subscription_cycle"}))
        assert (found["event_type"], found["event_id"]) == ("membership_renewed", "renewal:in_1")
        assert found["channel"] == "memberships"

    @pytest.mark.parametrize(
        ("change", "wanted"),
        [
            ({"amount_paid": 0}, "ignored:nothing_due"),
            ({"payment_intent": None}, "ignored:told_by_charge"),
            ({"payment_intent": None, "paid_out_of_band": True}, "payment_received"),
        ],
    )
    def test_an_invoice_is_a_payment_only_where_no_charge_tells_it(self, change, wanted):
        assert fate(event("invoice.paid", INVOICE | change)) == wanted

    def test_an_invoice_is_sent_to_those_who_pay_by_invoice(self):
        invoice = INVOICE | {"status": "open", "collection_method": "send_invoice", "amount_paid": 0}
        assert (
            fate(event("invoice.finalized", invoice))
            == fate(event("invoice.sent", invoice))
            == "invoice_sent"
        )
        automatic = invoice | {"collection_method": "charge_automatically"}
        assert fate(event("invoice.finalized", automatic)) == "ignored:payment_progress"
        assert fate(event("invoice.payment_failed", invoice)) == "payment_failed"


class TestSubscriptions:
    @pytest.mark.parametrize(
        ("kind", "change", "previous", "wanted"),
        [
            ("created", {}, None, "membership_started"),
            ("created", {"status": "incomplete"}, None, "ignored:not_started"),
            ("updated", {}, {"status": "incomplete"}, "membership_started"),
            ("updated", {}, {"cancel_at_period_end": False}, "membership_changed"),
            ("updated", {}, {"current_period_end": 1, "latest_invoice": "in_0"}, "ignored:told_by_invoice"),
            ("updated", {}, {"items": {"data": [{"current_period_end": 1}]}}, "ignored:told_by_invoice"),
            (
                "updated",
                {},
                {"items": {"data": [{"quantity": 2, "price": {"id": "p1"}}]}},
                "ignored:told_by_invoice",
            ),
            (
                "updated",
                {},
                {"items": {"data": [{"quantity": 1, "price": {"id": "p1"}}]}},
                "membership_changed",
            ),
            ("paused", {}, None, "membership_changed"),
            ("deleted", {"status": "canceled"}, None, "membership_ended"),
            ("trial_will_end", {}, None, "ignored:payment_progress"),
        ],
    )
    def test_a_subscription_is_a_membership(self, kind, change, previous, wanted):
        assert fate(event(f"customer.subscription.{kind}", SUBSCRIPTION | change, previous)) == wanted

    def test_a_subscription_that_is_fetched_is_the_one_that_began(self):
        found = one(SUBSCRIPTION)
        assert found["event_id"] == one(event("customer.subscription.created", SUBSCRIPTION))["event_id"]
        assert (found["amount"], found["currency"], found["product"]) == ("20.0000", "USD", "Club")
        assert fate(SUBSCRIPTION | {"status": "canceled", "ended_at": AT}) == "membership_ended"
        assert fate(SUBSCRIPTION | {"status": "incomplete"}) == "ignored:not_started"


class TestCustomersAndOthers:
    @pytest.mark.parametrize(
        ("kind", "wanted"),
        [
            ("customer.created", "contact_created"),
            ("customer.updated", "contact_updated"),
            ("customer.deleted", "contact_deleted"),
        ],
    )
    def test_customers_are_contacts(self, kind, wanted):
        customer = {
            "id": "cus_1",
            "object": "customer",
            "email": "Ann@C.example",
            "name": "Ann",
            "preferred_locales": ["en-GB"],
        }
        found = one(event(kind, customer))
        assert (found["event_type"], found["channel"], found["record_key"]) == (wanted, "crm", "stripe:cus_1")
        assert found["traits"] == {"full_name": "Ann", "email": "Ann@C.example", "language": "en-GB"}

    @pytest.mark.parametrize(
        ("change", "outcome"),
        [
            ({"payment_status": "unpaid"}, "unpaid"),
            ({"mode": "subscription", "payment_intent": None}, "paid"),
        ],
    )
    def test_a_checkout_that_is_no_payment_is_a_checkout(self, change, outcome):
        found = one(event("checkout.session.completed", SESSION | change))
        assert (found["event_type"], found["outcome"], found["channel"]) == (
            "checkout_started",
            outcome,
            "web",
        )
        left = one(event("checkout.session.expired", SESSION | {"payment_status": "unpaid"}))
        assert left["outcome"] == "expired"

    @pytest.mark.parametrize(
        ("document", "wanted"),
        [
            (event("payout.paid", {"id": "po_1", "object": "payout"}), "ignored:unsupported_resource"),
            ({"id": "evt_9", "object": "v2.core.event", "type": "v1.x"}, "ignored:thin_event"),
            (
                {"id": "evt_9", "object": "event", "type": "charge.succeeded", "data": {}},
                "quarantined:missing_object",
            ),
            ({"object": "event", "data": []}, "quarantined:missing_object"),
            ({"hello": "world"}, "quarantined:not_a_stripe_object"),
            ({"object": 5}, "ignored:unsupported_resource"),
        ],
    )
    def test_what_it_has_no_place_for_is_told(self, document, wanted):
        assert fate(document) == wanted

    def test_a_list_is_taken_apart(self):
        whole = {"object": "list", "data": [CHARGE, CHARGE | {"id": "ch_2", "payment_intent": "pi_2"}]}
        assert [e["event_id"] for e in events("stripe", whole)] == ["payment:pi_1", "payment:pi_2"]
        assert fate({"object": "list", "data": []}) == "ignored:unsupported_resource"
        assert fate({"object": "list", "data": [5]}) == "quarantined:not_an_object"

    def test_a_delivery_that_comes_again_is_the_same_event(self):
        document = event("customer.updated", {"id": "cus_1", "object": "customer"})
        assert told(document)["id"] == told(document | {"pending_webhooks": 0})["id"] == "evt_1"


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "wanted"),
        [
            (1, "usd", "0.01"),
            (500, "jpy", "500"),
            (500, "JPY", "500"),
            (5120, "kwd", "5.120"),
            (1000, "bhd", "1.000"),
            (500, "isk", "5.00"),
            (500, "ugx", "5.00"),
            (10**15, "eur", "10000000000000.00"),
            (0, "eur", "0.00"),
            ("5", "eur", "not a number"),
            (5, None, "not a number"),
            (True, "eur", "not a number"),
            (None, None, None),
        ],
    )
    def test_amounts_are_in_their_currency(self, amount, currency, wanted):
        assert in_currency(amount, currency) == wanted

    @pytest.mark.parametrize(
        ("currency", "amount"), [("jpy", "5990.0000"), ("tnd", "5.9900"), ("gbp", "59.9000")]
    )
    def test_an_event_has_them_so(self, currency, amount):
        found = one(CHARGE | {"currency": currency})
        assert (found["amount"], found["currency"]) == (amount, currency.upper())

    def test_an_amount_that_is_none_is_told(self):
        assert fate(CHARGE | {"amount_captured": "59.90"}) == "quarantined:bad_amount"
