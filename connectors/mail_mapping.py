"""How the documents of ``connectors.mail_message`` become events: one mapping for all who have such.

A mail service posts two kinds of things, what became of our messages and messages that it received for
us. ``beside`` joins the two: documents with the member ``inbound_message`` are messages, all others are
left to the service's own mapping.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.mapping import IdentifierRule, Mapping, PartyRule

INBOUND = "inbound_message"

_PATHS = {
    "kind": "kind",
    "moment": "date",
    "sender": "from",
    "sender_name": "from_name",
    "receiver": "to",
    "receiver_name": "to_name",
    "about": "about",
    "subject": "subject",
    "preview": "properties.preview",
    "thread": "thread",
    "outcome": "outcome",
    "properties": "properties",
}


def message_mapping(prefix: str = "", root: str = "$") -> Mapping:
    """Return the mapping of message documents that lie at ``root``; its names begin with ``prefix``."""
    p = prefix
    unsubscribes = f"({p}kind = 'sender' AND lower({p}subject) = 'unsubscribe')"
    objects = f"({unsubscribes} OR {p}kind IN ('complaint', 'unsubscribe'))"
    return Mapping(
        version=1,
        fields={f"{p}{name}": f"{root}.{path}" for name, path in _PATHS.items()},
        event_type=f"""CASE
        WHEN {unsubscribes} THEN 'email_unsubscribed||email_unsubscribed'
        WHEN {p}kind = 'sender' THEN 'email_received||email_received'
        WHEN {p}kind = 'recipient' THEN '|email_sent|'
        ELSE CASE {p}kind WHEN 'bounce' THEN 'email_bounced' WHEN 'deferred' THEN 'email_deferred'
          WHEN 'delivered' THEN 'email_delivered' WHEN 'complaint' THEN 'email_complained'
          WHEN 'unsubscribe' THEN 'email_unsubscribed' WHEN 'read' THEN 'email_opened' ELSE {p}kind END END""",
        occurred_at=f"{p}moment",
        ignore=f"CASE {p}kind WHEN 'other_report' THEN 'other_report' END",
        columns={
            "subject": f"coalesce({p}subject, {p}preview)",
            "reference": f"{p}thread",
            "agent": f"CASE {p}kind WHEN 'recipient' THEN coalesce({p}sender_name, {p}sender) END",
            "outcome": f"{p}outcome",
            "consent_purpose": f"CASE WHEN {objects} THEN 'marketing' END",
            "consent_channel": f"CASE WHEN {objects} THEN 'email' END",
            "consent_state": f"CASE WHEN {objects} THEN 'denied' END",
        },
        identifiers=(IdentifierRule("email", f"{p}about"),),
        parties=(
            PartyRule(
                "email",
                f"CASE WHEN {p}kind IN ('sender', 'recipient') THEN {p}sender END",
                f"{p}receiver",
                sender_name=f"CASE WHEN {p}kind IN ('sender', 'recipient') THEN {p}sender_name END",
                receiver_name=f"{p}receiver_name",
            ),
        ),
        properties=f"{p}properties",
    )


def beside(events: Mapping) -> Mapping:
    """Return the mapping of a service's documents, of which some are messages (``INBOUND``)."""
    mail = message_mapping("in_", f"$.{INBOUND}")

    def either(of_mail: str, of_event: str) -> str:
        return f"CASE WHEN in_kind IS NULL THEN ({of_event}) ELSE ({of_mail}) END"

    names = [*events.columns, *(name for name in mail.columns if name not in events.columns)]
    columns = {
        name: either(mail.columns.get(name, "NULL"), events.columns.get(name, "NULL")) for name in names
    }
    return replace(
        events,
        fields={**events.fields, **mail.fields},
        event_type=either(mail.event_type, events.event_type),
        occurred_at=either(mail.occurred_at, events.occurred_at),
        quarantine=either(mail.quarantine, events.quarantine),
        ignore=either(mail.ignore, events.ignore),
        columns=columns,
        identifiers=(*events.identifiers, *mail.identifiers),
        parties=(*events.parties, *mail.parties),
        properties=either(mail.properties, events.properties),
    )
