"""Telephone: Twilio's resources and Asterisk's call detail records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.compile import Own
from tests.channel_tools import became, events, reasons

OURS, ANN = "+442071234567", "+442079460018"
PHONE = f"phone :{ANN}"
SENT = {"direction": "outbound-api", "from": OURS, "to": ANN}


def call(**more: Any) -> dict[str, Any]:
    return {
        "sid": "CA1", "account_sid": "AC1", "direction": "inbound", "status": "completed", "duration": "15",
        "from": ANN, "to": OURS, "start_time": "Mon, 02 Mar 2026 10:00:00 +0000", "price": "-0.03", "price_unit": "USD",
    } | more  # fmt: skip


def message(**more: Any) -> dict[str, Any]:
    return {
        "sid": "SM1", "account_sid": "AC1", "direction": "inbound", "status": "received", "body": "Hello",
        "from": ANN, "to": OURS, "date_sent": "Mon, 02 Mar 2026 10:00:00 +0000",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("more", "event_type", "direction"),
    [
        ({}, "call_received", "inbound"),
        ({"status": "no-answer", "duration": "0"}, "call_missed", "inbound"),
        ({"direction": "outbound-api", "from": OURS, "to": ANN}, "call_placed", "outbound"),
        ({"direction": "outbound-api", "from": OURS, "to": ANN, "status": "busy"}, "call_placed", "outbound"),
        # A call forwarded from our number is ours to whom it goes, whatever the leg says.
        ({"direction": "inbound", "from": OURS, "to": ANN}, "call_placed", "outbound"),
    ],
)
def test_twilio_calls(more: dict[str, Any], event_type: str, direction: str) -> None:
    (event,) = events("twilio", call(**more))
    assert (event["event_type"], event["direction"], event["channel"]) == (event_type, direction, "phone")
    assert event["identifiers"] == [f"phone :{ANN}"]
    assert event["outcome"] == more.get("status", "completed")


def test_twilio_charges_us_so_its_price_is_no_amount() -> None:
    (event,) = events("twilio", call())
    assert "amount" not in event
    assert (event["properties"]["price"], event["properties"]["price_unit"]) == ("-0.03", "USD")
    assert event["duration_seconds"] == 15.0


@pytest.mark.parametrize(
    "caller", ["client:alice", "anonymous", "+266696687", "Restricted", "sip:a@b.example"]
)
def test_a_caller_without_a_number_is_an_event_of_nobody(caller: str) -> None:
    (event,) = events("twilio", call(**{"from": caller}))
    assert (event["event_type"], event["identifiers"]) == ("call_received", [])


@pytest.mark.parametrize(
    ("more", "event_type", "channel", "identifier"),
    [
        ({}, "sms_received", "sms", PHONE),
        (SENT | {"status": "delivered"}, "sms_sent", "sms", PHONE),
        (SENT | {"status": "failed"}, "sms_failed", "sms", PHONE),
        ({"from": f"whatsapp:{ANN}", "to": f"whatsapp:{OURS}"}, "message_received", "social", PHONE),
        (SENT | {"from": f"whatsapp:{OURS}", "to": f"whatsapp:{ANN}"}, "message_sent", "social", PHONE),
        ({"from": "messenger:778", "to": "messenger:1"}, "message_received", "social", "handle facebook:778"),
    ],
)  # fmt: skip
def test_twilio_messages(more: dict[str, Any], event_type: str, channel: str, identifier: str) -> None:
    (event,) = events("twilio", message(**more))
    assert (event["event_type"], event["channel"], event["identifiers"]) == (
        event_type,
        channel,
        [identifier],
    )
    assert event["subject"] == "Hello"


@pytest.mark.parametrize(
    ("body", "event_type", "state"),
    [
        ("STOP", "sms_unsubscribed", "denied"),
        (" stop ", "sms_unsubscribed", "denied"),
        ("Start", "consent_changed", "granted"),
        ("Stop sending me lamps", "sms_received", None),
        (None, "sms_received", None),
    ],
)
def test_words_that_stop_and_resume_messages(body: str | None, event_type: str, state: str | None) -> None:
    (event,) = events("twilio", message(body=body))
    assert (event["event_type"], event.get("consent_state")) == (event_type, state)


def page(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: items, "first_page_uri": "/2010-04-01/x", "page": 0, "uri": "/x"}


def test_a_page_is_its_resources_each_verbatim() -> None:
    one, two = json.dumps(call()), json.dumps(call(sid="CA2"), indent=2)
    found = became("twilio", f'{{"calls": [{one},\n {two}], "first_page_uri": "/x", "page": 0}}')
    assert found.raw["payload"].to_pylist() == [one.encode(), two.encode()]
    assert found.events["event_id"].to_pylist() == ["CA1", "CA2"]


def test_a_page_that_was_cut_off_keeps_its_whole_resources() -> None:
    whole = json.dumps(page("calls", [call(sid=f"CA{n}") for n in range(5)]))
    cut = whole[: whole.index("CA3") + 1]
    assert [event["event_id"] for event in events("twilio", cut)] == ["CA0", "CA1", "CA2"]
    assert reasons("twilio", cut) == {"quarantined:truncated": 1}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (page("calls", []), "ignored:empty_page"),
        (page("recordings", [{"sid": "RE1", "account_sid": "AC1"}]), "ignored:unsupported_resource"),
        ({"phone_number": "+1", "url": "https://lookups.twilio.com/v2/x"}, "ignored:unsupported_resource"),
        (message(status="queued"), "ignored:not_sent"),
        (call(direction="outbound-dial", to="client:bob"), "ignored:agent_leg"),
        ({"sid": "IM1", "author": "bob", "body": "x"}, "ignored:no_customer_address"),
        ({"some": "thing"}, "quarantined:not_a_twilio_resource"),
    ],
)
def test_other_resources_have_their_reasons(document: dict[str, Any], reason: str) -> None:
    assert reasons("twilio", document) == {reason: 1}


ROW = {
    "accountcode": "", "src": ANN, "dst": "02071234567", "dcontext": "from-pstn", "clid": f'"" <{ANN}>',
    "channel": "PJSIP/trunk-0000001a", "dstchannel": "PJSIP/2001-0000001b", "lastapp": "Queue", "lastdata": "support,tT",
    "start": "2026-07-02 10:00:00", "answer": "2026-07-02 10:00:05", "end": "2026-07-02 10:02:00",
    "duration": "120", "billsec": "115", "disposition": "ANSWERED", "amaflags": "DOCUMENTATION",
    "uniqueid": "1.1", "userfield": "",
}  # fmt: skip


def row(*, columns: int = 18, **more: str) -> str:
    cells = list((ROW | more).values())[:columns]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


@pytest.mark.parametrize(
    ("more", "event_type", "customer"),
    [
        ({}, "call_received", ANN),
        ({"disposition": "NO ANSWER", "billsec": "0"}, "call_missed", ANN),
        ({"lastapp": "VoiceMail"}, "voicemail_received", ANN),
        ({"src": "2001", "dst": "02079460018", "dcontext": "from-internal"}, "call_placed", ANN),
        ({"src": "2001", "dst": "02079460018", "dcontext": "custom"}, "call_placed", ANN),
        ({"src": "02071234567", "dst": "02079460018", "dcontext": "custom"}, "call_placed", ANN),
        ({"src": "02079460018", "dst": "s", "dcontext": "from-trunk"}, "call_received", ANN),
        ({"src": "", "dst": "02071234567"}, "call_received", None),
    ],
)
def test_asterisk_calls(more: dict[str, str], event_type: str, customer: str | None) -> None:
    (event,) = events("asterisk", row(**more))
    assert event["event_type"] == event_type
    assert event["identifiers"] == ([f"phone :{customer}"] if customer else [])
    assert event["occurred_at"] == "2026-07-02T09:00:00+00:00"  # summer time in London


def test_a_call_carries_queue_desk_talk_and_wait() -> None:
    (event,) = events("asterisk", row(clid=f'"Ann Lee" <{ANN}>'))
    assert (event["department"], event["agent"], event["duration_seconds"]) == ("support", "2001", 115.0)
    assert (event["outcome"], event["properties"]["seconds_waited"]) == ("answered", 5)
    assert event["traits"] == {"full_name": "Ann Lee"}


@pytest.mark.parametrize("clid", [f'"{ANN}" <{ANN}>', f'"" <{ANN}>', "Anonymous", '"unknown" <x>', ANN])
def test_numbers_and_withheld_names_are_no_names(clid: str) -> None:
    (event,) = events("asterisk", row(clid=clid))
    assert "traits" not in event


def test_the_name_of_who_calls_is_not_the_name_of_whom_we_call() -> None:
    (event,) = events(
        "asterisk", row(src="2001", dst=ANN, dcontext="from-internal", clid='"Eve Agent" <2001>')
    )
    assert (event["identifiers"], "traits" in event) == ([f"phone :{ANN}"], False)


def test_all_legs_of_a_call_count_and_share_its_reference() -> None:
    legs = row(dstchannel="PJSIP/2001-1a", disposition="NO ANSWER") + row(dstchannel="PJSIP/2002-1b")
    one, two = events("asterisk", legs)
    assert one["event_id"] != two["event_id"]
    assert one["reference"] == two["reference"] == "1.1"


def test_the_same_row_twice_is_one_envelope_id_with_uniqueid_and_two_without() -> None:
    found = became("asterisk", row() * 2)
    assert len(set(found.raw["event_id"].to_pylist())) == 1
    found = became("asterisk", row(uniqueid="") * 2)
    assert len(set(found.raw["event_id"].to_pylist())) == 2


def test_calls_between_extensions_are_internal() -> None:
    assert reasons("asterisk", row(src="2001", dst="2002", dcontext="from-internal")) == {
        "ignored:internal_call": 1
    }


def test_rows_of_16_18_and_21_columns_may_stand_in_one_file() -> None:
    newest = row(columns=21, peeraccount="", linkedid="linked-9", sequence="3")
    found = events("asterisk", row(columns=16) + row() + newest)
    assert [event.get("reference") for event in found] == [None, "1.1", "linked-9"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('"cut","off\n', "quarantined:unbalanced_quote"),
        ("a,b,c\n", "quarantined:ragged_row"),
        (row(start=""), "quarantined:missing_time"),
        (row(duration="abc"), "quarantined:not_a_cdr"),
        (row(clid="LEF\xc8VRE").encode("latin-1"), "quarantined:not_utf8"),
    ],
)
def test_rows_that_broke_have_their_reasons(data: str | bytes, reason: str) -> None:
    assert reasons("asterisk", data) == {reason: 1}


def test_without_numbers_of_our_own_the_context_decides() -> None:
    (event,) = events("asterisk", row(), own=Own())
    assert (event["direction"], event["identifiers"]) == ("inbound", [f"phone :{ANN}"])
