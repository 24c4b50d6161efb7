"""Amazon SES: events and notifications, with and without SNS around them, and received messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.channel_tools import became, events, reasons

AT = "2026-03-02T10:00:00.000Z"
MIME = b"From: Ann Lee <ann@c.example>\r\nTo: help@shop.example\r\nSubject: Lamp\r\n\r\nWhere is it?\r\n"


def mail(*to: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": AT, "messageId": "m1", "destination": list(to or ("Ann@C.example",))} | more


def event(kind: str, member: str, detail: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"eventType": kind, "mail": mail(), member: {"timestamp": AT} | (detail or {})} | more


def sns(message: Any, **more: Any) -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {
        "Type": "Notification",
        "MessageId": "n1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:mail",
        "Message": text,
        "Timestamp": "2026-03-02T10:00:09.000Z",
    } | more


def received(content: str | None, **more: Any) -> dict[str, Any]:
    given = {"notificationType": "Received", "mail": mail("help@shop.example"), "receipt": {}}
    return given | ({"content": content} if content is not None else {}) | more


@pytest.mark.parametrize(
    ("kind", "member", "event_type"),
    [
        ("Send", "send", "email_sent"),
        ("Delivery", "delivery", "email_delivered"),
        ("DeliveryDelay", "deliveryDelay", "email_deferred"),
        ("Reject", "reject", "email_dropped"),
        ("Rendering Failure", "failure", "email_dropped"),
        ("Complaint", "complaint", "email_complained"),
        ("Open", "open", "email_opened"),
        ("Click", "click", "email_clicked"),
    ],
)
def test_each_event_has_its_word(kind: str, member: str, event_type: str) -> None:
    (found,) = events("ses", event(kind, member))
    assert (found["event_type"], found["reference"]) == (event_type, "m1")
    assert found["identifiers"] == ["email :ann@c.example"]
    assert found["occurred_at"] == "2026-03-02T10:00:00+00:00"


@pytest.mark.parametrize(
    ("bounce", "event_type", "outcome"),
    [
        ({"bounceType": "Permanent"}, "email_bounced", "hard"),
        ({"bounceType": "Transient"}, "email_bounced", "soft"),
        ({"bounceType": "Undetermined"}, "email_bounced", "undetermined"),
        ({"bounceType": "Permanent", "bounceSubType": "Suppressed"}, "email_dropped", "suppressed"),
    ],
)
def test_bounces_are_hard_or_soft(bounce: dict[str, str], event_type: str, outcome: str) -> None:
    (found,) = events("ses", event("Bounce", "bounce", bounce))
    assert (found["event_type"], found["outcome"]) == (event_type, outcome)


def test_each_recipient_of_a_bounce_has_an_event() -> None:
    gone = [{"emailAddress": f"{name}@d.example", "status": "5.1.1"} for name in ("bob", "cy")]
    body = event("Bounce", "bounce", {"bouncedRecipients": gone, "feedbackId": "f1"}, mail=mail("a@b.c", "d"))
    found = events("ses", body)
    assert [one["event_id"] for one in found] == ["m1:Bounce:f1", "m1:Bounce:f1#2"]
    assert [one["record_key"] for one in found] == ["ses:bob@d.example", "ses:cy@d.example"]


def test_who_of_several_opened_a_message_is_not_known() -> None:
    (found,) = events("ses", event("Open", "open", mail=mail("ann@c.example", "bob@d.example")))
    assert (found["event_type"], found["identifiers"]) == ("email_opened", [])


def test_a_message_of_sns_changes_nothing_but_a_missing_time() -> None:
    bare = {"notificationType": "Complaint", "mail": mail(), "complaint": {"feedbackId": "f1"}}
    (one,) = events("ses", bare)
    (two,) = events("ses", sns(bare))
    assert one["event_id"] == two["event_id"]
    assert (one["time_flag"], two["occurred_at"]) == ("missing", "2026-03-02T10:00:09+00:00")
    timed = event("Click", "click", {"link": "https://shop.example"})
    assert events("ses", timed) == events("ses", sns(timed))


def test_records_of_functions_and_events_of_a_bus_are_read_too() -> None:
    opened = event("Open", "open")
    (expected,) = events("ses", opened)
    assert events("ses", {"Records": [{"Sns": sns(opened)}]}) == [expected]
    assert events("ses", {"source": "aws.ses", "detail-type": "Email Opened", "detail": opened}) == [expected]


@pytest.mark.parametrize(
    ("agent", "outcome"), [("Mozilla/5.0", "machine"), ("curl/8.1", "bot"), ("Mozilla/5.0 (X11)", None)]
)
def test_opens_and_clicks_of_machines_say_so(agent: str, outcome: str | None) -> None:
    for kind, member in (("Open", "open"), ("Click", "click")):
        (found,) = events("ses", event(kind, member, {"userAgent": agent}))
        assert found.get("outcome") == outcome


def preferences(everything: bool, **topics: str) -> dict[str, Any]:
    listed = [{"topicName": name, "subscriptionStatus": status} for name, status in topics.items()]
    return {"unsubscribeAll": everything, "topicSubscriptionStatus": listed}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            preferences(False, news="OptIn"),
            preferences(True, news="OptOut"),
            [("email_unsubscribed", "marketing", "denied")],
        ),
        (preferences(True), preferences(False), [("email_resubscribed", "marketing", "granted")]),
        (
            preferences(False, news="OptOut", sale="OptIn"),
            preferences(False, news="OptIn", sale="OptIn"),
            [("email_resubscribed", "topic_news", "granted")],
        ),
        (
            preferences(False, news="OptIn", sale="OptIn"),
            preferences(False, news="OptOut", sale="OptOut"),
            [
                ("email_unsubscribed", "topic_news", "denied"),
                ("email_unsubscribed", "topic_sale", "denied"),
            ],
        ),
    ],
)
def test_what_recipients_choose_is_their_consent(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    detail = {"oldTopicPreferences": old, "newTopicPreferences": new}
    found = events("ses", event("Subscription", "subscription", detail))
    assert [(e["event_type"], e["consent_purpose"], e["consent_state"]) for e in found] == expected


def test_a_complaint_denies_marketing_unless_it_is_taken_back() -> None:
    (found,) = events("ses", event("Complaint", "complaint", {"complaintFeedbackType": "abuse"}))
    assert (found["consent_purpose"], found["consent_state"]) == ("marketing", "denied")
    no_spam = event("Complaint", "complaint", {"complaintFeedbackType": "not-spam"})
    assert reasons("ses", no_spam) == {"ignored:not_spam": 1}


@pytest.mark.parametrize(
    "content",
    [
        (MIME.decode(), {"action": {"encoding": "UTF8"}}),
        (base64.b64encode(MIME).decode(), {"action": {"encoding": "BASE64"}}),
        (base64.encodebytes(MIME).decode(), {}),
        (MIME.decode(), {}),
    ],
)
def test_a_received_message_is_its_senders_however_it_is_written(content: tuple[str, dict[str, Any]]) -> None:
    text, receipt = content
    (found,) = events("ses", sns(received(text, receipt=receipt)))
    assert (found["event_type"], found["record_key"]) == ("email_received", "ses:ann@c.example")
    assert (found["subject"], found["properties"]) == ("Lamp", {"preview": "Where is it?"})


def test_of_a_message_in_a_bucket_the_header_fields_are_read() -> None:
    headers = [{"name": "From", "value": "ann@c.example"}, {"name": "Subject", "value": "Lamp"}]
    given = received(
        None, mail=mail("help@shop.example", headers=headers), receipt={"action": {"type": "S3"}}
    )
    (found,) = events("ses", given)
    assert (found["record_key"], found["subject"], found["event_id"]) == ("ses:ann@c.example", "Lamp", "m1")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (received(None), "ignored:content_elsewhere"),
        ({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {}}}]}, "ignored:content_elsewhere"),
        (received("no base64!"), "quarantined:invalid_base64"),
        (received("SGVsbG8="), "quarantined:not_a_message"),
        (
            sns("Successfully validated SNS topic for Amazon SES event publishing."),
            "ignored:topic_validation",
        ),
        (received(None, mail=mail(messageId="AMAZON_SES_SETUP_NOTIFICATION")), "ignored:topic_validation"),
        (sns("Hello"), "quarantined:unknown_message"),
        (sns("", Type="SubscriptionConfirmation"), "ignored:subscription_request"),
        (sns("", Type="UnsubscribeConfirmation"), "ignored:subscription_ended"),
        ({"eventType": "Open", "open": {}}, "quarantined:missing_mail"),
        ({"mail": mail()}, "quarantined:missing_event"),
        (event("Unheard", "x"), "quarantined:unknown_event_type"),
        (event("Subscription", "subscription"), "ignored:nothing_changed"),
    ],
)
def test_what_is_no_event_says_why(given: dict[str, Any], reason: str) -> None:
    assert reasons("ses", given) == {reason: 1}


@pytest.mark.parametrize(
    "odd",
    [
        {"eventType": ["Open"], "mail": [], "open": 1},
        {"eventType": "Bounce", "mail": mail(), "bounce": {"bouncedRecipients": [1, None, [], {}]}},
        {
            "eventType": "Subscription",
            "mail": {"destination": 7},
            "subscription": {"newTopicPreferences": []},
        },
        received(None, mail={"headers": 7, "commonHeaders": {"from": {}, "to": 3}}),
        {"Type": "Notification", "TopicArn": 1, "Message": {"eventType": "Open"}},
        {"Sns": {"Message": "[]"}},
    ],
)
def test_members_of_other_types_than_expected_do_no_harm(odd: dict[str, Any]) -> None:
    found = became("ses", odd)
    assert found.envelopes == 1
    assert len(found.events) + sum(found.reasons().values()) >= 1
