"""Twilio: calls and messages as its REST API lists them, and as its webhooks tell of them.

A call or message is one event, whatever its status; a later fetch of the same resource revises it,
and so does a call's later callback. The states of a message that we sent are events of their own
(see :mod:`connectors.twilio_webhooks`). The price is what Twilio charges *us*, so it is a property
and no amount. Other resources (conferences, recordings, lookups ...) are ignored as
``unsupported_resource``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors import json_items, twilio_webhooks
from connectors.mapping import EnvelopeFields, Mapping, PartyRule, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "2"

# A webhook's body is one form; kept in a file, they are a line each.
_BEGINS_AS_FORM = re.compile(rb"(?:\xef\xbb\xbf)?\s*[A-Za-z][\w.%-]{0,99}=")

_PAGE = (b'"first_page_uri"', b'"first_page_url"')


def _resources(document: bytes) -> Sequence[json_items.Piece] | None:
    """Return the resources of a list page, each verbatim; None where it is no page or is empty."""
    if not any(mark in document for mark in _PAGE):
        return None
    parts = json_items.members(document) or {}
    lists = (json_items.elements(value) for value in parts.values() if value[:1] == b"[")
    items = next((items for items in lists if items), None)
    return None if items is None else [json_items.Piece(item) for item in items]


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the resources of pages, of single resources, and of lines of either; or the forms of lines."""
    del context
    if _BEGINS_AS_FORM.match(data):
        yield from json_items.collect(_forms(data))
    else:
        yield from json_items.chunks(data, _resources, inside=b"[a-z_]+")


def _forms(data: bytes) -> Iterator[json_items.Piece]:
    for line in map(bytes.strip, data.removeprefix(codecs.BOM_UTF8).split(b"\n")):
        if twilio_webhooks.is_form(line):
            yield json_items.Piece(line)
        elif line:
            yield json_items.Piece(line, reason="invalid_form", detail=f"{len(line)} bytes")


_FIELDS = {
    "sid": "$.sid",
    "account": "$.account_sid",
    "uri": "$.uri",
    "direction": "$.direction",
    "status": "$.status",
    "sender": "$.from",
    "receiver": "$.to",
    "author": "$.author",
    "body": "$.body",
    "duration": "$.duration",
    "start_time": "$.start_time",
    "date_sent": "$.date_sent",
    "date_created": "$.date_created",
    "caller_name": "$.caller_name",
    "answered_by": "$.answered_by",
    "forwarded_from": "$.forwarded_from",
    "queue_time": "$.queue_time",
    "parent": "$.parent_call_sid",
    "conversation": "$.conversation_sid",
    "campaign": "$.tags.campaign_name",
    "price": "$.price",
    "price_unit": "$.price_unit",
    "error_code": "$.error_code",
    "segments": "$.num_segments",
    "media": "$.num_media",
    "kind": "$.webhook.kind",
    "call": "$.call_sid",
    "profile_name": "$.form.ProfileName",
    "opt_out": "$.form.OptOutType",
    "replied_to": "$.form.OriginalRepliedMessageSid",
    "referral": "$.form.ReferralSourceId",
    "latitude": "$.form.Latitude",
    "longitude": "$.form.Longitude",
    "error_text": "$.form.ErrorMessage",
    "attestation": "$.form.StirVerstat",
    "sip_code": "$.form.SipResponseCode",
    "dialled": "$.form.DialCallStatus",
    "recording": "$.form.RecordingUrl",
}

_KIND = "left(sid, 2)"
# The words at which Twilio itself stops or resumes messages of a number.
_STOPS = "upper(trim(body)) IN ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT')"
_STARTS = "upper(trim(body)) IN ('START', 'UNSTOP')"
_NETWORK = "coalesce(receiver, '') NOT LIKE '%:%' AND coalesce(sender, '') NOT LIKE '%:%'"
_TEXTED = f"{_KIND} IN ('SM', 'MM') AND direction = 'inbound' AND {_NETWORK}"
# Where Twilio has looked for words of our own choice, it says what it found.
_STOPPED = (
    f"({_TEXTED} AND CASE WHEN opt_out IS NULL THEN length(body) < 16 AND {_STOPS} ELSE opt_out = 'STOP' END)"
)
_STARTED = f"({_TEXTED} AND CASE WHEN opt_out IS NULL THEN length(body) < 16 AND {_STARTS} ELSE opt_out = 'START' END)"

# A message's state that a callback reported, over the telephone network and in messengers.
_STATE = f"""CASE WHEN {_NETWORK} THEN CASE status WHEN 'sent' THEN 'sms_sent' WHEN 'delivered' THEN 'sms_delivered'
      WHEN 'read' THEN 'message_read' WHEN 'failed' THEN 'sms_failed' WHEN 'undelivered' THEN 'sms_failed' ELSE status END
    ELSE CASE status WHEN 'sent' THEN 'message_sent' WHEN 'delivered' THEN 'message_delivered'
      WHEN 'read' THEN 'message_read' WHEN 'failed' THEN 'message_failed' WHEN 'undelivered' THEN 'message_failed'
      ELSE status END END"""

_TYPE = f"""CASE
    WHEN kind = 'voicemail' THEN 'voicemail_received'
    WHEN kind = 'message_status' THEN {_STATE}
    WHEN {_KIND} = 'CA' THEN CASE WHEN status IN ('no-answer', 'busy', 'canceled', 'failed')
      THEN 'call_missed|call_placed|call_missed' ELSE 'call_received|call_placed|call_received' END
    WHEN {_KIND} IN ('SM', 'MM') AND {_NETWORK} THEN CASE
      WHEN {_STOPPED} THEN 'sms_unsubscribed'
      WHEN {_STARTED} THEN 'consent_changed'
      WHEN status IN ('failed', 'undelivered') THEN 'sms_received|sms_failed|sms_received'
      ELSE 'sms_received|sms_sent|sms_received' END
    WHEN {_KIND} IN ('SM', 'MM') THEN CASE WHEN status IN ('failed', 'undelivered')
      THEN 'message_received|message_failed|message_received'
      ELSE 'message_received|message_sent|message_received' END
    WHEN {_KIND} = 'IM' THEN 'message_received|message_sent|message_received'
    ELSE 'unknown' END"""

_DIRECTION = """CASE WHEN direction = 'inbound' THEN 'inbound'
    WHEN starts_with(direction, 'outbound') THEN 'outbound' END"""


def _messenger(field: str) -> str:
    return f"CASE WHEN starts_with({field}, 'messenger:') THEN substr({field}, 11) END"


def _number(field: str) -> str:
    return f"CASE WHEN starts_with({field}, 'rcs:') THEN substr({field}, 5) ELSE {field} END"


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_TYPE,
    occurred_at=f"""CASE {_KIND} WHEN 'CA' THEN coalesce(start_time, date_created)
        ELSE coalesce(date_sent, date_created) END""",
    quarantine="""CASE WHEN coalesce(sid, account, uri) IS NOT NULL THEN NULL
        WHEN contains(payload, 'twilio.com') OR contains(payload, '"call_sid"')
          OR contains(payload, '"com.twilio.') THEN NULL
        ELSE 'not_a_twilio_resource' END""",
    ignore=f"""CASE
        WHEN sid IS NULL AND contains(payload, '"first_page_ur') THEN 'empty_page'
        WHEN kind = 'voicemail' THEN NULL
        WHEN coalesce({_KIND} NOT IN ('CA', 'SM', 'MM', 'IM'), true) THEN 'unsupported_resource'
        WHEN {_KIND} IN ('CA', 'SM', 'MM') AND direction IS NULL
          AND (kind IS NULL OR coalesce(sender, receiver) IS NULL) THEN 'unsupported_resource'
        WHEN status IN ('accepted', 'scheduled', 'queued', 'initiated')
          OR {_KIND} IN ('SM', 'MM') AND status = 'canceled'
          OR kind = 'message_status' AND status = 'sending' THEN 'not_sent'
        WHEN direction = 'outbound-dial' AND (receiver LIKE 'client:%' OR receiver LIKE 'sip:%')
          THEN 'agent_leg'
        WHEN {_KIND} = 'IM' AND coalesce(author NOT LIKE '+%' AND author NOT LIKE 'whatsapp:%', true)
          THEN 'no_customer_address' END""",
    columns={
        "channel": f"""CASE WHEN {_KIND} = 'CA' OR kind = 'voicemail' THEN 'phone' WHEN {_KIND} = 'IM' THEN 'social'
            WHEN {_NETWORK} THEN 'sms' ELSE 'social' END""",
        "subject": "body",
        "reference": f"""CASE {_KIND} WHEN 'IM' THEN conversation WHEN 'CA' THEN coalesce(parent, sid)
            ELSE coalesce(call, replied_to, CASE WHEN kind = 'message_status' THEN sid END) END""",
        "campaign": "coalesce(campaign, referral)",
        "duration_seconds": "duration",
        "agent": """CASE WHEN starts_with(sender, 'client:') THEN substr(sender, 8)
            WHEN starts_with(receiver, 'client:') THEN substr(receiver, 8) END""",
        "outcome": "status",
        "latitude": "latitude",
        "longitude": "longitude",
        "consent_purpose": f"CASE WHEN {_STOPPED} OR {_STARTED} THEN 'marketing' END",
        "consent_channel": f"CASE WHEN {_STOPPED} OR {_STARTED} THEN 'sms' END",
        "consent_state": f"CASE WHEN {_STOPPED} THEN 'denied' WHEN {_STARTED} THEN 'granted' END",
    },
    parties=(
        PartyRule(
            "phone",
            f"CASE {_KIND} WHEN 'IM' THEN author ELSE {_number('sender')} END",
            _number("receiver"),
            _DIRECTION,
        ),
        PartyRule("handle", _messenger("sender"), _messenger("receiver"), _DIRECTION, "'facebook'"),
    ),
    traits={"full_name": "CASE WHEN direction = 'inbound' THEN coalesce(profile_name, caller_name) END"},
    properties=present(
        answered_by="answered_by",
        forwarded_from="forwarded_from",
        queue_time="queue_time",
        segments="segments",
        media="media",
        error_code="error_code",
        error="error_text",
        sip_code="sip_code",
        attestation="attestation",
        dialled="dialled",
        recording="recording",
        price="price",
        price_unit="price_unit",
    ),
)

CONNECTOR = Connector(
    name="twilio",
    channel="phone",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=("$.webhook.event_id", "$.sid"),
        type=("$.direction",),
        occurred_at=("$.start_time", "$.date_sent", "$.date_created"),
        sent_at=("$.webhook.sent_at", "$.date_updated"),
    ),
    mapping=MAPPING,
    decode=twilio_webhooks.documents,
    posted=True,
    suffixes=(".json", ".ndjson", ".jsonl", ".form", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
