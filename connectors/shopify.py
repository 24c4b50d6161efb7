"""Shopify's webhooks, and the resources of its REST API: orders, refunds, customers, checkouts, carts, deliveries.

What a payload is, its shape tells (:mod:`connectors.shopify_documents`); the topic, which the collector takes
from a header into the envelope's type, decides only where the shape leaves it open. An order is one event
whatever its state, so that its amount counts once: ``orders/create``, ``orders/updated`` and ``orders/paid`` are
revisions of it. Refunds are events of their own, whether they come as ``refunds/create`` or inside an order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items, shopify_documents
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"
ORDERS = "'shopify_order'"
"""The namespace (SQL) of orders, which join a refund or a delivery to the customer of its order."""


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the resources of bodies and of REST documents; of an order, its refunds and deliveries, too."""
    del context
    yield from json_items.chunks(data, shopify_documents.pieces, inside=shopify_documents.LISTS)


_R = "$.resource"
_FIELDS = {
    "part": "$.part",
    "id": f"{_R}.id",
    "order_id": f"{_R}.order_id",
    "token": f"{_R}.token",
    "cart_token": f"{_R}.cart_token",
    "name": f"{_R}.name",
    "email": f"{_R}.email",
    "contact_email": f"{_R}.contact_email",
    "email_address": f"{_R}.email_address",
    "phone": f"{_R}.phone",
    "customer_id": f"{_R}.customer_id",
    "created": f"{_R}.created_at",
    "updated": f"{_R}.updated_at",
    "processed": f"{_R}.processed_at",
    "cancelled": f"{_R}.cancelled_at",
    "completed": f"{_R}.completed_at",
    "invoice_sent": f"{_R}.invoice_sent_at",
    "cancel_reason": f"{_R}.cancel_reason",
    "financial": f"{_R}.financial_status",
    "shipped": f"{_R}.fulfillment_status",
    "shipment": f"{_R}.shipment_status",
    "state": f"{_R}.status",
    "kind": f"{_R}.kind",
    "test": f"{_R}.test",
    "total": f"{_R}.total_price",
    "subtotal": f"{_R}.subtotal_price",
    "tax": f"{_R}.total_tax",
    "discounts": f"{_R}.total_discounts",
    "discount_code": f"{_R}.discount_codes[0].code",
    "given_amount": f"{_R}.amount",
    "currency": f"{_R}.currency",
    "paid_back": "$.money.amount",
    "paid_back_in": "$.money.currency",
    "paid_back_test": "$.money.test",
    "first_item": f"{_R}.line_items[0].title",
    "first_returned": f"{_R}.refund_line_items[0].line_item.title",
    "landing_site": f"{_R}.landing_site",
    "referring_site": f"{_R}.referring_site",
    "channel_name": f"{_R}.source_name",
    "gateway": f"{_R}.gateway",
    "note": f"{_R}.note",
    "tags": f"{_R}.tags",
    "tracking_number": f"{_R}.tracking_number",
    "tracking_company": f"{_R}.tracking_company",
    "tracking_url": f"{_R}.tracking_url",
    "locale": f"{_R}.customer_locale",
    "accepts_marketing": f"{_R}.buyer_accepts_marketing",
    "orders_count": f"{_R}.orders_count",
    "total_spent": f"{_R}.total_spent",
    "p_id": "$.person.id",
    "p_email": "$.person.email",
    "p_phone": "$.person.phone",
    "p_first": "$.person.first_name",
    "p_last": "$.person.last_name",
    "p_locale": "$.person.locale",
    "a_name": "$.address.name",
    "a_phone": "$.phone",
    "a_company": "$.address.company",
    "a_street": "$.address.address1",
    "a_street2": "$.address.address2",
    "a_city": "$.address.city",
    "a_region": "$.address.province",
    "a_postcode": "$.address.zip",
    "a_country": "$.address.country_code",
    "a_country_name": "$.address.country",
    "a_latitude": "$.address.latitude",
    "a_longitude": "$.address.longitude",
    "consent_state": "$.consent.state",
    "consent_time": "$.consent.consent_updated_at",
}

_CUSTOMER_GONE = "type = 'customers/delete' OR contains(payload, 'gid://shopify/Customer/')"
_TYPE = f"""CASE part
    WHEN 'order' THEN 'order_placed' WHEN 'cancellation' THEN 'order_cancelled' WHEN 'refund' THEN 'order_refunded'
    WHEN 'customer' THEN CASE WHEN type = 'customers/create' OR created = updated THEN 'contact_created'
      ELSE 'contact_updated' END
    WHEN 'email_consent' THEN 'consent_changed' WHEN 'sms_consent' THEN 'consent_changed'
    WHEN 'checkout' THEN 'checkout_started' WHEN 'cart' THEN 'product_added'
    WHEN 'fulfillment' THEN 'order_shipped' WHEN 'delivery' THEN 'order_delivered'
    WHEN 'draft_order' THEN 'quote_sent' WHEN 'privacy' THEN 'note_added'
    WHEN 'transaction' THEN CASE WHEN state = 'success' THEN 'payment_received' ELSE 'payment_failed' END
    WHEN 'deletion' THEN CASE WHEN {_CUSTOMER_GONE} THEN 'contact_deleted' END END"""

# Nothing was ever paid: what was to be paid is no revenue. That of a test is none, either.
_UNPAID = """(financial = 'voided' OR cancelled IS NOT NULL
    AND coalesce(financial, '') NOT IN ('paid', 'partially_paid', 'refunded', 'partially_refunded'))"""
_AMOUNT = f"""CASE part
    WHEN 'order' THEN CASE WHEN test = 'true' OR {_UNPAID} THEN NULL ELSE total END
    WHEN 'refund' THEN CASE WHEN paid_back_test = 'true' THEN NULL ELSE paid_back END
    WHEN 'transaction' THEN CASE WHEN test = 'true' THEN NULL ELSE given_amount END
    WHEN 'cancellation' THEN total WHEN 'checkout' THEN total WHEN 'draft_order' THEN total END"""
_OUTCOME = """CASE part
    WHEN 'order' THEN CASE WHEN test = 'true' THEN 'test' ELSE financial END
    WHEN 'cancellation' THEN cancel_reason
    WHEN 'fulfillment' THEN coalesce(shipment, state) WHEN 'transaction' THEN state
    WHEN 'checkout' THEN CASE WHEN completed IS NOT NULL THEN 'completed' END
    WHEN 'privacy' THEN type END"""
_ON_CONSENT = "part IN ('email_consent', 'sms_consent') OR part = 'order' AND accepts_marketing = 'true'"
_ABOUT_ORDER = "part IN ('refund', 'fulfillment', 'delivery', 'transaction', 'fulfillment_event')"
_HAS_BUYER = (
    "part IN ('order', 'cancellation', 'checkout', 'draft_order', 'customer', 'email_consent', 'sms_consent')"
)

_ITEMS = """nullif(to_json(list_transform(json_extract(payload, '$.resource.line_items[*]'), lambda x: json_object(
    'name', x->>'$.title', 'sku', x->>'$.sku', 'quantity', x->'$.quantity', 'price', x->>'$.price'))), '[]'::JSON)"""

MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_TYPE,
    occurred_at="""CASE part
        WHEN 'cancellation' THEN cancelled WHEN 'customer' THEN coalesce(updated, created)
        WHEN 'email_consent' THEN coalesce(consent_time, updated) WHEN 'sms_consent' THEN coalesce(consent_time, updated)
        WHEN 'cart' THEN coalesce(updated, created) WHEN 'delivery' THEN updated
        WHEN 'draft_order' THEN invoice_sent ELSE coalesce(processed, created) END""",
    quarantine="""CASE WHEN part = 'unknown' AND NOT coalesce(contains(type, '/'), false)
        THEN 'not_a_shopify_resource' END""",
    ignore=f"""CASE part
        WHEN 'draft_order' THEN CASE WHEN completed IS NOT NULL THEN 'told_by_order'
          WHEN invoice_sent IS NULL THEN 'draft' END
        WHEN 'fulfillment' THEN CASE WHEN coalesce(state, 'success') <> 'success' THEN 'not_shipped' END
        WHEN 'fulfillment_event' THEN 'told_by_fulfillment'
        WHEN 'transaction' THEN CASE WHEN kind = 'refund' THEN 'told_by_refund'
          WHEN kind NOT IN ('sale', 'capture') THEN 'no_money_moved' WHEN state = 'pending' THEN 'not_settled' END
        WHEN 'cart' THEN CASE WHEN first_item IS NULL THEN 'empty_cart' END
        WHEN 'no_consent' THEN 'no_word_on_consent'
        WHEN 'deletion' THEN CASE WHEN coalesce({_CUSTOMER_GONE}, false) THEN NULL ELSE 'deleted_in_shop' END
        WHEN 'other' THEN 'unsupported_resource' WHEN 'unknown' THEN 'unsupported_resource' END""",
    columns={
        "channel": """CASE WHEN part IN ('cart', 'checkout') THEN 'web'
            WHEN part IN ('customer', 'email_consent', 'sms_consent', 'deletion', 'privacy') THEN 'crm' END""",
        "subject": """CASE part WHEN 'order' THEN name WHEN 'cancellation' THEN name WHEN 'checkout' THEN name
            WHEN 'draft_order' THEN name WHEN 'refund' THEN note WHEN 'privacy' THEN type
            WHEN 'fulfillment' THEN tracking_company WHEN 'cart' THEN first_item END""",
        "reference": f"""CASE WHEN part IN ('order', 'cancellation') THEN id WHEN {_ABOUT_ORDER} THEN order_id
            WHEN part IN ('checkout', 'cart') THEN coalesce(token, id) END""",
        "campaign": "nullif(regexp_extract(landing_site, '[?&]utm_campaign=([^&#]*)', 1), '')",
        "product": "coalesce(first_item, first_returned)",
        "amount": _AMOUNT,
        "currency": """CASE WHEN part NOT IN ('customer', 'email_consent', 'sms_consent')
            THEN coalesce(paid_back_in, currency) END""",
        "outcome": _OUTCOME,
        "latitude": "CASE WHEN part IN ('order', 'checkout') THEN a_latitude END",
        "longitude": "CASE WHEN part IN ('order', 'checkout') THEN a_longitude END",
        "consent_purpose": f"CASE WHEN {_ON_CONSENT} THEN 'marketing' END",
        "consent_channel": f"CASE WHEN {_ON_CONSENT} THEN CASE part WHEN 'sms_consent' THEN 'sms' ELSE 'email' END END",
        "consent_state": f"""CASE WHEN part = 'order' AND accepts_marketing = 'true' THEN 'granted'
            WHEN {_ON_CONSENT} THEN CASE lower(consent_state) WHEN 'subscribed' THEN 'granted' ELSE 'denied' END END""",
    },
    identifiers=(
        IdentifierRule("external_id", "coalesce(p_id, customer_id, CASE WHEN part = 'deletion' THEN id END)"),
        IdentifierRule(
            "external_id",
            f"'order:' || CASE WHEN part IN ('order', 'cancellation') THEN id WHEN {_ABOUT_ORDER} THEN order_id END",
            ORDERS,
        ),
        IdentifierRule("anonymous_id", "CASE part WHEN 'cart' THEN coalesce(token, id) ELSE cart_token END"),
        IdentifierRule(
            "email", f"CASE WHEN {_HAS_BUYER} THEN coalesce(email, contact_email, email_address, p_email) END"
        ),
        IdentifierRule("phone", f"CASE WHEN {_HAS_BUYER} THEN coalesce(phone, p_phone, a_phone) END"),
    ),
    traits={
        "full_name": "CASE WHEN coalesce(p_first, p_last) IS NULL THEN a_name END",
        "given_name": "p_first",
        "surname": "p_last",
        "email": f"CASE WHEN {_HAS_BUYER} THEN coalesce(email, contact_email, email_address, p_email) END",
        "phone": f"CASE WHEN {_HAS_BUYER} THEN coalesce(phone, p_phone, a_phone) END",
        "street": "nullif(concat_ws(', ', a_street, a_street2), '')",
        "city": "a_city",
        "region": "a_region",
        "postcode": "a_postcode",
        "country": "coalesce(a_country, a_country_name)",
        "company": "a_company",
        "language": "coalesce(locale, p_locale)",
    },
    properties=present(
        total="total",
        subtotal="subtotal",
        tax="tax",
        discounts="discounts",
        discount_code="discount_code",
        items=_ITEMS,
        test="CASE test WHEN 'true' THEN true END",
        fulfillment_status="shipped",
        sales_channel="channel_name",
        gateway="gateway",
        note="note",
        tags="tags",
        landing_site="landing_site",
        referring_site="referring_site",
        tracking_number="tracking_number",
        tracking_url="tracking_url",
        orders_count="orders_count",
        total_spent="total_spent",
    ),
)

CONNECTOR = Connector(
    name="shopify",
    channel="orders",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(event_id=("$.id",), occurred_at=("$.at",), sent_at=("$.sent",)),
    mapping=MAPPING,
    decode=shopify_documents.documents,
    preview=shopify_documents.preview,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
