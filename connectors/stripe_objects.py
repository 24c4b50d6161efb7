"""Stripe's objects, and the events that tell of them: reading what may or may not be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

Object = dict[str, Any]

# Who may be named where: paths of one object, the first that says something.
EMAIL: Final = (
    "customer_details.email", "billing_details.email", "customer_email", "email", "receipt_email",
    "charges.data.0.billing_details.email", "latest_charge.billing_details.email", "customer.email",
)  # fmt: skip
PHONE: Final = (
    "customer_details.phone", "billing_details.phone", "customer_phone", "phone", "charges.data.0.billing_details.phone",
    "shipping.phone",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An object, and the event that tells of it, if one does."""

    thing: Object
    type: str | None = None
    event_id: str | None = None
    created: object = None
    previous: Object | None = None
    livemode: object = None

    @property
    def object(self) -> str:
        """What the thing is: ``charge``, ``invoice`` ..."""
        return word(self.thing.get("object")) or ""

    @property
    def status(self) -> str | None:
        """Its state."""
        return word(self.thing.get("status"))


def read(payload: bytes) -> Told:
    """Return what a payload tells. Raises ValueError with a reason (a word) where it cannot be read."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise ValueError("not_utf8") from None
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise ValueError("invalid_json") from None
    if not isinstance(body, dict):
        raise ValueError("not_an_object")  # noqa: TRY004 - reasons are values
    if body.get("object") != "event":
        return Told(body, livemode=body.get("livemode"))
    thing, previous = at(body, "data.object"), at(body, "data.previous_attributes")
    return Told(
        thing if isinstance(thing, dict) else {},
        word(body.get("type")) or "",
        word(body.get("id")),
        body.get("created"),
        previous if isinstance(previous, dict) else {},
        body.get("livemode"),
    )


def payment_of(told: Told) -> str | None:
    """Return the id of the payment that an object belongs to: of its payment intent, else of its charge."""
    found = id_at(told.thing, "payment_intent") or id_at(told.thing, "charge")
    return found or (word(told.thing.get("id")) if told.object in ("charge", "payment_intent") else None)


def says_who(thing: Object) -> bool:
    """Say whether an object names a customer, or how to reach one."""
    return bool(id_at(thing, "customer") or first(thing, EMAIL) or first(thing, PHONE))


def at(thing: object, path: str) -> Any:
    """Return what stands at a path of names and positions; None where nothing does."""
    for step in path.split("."):
        if isinstance(thing, dict):
            thing = thing.get(step)
        elif isinstance(thing, list) and step.isdigit():
            thing = thing[int(step)] if int(step) < len(thing) else None
        else:
            return None
    return thing


def first(thing: Object, paths: tuple[str, ...]) -> str | None:
    """Return what the first path gives that says something."""
    return next((found for path in paths if (found := word(at(thing, path)))), None)


def word(value: object) -> str | None:
    """Return a text that says something, or a number as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def id_at(thing: Object, path: str) -> str | None:
    """Return the id of what stands at a path, whether it was expanded or not."""
    value = at(thing, path)
    return word(value.get("id")) if isinstance(value, dict) else word(value)
