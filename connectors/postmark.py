"""Postmark: what became of our messages, and messages that it received for us, as JSON.

Bounces about the address are ``hard``, passing ones ``soft``, refusals for content or reputation ``blocked``;
what Postmark did not try to send is dropped. Automatic answers that Postmark counts among bounces are
messages of the person with the outcome ``auto_reply``. A recipient who unsubscribes or complains denies
marketing by e-mail, one who subscribes again grants it; what we changed ourselves is no word of theirs
unless it stops the mail. Postmark does not tell machines from people: see ``connectors.mail_machines``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from connectors import json_items
from connectors.bots import is_bot
from connectors.mail_machines import is_machine, machine_outcome
from connectors.mail_mapping import INBOUND, beside
from connectors.mail_posted import Posted, posted_documents
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, present
from connectors.mapping import Mapping as EventMapping
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"

_OF_A_MESSAGE = frozenset({"FromFull", "ToFull", "TextBody", "HtmlBody", "RawEmail"})
_OF_AN_EVENT = frozenset({"RecordType", "BouncedAt", "DeliveredAt", "FirstOpen", "OriginalLink", "ChangedAt"})


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the webhook's bodies: one body, or one a line."""
    del context
    yield from json_items.chunks(data)


def documents(payload: bytes) -> list[bytes]:
    """Return an event as it is, and the documents of a message that Postmark received."""
    body = json_items.members(payload)
    if body is None:
        raise ValueError("invalid_json")
    if body.keys().isdisjoint(_OF_A_MESSAGE) or not body.keys().isdisjoint(_OF_AN_EVENT):
        return [payload]
    try:
        return posted_documents(_posted(orjson.loads(payload)))
    except orjson.JSONDecodeError as error:
        raise ValueError("invalid_json") from error


def _posted(body: dict[str, Any]) -> Posted:
    headers = [(_text(one, "Name"), _text(one, "Value")) for one in _objects(body, "Headers")]
    spam = next((value for name, value in headers if name.lower() == "x-spam-status"), "")
    from_full = body.get("FromFull")
    return Posted(
        headers=[pair for pair in headers if pair[0]],
        sender=_mailbox(from_full) if isinstance(from_full, dict) else _text(body, "From") or None,
        recipients=tuple(
            filter(None, [*map(_mailbox, _objects(body, "ToFull")), *map(_mailbox, _objects(body, "CcFull"))])
        ),
        subject=_text(body, "Subject"),
        date=_text(body, "Date"),
        text=_text(body, "TextBody"),
        html=_text(body, "HtmlBody"),
        id=_text(body, "MessageID"),
        properties={
            "attachments": len(_objects(body, "Attachments")),
            "tag": _text(body, "Tag"),
            "mailbox_hash": _text(body, "MailboxHash"),
            "spam": spam.strip().lower().startswith("yes"),
        },
    )


def _objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = body.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _mailbox(party: dict[str, Any]) -> str:
    name, address = _text(party, "Name").replace('"', "'"), _text(party, "Email")
    return f'"{name}" <{address}>' if name and address else address


_FIELDS = {
    "record": "$.RecordType",
    "recipient": "$.Recipient",
    "email": "$.Email",
    "message_id": "$.MessageID",
    "delivered_at": "$.DeliveredAt",
    "received_at_text": "$.ReceivedAt",
    "bounced_at": "$.BouncedAt",
    "changed_at": "$.ChangedAt",
    "first_open": "$.FirstOpen",
    "link": "$.OriginalLink",
    "kind": "$.Type",
    "subject": "$.Subject",
    "tag": "$.Tag",
    "details": "$.Details",
    "described": "$.Description",
    "stream": "$.MessageStream",
    "metadata": "$.Metadata",
    "inactive": "$.Inactive",
    "agent_text": "$.UserAgent",
    "platform": "$.Platform",
    "client": "$.Client.Name",
    "country": "$.Geo.CountryISOCode",
    "region": "$.Geo.Region",
    "city": "$.Geo.City",
    "click_place": "$.ClickLocation",
    "suppress": "$.SuppressSending",
    "suppression": "$.SuppressionReason",
    "origin": "$.Origin",
}

# Webhooks that were set up long ago do not name themselves.
_RECORD = """coalesce(record, CASE WHEN bounced_at IS NOT NULL THEN 'Bounce' WHEN first_open IS NOT NULL THEN 'Open'
    WHEN link IS NOT NULL THEN 'Click' WHEN delivered_at IS NOT NULL THEN 'Delivery'
    WHEN changed_at IS NOT NULL THEN 'SubscriptionChange' END)"""

_HARD = "'HardBounce', 'BadEmailAddress'"
_SOFT = "'SoftBounce', 'DnsError', 'Unknown'"
_BLOCKED = "'Blocked', 'SpamNotification', 'VirusNotification', 'DMARCPolicy'"
_NOT_SENT = "'ManuallyDeactivated', 'Unconfirmed', 'SMTPApiError', 'TemplateRenderingFailed'"
_ANSWERS = "'AutoResponder', 'AddressChange', 'ChallengeVerification'"
_OF_BOUNCE = f"""CASE WHEN kind IN ({_HARD}, {_SOFT}, {_BLOCKED}) THEN 'email_bounced'
    WHEN kind IN ({_NOT_SENT}) THEN 'email_dropped' WHEN kind IN ({_ANSWERS}) THEN 'email_received'
    ELSE CASE kind WHEN 'Transient' THEN 'email_deferred' WHEN 'SpamComplaint' THEN 'email_complained'
      WHEN 'Unsubscribe' THEN 'email_unsubscribed' WHEN 'Subscribe' THEN 'email_resubscribed'
      ELSE 'email_bounced' END END"""
# Of a bounce or a complaint their own webhooks tell; here they are the reason why consent changed.
_OF_CHANGE = """CASE WHEN suppress = 'false' THEN 'email_resubscribed'
    WHEN suppression = 'SpamComplaint' THEN 'consent_changed'
    WHEN coalesce(origin, 'Recipient') = 'Recipient' THEN 'email_unsubscribed' ELSE 'consent_changed' END"""
_TYPE = f"""CASE {_RECORD} WHEN 'Delivery' THEN 'email_delivered' WHEN 'Open' THEN 'email_opened'
    WHEN 'Click' THEN 'email_clicked' WHEN 'SpamComplaint' THEN 'email_complained'
    WHEN 'Bounce' THEN {_OF_BOUNCE} WHEN 'SubscriptionChange' THEN {_OF_CHANGE} ELSE {_RECORD} END"""
_IGNORED = f"""CASE {_RECORD}
    WHEN 'Bounce' THEN CASE kind WHEN 'InboundError' THEN 'inbound_error' WHEN 'OpenRelayTest' THEN 'relay_test' END
    WHEN 'SubscriptionChange' THEN CASE
      WHEN suppress = 'true' AND suppression = 'HardBounce' THEN 'suppressed_by_bounce'
      WHEN suppress = 'false' AND coalesce(origin, 'Recipient') <> 'Recipient' THEN 'resumed_by_us' END END"""
_CONSENT = f"""CASE WHEN ({_TYPE}) IN ('email_unsubscribed', 'email_complained', 'consent_changed') THEN 'denied'
    WHEN ({_TYPE}) = 'email_resubscribed' THEN 'granted' END"""
_MACHINE = is_machine("agent_text")

_EVENTS = EventMapping(
    version=1,
    fields=_FIELDS,
    event_type=_TYPE,
    occurred_at="coalesce(delivered_at, bounced_at, changed_at, received_at_text)",
    quarantine=f"CASE WHEN {_RECORD} IS NULL THEN 'missing_event' END",
    ignore=_IGNORED,
    columns={
        "subject": f"""coalesce(subject, link,
            CASE WHEN {_RECORD} IN ('Bounce', 'SpamComplaint') THEN coalesce(details, described) END)""",
        "reference": "CASE WHEN message_id NOT LIKE '00000000-0000-0000-0000-%' THEN message_id END",
        "campaign": "tag",
        "outcome": f"""CASE {_RECORD}
            WHEN 'Bounce' THEN CASE WHEN kind IN ({_HARD}) THEN 'hard' WHEN kind IN ({_BLOCKED}) THEN 'blocked'
              WHEN kind IN ({_ANSWERS}) THEN 'auto_reply' WHEN kind IN ({_NOT_SENT})
                THEN lower(regexp_replace(kind, '([a-z])([A-Z])', '\\1_\\2', 'g'))
              WHEN ({_OF_BOUNCE}) = 'email_bounced' THEN CASE inactive WHEN 'true' THEN 'hard' ELSE 'soft' END END
            WHEN 'SubscriptionChange' THEN CASE suppression WHEN 'SpamComplaint' THEN 'spam_complaint'
              WHEN 'ManualSuppression' THEN CASE WHEN coalesce(origin, 'Recipient') <> 'Recipient' THEN 'by_us' END END
            WHEN 'Open' THEN {machine_outcome("agent_text")} WHEN 'Click' THEN {machine_outcome("agent_text")} END""",
        "consent_purpose": f"CASE WHEN ({_CONSENT}) IS NOT NULL THEN 'marketing' END",
        "consent_channel": f"CASE WHEN ({_CONSENT}) IS NOT NULL THEN 'email' END",
        "consent_state": _CONSENT,
    },
    identifiers=(IdentifierRule("email", "coalesce(recipient, email)"),),
    properties=present(
        bounce_type="kind",
        machine_open=f"CASE {_RECORD} WHEN 'Open' THEN {_MACHINE} END",
        machine_click=f"CASE {_RECORD} WHEN 'Click' THEN {_MACHINE} END",
        bot=f"CASE WHEN {is_bot('agent_text')} THEN true END",
        first_open="first_open = 'true'",
        url="link",
        click_place="click_place",
        user_agent="agent_text",
        client="client",
        platform="platform",
        country="country",
        region="region",
        city="city",
        reason="trim(described)",
        response="details",
        stream="stream",
        metadata="CASE WHEN metadata <> '{}' THEN try_cast(metadata AS JSON) END",
    ),
)
MAPPING = beside(_EVENTS)

_EVENT = ("$.MessageID", "$.RecordType", "$.Recipient")
CONNECTOR = Connector(
    name="postmark",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=(
            JOIN.join((*_EVENT, "$.ReceivedAt", "$.OriginalLink")),
            JOIN.join((*_EVENT, "$.ReceivedAt")),
            JOIN.join((*_EVENT, "$.DeliveredAt")),
            JOIN.join((*_EVENT, "$.ChangedAt", "$.SuppressSending", "$.MessageStream")),
            JOIN.join(("$.RecordType", "$.ID")),
            f"$.{INBOUND}.message_id",
        ),
        type=("$.RecordType", f"$.{INBOUND}.kind"),
        occurred_at=("$.DeliveredAt", "$.BouncedAt", "$.ChangedAt", "$.ReceivedAt", f"$.{INBOUND}.date"),
    ),
    mapping=MAPPING,
    decode=documents,
    suffixes=(".json", ".ndjson", ".jsonl", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
