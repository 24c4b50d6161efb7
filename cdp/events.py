"""The one vocabulary of event types, and the channels on which events happen.

Every standardised event carries a name from this table, in the past tense. A source's own name for
the thing (a Segment ``track`` call named "Coupon Applied") that has no place here becomes
``event_tracked`` with the original name in ``properties.name``: the vocabulary stays closed, and no
event is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from cdp.errors import UsageError, nearest

Direction = Literal["inbound", "outbound"]

INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"

DIRECTIONS: Final[tuple[Direction, ...]] = (INBOUND, OUTBOUND)
"""inbound: the person acted towards us; outbound: we acted towards the person; None: neither did."""

CHANNELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "web": "Web sites",
        "app": "Mobile and desktop apps",
        "email": "E-mail",
        "phone": "Telephone calls",
        "sms": "Text messages over the telephone network",
        "social": "Social networks and their messengers",
        "chat": "Live chat and bots on our own pages",
        "post": "Letters, parcels and catalogues",
        "store": "Shops, branches, visits and events in person",
        "orders": "Orders and payments, whatever the way they came in",
        "support": "Tickets of the help desk",
        "donations": "Donations and pledges",
        "memberships": "Memberships and subscriptions",
        "crm": "What staff and systems record about a person; no contact takes place",
    }
)


@dataclass(frozen=True, slots=True)
class EventType:
    """One word of the vocabulary.

    ``channel`` and ``direction`` are defaults: the connector overrides them where the source knows
    better (an order placed in a shop, a message by SMS). ``engagement`` is True where the person did
    something towards us of their own accord; what a machine did on its own (delivery, a bounce) and
    what ends a relation (unsubscribed, complained) are no engagement.
    """

    name: str
    channel: str
    direction: Direction | None
    engagement: bool
    description: str


# name | direction (in, out, none) | engagement (yes, no) | description
_TABLE: Final[Mapping[str, str]] = {
    "web": """
        page_viewed            | in   | yes | A page was viewed
        session_started        | in   | yes | A visit began
        link_clicked           | in   | yes | A link or button was clicked
        ad_clicked             | in   | yes | One of our advertisements was clicked
        content_searched       | in   | yes | A search on the site
        product_viewed         | in   | yes | A product or a list of products was viewed
        product_added          | in   | yes | A product was put into the basket
        product_removed        | in   | yes | A product was taken out of the basket
        cart_viewed            | in   | yes | The basket was viewed
        checkout_started       | in   | yes | A checkout was begun or went a step further
        coupon_applied         | in   | yes | A voucher code was entered
        product_rated          | in   | yes | A product was reviewed or rated
        file_downloaded        | in   | yes | A file was downloaded
        media_played           | in   | yes | A video or audio was played
        form_submitted         | in   | yes | A form was sent in
        survey_answered        | in   | yes | A survey was answered; the answer is in outcome
        newsletter_subscribed  | in   | yes | Somebody signed up for a newsletter
        signed_up              | in   | yes | An account was created
        signed_in              | in   | yes | Log-in
        signed_out             | in   | no  | Log-out
        identified             | none | no  | A client told who the visitor is (identify, alias)
        group_joined           | none | no  | A client told which company or group the visitor belongs to
        event_tracked          | in   | yes | Any other action; its name is in properties.name
        """,
    "app": """
        screen_viewed          | in   | yes | A screen of an app was viewed
        app_installed          | in   | yes | The app was installed
        app_opened             | in   | yes | The app was opened
        app_uninstalled        | in   | no  | The app was removed
        push_sent              | out  | no  | A push notification was sent
        push_opened            | in   | yes | A push notification was opened
        push_failed            | out  | no  | A push notification could not be delivered
        """,
    "email": """
        email_sent             | out  | no  | Our e-mail was handed to the mail provider
        email_delivered        | out  | no  | Our e-mail reached the mailbox provider
        email_deferred         | out  | no  | Delivery was put off and will be tried again
        email_dropped          | out  | no  | The mail provider did not try to deliver
        email_bounced          | out  | no  | Delivery failed for good
        email_opened           | in   | yes | The e-mail was opened (mail clients also do this on their own)
        email_clicked          | in   | yes | A link in the e-mail was clicked
        email_complained       | in   | no  | The e-mail was reported as spam
        email_unsubscribed     | in   | no  | The person unsubscribed by a link or header of the e-mail
        email_resubscribed     | in   | yes | The person took back the unsubscription
        email_received         | in   | yes | We received an e-mail from the person
        """,
    "phone": """
        call_received          | in   | yes | The person called and somebody or something answered
        call_missed            | in   | yes | The person called and nobody answered
        call_placed            | out  | no  | We called; the outcome says whether anybody answered
        call_transferred       | none | no  | A call went on to another agent or department
        call_ended             | none | no  | A call's end, where a source reports it apart from its start
        voicemail_received     | in   | yes | The person left a voice message
        callback_requested     | in   | yes | The person asked to be called
        """,
    "sms": """
        sms_received           | in   | yes | We received a text message
        sms_sent               | out  | no  | We sent a text message
        sms_delivered          | out  | no  | Our text message reached the telephone
        sms_failed             | out  | no  | Our text message could not be delivered
        sms_clicked            | in   | yes | A link in our text message was clicked
        sms_unsubscribed       | in   | no  | The person answered STOP
        """,
    "social": """
        message_received       | in   | yes | We received a direct message
        message_sent           | out  | no  | We sent a direct message
        message_delivered      | out  | no  | Our message reached the device
        message_read           | in   | yes | Our message was read
        message_failed         | out  | no  | Our message could not be delivered
        message_deleted        | in   | no  | The person took a message back
        message_reacted        | in   | yes | The person reacted to a message
        post_mentioned         | in   | yes | A post or story mentioned us
        post_published         | in   | yes | The person published a post that we follow or were shown
        post_liked             | in   | yes | The person liked a post of ours
        post_shared            | in   | yes | The person shared a post of ours
        comment_posted         | in   | yes | The person commented on a post of ours
        review_posted          | in   | yes | The person reviewed us on another site
        profile_followed       | in   | yes | The person began to follow us
        profile_unfollowed     | in   | no  | The person ceased to follow us
        lead_submitted         | in   | yes | The person filled in a lead form of a network
        """,
    "chat": """
        chat_started           | in   | yes | A chat began
        chat_message_received  | in   | yes | The person wrote in a chat
        chat_message_sent      | out  | no  | An agent or a bot wrote in a chat
        chat_ended             | none | no  | A chat ended
        chat_rated             | in   | yes | The person rated a chat; the rating is in outcome
        """,
    "post": """
        mail_sent              | out  | no  | A letter, parcel or catalogue was posted
        mail_delivered         | out  | no  | It was delivered
        mail_returned          | out  | no  | It came back undelivered
        mail_received          | in   | yes | We received a letter or a card
        """,
    "store": """
        visit_recorded         | in   | yes | The person came to a shop or branch
        appointment_booked     | in   | yes | An appointment was made
        appointment_cancelled  | in   | no  | An appointment was called off
        event_registered       | in   | yes | The person registered for an event or webinar
        event_attended         | in   | yes | The person took part in an event or webinar
        """,
    "orders": """
        order_placed           | in   | yes | An order; amount is its total
        order_updated          | none | no  | An order was changed
        order_cancelled        | in   | no  | An order was cancelled
        order_refunded         | out  | no  | Money or goods went back; amount is what was paid back
        order_shipped          | out  | no  | The goods were sent
        order_delivered        | out  | no  | The goods arrived
        invoice_sent           | out  | no  | An invoice was sent
        payment_received       | in   | yes | A payment arrived
        payment_failed         | in   | no  | A payment was refused
        payment_refunded       | out  | no  | A payment was paid back, as who moves the money says (see order_refunded)
        payment_disputed       | in   | no  | The person asked their bank to take a payment back
        quote_sent             | out  | no  | An offer was sent
        """,
    "support": """
        ticket_opened          | in   | yes | A ticket was opened
        ticket_updated         | none | no  | A ticket was changed
        ticket_commented       | in   | yes | The person added to a ticket
        ticket_answered        | out  | no  | We answered a ticket
        ticket_escalated       | none | no  | A ticket went to a higher level; see escalation_level
        ticket_solved          | none | no  | A ticket was solved
        ticket_reopened        | in   | yes | A solved ticket was opened again
        ticket_closed          | none | no  | A ticket was closed
        ticket_rated           | in   | yes | The person rated the support; the rating is in outcome
        """,
    "donations": """
        donation_made          | in   | yes | A donation arrived
        donation_pledged       | in   | yes | A donation was promised
        donation_refunded      | out  | no  | A donation was paid back
        donation_cancelled     | in   | no  | A standing donation or pledge was ended
        """,
    "memberships": """
        membership_started     | in   | yes | A membership or subscription began
        membership_renewed     | in   | yes | It was renewed
        membership_changed     | none | no  | Its level, price or state changed
        membership_ended       | in   | no  | It was cancelled or ran out
        """,
    "crm": """
        contact_created        | none | no  | A contact was entered in a system of ours
        contact_updated        | none | no  | A contact's data, as a system of ours holds them
        contact_deleted        | none | no  | A contact was removed from a system of ours
        contact_merged         | none | no  | A system of ours joined two contacts
        note_added             | none | no  | Staff wrote a note or logged an activity
        campaign_joined        | none | no  | The person was put on a campaign or list
        campaign_left          | none | no  | The person was taken off a campaign or list
        deal_changed           | none | no  | An opportunity was opened, moved, won or lost
        consent_changed        | none | no  | Consent was given or taken back, for a purpose and a channel
        """,
}

_DIRECTION_WORDS: Final[Mapping[str, Direction | None]] = {"in": INBOUND, "out": OUTBOUND, "none": None}


def _rows() -> Iterator[EventType]:
    for channel, text in _TABLE.items():
        for line in text.strip().splitlines():
            name, direction, engagement, description = (cell.strip() for cell in line.split("|"))
            yield EventType(name, channel, _DIRECTION_WORDS[direction], engagement == "yes", description)


EVENT_TYPES: Final[Mapping[str, EventType]] = MappingProxyType({row.name: row for row in _rows()})
"""Every event type by name, in the order of the channels."""

ENGAGEMENT_TYPES: Final[frozenset[str]] = frozenset(n for n, row in EVENT_TYPES.items() if row.engagement)
"""The names of the event types that count as engagement."""


UNATTENDED_OUTCOMES: Final[frozenset[str]] = frozenset({"bot", "machine"})
"""Outcomes of events that nobody did: a crawler's or link scanner's, and what a mail client fetched on its own. They
keep their type and stay in the contact history, and are no engagement."""


def event_type(name: str) -> EventType:
    """Return the event type called ``name``.

    Raises `cdp.errors.UsageError` with the nearest known name.

    >>> event_type("order_placed").channel
    'orders'
    >>> event_type("email_opened").engagement
    True
    """
    found = EVENT_TYPES.get(name)
    if found is None:
        close = nearest(name, EVENT_TYPES)
        hint = f"Did you mean {close!r}?" if close else "The vocabulary is in cdp/events.py."
        raise UsageError(f"{name!r} is no event type of the vocabulary.", hint=hint)
    return found
