"""SendGrid's event webhook: what became of each e-mail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channel_tools import became, events, reasons


def item(event: str, **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "email": "Ann@C.example",
        "timestamp": 1772445600,
        "sg_event_id": f"id-{event}",
    } | more


@pytest.mark.parametrize(
    ("event", "event_type"),
    [
        ("processed", "email_sent"),
        ("deferred", "email_deferred"),
        ("delivered", "email_delivered"),
        ("open", "email_opened"),
        ("click", "email_clicked"),
        ("bounce", "email_bounced"),
        ("dropped", "email_dropped"),
        ("spamreport", "email_complained"),
        ("unsubscribe", "email_unsubscribed"),
        ("group_unsubscribe", "email_unsubscribed"),
        ("group_resubscribe", "email_resubscribed"),
    ],
)
def test_each_event_has_its_word(event: str, event_type: str) -> None:
    (found,) = events("sendgrid", [item(event)])
    assert (found["event_type"], found["event_id"]) == (event_type, f"id-{event}")
    assert found["identifiers"] == ["email :ann@c.example"]
    assert found["occurred_at"] == "2026-03-02T10:00:00+00:00"


def test_the_items_of_a_body_are_envelopes_of_their_own() -> None:
    found = became("sendgrid", [item("processed"), item("delivered"), item("odd"), {"email": "a@b.example"}])
    assert found.raw["origin_row"].to_pylist() == [1, 2, 3, 4]
    assert found.reasons() == {"quarantined:missing_event": 1, "quarantined:unknown_event_type": 1}


def test_a_body_that_was_cut_off_loses_its_last_item() -> None:
    data = b'[{"event":"open","email":"a@b.example","sg_event_id":"1"},{"event":"click","ema'
    assert [event["event_id"] for event in events("sendgrid", data)] == ["1"]
    assert reasons("sendgrid", data) == {"quarantined:truncated": 1}


def test_an_item_without_id_is_known_by_its_content() -> None:
    without = {key: value for key, value in item("open").items() if key != "sg_event_id"}
    one, two = events("sendgrid", [without, without])
    again, *_ = events("sendgrid", [dict(reversed(without.items()))])
    assert one["event_id"] != two["event_id"]
    assert again["event_id"] == one["event_id"]


@pytest.mark.parametrize(
    ("more", "campaign"),
    [
        ({"marketing_campaign_name": "Spring", "category": ["news"]}, "Spring"),
        ({"singlesend_name": "June", "singlesend_id": "77"}, "June"),
        ({"category": ["news", "june"]}, "news"),
        ({"category": "cat facts"}, "cat facts"),
        ({"category": "[promo] no list"}, None),
        ({"singlesend_id": "77"}, "77"),
        ({}, None),
    ],
)
def test_the_campaign_is_the_best_name_there_is(more: dict[str, Any], campaign: str | None) -> None:
    (found,) = events("sendgrid", [item("open", **more)])
    assert found.get("campaign") == campaign


def test_an_open_by_a_machine_says_so() -> None:
    flags = ({"sg_machine_open": True}, {"sg_machine_open": False}, {})
    body = [item("open", sg_event_id=str(number), **flag) for number, flag in enumerate(flags)]
    by_machine, by_hand, unsaid = events("sendgrid", body)
    assert (by_machine["outcome"], by_machine["properties"]["machine_open"]) == ("machine", True)
    assert ("outcome" in by_hand, by_hand["properties"]["machine_open"]) == (False, False)
    assert unsaid["properties"]["machine_open"] is False


def test_a_block_is_a_bounce_that_is_not_about_the_address() -> None:
    (blocked,) = events("sendgrid", [item("bounce", type="blocked", reason="421 busy", status="4.2.1")])
    assert (blocked["event_type"], blocked["outcome"], blocked["subject"]) == (
        "email_bounced",
        "blocked",
        "421 busy",
    )


@pytest.mark.parametrize(
    ("event", "group", "purpose", "state"),
    [
        ("unsubscribe", None, "marketing", "denied"),
        ("spamreport", None, "marketing", "denied"),
        ("group_unsubscribe", 17, "group_17", "denied"),
        ("group_resubscribe", 17, "group_17", "granted"),
        ("open", 17, None, None),
    ],
)
def test_what_people_say_of_consent(
    event: str, group: int | None, purpose: str | None, state: str | None
) -> None:
    (found,) = events("sendgrid", [item(event, asm_group_id=group)])
    assert (found.get("consent_purpose"), found.get("consent_state")) == (purpose, state)


def test_our_own_address_is_no_customer() -> None:
    (found,) = events("sendgrid", [item("open", email="test@shop.example")])
    assert (found["identifiers"], "record_key" in found) == ([], False)
