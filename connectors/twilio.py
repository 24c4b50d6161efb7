"""Twilio REST resources: list pages and single resources of calls and messages.

A call or message is one event, whatever its status; a later fetch of the same resource revises it.
The price is what Twilio charges *us*, so it is a property and no amount. Other resources
(conferences, recordings, lookups ...) are ignored as ``unsupported_resource``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors import json_items
from connectors.mapping import EnvelopeFields, Mapping, PartyRule, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

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
    """Yield the resources of pages, of single resources, and of lines of either."""
    del context
    yield from json_items.chunks(data, _resources, inside=b"[a-z_]+")


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
}

_KIND = "left(sid, 2)"
# The words at which Twilio itself stops or resumes messages of a number.
_STOPS = "upper(trim(body)) IN ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT')"
_STARTS = "upper(trim(body)) IN ('START', 'UNSTOP')"
_NETWORK = "coalesce(receiver, '') NOT LIKE '%:%' AND coalesce(sender, '') NOT LIKE '%:%'"
_KEYWORD = f"{_KIND} IN ('SM', 'MM') AND direction = 'inbound' AND {_NETWORK} AND length(body) < 16"

_TYPE = f"""CASE
    WHEN {_KIND} = 'CA' THEN CASE WHEN status IN ('no-answer', 'busy', 'canceled', 'failed')
      THEN 'call_missed|call_placed|call_missed' ELSE 'call_received|call_placed|call_received' END
    WHEN {_KIND} IN ('SM', 'MM') AND {_NETWORK} THEN CASE
      WHEN {_KEYWORD} AND {_STOPS} THEN 'sms_unsubscribed'
      WHEN {_KEYWORD} AND {_STARTS} THEN 'consent_changed'
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


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_TYPE,
    occurred_at=f"""CASE {_KIND} WHEN 'CA' THEN coalesce(start_time, date_created)
        ELSE coalesce(date_sent, date_created) END""",
    quarantine="""CASE WHEN coalesce(sid, account, uri) IS NOT NULL THEN NULL
        WHEN contains(payload, 'twilio.com') OR contains(payload, '"call_sid"') THEN NULL
        ELSE 'not_a_twilio_resource' END""",
    ignore=f"""CASE
        WHEN sid IS NULL AND contains(payload, '"first_page_ur') THEN 'empty_page'
        WHEN coalesce({_KIND} NOT IN ('CA', 'SM', 'MM', 'IM'), true) THEN 'unsupported_resource'
        WHEN {_KIND} IN ('CA', 'SM', 'MM') AND direction IS NULL THEN 'unsupported_resource'
        WHEN status IN ('accepted', 'scheduled', 'queued') OR {_KIND} IN ('SM', 'MM') AND status = 'canceled'
          THEN 'not_sent'
        WHEN direction = 'outbound-dial' AND (receiver LIKE 'client:%' OR receiver LIKE 'sip:%')
          THEN 'agent_leg'
        WHEN {_KIND} = 'IM' AND coalesce(author NOT LIKE '+%' AND author NOT LIKE 'whatsapp:%', true)
          THEN 'no_customer_address' END""",
    columns={
        "channel": f"""CASE WHEN {_KIND} = 'CA' THEN 'phone' WHEN {_KIND} = 'IM' THEN 'social'
            WHEN {_NETWORK} THEN 'sms' ELSE 'social' END""",
        "subject": "body",
        "reference": f"CASE {_KIND} WHEN 'IM' THEN conversation WHEN 'CA' THEN coalesce(parent, sid) END",
        "campaign": "campaign",
        "duration_seconds": "duration",
        "agent": """CASE WHEN starts_with(sender, 'client:') THEN substr(sender, 8)
            WHEN starts_with(receiver, 'client:') THEN substr(receiver, 8) END""",
        "outcome": "status",
        "consent_purpose": f"CASE WHEN {_KEYWORD} AND ({_STOPS} OR {_STARTS}) THEN 'marketing' END",
        "consent_channel": f"CASE WHEN {_KEYWORD} AND ({_STOPS} OR {_STARTS}) THEN 'sms' END",
        "consent_state": f"""CASE WHEN {_KEYWORD} AND {_STOPS} THEN 'denied'
            WHEN {_KEYWORD} AND {_STARTS} THEN 'granted' END""",
    },
    parties=(
        PartyRule("phone", f"CASE {_KIND} WHEN 'IM' THEN author ELSE sender END", "receiver", _DIRECTION),
        PartyRule("handle", _messenger("sender"), _messenger("receiver"), _DIRECTION, "'facebook'"),
    ),
    traits={"full_name": "CASE WHEN direction = 'inbound' THEN caller_name END"},
    properties=present(
        answered_by="answered_by",
        forwarded_from="forwarded_from",
        queue_time="queue_time",
        segments="segments",
        media="media",
        error_code="error_code",
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
        event_id=("$.sid",),
        type=("$.direction",),
        occurred_at=("$.start_time", "$.date_sent", "$.date_created"),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
