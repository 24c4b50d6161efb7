"""Segment and RudderStack tracking calls: single calls, ``batch`` bodies, and lines of either.

Shapes: Segment's HTTP Tracking API (track, identify, page, screen, group, alias) and RudderStack's,
which differs in writing traits under ``context.traits`` too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from connectors import json_items
from connectors.bots import bot_outcome, flagged
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "2"


class _Body(msgspec.Struct):
    batch: list[msgspec.Raw] | None = None
    sentAt: object = None  # noqa: N815 - the wire's own name


_BODY = msgspec.json.Decoder(_Body)


def _calls(document: bytes) -> Sequence[json_items.Piece] | None:
    """Return the calls of a batch body, each verbatim with the body's ``sentAt``; else None."""
    if b'"batch"' not in document:
        return None
    try:
        body = _BODY.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if body.batch is None:
        return None
    sent = body.sentAt if isinstance(body.sentAt, str) else None
    return [json_items.Piece(bytes(call), sent=sent) for call in body.batch]


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the calls of a file of single calls, batch bodies, or both."""
    del context
    yield from json_items.chunks(data, _calls if b'"batch"' in data else None, inside=b"batch")


_FIELDS = {
    "event": "$.event",
    "name": "$.name",
    "user_id": "$.userId",
    "anonymous_id": "$.anonymousId",
    "previous_id": "$.previousId",
    "original": "$.originalTimestamp",
    "timestamp": "$.timestamp",
    "received": "$.receivedAt",
    "campaign_name": "$.context.campaign.name",
    "page_title": "$.context.page.title",
    "page_path": "$.context.page.path",
    "p_title": "$.properties.title",
    "p_url": "$.properties.url",
    "p_revenue": "$.properties.revenue",
    "p_total": "$.properties.total",
    "p_value": "$.properties.value",
    "p_currency": "$.properties.currency",
    "p_order_id": "$.properties.order_id",
    "p_product": "$.properties.product",
    "p_product_name": "$.properties.name",
    "p_products": "$.properties.products[0].name",
    "p_email": "$.properties.email",
    "p_phone": "$.properties.phone",
    "p_campaign": "$.properties.campaign",
    "p_consent_purpose": "$.properties.purpose",
    "p_consent_channel": "$.properties.channel",
    "p_consent_state": "$.properties.state",
    "trait_object": "$.traits",
    "p_object": "$.properties",
    "t_email": "$.traits.email",
    "c_email": "$.context.traits.email",
    "t_phone": "$.traits.phone",
    "c_phone": "$.context.traits.phone",
    "t_name": "$.traits.name",
    "t_first": "$.traits.firstName",
    "t_first2": "$.traits.first_name",
    "t_last": "$.traits.lastName",
    "t_last2": "$.traits.last_name",
    "t_title": "$.traits.title",
    "t_gender": "$.traits.gender",
    "t_birthday": "$.traits.birthday",
    "t_street": "$.traits.address.street",
    "t_city": "$.traits.address.city",
    "t_state": "$.traits.address.state",
    "t_postcode": "$.traits.address.postalCode",
    "t_country": "$.traits.address.country",
    "t_company": "$.traits.company.name",
    "c_name": "$.context.traits.name",
    "c_first": "$.context.traits.firstName",
    "c_first2": "$.context.traits.first_name",
    "c_last": "$.context.traits.lastName",
    "c_last2": "$.context.traits.last_name",
    "c_title": "$.context.traits.title",
    "c_gender": "$.context.traits.gender",
    "c_birthday": "$.context.traits.birthday",
    "c_street": "$.context.traits.address.street",
    "c_city": "$.context.traits.address.city",
    "c_state": "$.context.traits.address.state",
    "c_postcode": "$.context.traits.address.postalCode",
    "c_country": "$.context.traits.address.country",
    "c_company": "$.context.traits.company.name",
    "locale": "$.context.locale",
    "user_agent": "$.context.userAgent",
    "latitude": "$.context.location.latitude",
    "longitude": "$.context.location.longitude",
}

# Segment's semantic events (spec: ecommerce, e-mail) to the vocabulary, by lower-case name.
_TRACKED = {
    "order completed": "order_placed",
    "order updated": "order_updated",
    "order refunded": "order_refunded",
    "order cancelled": "order_cancelled",
    "payment received": "payment_received",
    "products searched": "content_searched",
    "product viewed": "product_viewed",
    "product clicked": "product_viewed",
    "product added": "product_added",
    "product removed": "product_removed",
    "cart viewed": "cart_viewed",
    "checkout started": "checkout_started",
    "coupon applied": "coupon_applied",
    "product reviewed": "product_rated",
    "promotion clicked": "ad_clicked",
    "file downloaded": "file_downloaded",
    "form submitted": "form_submitted",
    "newsletter subscribed": "newsletter_subscribed",
    "survey answered": "survey_answered",
    "lead submitted": "lead_submitted",
    "signed up": "signed_up",
    "signed in": "signed_in",
    "signed out": "signed_out",
    "application installed": "app_installed",
    "application opened": "app_opened",
    "application uninstalled": "app_uninstalled",
    "push notification received": "push_sent",
    "push notification tapped": "push_opened",
    "email delivered": "email_delivered",
    "email opened": "email_opened",
    "email open": "email_opened",
    "email link clicked": "email_clicked",
    "email bounced": "email_bounced",
    "email marked as spam": "email_complained",
    "unsubscribed": "email_unsubscribed",
    "live chat conversation started": "chat_started",
    "live chat conversation ended": "chat_ended",
    "consent changed": "consent_changed",
    "consent updated": "consent_changed",
}


# ``type`` is the envelope's: of a call that has none itself, the one that its path said.
_EVENT_TYPE = f"""CASE type
    WHEN 'page' THEN 'page_viewed' WHEN 'screen' THEN 'screen_viewed'
    WHEN 'identify' THEN 'identified' WHEN 'alias' THEN 'identified' WHEN 'group' THEN 'group_joined'
    WHEN 'track' THEN CASE lower(event)
      {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _TRACKED.items())} ELSE 'event_tracked' END
    ELSE 'unknown' END"""

_OLD_ID = "CASE WHEN type = 'alias' THEN previous_id END"
_TRACKED_EMAIL = "CASE WHEN type = 'track' THEN p_email END"
_TRACKED_PHONE = "CASE WHEN type = 'track' THEN p_phone END"


def _of_the_person(*names: str) -> str:
    """Return SQL of a trait: of the call, or of its context, where RudderStack's clients write them.

    The traits of a group call are the group's.
    """
    own = ", ".join(f"t_{name}" for name in names)
    beside = ", ".join(f"c_{name}" for name in names)
    return f"coalesce(CASE WHEN type <> 'group' THEN coalesce({own}) END, {beside})"


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_EVENT_TYPE,
    # On the wire ``timestamp`` is the caller's word (RudderStack's client for Node writes the time of the call beside
    # it); of what another platform has received, it is that platform's.
    occurred_at="CASE WHEN received IS NULL THEN coalesce(timestamp, original) ELSE coalesce(original, timestamp) END",
    skew="payload_received_at",
    received_field="received",
    quarantine="""CASE type
        WHEN 'track' THEN CASE WHEN event IS NULL THEN 'missing_event_name' END
        WHEN 'page' THEN NULL WHEN 'identify' THEN NULL WHEN 'screen' THEN NULL
        WHEN 'group' THEN NULL WHEN 'alias' THEN NULL
        ELSE CASE WHEN type IS NULL THEN 'missing_type' ELSE 'unknown_call_type' END END""",
    columns={
        "subject": """CASE type WHEN 'track' THEN event WHEN 'identify' THEN NULL
            ELSE coalesce(name, p_title, page_title, p_url, page_path) END""",
        "reference": "p_order_id",
        "campaign": "coalesce(campaign_name, p_campaign)",
        "product": "CASE type WHEN 'track' THEN coalesce(p_product, p_products, p_product_name) END",
        "outcome": bot_outcome("user_agent"),
        "amount": "CASE WHEN lower(event) LIKE 'order %' THEN coalesce(p_revenue, p_total, p_value) END",
        "currency": "CASE WHEN lower(event) LIKE 'order %' THEN p_currency END",
        "latitude": "latitude",
        "longitude": "longitude",
        "consent_purpose": "CASE WHEN lower(event) LIKE 'consent %' THEN p_consent_purpose END",
        "consent_channel": "CASE WHEN lower(event) LIKE 'consent %' THEN p_consent_channel END",
        "consent_state": "CASE WHEN lower(event) LIKE 'consent %' THEN lower(p_consent_state) END",
    },
    identifiers=(
        IdentifierRule("user_id", "user_id"),
        IdentifierRule("anonymous_id", "anonymous_id"),
        IdentifierRule("anonymous_id", _OLD_ID),
        IdentifierRule("email", f"coalesce({_of_the_person('email')}, {_TRACKED_EMAIL})"),
        IdentifierRule("phone", f"coalesce({_of_the_person('phone')}, {_TRACKED_PHONE})"),
    ),
    traits={
        "full_name": _of_the_person("name"),
        "given_name": _of_the_person("first", "first2"),
        "surname": _of_the_person("last", "last2"),
        "title": _of_the_person("title"),
        "gender": _of_the_person("gender"),
        "birth_date": f"left({_of_the_person('birthday')}, 10)",
        "email": _of_the_person("email"),
        "phone": _of_the_person("phone"),
        "street": _of_the_person("street"),
        "city": _of_the_person("city"),
        "region": _of_the_person("state"),
        "postcode": _of_the_person("postcode"),
        "country": _of_the_person("country"),
        "company": _of_the_person("company"),
        "language": "CASE WHEN type = 'identify' THEN locale END",
    },
    properties=flagged("user_agent", "coalesce(p_object, CASE WHEN type = 'group' THEN trait_object END)"),
)

CONNECTOR = Connector(
    name="segment",
    channel="web",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(
        event_id=("$.messageId",),
        type=("$.type",),
        occurred_at=("$.originalTimestamp", "$.timestamp"),
        sent_at=("$.sentAt",),
    ),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
