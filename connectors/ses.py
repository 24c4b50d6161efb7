"""Amazon SES: what became of our messages, and messages that it received for us.

Read are published events and notifications, inside Amazon SNS messages, without them (raw delivery), and
as the ``Records`` that functions get. A message that was received is read from its ``content`` or, where that
lies in a bucket, from the header fields that come along; nothing is fetched.

An event tells of one recipient; a bounce of several becomes several events. Opens and clicks of a message to
several addresses are nobody's. Permanent bounces are ``hard``, transient ones ``soft``; what SES did not try
because of an earlier bounce or complaint is dropped. SES does not tell machines from people: see
``connectors.mail_machines``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors import json_items
from connectors.bots import is_bot
from connectors.mail_machines import is_machine, machine_outcome
from connectors.mail_mapping import INBOUND, beside
from connectors.mapping import JOIN, EnvelopeFields, IdentifierRule, present
from connectors.mapping import Mapping as EventMapping
from connectors.protocol import Chunk, Connector, SplitContext
from connectors.ses_documents import documents

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"


def _records(document: bytes) -> Sequence[json_items.Piece] | None:
    """Return the records of a function's event, each verbatim."""
    if b'"Records"' not in document:
        return None
    items = json_items.elements((json_items.members(document) or {}).get("Records", b""))
    return [json_items.Piece(item) for item in items] if items else None


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the notifications of bodies: one body, one a line, or the ``Records`` of one."""
    del context
    yield from json_items.chunks(data, _records, inside=b"Records")


_FIELDS = {
    "kind": "$.kind",
    "has_mail": "$.has_mail",
    "text": "$.text",
    "email": "$.recipient.emailAddress",
    "status": "$.recipient.status",
    "diagnostic": "$.recipient.diagnosticCode",
    "moment": "$.detail.timestamp",
    "sent": "$.mail.timestamp",
    "published": "$.sns.Timestamp",
    "message_id": "$.mail.messageId",
    "subject": "$.mail.commonHeaders.subject",
    "tags": "$.mail.tags",
    "campaign": "$.mail.tags.campaign[0]",
    "configuration": '$.mail.tags."ses:configuration-set"[0]',
    "bounce_type": "$.detail.bounceType",
    "bounce_subtype": "$.detail.bounceSubType",
    "feedback": "$.detail.complaintFeedbackType",
    "complaint_subtype": "$.detail.complaintSubType",
    "delay_type": "$.detail.delayType",
    "reason": "$.detail.reason",
    "error_text": "$.detail.errorMessage",
    "smtp_response": "$.detail.smtpResponse",
    "link": "$.detail.link",
    "agent_text": "$.detail.userAgent",
    "contact_list": "$.detail.contactList",
    "topic": "$.change.topic",
    "granted": "$.change.granted",
}

_NOT_TRIED = """((kind = 'Bounce'
      AND bounce_subtype IN ('Suppressed', 'OnAccountSuppressionList', 'UnsubscribedRecipient'))
    OR (kind = 'Complaint' AND complaint_subtype = 'OnAccountSuppressionList'))"""
_MACHINE = is_machine("agent_text")
_CONSENT = f"""CASE WHEN {_NOT_TRIED} THEN NULL WHEN kind = 'Complaint' THEN 'denied'
    WHEN kind = 'Subscription' THEN CASE granted WHEN 'true' THEN 'granted' WHEN 'false' THEN 'denied' END END"""
_EVENTS = EventMapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE WHEN {_NOT_TRIED} THEN 'email_dropped' ELSE CASE kind
        WHEN 'Send' THEN 'email_sent' WHEN 'Delivery' THEN 'email_delivered' WHEN 'Bounce' THEN 'email_bounced'
        WHEN 'Complaint' THEN 'email_complained' WHEN 'DeliveryDelay' THEN 'email_deferred'
        WHEN 'Reject' THEN 'email_dropped' WHEN 'Rendering Failure' THEN 'email_dropped'
        WHEN 'Open' THEN 'email_opened' WHEN 'Click' THEN 'email_clicked'
        WHEN 'Subscription' THEN CASE granted WHEN 'true' THEN 'email_resubscribed' ELSE 'email_unsubscribed' END
        ELSE kind END END""",
    occurred_at="""coalesce(moment, CASE WHEN kind IN ('Send', 'Reject') THEN sent END, published,
        CASE kind WHEN 'Rendering Failure' THEN sent END)""",
    quarantine="""CASE WHEN kind IS NULL THEN 'missing_event'
        WHEN kind = 'Text' AND NOT starts_with(coalesce(text, ''), 'Successfully validated SNS topic')
          THEN 'unknown_message'
        WHEN has_mail = 'false' AND kind <> 'AmazonSnsSubscriptionSucceeded' THEN 'missing_mail' END""",
    ignore="""CASE WHEN kind IN ('Text', 'SetUp', 'AmazonSnsSubscriptionSucceeded') THEN 'topic_validation'
        WHEN kind = 'SubscriptionConfirmation' THEN 'subscription_request'
        WHEN kind = 'UnsubscribeConfirmation' THEN 'subscription_ended'
        WHEN kind = 'Received' THEN 'content_elsewhere'
        WHEN kind = 'Complaint' AND feedback = 'not-spam' THEN 'not_spam'
        WHEN kind = 'Complaint' AND feedback = 'auth-failure' THEN 'other_report'
        WHEN kind = 'Subscription' AND granted IS NULL THEN 'nothing_changed' END""",
    columns={
        "subject": """coalesce(subject, link, CASE WHEN kind IN ('Bounce', 'DeliveryDelay') THEN diagnostic END, reason,
            error_text)""",
        "reference": "message_id",
        "campaign": "campaign",
        "outcome": f"""CASE WHEN {_NOT_TRIED} THEN lower(regexp_replace(coalesce(bounce_subtype, complaint_subtype),
              '([a-z])([A-Z])', '\\1_\\2', 'g'))
            WHEN kind = 'Bounce' THEN CASE bounce_type WHEN 'Permanent' THEN 'hard' WHEN 'Transient' THEN 'soft'
              ELSE 'undetermined' END
            WHEN kind = 'Reject' THEN 'rejected' WHEN kind = 'Rendering Failure' THEN 'rendering_failure'
            WHEN kind IN ('Open', 'Click') THEN {machine_outcome("agent_text")} END""",
        "consent_purpose": f"CASE WHEN ({_CONSENT}) IS NOT NULL THEN coalesce('topic_' || topic, 'marketing') END",
        "consent_channel": f"CASE WHEN ({_CONSENT}) IS NOT NULL THEN 'email' END",
        "consent_state": _CONSENT,
    },
    identifiers=(
        IdentifierRule("email", "coalesce(nullif(regexp_extract(email, '<([^<>\\s]+)>', 1), ''), email)"),
    ),
    properties=present(
        bounce_type="bounce_type",
        bounce_subtype="bounce_subtype",
        complaint_type="feedback",
        delay_type="delay_type",
        machine_open=f"CASE kind WHEN 'Open' THEN {_MACHINE} END",
        machine_click=f"CASE kind WHEN 'Click' THEN {_MACHINE} END",
        bot=f"CASE WHEN kind IN ('Open', 'Click') AND {is_bot('agent_text')} THEN true END",
        url="link",
        user_agent="agent_text",
        reason="coalesce(reason, error_text)",
        response="coalesce(diagnostic, smtp_response)",
        status="status",
        contact_list="contact_list",
        configuration_set="configuration",
        tags="try_cast(tags AS JSON)",
    ),
)
MAPPING = beside(_EVENTS)

_EVENT = ("$.mail.messageId", "$.kind")
_TO = "$.recipient.emailAddress"
CONNECTOR = Connector(
    name="ses",
    channel="email",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=(
            JOIN.join((*_EVENT, "$.detail.feedbackId")),
            JOIN.join((*_EVENT, "$.detail.timestamp", "$.detail.link")),
            JOIN.join((*_EVENT, "$.detail.timestamp", _TO)),
            JOIN.join((*_EVENT, "$.detail.timestamp")),
            JOIN.join(_EVENT),
            f"$.{INBOUND}.message_id",
            "$.sns.MessageId",
        ),
        type=("$.kind", f"$.{INBOUND}.kind"),
        occurred_at=("$.detail.timestamp", "$.sns.Timestamp", "$.mail.timestamp", f"$.{INBOUND}.date"),
    ),
    mapping=MAPPING,
    decode=documents,
    suffixes=(".json", ".ndjson", ".jsonl", ".txt"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
