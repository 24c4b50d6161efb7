"""Mailgun: what became of our messages, and messages that it received for us.

Read are webhooks as they are posted today (JSON with ``event-data``) and were once (forms), events of the
Events API, and what routes post: forms of a message in parts, or of its MIME text (``body-mime``).

A failure that Mailgun calls temporary is tried again and so no bounce. Of the bounces those after many
tries (``old``) or with a code of class 4 are ``soft``; messages that Mailgun did not send because of an earlier
bounce, complaint or unsubscription are dropped. Opens and clicks of what Mailgun takes for a bot
(``client-info.bot``) have the outcome ``machine``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

_BODIES = ("body-plain", "stripped-text", "body-html", "stripped-html", "body-mime")


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield a form as the one payload that it is, else the JSON documents of the item."""
    del context
    if form_items.fields(data) is not None:
        yield Chunk([data], [1])
    else:
        yield from json_items.chunks(data)


def documents(payload: bytes) -> list[bytes]:
    """Return the JSON documents of a webhook: the event alone, or those of a message."""
    form = form_items.fields(payload)
    if form is not None:
        return _of_form(form)
    body = json_items.members(payload)
    if body is None:
        raise ValueError("invalid_json")
    event = body.get("event-data", b"")
    if event[:1] == b"{":
        body = json_items.members(event) or {}
        payload = event
    if body.get("event") == b'"stored"':
        return _stored(_loaded(payload))
    if "event" not in body and not body.keys().isdisjoint(_BODIES):
        return _message({name: str(value) for name, value in _loaded(payload).items()}, attachments=0)
    return [payload]


def _loaded(payload: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise ValueError("invalid_json") from error
    return found if isinstance(found, dict) else {}


def _of_form(form: list[form_items.Field]) -> list[bytes]:
    values = form_items.last_values(
        form
    )  # a variable of the user's may bear a field's name, but stands before
    if "event" in values:
        headers = {name.lower(): value for name, value in _headers(values)}
        tags = [field.text for field in form if field.name.lower() in ("tag", "x-mailgun-tag")]
        message_id = values.get("Message-Id") or values.get("message-id") or headers.get("message-id")
        kept = {name: value for name, value in headers.items() if name in ("subject", "from", "to")}
        kept |= {"message-id": message_id.strip("<> ")} if message_id else {}
        return [orjson.dumps({**values, "tags": tags, "message": {"headers": kept}})]
    if values.keys().isdisjoint(_BODIES):
        raise ValueError("missing_event")
    attached = max(sum(field.filename is not None for field in form), _count(values.get("attachment-count")))
    return _message(values, attachments=attached)


def _count(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 5 else 0


def _headers(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the header fields that a form lists as JSON."""
    try:
        listed = orjson.loads(values.get("message-headers") or "[]")
    except orjson.JSONDecodeError:
        return []
    pairs = [pair for pair in listed if isinstance(pair, list)] if isinstance(listed, list) else []
    return [(str(pair[0]), str(pair[1])) for pair in pairs if len(pair) == 2]


def _message(values: Mapping[str, str], attachments: int) -> list[bytes]:
    """Return the documents of a message that a route forwarded or stored."""
    headers = _headers(values)
    spam = next((value for name, value in headers if name.lower() == "x-mailgun-sflag"), "")
    properties = {"attachments": attachments, "spam": spam.strip().lower() == "yes"}
    message_id = values.get("Message-Id")
    message_id = message_id.strip("<> ") if message_id else None
    mime = values.get("body-mime")
    if mime:
        found = message_documents(mime.encode("utf-8", "replace"))
        return wrapped(found, message_id, {"spam": properties["spam"]})
    posted = Posted(
        headers=headers,
        sender=values.get("from") or values.get("From") or values.get("sender"),
        recipients=tuple(filter(None, [values.get("To") or values.get("recipient")])),
        subject=values.get("subject") or values.get("Subject"),
        date=values.get("Date"),
        text=values.get("body-plain") or values.get("stripped-text"),
        html=values.get("body-html") or values.get("stripped-html"),
        id=message_id,
        properties=properties,
    )
    return posted_documents(posted)


def _stored(event: dict[str, Any]) -> list[bytes]:
    """Return the documents of a message of which the event tells only that it was stored."""
    message = event.get("message")
    headers = message.get("headers") if isinstance(message, dict) else None
    named = [(name, value) for name, value in (headers or {}).items()] if isinstance(headers, dict) else []
    kept = [
        (name, f"<{value}>" if name == "message-id" else value)
        for name, value in named
        if isinstance(value, str)
    ]
    return posted_documents(Posted(kept, date=str(event.get("timestamp", "")), id=str(event.get("id") or "")))


_FIELDS = {
    "event": "$.event",
    "email": "$.recipient",
    "moment": "$.timestamp",
    "severity": "$.severity",
    "reason": "$.reason",
    "reject_reason": "$.reject.reason",
    "message_id": '$.message.headers."message-id"',
    "subject": "$.message.headers.subject",
    "addressed": "$.message.headers.to",
    "code": '$."delivery-status".code',
    "enhanced_code": '$."delivery-status"."enhanced-code"',
    "status_text": '$."delivery-status".message',
    "status_description": '$."delivery-status".description',
    "attempt": '$."delivery-status"."attempt-no"',
    "old_code": "$.code",
    "old_error": "$.error",
    "old_description": "$.description",
    "url": "$.url",
    "bot": '$."client-info".bot',
    "agent_text": '$."client-info"."user-agent"',
    "old_agent": '$."user-agent"',
    "country": "$.geolocation.country",
    "region": "$.geolocation.region",
    "city": "$.geolocation.city",
    "old_country": "$.country",
    "old_region": "$.region",
    "old_city": "$.city",
    "campaign_name": "$.campaigns[0].name",
    "campaign_id": "$.campaigns[0].id",
    "old_campaign": '$."campaign-name"',
    "tag_list": "$.tags",
    "first_tag": "$.tags[0]",
    "old_tag": "$.tag[0]",
    "variables": '$."user-variables"',
    "routed": '$.flags."is-routed"',
    "test_mode": '$.flags."is-test-mode"',
}

_CODE = "coalesce(code, old_code)"
_DETAIL = "coalesce(status_text, status_description, old_error, old_description, reject_reason)"
_FAILED = "(event = 'failed' AND coalesce(severity, 'permanent') <> 'temporary')"
# 605 to 607: not sent, because the address bounced, unsubscribed or complained before; 625: a bad list.
_NOT_TRIED = f"(reason LIKE 'suppress%' OR {_CODE} IN ('605', '606', '607', '625'))"
_GAVE_UP = "(event = 'dropped' AND reason = 'old')"
_BOUNCES = (
    f"(({_FAILED} AND NOT coalesce({_NOT_TRIED}, false)) OR event = 'bounced' OR coalesce({_GAVE_UP}, false))"
)
_AGENT = "coalesce(agent_text, old_agent)"
_MACHINE = is_machine(_AGENT, "bot IS NOT NULL")
# A message that Mailgun refused to send has no recipient but those that it is addressed to.
_ADDRESSED = """CASE WHEN event = 'rejected' AND NOT contains(addressed, ',')
    THEN coalesce(nullif(regexp_extract(addressed, '<([^<>\\s]+)>', 1), ''), addressed) END"""
_ENDS_CONSENT = "event IN ('unsubscribed', 'complained')"

_EVENTS = EventMapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE
        WHEN {_BOUNCES} THEN 'email_bounced'
        WHEN event = 'failed' THEN CASE severity WHEN 'temporary' THEN 'email_deferred' ELSE 'email_dropped' END
        ELSE CASE event WHEN 'accepted' THEN 'email_sent' WHEN 'delivered' THEN 'email_delivered'
          WHEN 'rejected' THEN 'email_dropped' WHEN 'dropped' THEN 'email_dropped'
          WHEN 'opened' THEN 'email_opened' WHEN 'clicked' THEN 'email_clicked'
          WHEN 'unsubscribed' THEN 'email_unsubscribed' WHEN 'complained' THEN 'email_complained'
          ELSE event END END""",
    occurred_at="moment",
    quarantine="CASE WHEN event IS NULL THEN 'missing_event' END",
    ignore="""CASE WHEN event LIKE 'list\\_%' ESCAPE '\\' THEN 'list_notice'
        WHEN routed = 'true' THEN 'routed_message' WHEN test_mode = 'true' THEN 'test_mode' END""",
    columns={
        "subject": f"coalesce(subject, CASE event WHEN 'clicked' THEN url END, {_DETAIL})",
        "reference": "message_id",
        "campaign": "coalesce(campaign_name, old_campaign, first_tag, old_tag, campaign_id)",
        "outcome": f"""CASE
            WHEN {_BOUNCES} THEN CASE WHEN reason = 'espblock' THEN 'blocked'
              WHEN reason = 'old' OR left({_CODE}, 1) = '4' THEN 'soft' ELSE 'hard' END
            WHEN event IN ('failed', 'dropped') THEN CASE WHEN coalesce(severity, '') <> 'temporary' THEN reason END
            WHEN event = 'rejected' THEN 'rejected'
            WHEN event IN ('opened', 'clicked') THEN {machine_outcome(_AGENT, "bot IS NOT NULL")} END""",
        "consent_purpose": f"CASE WHEN {_ENDS_CONSENT} THEN 'marketing' END",
        "consent_channel": f"CASE WHEN {_ENDS_CONSENT} THEN 'email' END",
        "consent_state": f"CASE WHEN {_ENDS_CONSENT} THEN 'denied' END",
    },
    identifiers=(IdentifierRule("email", f"coalesce(email, {_ADDRESSED})"),),
    properties=present(
        tags="CASE WHEN first_tag IS NOT NULL THEN try_cast(tag_list AS JSON) END",
        variables="CASE WHEN variables <> '{}' THEN try_cast(variables AS JSON) END",
        machine_open=f"CASE event WHEN 'opened' THEN {_MACHINE} END",
        machine_click=f"CASE event WHEN 'clicked' THEN {_MACHINE} END",
        bot_kind="bot",
        bot=f"CASE WHEN event IN ('opened', 'clicked') AND {is_bot(_AGENT)} THEN true END",
        url="url",
        user_agent=_AGENT,
        country="coalesce(country, old_country)",
        region="coalesce(region, old_region)",
        city="coalesce(city, old_city)",
        reason="reason",
        response=_DETAIL,
        status=f"coalesce(nullif(enhanced_code, ''), {_CODE})",
        attempt="attempt",
    ),
)
MAPPING = beside(_EVENTS)

CONNECTOR = Connector(
    name="mailgun",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        # Mailgun's ids are unique within a day; forms have none.
        event_id=(
            JOIN.join(("$.id", "$.event", "$.timestamp")),
            JOIN.join(('$.message.headers."message-id"', "$.event", "$.recipient", "$.timestamp", "$.url")),
            JOIN.join(('$.message.headers."message-id"', "$.event", "$.recipient", "$.timestamp")),
            f"$.{INBOUND}.message_id",
        ),
        type=("$.event", f"$.{INBOUND}.kind"),
        occurred_at=("$.timestamp", f"$.{INBOUND}.date"),
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
