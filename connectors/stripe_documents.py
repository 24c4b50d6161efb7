"""What an event or object of Stripe's says, as one flat JSON document: what happened, to whom, how much.

One payment is told many times: by its charge, its payment intent, its checkout session, its invoice. All
of them have the id of the payment, so that they are versions of one event; one that says who paid stands. A refund is
known by its payment and its amount, since ``charge.refunded`` names no refund. Whatever else happened is known by the id
of Stripe's event; an object that is no event, by its own.
"""

from __future__ import annotations

from typing import Final

import orjson

from connectors.stripe_money import in_currency
from connectors.stripe_objects import EMAIL, PHONE, Object, Told, at, first, id_at, payment_of, read, word
from connectors.stripe_parts import part_of

_TOLD_OFTEN: Final = ("payment", "refund", "failure")
_NAME: Final = (
    "customer_details.name", "billing_details.name", "customer_name", "name", "charges.data.0.billing_details.name",
    "latest_charge.billing_details.name", "shipping.name", "customer.name",
)  # fmt: skip
_ADDRESS: Final = (
    "customer_details.address", "billing_details.address", "customer_address", "address",
    "charges.data.0.billing_details.address", "shipping.address", "shipping_details.address",
)  # fmt: skip
_REFERENCE: Final = ("metadata.order_id", "metadata.order_number", "metadata.order", "client_reference_id")
_PRODUCT: Final = (
    "items.data.0.price.nickname", "plan.nickname", "items.data.0.plan.nickname", "lines.data.0.description",
    "line_items.data.0.description", "items.data.0.price.id", "plan.id", "description",
)  # fmt: skip


def documents(payload: bytes) -> list[bytes]:
    """Return the document of a payload. Raises ValueError with a reason (a word) where it cannot be read."""
    told = read(payload)
    return [orjson.dumps(_document(told, part_of(told)))]


def preview(payload: bytes) -> bytes:
    """Return the envelope's own fields: id, type, when it happened, and (``sent``) which version stands."""
    told = read(payload)
    part = part_of(told)
    happened = _seconds(told, part)
    # Of several that tell of one payment those that say who paid stand, the newest of them.
    sent = (told.created or happened) if part not in _TOLD_OFTEN or first(told.thing, EMAIL) else None
    found = {"id": _id(told, part), "type": told.type or told.object, "at": happened, "sent": sent}
    return orjson.dumps(found)


def _id(told: Told, part: str) -> str | None:
    """Return the id of the envelope: equal for what tells of one thing."""
    number = word(told.thing.get("id"))
    payment = payment_of(told)
    if part == "payment":
        return f"payment:{payment or number}"
    if part == "refund" and payment:
        return f"refund:{payment}:{_refunded(told)}"
    if part == "failure" and (charge := _failed_charge(told)):
        return f"failure:{charge}"
    if part in ("started", "ended", "dispute", "invoice", "renewal") and number:
        return f"{part}:{number}"
    return told.event_id or (f"{told.object}:{number}" if told.object and number else None)


def _failed_charge(told: Told) -> str | None:
    if told.object == "charge":
        return word(told.thing.get("id"))
    return id_at(told.thing, "latest_charge") or id_at(told.thing, "charge")


def _refunded(told: Told) -> object:
    """Return how much went back: of a charge, which says how much did so far, less what had before."""
    if told.object != "charge":
        return told.thing.get("amount")
    so_far, before = told.thing.get("amount_refunded"), (told.previous or {}).get("amount_refunded")
    return so_far - before if isinstance(so_far, int) and isinstance(before, int) else so_far


def _amount(told: Told, part: str) -> object:
    thing = told.thing
    if part == "refund":
        return _refunded(told)
    names = {
        "charge": ("amount_captured", "amount"),
        "payment_intent": ("amount_received", "amount"),
        "checkout.session": ("amount_total",),
        "invoice": ("amount_due",) if part in ("invoice", "failure") else ("amount_paid", "amount_due"),
        "order": ("amount_total",),
        "dispute": ("amount",),
    }.get(told.object, ())
    if told.object == "subscription":
        return _rate(thing)
    return next((thing[name] for name in names if thing.get(name)), thing.get(names[-1]) if names else None)


def _rate(subscription: Object) -> object:
    """Return what a subscription costs each period, where its items say so in whole units."""
    items = at(subscription, "items.data")
    total = 0
    for item in items if isinstance(items, list) else ():
        price = at(item, "price.unit_amount")
        price = at(item, "plan.amount") if price is None else price
        count = at(item, "quantity")
        count = 1 if count is None else count
        if not isinstance(price, int) or not isinstance(count, int):
            return None
        total += price * count
    return total if items else None


def _seconds(told: Told, part: str) -> object:
    """Return when it happened, in Unix seconds."""
    thing = told.thing
    if told.object == "payment_intent" and part == "payment":
        of_charge = at(thing, "charges.data.0.created")
        return of_charge or told.created or thing.get("created")
    if told.created is not None and part != "dispute":
        return told.created
    paths = {
        "started": ("start_date",),
        "ended": ("ended_at", "canceled_at"),
        "payment": ("status_transitions.paid_at",),
    }
    return next((found for path in paths.get(part, ()) if (found := at(thing, path))), thing.get("created"))


def _document(told: Told, part: str) -> Object:
    thing = told.thing
    currency = thing.get("currency") or at(thing, "items.data.0.price.currency")
    name, email = first(thing, _NAME), first(thing, EMAIL)
    if name and "@" in name:  # older checkouts wrote the address into the name
        name, email = None, email or name
    place = next((found for path in _ADDRESS if isinstance(found := at(thing, path), dict)), {})
    payment = payment_of(told) if part in ("payment", "refund", "dispute", "failure") else None
    is_customer = told.object == "customer"
    return {
        "part": part,
        "id": word(thing.get("id")),
        "at": _seconds(told, part),
        "type": told.type,
        "customer": word(thing.get("id")) if is_customer else id_at(thing, "customer"),
        "email": email,
        "name": name,
        "phone": first(thing, PHONE),
        "address": place,
        "language": word(at(thing, "preferred_locales.0")),
        "payment": payment,
        "reference": first(thing, _REFERENCE) or payment or id_at(thing, "subscription") or word(thing.get("id")),
        "amount": in_currency(_amount(told, part), currency),
        "currency": word(currency),
        "product": first(thing, _PRODUCT),
        "number": word(thing.get("number")),
        "status": told.status,
        "why": first(thing, ("failure_message", "last_payment_error.message", "reason", "cancellation_details.reason")),
        "session": word(thing.get("payment_status")) or told.status,
        "promotions": word(at(thing, "consent.promotions")),
        "description": word(thing.get("description")),
        "metadata": found if isinstance(found := thing.get("metadata"), dict) and found else None,
        "ends_with_period": True if thing.get("cancel_at_period_end") is True else None,
        "livemode": told.livemode if isinstance(told.livemode, bool) else None,
    }  # fmt: skip
