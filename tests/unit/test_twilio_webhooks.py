"""Twilio's webhooks: calls and messages by form, beside the same ones fetched by REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import twilio_webhooks
from connectors.reading import decode
from connectors.standardise import standardise
from connectors.testing import NOW, default_context
from connectors.twilio import CONNECTOR
from tests.channel_tools import became, events, reasons
from tests.landing_tools import Landing

OURS, ANN = "+442071234567", "+442079460018"
PHONE = f"phone :{ANN}"
AT = "Mon, 02 Mar 2026 10:{}:{} +0000"


def form(**parameters: str) -> str:
    return urlencode({"AccountSid": "AC1", "ApiVersion": "2010-04-01"} | parameters)


def call(status: str = "completed", at: str | None = "10:00", **more: str) -> str:
    base = {"CallSid": "CA1", "CallStatus": status, "Direction": "inbound", "From": ANN, "To": OURS}
    if at is not None:
        base |= {"Timestamp": AT.format(*at.split(":")), "CallbackSource": "call-progress-events"}
    return form(**base | more)


def state(status: str, **more: str) -> str:
    base = {"MessageSid": "SM1", "SmsSid": "SM1", "MessageStatus": status, "SmsStatus": status}
    return form(**base | {"From": OURS, "To": ANN} | more)


def message(**more: str) -> str:
    base = {"MessageSid": "SM1", "SmsMessageSid": "SM1", "SmsSid": "SM1", "SmsStatus": "received"}
    return form(
        **base | {"From": ANN, "To": OURS, "Body": "Hello", "NumMedia": "0", "NumSegments": "1"} | more
    )


def resource(**more: Any) -> str:
    return json.dumps(
        {
            "sid": "CA1", "account_sid": "AC1", "direction": "inbound", "status": "completed", "duration": "120",
            "from": ANN, "to": OURS, "price": "-0.03", "start_time": AT.format("08", "00"),
            "date_created": AT.format("07", "58"), "date_updated": AT.format("10", "02"),
        } | more
    )  # fmt: skip


def text(**more: Any) -> str:
    sent = {"sid": "SM1", "direction": "outbound-api", "status": "delivered", "from": OURS, "to": ANN}
    return resource(**sent | {"body": "Your lamp is here", "date_sent": AT.format("10", "00")} | more)


@pytest.mark.parametrize(
    ("body", "event_type", "direction"),
    [
        (call(), "call_received", "inbound"),
        (call("ringing", None), "call_received", "inbound"),
        (call("no-answer"), "call_missed", "inbound"),
        (call("completed", Direction="outbound-api", From=OURS, To=ANN), "call_placed", "outbound"),
        (call("busy", Direction="outbound-api", From=OURS, To=ANN), "call_placed", "outbound"),
        (call("in-progress", Direction="outbound-dial", From=OURS, To=ANN), "call_placed", "outbound"),
        (call("completed", Direction="", From=OURS, To=ANN), "call_placed", "outbound"),
    ],
)  # fmt: skip
def test_callbacks_of_calls(body: str, event_type: str, direction: str) -> None:
    (event,) = events("twilio", body)
    assert (event["event_type"], event["direction"], event["channel"]) == (event_type, direction, "phone")
    assert (event["event_id"], event["identifiers"]) == ("CA1", [PHONE])


def test_a_call_began_when_it_ended_less_its_length() -> None:
    (event,) = events("twilio", call("completed", "10:00", CallDuration="120", Duration="2"))
    assert event["occurred_at"] == "2026-03-02T10:08:00+00:00"
    assert (event["duration_seconds"], event["outcome"]) == (120.0, "completed")
    (fetched,) = events("twilio", resource())
    for name in (
        "event_id",
        "occurred_at",
        "event_type",
        "direction",
        "record_key",
        "duration_seconds",
        "reference",
    ):
        assert event[name] == fetched[name], name


@pytest.mark.parametrize("length", ["", "x", "-1", "9" * 40, "1e9"])
def test_a_length_that_is_none_moves_no_call(length: str) -> None:
    (event,) = events("twilio", call("completed", "10:00", CallDuration=length))
    assert event["occurred_at"] == "2026-03-02T10:10:00+00:00"


def test_a_call_carries_what_the_network_says_of_it() -> None:
    more = {"StirVerstat": "TN-Validation-Passed-A", "SipResponseCode": "200", "CallerName": "ANN LEE"}
    (event,) = events("twilio", call(**more, RecordingUrl="https://api.twilio.example/RE1"))
    assert event["traits"] == {"full_name": "ANN LEE"}
    assert event["properties"] == {
        "attestation": "TN-Validation-Passed-A",
        "sip_code": "200",
        "recording": "https://api.twilio.example/RE1",
    }


def test_the_digits_that_a_caller_typed_stay_in_the_payload() -> None:
    (event,) = events("twilio", call("in-progress", None, Digits="4111111111111111"))
    assert "4111111111111111" not in json.dumps(event)


def test_a_voice_message_is_an_event_of_the_recording_and_its_transcription_tells_its_text() -> None:
    url = "https://api.twilio.example/2010-04-01/Accounts/AC1/Recordings/RE1"
    left = call("in-progress", None, RecordingUrl=url, RecordingDuration="7", RecordingSid="RE1", Digits="#")
    (event,) = events("twilio", left)
    assert (event["event_type"], event["event_id"], event["reference"]) == (
        "voicemail_received",
        "RE1",
        "CA1",
    )
    assert (event["duration_seconds"], event["identifiers"]) == (7.0, [PHONE])
    (told,) = events("twilio", call("completed", None, RecordingUrl=url, TranscriptionText="Call me"))
    assert (told["event_id"], told["subject"]) == ("RE1", "Call me")
    (dialled,) = events("twilio", call("in-progress", None, RecordingUrl=url, DialCallStatus="completed"))
    assert (dialled["event_type"], dialled["event_id"]) == ("call_received", "CA1")


@pytest.mark.parametrize(
    ("more", "event_type", "channel"),
    [
        ({}, "sms_received", "sms"),
        ({"From": f"whatsapp:{ANN}", "To": f"whatsapp:{OURS}"}, "message_received", "social"),
        ({"From": f"rcs:{ANN}", "To": "rcs:our_agent"}, "message_received", "social"),
        ({"Body": "STOP"}, "sms_unsubscribed", "sms"),
        ({"Body": "No more of it!", "OptOutType": "STOP"}, "sms_unsubscribed", "sms"),
        ({"Body": "STOP", "OptOutType": "HELP"}, "sms_received", "sms"),
        ({"Body": "yes", "OptOutType": "START"}, "consent_changed", "sms"),
    ],
)
def test_incoming_messages(more: dict[str, str], event_type: str, channel: str) -> None:
    (event,) = events("twilio", message(**more))
    assert (event["event_type"], event["channel"], event["direction"]) == (event_type, channel, "inbound")
    assert (event["event_id"], event["identifiers"]) == ("SM1", [PHONE])


def test_an_incoming_message_has_its_text_the_name_and_the_place() -> None:
    whatsapp = {
        "From": f"whatsapp:{ANN}",
        "To": f"whatsapp:{OURS}",
        "WaId": ANN[1:],
        "ProfileName": "Zoë 🎉 & Co",
    }
    more = {
        "Latitude": "51.5",
        "Longitude": "-0.1",
        "OriginalRepliedMessageSid": "SM0",
        "ReferralSourceId": "ad1",
    }
    (event,) = events("twilio", message(**whatsapp, **more, Body="a+b=c & 日本語\r\n2"))
    assert event["subject"] == "a+b=c & 日本語\r\n2"
    assert event["traits"] == {"full_name": "Zoë 🎉 & Co"}
    assert (event["latitude"], event["longitude"]) == (51.5, -0.1)
    assert (event["reference"], event["campaign"]) == ("SM0", "ad1")


@pytest.mark.parametrize(
    ("status", "sms", "other"),
    [
        ("sent", "sms_sent", "message_sent"),
        ("delivered", "sms_delivered", "message_delivered"),
        ("undelivered", "sms_failed", "message_failed"),
        ("failed", "sms_failed", "message_failed"),
        ("read", "message_read", "message_read"),
    ],
)
def test_states_of_messages_are_events_of_their_own(status: str, sms: str, other: str) -> None:
    (event,) = events("twilio", state(status))
    assert (event["event_type"], event["identifiers"], event["reference"]) == (sms, [PHONE], "SM1")
    assert event["event_id"] == ("SM1" if status == "sent" else f"SM1:{status}")
    (event,) = events(
        "twilio", state(status, From=f"whatsapp:{OURS}", To=f"whatsapp:{ANN}", ChannelPrefix="whatsapp")
    )
    assert (event["event_type"], event["channel"], event["identifiers"]) == (other, "social", [PHONE])


def test_reading_is_what_the_person_does_and_delivery_is_ours() -> None:
    (read,), (delivered,) = events("twilio", state("read")), events("twilio", state("delivered"))
    assert (read["direction"], delivered["direction"]) == ("inbound", "outbound")


def test_a_request_that_says_no_time_tells_of_what_happens_as_it_comes() -> None:
    found = became("twilio", message())
    context = default_context(CONNECTOR)
    (event,) = standardise(found.raw, CONNECTOR, context, file_id=1, collected=True).events.to_pylist()
    assert (event["occurred_at"], event["time_flag"]) == (NOW, None)
    (kept,) = events("twilio", message())
    assert kept["time_flag"] == "missing"


def test_a_failure_says_why() -> None:
    (event,) = events("twilio", state("undelivered", ErrorCode="30003", ErrorMessage="Unreachable"))
    assert event["properties"] == {"error_code": "30003", "error": "Unreachable"}


def test_a_conversation_is_told_by_its_messages() -> None:
    added = {
        "EventType": "onMessageAdded", "ConversationSid": "CH1", "MessageSid": "IM1", "Author": ANN, "Body": "Hi",
        "DateCreated": "2026-03-02T10:00:00.000Z", "Source": "SMS",
    }  # fmt: skip
    (event,) = events("twilio", form(**added))
    assert (event["event_type"], event["event_id"], event["reference"]) == ("message_received", "IM1", "CH1")
    assert (event["identifiers"], event["occurred_at"]) == ([PHONE], "2026-03-02T10:00:00+00:00")
    assert reasons("twilio", form(**added | {"EventType": "onMessageRemoved"})) == {
        "ignored:unsupported_resource": 1
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (call("initiated"), "ignored:not_sent"),
        (state("queued"), "ignored:not_sent"),
        (state("sending"), "ignored:not_sent"),
        (state("something new"), "quarantined:unknown_event_type"),
        (call(Direction="outbound-dial", To="client:bob"), "ignored:agent_leg"),
        (
            form(CallSid="CA1", RecordingSid="RE1", RecordingStatus="completed"),
            "ignored:unsupported_resource",
        ),
        (form(ConferenceSid="CF1", StatusCallbackEvent="participant-join"), "ignored:unsupported_resource"),
        ("VerificationSid=VE1&Status=ok", "ignored:unsupported_resource"),
        ("a=1&b=2", "quarantined:not_a_twilio_resource"),
        ("a=1&b=2 \x00", "quarantined:invalid_form"),
        ("CallSid", "quarantined:invalid_json"),
    ],
)
def test_other_webhooks_have_their_reasons(body: str, reason: str) -> None:
    assert reasons("twilio", body) == {reason: 1}


def test_a_webhook_lands_verbatim_and_kept_ones_are_a_line_each() -> None:
    bodies = [call().encode(), message(MessageSid="SM2", Body="é").encode(), b"a=%zz%00%ff&b"]
    found = became("twilio", b"\xef\xbb\xbf" + b"\r\n".join(bodies) + b"\n\nnonsense\n")
    assert found.raw["payload"].to_pylist() == bodies
    assert found.quarantine["payload"].to_pylist() == [b"nonsense"]
    assert found.events.num_rows == 2


def test_event_streams_say_the_same_in_json() -> None:
    def event(name: str, **data: Any) -> dict[str, Any]:
        return {"specversion": "1.0", "type": f"com.twilio.{name}", "id": "EZ1", "source": "/", "data": data}

    stamp = "2026-03-02T10:00:00.000Z"
    delivered = event(
        "messaging.message.delivered",
        messageSid="SM1",
        messageStatus="DELIVERED",
        to=ANN,
        timestamp=stamp,
        **{"from": OURS},
    )
    received = event(
        "messaging.inbound-message.received",
        messageSid="SM2",
        to=OURS,
        body="Hi",
        numMedia=0,
        timestamp=stamp,
        **{"from": ANN},
    )
    parameters = {
        "CallSid": "CA1",
        "CallStatus": "completed",
        "Direction": "inbound",
        "From": ANN,
        "To": OURS,
    }
    ended = event("voice.status-callback.call.completed", request={"parameters": parameters})
    other = event("studio.flow.execution.started", flow_sid="FW1")
    found = events("twilio", [delivered, received, ended, other])
    assert [(e["event_type"], e["event_id"], e["identifiers"]) for e in found] == [
        ("sms_delivered", "SM1:delivered", [PHONE]),
        ("sms_received", "SM2", [PHONE]),
        ("call_received", "CA1", [PHONE]),
    ]
    assert {e["occurred_at"] for e in found[:2]} == {"2026-03-02T10:00:00+00:00"}
    assert reasons("twilio", other) == {"ignored:unsupported_resource": 1}


def standing(root: Path, *bodies: str) -> list[dict[str, Any]]:
    landing = Landing.of(root, name="calls", connector="twilio", path="inbox/calls/*")
    for number, body in enumerate(bodies):
        landing.put(f"{number}.form", body)
        landing.run()
    assert all(batch.holds for batch in landing.counts())
    return sorted(landing.events().to_pylist(), key=lambda event: event["event_id"])


STEPS = [call("ringing", None), call("ringing", "08:00"), call("in-progress", "08:00")]
END = call("completed", "10:00", CallDuration="120", SequenceNumber="3")


def turned(*bodies: str) -> list[tuple[str, ...]]:
    """Orders of arrival in which each body is the first once and the last once."""
    return [bodies[n:] + bodies[:n] for n in range(len(bodies))]


@pytest.mark.parametrize("bodies", turned(*STEPS, END))
def test_the_end_of_a_call_wins_over_its_steps_whenever_they_arrive(
    tmp_path: Path, bodies: tuple[str, ...]
) -> None:
    (event,) = standing(tmp_path, *bodies)
    assert (event["outcome"], event["duration_seconds"]) == ("completed", 120.0)
    assert event["occurred_at"].isoformat() == "2026-03-02T10:08:00+00:00"


@pytest.mark.parametrize("bodies", turned(call("ringing", "10:00"), call("busy", "10:00")))
def test_of_two_states_of_one_second_the_later_in_a_calls_life_wins(
    tmp_path: Path, bodies: tuple[str, ...]
) -> None:
    (event,) = standing(tmp_path, *bodies)
    assert event["outcome"] == "busy"


@pytest.mark.parametrize("bodies", turned(END, STEPS[0], resource()))
def test_a_call_that_was_fetched_and_called_back_is_one(tmp_path: Path, bodies: tuple[str, ...]) -> None:
    (event,) = standing(tmp_path, *bodies)
    assert (event["outcome"], json.loads(event["properties"])["price"]) == ("completed", "-0.03")


@pytest.mark.parametrize("bodies", turned(text(), state("sent"), state("delivered")))
def test_no_state_of_a_message_makes_its_text_vanish(tmp_path: Path, bodies: tuple[str, ...]) -> None:
    sent, delivered = standing(tmp_path, *bodies)
    assert (sent["event_type"], sent["subject"]) == ("sms_sent", "Your lamp is here")
    assert delivered["event_type"] == "sms_delivered"


def test_a_delivery_that_is_sent_again_is_a_duplicate(tmp_path: Path) -> None:
    landing = Landing.of(tmp_path, name="calls", connector="twilio", path="inbox/calls/*")
    for number in range(3):
        landing.put(f"{number}.form", message() + "\n" * number)
        landing.run()
    assert (landing.events().num_rows, landing.total("duplicate")) == (1, 2)


_names = st.sampled_from(
    ["CallSid", "CallStatus", "MessageSid", "SmsSid", "MessageStatus", "Timestamp", "CallDuration", "EventType",
     "ConversationSid", "RecordingUrl", "Direction", "From", "To", "Body", "x"]
)  # fmt: skip
_values = st.text(max_size=12) | st.sampled_from(
    ["CA1", "ringing", "completed", "9" * 9, "inbound", "onMessageAdded", "0001-01-01T00:00:00+23:59",
     "9999-12-31T23:59:59-23:59", AT.format("10", "00"), "Mon, 32 Foo 2026 25:61:61 +9999", "\x00", "\ud800"]
)  # fmt: skip


@given(parameters=st.dictionaries(_names, _values, max_size=8))
def test_any_parameters_become_a_document(parameters: dict[str, str]) -> None:
    found = twilio_webhooks.document(parameters)
    assert found["form"] == parameters


@given(payload=st.binary(max_size=200))
def test_any_bytes_become_documents_or_a_reason(payload: bytes) -> None:
    for data in (payload, b"CallSid=CA1&CallStatus=" + payload, b'{"specversion":"1.0",' + payload):
        found = decode(CONNECTOR, data)
        if isinstance(found, str):
            assert found == "unreadable_form"
        else:
            assert len(found) == 1
            assert found == [data] or json.loads(found[0])["form"]


def test_an_envelope_says_whether_it_holds_a_form_or_json() -> None:
    form = became("twilio", b"CallSid=CA123&CallStatus=completed&From=%2B442079460000&To=%2B442079460001")
    assert form.raw["content_type"].to_pylist() == ["application/x-www-form-urlencoded"]
    resource = became("twilio", b'{"sid": "CA123", "status": "completed"}')
    assert resource.raw["content_type"].to_pylist() == ["application/json"]
