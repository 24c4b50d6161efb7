"""Postmark's webhooks, and the messages that it receives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channel_tools import events, reasons

TIMES = {
    "Delivery": "DeliveredAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "SubscriptionChange": "ChangedAt",
}


def item(record: str, **more: Any) -> dict[str, Any]:
    email = "Email" if record in ("Bounce", "SpamComplaint") else "Recipient"
    return {
        "RecordType": record,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79481",
        email: "Ann@C.example",
        TIMES[record]: "2026-03-02T10:00:00Z",
        "Tag": "spring",
        "ID": 42,
    } | more


def change(suppress: bool, reason: str | None, origin: str = "Recipient") -> dict[str, Any]:
    return item("SubscriptionChange", SuppressSending=suppress, SuppressionReason=reason, Origin=origin)


@pytest.mark.parametrize(
    ("record", "event_type"),
    [
        ("Delivery", "email_delivered"),
        ("Open", "email_opened"),
        ("Click", "email_clicked"),
        ("SpamComplaint", "email_complained"),
    ],
)
def test_each_record_has_its_word(record: str, event_type: str) -> None:
    (found,) = events("postmark", item(record))
    assert found["event_type"] == event_type
    assert found["identifiers"] == ["email :ann@c.example"]
    assert (found["occurred_at"], found["campaign"]) == ("2026-03-02T10:00:00+00:00", "spring")
    assert found["reference"] == "883953f4-6105-42a2-a16a-77a8eac79481"


@pytest.mark.parametrize(
    ("kind", "event_type", "outcome"),
    [
        ("HardBounce", "email_bounced", "hard"),
        ("BadEmailAddress", "email_bounced", "hard"),
        ("SoftBounce", "email_bounced", "soft"),
        ("DnsError", "email_bounced", "soft"),
        ("Unheard", "email_bounced", "soft"),
        ("Blocked", "email_bounced", "blocked"),
        ("SpamNotification", "email_bounced", "blocked"),
        ("Transient", "email_deferred", None),
        ("ManuallyDeactivated", "email_dropped", "manually_deactivated"),
        ("AutoResponder", "email_received", "auto_reply"),
        ("Unsubscribe", "email_unsubscribed", None),
        ("Subscribe", "email_resubscribed", None),
    ],
)
def test_what_postmark_calls_a_bounce_is_told_apart(kind: str, event_type: str, outcome: str | None) -> None:
    (found,) = events("postmark", item("Bounce", Type=kind))
    assert (found["event_type"], found.get("outcome")) == (event_type, outcome)


@pytest.mark.parametrize(
    ("given", "event_type", "state"),
    [
        (item("SpamComplaint"), "email_complained", "denied"),
        (item("Bounce", Type="Unsubscribe"), "email_unsubscribed", "denied"),
        (change(True, "ManualSuppression"), "email_unsubscribed", "denied"),
        (change(True, "ManualSuppression", "Admin"), "consent_changed", "denied"),
        (change(True, "SpamComplaint"), "consent_changed", "denied"),
        (change(False, None), "email_resubscribed", "granted"),
        (item("Open"), "email_opened", None),
        (item("Bounce", Type="HardBounce"), "email_bounced", None),
    ],
)
def test_what_people_say_of_consent(given: dict[str, Any], event_type: str, state: str | None) -> None:
    (found,) = events("postmark", given)
    assert (found["event_type"], found.get("consent_state")) == (event_type, state)
    assert found.get("consent_purpose") == ("marketing" if state else None)


@pytest.mark.parametrize(
    ("agent", "outcome", "machine"),
    [("Mozilla/5.0", "machine", True), ("LinkChecker/9", "bot", False), ("Mozilla/5.0 (X11)", None, False)],
)
def test_opens_and_clicks_of_machines_say_so(agent: str, outcome: str | None, machine: bool) -> None:
    (opened,) = events("postmark", item("Open", UserAgent=agent))
    (clicked,) = events("postmark", item("Click", UserAgent=agent))
    assert [opened.get("outcome"), clicked.get("outcome")] == [outcome, outcome]
    assert (opened["properties"]["machine_open"], clicked["properties"]["machine_click"]) == (
        machine,
        machine,
    )


@pytest.mark.parametrize("record", ["Open", "Click", "Delivery"])
def test_the_same_is_the_same_event_and_a_later_one_is_not(record: str) -> None:
    one, two = item(record), item(record, **{TIMES[record]: "2026-03-02T10:00:01Z"})
    found = [event["event_id"] for event in events("postmark", [one, two])]
    assert len(set(found)) == 2
    assert [event["event_id"] for event in events("postmark", one)] == found[:1]


def test_two_links_in_one_second_are_two_clicks() -> None:
    body = [item("Click", OriginalLink=f"https://shop.example/{n}") for n in range(2)]
    assert len({event["event_id"] for event in events("postmark", body)}) == 2


def test_a_bounce_and_its_complaint_may_share_their_number() -> None:
    found = events("postmark", [item("Bounce", Type="HardBounce"), item("SpamComplaint")])
    assert [event["event_id"] for event in found] == ["Bounce:42", "SpamComplaint:42"]


def test_a_received_message_is_its_senders() -> None:
    (found,) = events(
        "postmark",
        {
            "FromFull": {"Email": "ann@c.example", "Name": "Ann Lee"},
            "ToFull": [{"Email": "help@shop.example", "Name": ""}],
            "MessageID": "22c74902-a0c1-4511-804f-341342852c90",
            "Subject": "Lamp",
            "Date": "Mon, 2 Mar 2026 11:00:00 +0100",
            "TextBody": "",
            "HtmlBody": "<p>Where is <b>it</b>?</p>",
            "Headers": [{"Name": "X-Spam-Status", "Value": "Yes, score=7"}],
            "Attachments": [{"Name": "a.png"}],
        },
    )
    assert (found["event_type"], found["record_key"]) == ("email_received", "postmark:ann@c.example")
    assert found["event_id"] == "22c74902-a0c1-4511-804f-341342852c90"
    assert found["properties"] == {"preview": "Where is it ?", "attachments": 1, "spam": True}
    assert found["occurred_at"] == "2026-03-02T10:00:00+00:00"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ServerID": 23}, "quarantined:missing_event"),
        ({"RecordType": "Unheard"}, "quarantined:unknown_event_type"),
        ({"FromFull": None, "TextBody": "no sender"}, "quarantined:not_a_message"),
        (item("Bounce", Type="InboundError"), "ignored:inbound_error"),
        (item("Bounce", Type="OpenRelayTest"), "ignored:relay_test"),
        (change(True, "HardBounce"), "ignored:suppressed_by_bounce"),
        (change(False, None, "Customer"), "ignored:resumed_by_us"),
    ],
)
def test_what_is_no_event_says_why(given: dict[str, Any], reason: str) -> None:
    assert reasons("postmark", given) == {reason: 1}
