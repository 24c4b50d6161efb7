"""What a payload of Shopify's is - an order, a customer, a refund ... - and the JSON documents made of it.

A webhook's body says nothing of its topic, so its shape tells. A payload is the *state* of a resource, not an event:
its id is the resource's, so that what is sent again later is a revision. One state may be several events: of an
order that was cancelled, that it was placed and that it was cancelled; of a customer, each word on consent.

A document is ``{"part", "resource", "person", "address", "phone", "money", "consent"}``: what it is about, the
payload, and of the others what there is: the customer, the address that tells most, the number that stands there,
what was paid back, the word on consent.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from cdp import identifiers
from connectors import json_items
from connectors.json_items import Piece

Object = Mapping[str, bytes]

# Resources by the member of a REST document that holds one, or a list of them.
_WRAPPERS: Final = frozenset(
    "order orders customer customers checkout checkouts cart carts draft_order draft_orders fulfillment fulfillments "
    "fulfillment_event fulfillment_events refund refunds transaction transactions".split()
)
LISTS: Final = b"orders|customers|checkouts|carts|draft_orders"
# What an order holds of resources that have webhooks of their own: they are envelopes of their own.
_INSIDE_ORDERS: Final = ("refunds", "fulfillments")

_KINDS_OF_IDS: Final = {
    "Order": "order",
    "Customer": "customer",
    "Refund": "refund",
    "DraftOrder": "draft_order",
    "Fulfillment": "fulfillment",
    "FulfillmentEvent": "fulfillment_event",
    "OrderTransaction": "transaction",
    "AbandonedCheckout": "checkout",
}
# The members by which a shape is told, the first that are all there.
_SHAPES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("refund", frozenset({"id", "order_id", "refund_line_items"})),
    ("fulfillment_event", frozenset({"fulfillment_id", "happened_at"})),
    ("fulfillment", frozenset({"order_id", "tracking_number"})),
    ("transaction", frozenset({"order_id", "kind", "gateway"})),
    ("checkout", frozenset({"abandoned_checkout_url"})),
    ("draft_order", frozenset({"invoice_url"})),
    ("order", frozenset({"id", "financial_status"})),
    ("order", frozenset({"id", "order_number"})),
    ("consent", frozenset({"customer_id", "email_marketing_consent"})),
    ("consent", frozenset({"customer_id", "sms_marketing_consent"})),
    ("customer", frozenset({"id", "verified_email"})),
    ("customer", frozenset({"id", "orders_count"})),
    ("privacy", frozenset({"shop_domain", "customer"})),
    ("cart", frozenset({"token", "line_items"})),
    ("other", frozenset({"refund_line_items"})),  # what a refund would come to
)
_TIMES: Final = (
    "updated_at",
    "created_at",
    "happened_at",
    "processed_at",
    "consent_updated_at",
    "occurred_at",
)
_SAYS_WHO: Final = ("email", "phone", "first_name", "last_name")
_STRING: Final = msgspec.json.Decoder(str)
_NOTHING: Final = (b"null", b'""', b"{}", b"[]")
_STATED: Final = (b'"subscribed"', b'"unsubscribed"')


def pieces(document: bytes) -> Sequence[Piece] | None:
    """Return the resources of a REST document, and of an order also those inside; None where it is one itself."""
    body = json_items.members(document)
    if body is None:
        return None
    if len(body) == 1 and (name := next(iter(body))) in _WRAPPERS:
        value = body[name]
        found = json_items.elements(value) if value[:1] == b"[" else [value] if value[:1] == b"{" else []
        return [piece for item in found or () for piece in _with_inner(item)] or None
    inner = list(_with_inner(document, body))
    return inner if len(inner) > 1 else None


def _with_inner(document: bytes, body: Object | None = None) -> Iterator[Piece]:
    if document[:1] != b"{":
        yield Piece(document, reason="not_an_object", detail="an item that is no JSON object")
        return
    yield Piece(document)
    body = json_items.members(document) if body is None else body
    if body is None or kind_of(body) != "order":
        return
    for name in _INSIDE_ORDERS:
        for item in json_items.elements(body.get(name, b"[]")) or ():
            if item[:1] == b"{":
                yield Piece(item)


def kind_of(body: Object) -> str:
    """Return what a payload is: a word of this module, ``other`` of Shopify's, or ``unknown``.

    >>> kind_of({"id": b"1", "order_id": b"2", "refund_line_items": b"[]"})
    'refund'
    """
    global_id = _text(body, "admin_graphql_api_id").removeprefix("gid://shopify/").partition("/")[0]
    kind = _KINDS_OF_IDS.get(global_id)
    if kind is None:
        names = body.keys()
        kind = next((kind for kind, shape in _SHAPES if shape <= names), None)
    if kind == "customer" and not any(_has(body, name) for name in (*_TIMES, *_SAYS_WHO)):
        return "deletion"
    if kind is None:
        if body.keys() == {"id"}:
            return "deletion"
        inside = next(iter(body.values()), b"") if len(body) == 1 else b""
        return "other" if "id" in body or global_id or inside[:1] in (b"{", b"[") else "unknown"
    return kind


def preview(payload: bytes) -> bytes:
    """Return the envelope's own fields: the resource's id, when it came about, and of when this state of it is."""
    body = _read(payload)
    kind = kind_of(body)
    number = _text(body, "token") or _text(body, "id") if kind in ("cart", "checkout") else _text(body, "id")
    found = {
        "id": f"{kind}:{number}" if number and kind not in ("other", "unknown") else None,
        "at": _text(body, "processed_at") or _text(body, "created_at") or _text(body, "happened_at") or None,
        "sent": _text(body, "updated_at") or None,
    }
    return msgspec.json.encode(found)


def documents(payload: bytes) -> list[bytes]:
    """Return the documents of a payload. Raises ValueError with a reason (a word) where it cannot be read."""
    body = _read(payload)
    kind = kind_of(body)
    about: dict[str, bytes] = {"resource": payload} | _person(body, kind) | _money(body, kind)
    parts = [(kind, about)]
    if kind == "order" and _has(body, "cancelled_at"):
        parts.append(("cancellation", about))
    if kind == "fulfillment" and _text(body, "shipment_status") == "delivered":
        parts.append(("delivery", about))
    consents = [(f"{channel}_consent", about | {"consent": word}) for channel, word in _consents(body, kind)]
    parts = consents or [("no_consent", about)] if kind == "consent" else [*parts, *consents]
    return [
        json_items.compose({"part": msgspec.json.encode(part), **members}.items()) for part, members in parts
    ]


def _read(payload: bytes) -> Object:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise ValueError("not_utf8") from None
    body = json_items.members(payload)
    if body is None:
        raise ValueError("invalid_json")
    return body


def _has(body: Object, name: str) -> bool:
    return body.get(name, b"null") not in _NOTHING


def _text(body: Object, name: str) -> str:
    """Return a text or number; nothing where it is missing or neither."""
    value = body.get(name, b"null")
    if value[:1] == b'"':
        try:
            return _STRING.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):  # half a surrogate pair
            return ""
    return "" if value[:1] in (b"n", b"t", b"f", b"{", b"[") else value.decode()


def _person(body: Object, kind: str) -> dict[str, bytes]:
    """Return the customer, and the address that tells most of who it is."""
    found: dict[str, bytes] = {}
    customer = body.get("customer", b"null")
    person = json_items.members(customer) if customer[:1] == b"{" else body if kind == "customer" else None
    if customer[:1] == b"{":
        found["person"] = customer
    elif kind == "customer":
        found["person"] = json_items.compose(body.items())
    places = [
        body.get("billing_address"),
        body.get("shipping_address"),
        (person or {}).get("default_address"),
    ]
    address = next(
        (place for place in places if place is not None and place[:1] == b"{" and len(place) > 2), None
    )
    return found if address is None else found | {"address": address} | _phone(address)


def _phone(address: bytes) -> dict[str, bytes]:
    """Return the number of an address, which is as somebody wrote it there: by the rules of its country."""
    place = json_items.members(address) or {}
    found = _international(_text(place, "phone"), _text(place, "country_code"))
    return {"phone": msgspec.json.encode(found)} if found else {}


@functools.lru_cache(maxsize=4096)
def _international(number: str, country: str) -> str | None:
    if not number or not (country or number.startswith("+")):
        return None
    return identifiers.normalise("phone", number, country or None)


def _money(body: Object, kind: str) -> dict[str, bytes]:
    """Return what a refund paid back: the sum of its transactions that did so, one currency, and whether it is a test."""
    if kind != "refund":
        return {}
    rows = [
        json_items.members(item) or {} for item in json_items.elements(body.get("transactions", b"[]")) or ()
    ]
    paid = [row for row in rows if _text(row, "kind") == "refund" and _text(row, "status") in ("success", "")]
    if not paid:
        return {}
    try:
        amount = str(sum((Decimal(_text(row, "amount") or "0") for row in paid), Decimal(0)))
    except InvalidOperation:
        amount = "not a number"
    currencies = {_text(row, "currency") for row in paid}
    test = any(row.get("test") == b"true" for row in paid)
    whole = {"amount": amount, "currency": currencies.pop() if len(currencies) == 1 else None, "test": test}
    return {"money": msgspec.json.encode(whole)}


def _consents(body: Object, kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield (channel, the word on consent) for each that somebody gave; ``not_subscribed`` is no word."""
    if kind not in ("customer", "consent"):
        return
    for channel in ("email", "sms"):
        word = json_items.members(body.get(f"{channel}_marketing_consent", b"null"))
        if word is not None and word.get("state", b"").lower() in _STATED:
            yield channel, json_items.compose(word.items())
    if not _has(body, "email_marketing_consent") and (old := _old_consent(body)) is not None:
        yield "email", old


def _old_consent(body: Object) -> bytes | None:
    """Return the word on consent of customers as they were before 2022: false was said only where it was changed."""
    said, when = body.get("accepts_marketing"), _text(body, "accepts_marketing_updated_at")
    if said == b"true" or (said == b"false" and when and when > _text(body, "created_at")):
        state = "subscribed" if said == b"true" else "unsubscribed"
        return msgspec.json.encode({"state": state, "consent_updated_at": when or None})
    return None
