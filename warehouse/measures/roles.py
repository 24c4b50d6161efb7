"""What each event type means to the measures: a bit per role, and a cost.

An event may have several: a text message from the person is a contact, answers our last touch, and
awaits our reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdp.events import EVENT_TYPES

TOUCH: Final = 1
"""We reached out to the person: a contact out."""
DELIVERY: Final = 2
"""What we sent arrived; a touch where its source does not report what was sent."""
RESPONSE: Final = 4
"""The person answers our touch: a reply, a click, a call. Opening a message is no answer."""
AWAITS: Final = 8
"""The person waits for our reply."""
REPLY: Final = 16
"""We answer; what goes out for a campaign answers nobody."""
CONTACT_IN: Final = 32
"""The person contacts us."""
OPEN: Final = 64
CLICK: Final = 128
BOUNCE: Final = 256
UNSUBSCRIBE: Final = 512
COMPLAINT: Final = 1024
VISIT: Final = 2048
"""An act of the person that may name the campaign that it came from: a page viewed, an order."""
MACHINE_OPEN: Final = 4096
"""A mail client or a scanner opened or clicked."""

_MEMBERS: Final[Mapping[int, str]] = {
    TOUCH: """email_sent sms_sent message_sent push_sent call_placed mail_sent chat_message_sent
        ticket_answered""",
    DELIVERY: "email_delivered sms_delivered message_delivered mail_delivered",
    RESPONSE: """email_received email_clicked sms_received sms_clicked message_received message_reacted
        comment_posted push_opened call_received call_missed voicemail_received callback_requested
        mail_received chat_message_received ticket_commented ticket_reopened ticket_rated chat_rated""",
    AWAITS: """email_received call_missed voicemail_received callback_requested sms_received message_received
        post_mentioned comment_posted review_posted chat_started chat_message_received mail_received
        ticket_opened ticket_commented ticket_reopened""",
    REPLY: """email_sent sms_sent message_sent call_placed mail_sent chat_message_sent ticket_answered
        ticket_solved""",
    CONTACT_IN: """email_received call_received call_missed voicemail_received callback_requested sms_received
        message_received post_mentioned comment_posted review_posted lead_submitted chat_started
        chat_message_received mail_received visit_recorded appointment_booked event_attended form_submitted
        ticket_opened ticket_commented ticket_reopened""",
    OPEN: "email_opened push_opened message_read",
    CLICK: "email_clicked sms_clicked push_opened",
    BOUNCE: "email_bounced email_dropped sms_failed message_failed push_failed mail_returned",
    UNSUBSCRIBE: "email_unsubscribed sms_unsubscribed",
    COMPLAINT: "email_complained",
}
_NO_VISIT: Final = "email_opened push_opened message_read"

BITS: Final[Mapping[str, int]] = {
    name.lower(): bit
    for name, bit in (
        ("touch", TOUCH), ("delivery", DELIVERY), ("response", RESPONSE), ("awaits", AWAITS), ("reply", REPLY),
        ("contact_in", CONTACT_IN), ("open", OPEN), ("click", CLICK), ("bounce", BOUNCE),
        ("unsubscribe", UNSUBSCRIBE), ("complaint", COMPLAINT), ("visit", VISIT),
        ("machine_open", MACHINE_OPEN),
    )
}  # fmt: skip
"""The bits by the names that the SQL gives them."""


def _roles() -> dict[str, int]:
    found = dict.fromkeys(EVENT_TYPES, 0)
    for bit, names in _MEMBERS.items():
        for name in names.split():
            found[name] |= bit
    for name, kind in EVENT_TYPES.items():
        if kind.engagement and name not in _NO_VISIT.split():
            found[name] |= VISIT
    return found


ROLES: Final[Mapping[str, int]] = _roles()
"""Event type -> sum of its bits.

>>> bool(ROLES["sms_received"] & RESPONSE), bool(ROLES["email_opened"] & RESPONSE)
(True, False)
"""


def members(bit: int) -> frozenset[str]:
    """Return the event types that have a role."""
    return frozenset(name for name, bits in ROLES.items() if bits & bit)
