"""The vocabulary of events keeps its own rules."""

from __future__ import annotations

import re

import pytest

from cdp.errors import UsageError
from cdp.events import CHANNELS, DIRECTIONS, ENGAGEMENT_TYPES, EVENT_TYPES, event_type

CONTRACT = (
    "page_viewed form_submitted identified contact_updated email_delivered email_opened email_clicked "
    "email_bounced email_complained email_unsubscribed email_received call_received call_placed "
    "call_missed sms_received sms_sent message_received message_sent post_mentioned comment_posted "
    "lead_submitted order_placed order_refunded ticket_opened ticket_escalated ticket_solved "
    "chat_started mail_sent donation_made membership_changed consent_changed"
).split()


def test_every_name_of_the_contract_is_in_the_vocabulary() -> None:
    assert [name for name in CONTRACT if name not in EVENT_TYPES] == []


IRREGULAR = {"sent", "read", "left", "made", "up", "in", "out"}


def test_names_are_lower_case_words_in_the_past_tense() -> None:
    assert [name for name in EVENT_TYPES if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == ["identified"]
    last_words = {name.rsplit("_", 1)[-1] for name in EVENT_TYPES}
    assert [word for word in sorted(last_words - IRREGULAR) if not word.endswith("ed")] == []


def test_every_event_type_has_a_known_channel_and_direction_and_a_description() -> None:
    for name, row in EVENT_TYPES.items():
        assert row.name == name
        assert row.channel in CHANNELS
        assert row.direction in (*DIRECTIONS, None)
        assert row.description


def test_every_channel_has_an_event_type() -> None:
    assert {row.channel for row in EVENT_TYPES.values()} == set(CHANNELS)


def test_no_name_stands_in_two_rows() -> None:
    from cdp import events

    lines = [line for text in events._TABLE.values() for line in text.strip().splitlines()]
    assert len(lines) == len(EVENT_TYPES)


def test_engagement_is_always_an_act_of_the_person() -> None:
    assert {EVENT_TYPES[name].direction for name in ENGAGEMENT_TYPES} == {"inbound"}
    assert not ENGAGEMENT_TYPES & {"email_delivered", "email_unsubscribed", "email_complained"}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'order_place' is no event type") as caught:
        event_type("order_place")
    assert "order_placed" in str(caught.value)
