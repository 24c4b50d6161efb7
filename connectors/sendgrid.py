"""SendGrid event webhook: JSON arrays of what became of each e-mail, an envelope per item.

An open that a mail client's proxy made on its own (``sg_machine_open``, or Apple's by its user agent)
stays an ``email_opened`` with the outcome ``machine``; opens and clicks of bots have the outcome ``bot``. A
block (a refusal that is not about the address) is a bounce whose outcome is ``blocked``. Unsubscribing and
complaining deny marketing by e-mail; of an unsubscribe group (``asm_group_id``) only that group's
purpose, ``group_<id>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items
from connectors.bots import is_bot
from connectors.mail_machines import is_machine, machine_outcome
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "2"


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the items of the webhook's bodies: one body, or one a line."""
    del context
    yield from json_items.chunks(data)


_EVENT_TYPES = {
    "processed": "email_sent",
    "deferred": "email_deferred",
    "delivered": "email_delivered",
    "open": "email_opened",
    "click": "email_clicked",
    "bounce": "email_bounced",
    "blocked": "email_bounced",
    "dropped": "email_dropped",
    "spamreport": "email_complained",
    "unsubscribe": "email_unsubscribed",
    "group_unsubscribe": "email_unsubscribed",
    "group_resubscribe": "email_resubscribed",
}

_FIELDS = {
    "event": "$.event",
    "email": "$.email",
    "moment": "$.timestamp",
    "message_id": "$.sg_message_id",
    "smtp_id": '$."smtp-id"',
    "subject": "$.subject",
    "url": "$.url",
    "reason": "$.reason",
    "response": "$.response",
    "status": "$.status",
    "kind": "$.type",
    "machine": "$.sg_machine_open",
    "useragent": "$.useragent",
    "attempt": "$.attempt",
    "group_id": "$.asm_group_id",
    "category": "$.category",
    "first_category": "$.category[0]",
    "campaign_name": "$.marketing_campaign_name",
    "campaign_id": "$.marketing_campaign_id",
    "send_name": "$.singlesend_name",
    "send_id": "$.singlesend_id",
}

_MACHINE = is_machine("useragent", "machine = 'true'")
_CHANGES_CONSENT = "event IN ('unsubscribe', 'spamreport', 'group_unsubscribe', 'group_resubscribe')"
MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE event
        {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _EVENT_TYPES.items())} ELSE event END""",
    occurred_at="moment",
    quarantine="CASE WHEN event IS NULL THEN 'missing_event' END",
    ignore="CASE event WHEN 'account_status_change' THEN 'account_notice' END",
    columns={
        "subject": """coalesce(subject, CASE event WHEN 'click' THEN url WHEN 'deferred' THEN response
            ELSE reason END)""",
        # The id of the message as the send call returned it; what follows names the servers it passed.
        "reference": """coalesce(nullif(split_part(split_part(message_id, '.filter', 1), '.recv', 1), ''),
            message_id, smtp_id)""",
        "campaign": """coalesce(campaign_name, send_name,
            CASE WHEN starts_with(category, '[') THEN first_category ELSE category END,
            campaign_id, send_id)""",
        "outcome": f"""CASE event WHEN 'bounce' THEN coalesce(kind, 'bounce') WHEN 'blocked' THEN 'blocked'
            WHEN 'dropped' THEN reason ELSE CASE WHEN event IN ('open', 'click')
              THEN {machine_outcome("useragent", "machine = 'true'")} END END""",
        "consent_purpose": f"""CASE WHEN {_CHANGES_CONSENT}
            THEN CASE WHEN starts_with(event, 'group') THEN coalesce('group_' || group_id, 'marketing')
              ELSE 'marketing' END END""",
        "consent_channel": f"CASE WHEN {_CHANGES_CONSENT} THEN 'email' END",
        "consent_state": f"""CASE WHEN {_CHANGES_CONSENT}
            THEN CASE event WHEN 'group_resubscribe' THEN 'granted' ELSE 'denied' END END""",
    },
    identifiers=(IdentifierRule("email", "email"),),
    properties=present(
        category="coalesce(try_cast(category AS JSON), to_json(category))",
        machine_open=f"CASE event WHEN 'open' THEN {_MACHINE} END",
        bot=f"CASE WHEN {is_bot('useragent')} THEN true END",
        url="url",
        user_agent="useragent",
        reason="reason",
        response="response",
        status="status",
        attempt="attempt",
    ),
)

CONNECTOR = Connector(
    name="sendgrid",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=("$.sg_event_id",),
        type=("$.event",),
        occurred_at=("$.timestamp",),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
