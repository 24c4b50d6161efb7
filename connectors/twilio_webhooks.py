"""Twilio's webhooks as documents shaped like the resources of its REST API, so that one mapping reads both.

A webhook is a form; the whole of it is in ``form``, what Twilio leaves to the reader in ``webhook``: which
``kind`` it is, the id of its event where that is not the resource's, and when it was sent.

- **Calls** are known by their ``CallSid`` whatever the state, so that the later state revises the earlier one
  and a resource that was fetched. ``sent_at`` is the callback's ``Timestamp``; within one second the state
  that comes later in a call's life is the later one. A request for instructions says no time.
- **States of a message** have no text, and must not take the place of the message that has one. Each
  is an event of its own (``SM1:delivered``), but for ``sent``: that is the message itself, and as it
  says no time it gives way to a resource that was fetched.
- **Voice messages** (the answer to ``<Record>``, and its transcription) are events of the recording.

Event Streams posts the same as JSON (CloudEvents), for calls and messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from connectors import form_items

Parameters = Mapping[str, str]
Document = dict[str, Any]

# Parameter of a webhook -> member of a resource.
_MEMBERS = {
    "AccountSid": "account_sid",
    "From": "from",
    "To": "to",
    "Direction": "direction",
    "ParentCallSid": "parent_call_sid",
    "CallerName": "caller_name",
    "AnsweredBy": "answered_by",
    "ForwardedFrom": "forwarded_from",
    "QueueTime": "queue_time",
    "Body": "body",
    "NumSegments": "num_segments",
    "NumMedia": "num_media",
    "ErrorCode": "error_code",
}

# The states of a call before its end, in their order.
_STEPS = ("queued", "initiated", "ringing", "in-progress")
_MAX_SECONDS = 10 * 86_400

_EVENT_MARK = b'"specversion"'
_EVENT = msgspec.json.Decoder(dict[str, Any])


def is_form(line: bytes) -> bool:
    """Whether a line is a form of some name and value.

    >>> is_form(b"CallSid=CA1&CallStatus=completed"), is_form(b'{"sid": "CA1"}')
    (True, False)
    """
    return not form_items.is_multipart(line) and form_items.fields(line) is not None


def documents(payload: bytes) -> list[bytes]:
    """Return the resource of a payload: a REST resource as it is, a webhook put into the shape of one.

    Raises:
        ValueError: with the reason, where it is neither JSON nor a form.
    """
    if payload[:1] == b"{":
        parameters = _cloud_event(payload) if _EVENT_MARK in payload else None
        return [payload] if parameters is None else [msgspec.json.encode(document(parameters))]
    found = form_items.fields(payload)
    if found is None:
        raise ValueError("unreadable_form")
    first = {field.name: field.text for field in reversed(found)}
    return [msgspec.json.encode(document(first))]


def document(form: Parameters) -> Document:
    """Return the document of a webhook's parameters.

    >>> found = document({"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+44"})
    >>> found["sid"], found["status"], found["direction"], found["webhook"]
    ('SM1', 'delivered', 'outbound', {'kind': 'message_status', 'event_id': 'SM1:delivered'})
    """
    found: Document = {member: form[name] for name, member in _MEMBERS.items() if form.get(name)}
    found["webhook"], found["form"] = {}, form
    if _is_voicemail(form):
        _voicemail(form, found)
    elif form.get("CallSid") and form.get("CallStatus"):
        _call(form, found)
    elif form.get("ConversationSid"):
        _conversation(form, found)
    elif sid := form.get("MessageSid") or form.get("SmsMessageSid") or form.get("SmsSid"):
        _message(form, sid, found)
    elif "account_sid" not in found:
        sids = (value for name, value in form.items() if name.endswith("Sid") and value)
        found["account_sid"] = next(sids, None)
    return found


def _is_voicemail(form: Parameters) -> bool:
    """Whether the person on the line has left a message: a callback or a forwarded call only refers to one."""
    refers = any(form.get(name) for name in ("CallbackSource", "Timestamp", "DialCallStatus"))
    return bool(form.get("RecordingUrl") and form.get("Direction") == "inbound" and not refers)


def _voicemail(form: Parameters, found: Document) -> None:
    recording = form.get("RecordingSid") or form["RecordingUrl"].rpartition("/")[2]
    found |= {"sid": recording, "call_sid": form.get("CallSid"), "duration": form.get("RecordingDuration")}
    found["body"] = form.get("TranscriptionText")
    found["webhook"] = {"kind": "voicemail", "event_id": recording}


def _call(form: Parameters, found: Document) -> None:
    status, duration = form["CallStatus"], form.get("CallDuration", "")
    found |= {"sid": form["CallSid"], "status": status, "duration": duration}
    found["webhook"] = {"kind": "call"}
    text = form.get("Timestamp", "")
    moment = _moment(text)
    if moment is None:
        found["start_time"] = text
        return
    step = _STEPS.index(status) if status in _STEPS else len(_STEPS)
    found["webhook"]["sent_at"] = (moment + timedelta(milliseconds=step)).isoformat()
    seconds = int(duration) if len(duration) < 8 and duration.isdecimal() else 0
    over = timedelta(seconds=min(seconds, _MAX_SECONDS)) if step == len(_STEPS) else timedelta()
    found["start_time"] = (moment - over).isoformat()


def _conversation(form: Parameters, found: Document) -> None:
    if form.get("EventType") not in ("onMessageAdded", "onMessageUpdated"):
        return
    created, updated = form.get("DateCreated", ""), form.get("DateUpdated")
    found |= {"sid": form.get("MessageSid"), "author": form.get("Author"), "date_created": created}
    found |= {"conversation_sid": form["ConversationSid"]}
    found["webhook"] = {"kind": "conversation", "sent_at": updated or created}


def _message(form: Parameters, sid: str, found: Document) -> None:
    status = (form.get("MessageStatus") or form.get("SmsStatus") or "received").lower()
    moment = _moment(form.get("Timestamp", ""))
    found |= {"sid": sid, "status": status, "date_sent": moment.isoformat() if moment else None}
    if status in ("received", "receiving"):
        found |= {"direction": "inbound", "webhook": {"kind": "message"}}
        return
    event_id = sid if status == "sent" else f"{sid}:{status}"
    found |= {"direction": "outbound", "webhook": {"kind": "message_status", "event_id": event_id}}
    if status == "read":  # the one thing of these that the person does
        found |= {"direction": "inbound", "from": form.get("To"), "to": form.get("From")}


def _moment(text: str) -> datetime | None:
    """Return the time of an RFC 2822 or ISO 8601 text with its zone, in UTC; None where it is neither.

    >>> _moment("Mon, 02 Mar 2026 10:00:00 +0000").isoformat(), _moment("soon")
    ('2026-03-02T10:00:00+00:00', None)
    """
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            # The earliest and the latest days leave no room for durations.
            if moment.tzinfo is not None and 1970 < moment.year < 9000:
                return moment.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _cloud_event(payload: bytes) -> dict[str, str] | None:
    """Return the parameters of an event of Event Streams about a call or message; None of any other JSON."""
    try:
        event = _EVENT.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    name, data = event.get("type"), event.get("data")
    if not isinstance(name, str) or not isinstance(data, dict):
        return None
    if name.startswith("com.twilio.messaging."):
        return {key[:1].upper() + key[1:]: text for key, text in _texts(data).items()}
    request = data.get("request")
    parameters = request.get("parameters") if isinstance(request, dict) else None
    if name.startswith("com.twilio.voice.") and isinstance(parameters, dict):
        return _texts(parameters)
    return None


def _texts(values: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items() if isinstance(value, str | int)}
