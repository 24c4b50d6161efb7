"""Mailgun's webhooks of today and of once, and the messages that its routes post."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from connectors.compile import Own
from tests.channel_tools import became, events, reasons


def body(event: str, **more: Any) -> dict[str, Any]:
    data = {
        "event": event,
        "id": f"id-{event}",
        "timestamp": 1772445600.25,
        "recipient": "Ann@C.example",
        "message": {"headers": {"message-id": "m1@shop.example", "subject": "Spring"}},
    }
    signature = {"timestamp": "1772445601", "token": "t" * 50, "signature": "s" * 64}
    return {"signature": signature, "event-data": data | more}


def form(**fields: str) -> bytes:
    signed = {"timestamp": "1772445600", "token": "t" * 50, "signature": "s" * 64}
    return urlencode({name.replace("_", "-"): value for name, value in fields.items()} | signed).encode()


@pytest.mark.parametrize(
    ("event", "more", "event_type", "outcome"),
    [
        ("accepted", {}, "email_sent", None),
        ("delivered", {}, "email_delivered", None),
        ("opened", {}, "email_opened", None),
        ("clicked", {}, "email_clicked", None),
        ("complained", {}, "email_complained", None),
        ("unsubscribed", {}, "email_unsubscribed", None),
        ("rejected", {}, "email_dropped", "rejected"),
        ("failed", {"severity": "temporary", "reason": "generic"}, "email_deferred", None),
        ("failed", {"severity": "permanent", "reason": "bounce"}, "email_bounced", "hard"),
        ("failed", {"severity": "permanent", "delivery-status": {"code": 550}}, "email_bounced", "hard"),
        ("failed", {"severity": "permanent", "delivery-status": {"code": 452}}, "email_bounced", "soft"),
        ("failed", {"severity": "permanent", "reason": "old"}, "email_bounced", "soft"),
        ("failed", {"severity": "permanent", "reason": "espblock"}, "email_bounced", "blocked"),
        (
            "failed",
            {"severity": "permanent", "reason": "suppress-bounce"},
            "email_dropped",
            "suppress-bounce",
        ),
        ("failed", {"severity": "permanent", "delivery-status": {"code": 607}}, "email_dropped", None),
    ],
)
def test_each_event_has_its_word(
    event: str, more: dict[str, Any], event_type: str, outcome: str | None
) -> None:
    (found,) = events("mailgun", body(event, **more))
    assert (found["event_type"], found.get("outcome")) == (event_type, outcome)
    assert found["identifiers"] == ["email :ann@c.example"]
    assert found["occurred_at"] == "2026-03-02T10:00:00.250000+00:00"
    assert (found["reference"], found["subject"]) == ("m1@shop.example", "Spring")


def test_a_delivery_that_is_sent_again_is_the_same_event_whatever_its_signature() -> None:
    one, two = body("opened"), body("opened")
    two["signature"] = {"timestamp": "1772445900", "token": "u" * 50, "signature": "r" * 64}
    assert events("mailgun", one) == events("mailgun", two)


def test_ids_that_come_again_on_another_day_are_other_events() -> None:
    (one,) = events("mailgun", body("opened"))
    (two,) = events("mailgun", body("opened", timestamp=1772532000.25))
    assert one["event_id"] != two["event_id"]


@pytest.mark.parametrize(
    ("info", "outcome", "machine"),
    [
        ({"bot": "apple", "user-agent": "Mozilla/5.0"}, "machine", True),
        ({"bot": "gmail"}, "machine", True),
        ({"bot": "", "user-agent": "Mozilla/5.0"}, "machine", True),
        ({"bot": "", "user-agent": "ExampleBot/1.0"}, "bot", False),
        ({"bot": "", "user-agent": "Mozilla/5.0 (iPhone)"}, None, False),
        ({}, None, False),
    ],
)
def test_opens_and_clicks_of_machines_say_so(
    info: dict[str, str], outcome: str | None, machine: bool
) -> None:
    for event, name in (("opened", "machine_open"), ("clicked", "machine_click")):
        (found,) = events("mailgun", body(event, **{"client-info": info}))
        assert (found.get("outcome"), found["properties"][name]) == (outcome, machine)
    (found,) = events("mailgun", body("delivered", **{"client-info": info}))
    assert "outcome" not in found


@pytest.mark.parametrize("event", ["unsubscribed", "complained"])
def test_who_unsubscribes_or_complains_denies_marketing_by_email(event: str) -> None:
    (found,) = events("mailgun", body(event))
    consent = [found[f"consent_{name}"] for name in ("purpose", "channel", "state")]
    assert consent == ["marketing", "email", "denied"]


def test_an_old_webhook_is_a_form_with_the_same_meaning() -> None:
    (found,) = events(
        "mailgun",
        form(
            event="bounced",
            recipient="bob@d.example",
            code="550",
            error="5.1.1 No such user",
            message_headers=json.dumps([["Subject", "Spring"], ["Message-Id", "<m7@shop.example>"]]),
        ),
    )
    assert (found["event_type"], found["outcome"]) == ("email_bounced", "hard")
    assert (found["reference"], found["subject"]) == ("m7@shop.example", "Spring")
    assert found["occurred_at"] == "2026-03-02T10:00:00+00:00"


def test_a_variable_called_like_a_field_does_not_hide_it() -> None:
    data = b"recipient=a-variable&event=variable&" + form(event="opened", recipient="ann@c.example")
    (found,) = events("mailgun", data)
    assert (found["event_type"], found["record_key"]) == ("email_opened", "mailgun:ann@c.example")


def test_what_a_route_forwards_is_a_message_of_its_sender() -> None:
    headers = json.dumps([["Message-Id", "<r1@c.example>"], ["In-Reply-To", "<m1@shop.example>"]])
    (found,) = events(
        "mailgun",
        urlencode(
            {
                "recipient": "help@shop.example",
                "sender": "bounces@c.example",
                "from": "Ann Lee <ann@c.example>",
                "subject": "Re: Spring",
                "body-plain": "Thank you!\n> Spring is here",
                "message-headers": headers,
            }
        ).encode(),
    )
    assert (found["event_type"], found["direction"]) == ("email_received", "inbound")
    assert (found["event_id"], found["reference"]) == ("r1@c.example", "m1@shop.example")
    assert found["traits"] == {"full_name": "Ann Lee"}
    assert found["properties"] == {"preview": "Thank you!"}


def test_our_own_message_to_a_route_is_no_customers() -> None:
    posted = form(sender="boss@shop.example", recipient="ann@c.example", subject="Hi", body_plain="Hello")
    (found,) = events("mailgun", posted, Own(domains=frozenset({"shop.example"})))
    assert (found["event_type"], found["record_key"]) == ("email_sent", "mailgun:ann@c.example")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (form(), "quarantined:missing_event"),
        (form(event="metadata"), "quarantined:unknown_event_type"),
        (b'{"signature": {}}', "quarantined:missing_event"),
        (b'{"event-data": {"event": "opened"', "quarantined:truncated"),
        (body("delivered", flags={"is-routed": True}), "ignored:routed_message"),
        (body("opened", flags={"is-test-mode": True}), "ignored:test_mode"),
        (body("list_uploaded"), "ignored:list_notice"),
        (form(body_mime="no header, no message"), "quarantined:not_a_message"),
    ],
)
def test_what_is_no_event_says_why(data: bytes | dict[str, Any], reason: str) -> None:
    assert reasons("mailgun", data) == {reason: 1}


def test_a_form_is_one_envelope_verbatim() -> None:
    posted = form(event="opened", recipient="ann@c.example")
    assert became("mailgun", posted).raw["payload"].to_pylist() == [posted]
