"""Mandrill's webhooks: a form around an array of events."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.channel_tools import became, events, reasons


def event(name: str, **more: Any) -> dict[str, Any]:
    message = {"_id": "m1", "email": "Ann@C.example", "subject": "Spring"}
    return {"event": name, "_id": "m1", "ts": 1772445600, "msg": message} | more


def posted(*items: Any) -> bytes:
    return urlencode({"mandrill_events": json.dumps(items)}).encode()


@pytest.mark.parametrize(
    ("name", "event_type", "outcome"),
    [
        ("send", "email_sent", None),
        ("delivered", "email_delivered", None),
        ("deferral", "email_deferred", None),
        ("hard_bounce", "email_bounced", "hard"),
        ("soft_bounce", "email_bounced", "soft"),
        ("reject", "email_dropped", "rejected"),
        ("open", "email_opened", None),
        ("click", "email_clicked", None),
        ("spam", "email_complained", None),
        ("unsub", "email_unsubscribed", None),
    ],
)
def test_each_event_has_its_word(name: str, event_type: str, outcome: str | None) -> None:
    (found,) = events("mandrill", posted(event(name)))
    assert (found["event_type"], found.get("outcome")) == (event_type, outcome)
    assert (found["record_key"], found["reference"]) == ("mandrill:ann@c.example", "m1")
    assert found.get("consent_state") == ("denied" if name in ("spam", "unsub") else None)


def test_the_items_of_a_form_are_envelopes_of_their_own_as_those_of_an_array_are() -> None:
    items = [event("send"), event("open", ts=1772445601), event("open", ts=1772445602)]
    found = became("mandrill", posted(*items))
    assert found.raw["event_id"].to_pylist() == [
        "m1:send:1772445600", "m1:open:1772445601", "m1:open:1772445602",
    ]  # fmt: skip
    assert events("mandrill", items) == events("mandrill", posted(*items))


def test_opens_of_machines_say_so() -> None:
    (found,) = events("mandrill", posted(event("open", user_agent="Mozilla/5.0")))
    assert (found["outcome"], found["properties"]["machine_open"]) == ("machine", True)


def test_a_received_message_is_its_senders() -> None:
    message = {"from_email": "ann@c.example", "from_name": "Ann Lee", "text": "Where?", "subject": "Lamp"}
    (found,) = events("mandrill", posted(event("inbound", msg=message)))
    assert (found["event_type"], found["record_key"]) == ("email_received", "mandrill:ann@c.example")
    assert (found["traits"], found["properties"]) == ({"full_name": "Ann Lee"}, {"preview": "Where?"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (posted({"type": "blacklist", "action": "add"}), "ignored:list_notice"),
        (posted({"ts": 1}), "quarantined:missing_event"),
        (posted({"event": "send"}), "quarantined:missing_mail"),
        (posted(event("unheard")), "quarantined:unknown_event_type"),
        (posted(event("inbound", msg=7)), "quarantined:not_a_message"),
        (b"mandrill_events=%5B%7B%22event%22", "quarantined:truncated"),
        (b"events=%5B%5D", "quarantined:invalid_form"),
    ],
)
def test_what_is_no_event_says_why(data: bytes, reason: str) -> None:
    assert reasons("mandrill", data) == {reason: 1}


def test_the_test_of_a_new_webhook_brings_nothing() -> None:
    assert became("mandrill", posted()).envelopes == 0
