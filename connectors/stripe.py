"""Stripe's webhooks, and objects of its API: payments, refunds, disputes, invoices, subscriptions, customers.

``stripe`` is the till, not the order book: payments are ``payment_received``, refunds ``payment_refunded``, and
neither is revenue, which orders are (``order_placed``, ``order_refunded``): an order and its payment count once.
Where no other source tells of orders, the connector is ``stripe_orders``: the same, but a payment *is* the order.

What of a payment's many tellings stands: :mod:`connectors.stripe_documents`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cdp.duck import quote
from connectors import json_items, stripe_documents
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

VERSION = "1"
ORDERS = "stripe_orders"
PAYMENTS = "'stripe_payment'"
"""The namespace (SQL) of payments, which join a refund to who paid."""


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the events and objects of bodies, and of lists as the API gives them."""
    del context
    yield from json_items.chunks(data, _listed if b'"list"' in data else None, inside=b"data")


def _listed(document: bytes) -> Sequence[json_items.Piece] | None:
    """Return the objects of a list, each verbatim; None where it is none, or is empty."""
    body = json_items.members(document) or {}
    if body.get("object") != b'"list"':
        return None
    items = json_items.elements(body.get("data", b"[]"))
    return [json_items.Piece(item) for item in items] if items else None


_FIELDS = {
    "part": "$.part",
    "id": "$.id",
    "moment": "$.at",
    "happened": "$.type",
    "customer": "$.customer",
    "email": "$.email",
    "name": "$.name",
    "phone": "$.phone",
    "line1": "$.address.line1",
    "line2": "$.address.line2",
    "city": "$.address.city",
    "state": "$.address.state",
    "postcode": "$.address.postal_code",
    "country": "$.address.country",
    "language": "$.language",
    "payment": "$.payment",
    "reference_text": "$.reference",
    "amount_text": "$.amount",
    "currency_text": "$.currency",
    "product_text": "$.product",
    "number": "$.number",
    "status": "$.status",
    "session": "$.session",
    "why": "$.why",
    "promotions": "$.promotions",
    "description": "$.description",
    "metadata": "$.metadata",
    "ends_with_period": "$.ends_with_period",
    "livemode": "$.livemode",
}
_WORDS = {
    "payment": "payment_received",
    "refund": "payment_refunded",
    "failure": "payment_failed",
    "dispute": "payment_disputed",
    "checkout": "checkout_started",
    "invoice": "invoice_sent",
    "renewal": "membership_renewed",
    "started": "membership_started",
    "changed": "membership_changed",
    "ended": "membership_ended",
    "customer": "contact_updated",
    "customer_created": "contact_created",
    "customer_deleted": "contact_deleted",
}
_ORDER_WORDS = _WORDS | {"payment": "order_placed", "refund": "order_refunded"}
_IGNORED = {
    "uncaptured": "not_captured",
    "unrefunded": "not_refunded",
    "progress": "payment_progress",
    "nobody": "no_customer",
    "nothing_due": "nothing_due",
    "told_by_charge": "told_by_charge",
    "told_by_invoice": "told_by_invoice",
    "not_started": "not_started",
    "notification": "thin_event",
    "other": "unsupported_resource",
}
_OF_MEMBERSHIP = "part IN ('started', 'changed', 'ended', 'renewal')"
_OF_CUSTOMER = "part IN ('customer', 'customer_created', 'customer_deleted')"


def _chosen(words: dict[str, str]) -> str:
    return (
        f"CASE part {' '.join(f'WHEN {quote(part)} THEN {quote(word)}' for part, word in words.items())} END"
    )


MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=_chosen(_WORDS),
    occurred_at="moment",
    quarantine="""CASE part WHEN 'unknown' THEN 'not_a_stripe_object' WHEN 'nothing' THEN 'missing_object' END""",
    ignore=_chosen(_IGNORED),
    columns={
        "channel": f"""CASE WHEN {_OF_MEMBERSHIP} THEN 'memberships' WHEN {_OF_CUSTOMER} THEN 'crm'
            WHEN part = 'checkout' THEN 'web' END""",
        "subject": f"""CASE WHEN part IN ('failure', 'dispute', 'refund', 'ended') THEN coalesce(why, description)
            WHEN {_OF_CUSTOMER} THEN NULL ELSE coalesce(number, description, product_text) END""",
        "reference": f"CASE WHEN {_OF_CUSTOMER} THEN NULL ELSE reference_text END",
        "product": f"CASE WHEN NOT {_OF_CUSTOMER} THEN product_text END",
        "amount": "amount_text",
        "currency": f"CASE WHEN NOT {_OF_CUSTOMER} THEN currency_text END",
        "outcome": f"""CASE WHEN {_OF_CUSTOMER} THEN NULL WHEN part = 'checkout'
            THEN CASE happened WHEN 'checkout.session.expired' THEN 'expired' ELSE session END ELSE status END""",
        "consent_purpose": "CASE WHEN promotions IN ('opt_in', 'opt_out') THEN 'marketing' END",
        "consent_channel": "CASE WHEN promotions IN ('opt_in', 'opt_out') THEN 'email' END",
        "consent_state": "CASE promotions WHEN 'opt_in' THEN 'granted' WHEN 'opt_out' THEN 'denied' END",
    },
    identifiers=(
        IdentifierRule("external_id", "customer"),
        IdentifierRule("external_id", "payment", PAYMENTS),
        IdentifierRule("email", "email"),
        IdentifierRule("phone", "phone"),
    ),
    traits={
        "full_name": "name",
        "email": "email",
        "phone": "phone",
        "street": "nullif(concat_ws(', ', line1, line2), '')",
        "city": "city",
        "region": "state",
        "postcode": "postcode",
        "country": "country",
        "language": "language",
    },
    properties=present(
        type="happened",
        object="id",
        number="number",
        status="status",
        description="description",
        metadata="try_cast(metadata AS JSON)",
        ends_with_period="CASE ends_with_period WHEN 'true' THEN true END",
        livemode="CASE livemode WHEN 'false' THEN false END",
    ),
)

CONNECTOR = Connector(
    name="stripe",
    channel="orders",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(event_id=("$.id",), type=("$.type",), occurred_at=("$.at",), sent_at=("$.sent",)),
    mapping=MAPPING,
    decode=stripe_documents.documents,
    preview=stripe_documents.preview,
    suffixes=(".json", ".ndjson", ".jsonl"),
)
ORDER_BOOK = replace(CONNECTOR, name=ORDERS, mapping=replace(MAPPING, event_type=_chosen(_ORDER_WORDS)))


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; ``stripe_orders`` is the one for those who have no other order book."""
    return ORDER_BOOK if settings.connector == ORDERS else CONNECTOR
