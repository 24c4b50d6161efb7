"""Mandrill (Mailchimp Transactional): what became of our messages, and messages that it received for us.

A webhook is a form whose field ``mandrill_events`` is a JSON array; its items are the envelopes. Read is
also the array alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from connectors import form_items, json_items
from connectors.bots import is_bot
from connectors.mail_machines import is_machine, machine_outcome
from connectors.mail_mapping import INBOUND, beside
from connectors.mail_message import documents as message_documents
from connectors.mail_posted import Posted, posted_documents, wrapped
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, present
from connectors.mapping import Mapping as EventMapping
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_FIELD = "mandrill_events"


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the items of the field ``mandrill_events``, or of the JSON that a file holds."""
    del context
    form = form_items.fields(data)
    if form is None:
        yield from json_items.chunks(data)
        return
    listed = b"".join(field.value for field in form if field.name == _FIELD)
    if listed.strip():
        yield from json_items.chunks(listed)
    else:
        yield from json_items.collect([json_items.Piece(data, reason="invalid_form")])


def documents(payload: bytes) -> list[bytes]:
    """Return an event as it is, and the documents of a message that Mandrill received."""
    body = json_items.members(payload)
    if body is None:
        raise ValueError("invalid_json")
    if body.get("event") != b'"inbound"':
        return [payload]
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise ValueError("invalid_json") from error
    message = event.get("msg")
    return _received(message if isinstance(message, dict) else {}, str(event.get("_id") or "") or None)


def _received(message: dict[str, Any], event_id: str | None) -> list[bytes]:
    attached = message.get("attachments")
    spam = message.get("spam_report")
    properties = {
        "attachments": len(attached) if isinstance(attached, (dict, list)) else 0,
        "spam": isinstance(spam, dict) and isinstance(spam.get("score"), (int, float)) and spam["score"] >= 5,
    }
    raw = _text(message, "raw_msg")
    if raw is not None:
        return wrapped(message_documents(raw.encode("utf-8", "replace")), event_id, properties)
    name, address = _text(message, "from_name"), _text(message, "from_email")
    headers = message.get("headers")
    return posted_documents(
        Posted(
            headers=list(_headers(headers)) if isinstance(headers, dict) else [],
            sender=f'"{name}" <{address}>' if name and address else address,
            recipients=tuple(filter(None, [_text(message, "email")])),
            subject=_text(message, "subject"),
            text=_text(message, "text"),
            html=_text(message, "html"),
            id=event_id,
            properties=properties,
        )
    )


def _text(message: dict[str, Any], name: str) -> str | None:
    value = message.get(name)
    return value if isinstance(value, str) and value else None


def _headers(headers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield name, one


_EVENT_TYPES = {
    "send": "email_sent",
    "delivered": "email_delivered",
    "deferral": "email_deferred",
    "hard_bounce": "email_bounced",
    "soft_bounce": "email_bounced",
    "reject": "email_dropped",
    "open": "email_opened",
    "click": "email_clicked",
    "spam": "email_complained",
    "unsub": "email_unsubscribed",
}

_FIELDS = {
    "event": "$.event",
    "kind": "$.type",
    "moment": "$.ts",
    "email": "$.msg.email",
    "message_id": "$.msg._id",
    "own_message_id": "$._id",
    "subject": "$.msg.subject",
    "tags": "$.msg.tags",
    "first_tag": "$.msg.tags[0]",
    "metadata": "$.msg.metadata",
    "description": "$.msg.bounce_description",
    "diagnostic": "$.msg.diag",
    "reject_reason": "$.msg.reject.reason",
    "url": "$.url",
    "agent_text": "$.user_agent",
    "country": "$.location.country_short",
    "region": "$.location.region",
    "city": "$.location.city",
}

_MACHINE = is_machine("agent_text")
_ENDS_CONSENT = "event IN ('spam', 'unsub')"
_EVENTS = EventMapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE event
        {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _EVENT_TYPES.items())} ELSE event END""",
    occurred_at="moment",
    quarantine="""CASE WHEN event IS NULL AND kind IS NULL THEN 'missing_event'
        WHEN kind IS NULL AND email IS NULL AND own_message_id IS NULL THEN 'missing_mail' END""",
    ignore="CASE WHEN event IS NULL THEN 'list_notice' END",
    columns={
        "subject": "coalesce(subject, url, diagnostic, description)",
        "reference": "coalesce(message_id, own_message_id)",
        "campaign": "first_tag",
        "outcome": f"""CASE event WHEN 'hard_bounce' THEN 'hard' WHEN 'soft_bounce' THEN 'soft'
            WHEN 'reject' THEN coalesce(reject_reason, 'rejected')
            WHEN 'open' THEN {machine_outcome("agent_text")} WHEN 'click' THEN {machine_outcome("agent_text")} END""",
        "consent_purpose": f"CASE WHEN {_ENDS_CONSENT} THEN 'marketing' END",
        "consent_channel": f"CASE WHEN {_ENDS_CONSENT} THEN 'email' END",
        "consent_state": f"CASE WHEN {_ENDS_CONSENT} THEN 'denied' END",
    },
    identifiers=(IdentifierRule("email", "email"),),
    properties=present(
        tags="CASE WHEN first_tag IS NOT NULL THEN try_cast(tags AS JSON) END",
        metadata="CASE WHEN metadata NOT IN ('{}', '[]') THEN try_cast(metadata AS JSON) END",
        machine_open=f"CASE event WHEN 'open' THEN {_MACHINE} END",
        machine_click=f"CASE event WHEN 'click' THEN {_MACHINE} END",
        bot=f"CASE WHEN event IN ('open', 'click') AND {is_bot('agent_text')} THEN true END",
        url="url",
        user_agent="agent_text",
        country="country",
        region="region",
        city="city",
        reason="trim(description)",
        response="diagnostic",
    ),
)
MAPPING = beside(_EVENTS)

_EVENT = ("$._id", "$.event", "$.ts")
CONNECTOR = Connector(
    name="mandrill",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        # _id is the message's: all that becomes of it has the same.
        event_id=(JOIN.join((*_EVENT, "$.url")), JOIN.join(_EVENT), f"$.{INBOUND}.message_id"),
        type=("$.event", f"$.{INBOUND}.kind"),
        occurred_at=("$.ts", f"$.{INBOUND}.date"),
    ),
    mapping=MAPPING,
    decode=documents,
    posted=True,
    suffixes=(".json", ".ndjson", ".jsonl", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
