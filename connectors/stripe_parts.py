"""Which part an event or object of Stripe's has in the story of a payment, a subscription, a customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.stripe_objects import Object, Told, at, payment_of, says_who

_SUCCEEDED: Final = ("charge.succeeded", "charge.captured", "payment_intent.succeeded")
_SESSION_ENDS: Final = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
_FAILED: Final = (
    "charge.failed",
    "payment_intent.payment_failed",
    "invoice.payment_failed",
    "checkout.session.async_payment_failed",
)
_PERIOD_ONLY: Final = frozenset(
    {
        "current_period_start",
        "current_period_end",
        "latest_invoice",
        "billing_cycle_anchor",
        "default_payment_method",
    }
)
_OVER: Final = ("canceled", "incomplete_expired")


def part_of(told: Told) -> str:
    """Return what a payload tells: a word that ``connectors.stripe`` has a place for."""
    if told.type is not None and not told.thing:
        return "nothing"
    if told.object.startswith("v2."):
        return "notification"
    parts: dict[str, Callable[[Told], str]] = {
        "charge": _of_charge,
        "payment_intent": _of_intent,
        "checkout.session": _of_session,
        "invoice": _of_invoice,
        "refund": _of_refund,
        "customer": _of_customer,
        "subscription": _of_subscription,
        "order": _of_order,
        "dispute": _of_dispute,
    }
    of_object = parts.get(told.object)
    if of_object is None:
        return "other" if told.object else "unknown"
    if told.type in _FAILED:
        return "failure"
    part = of_object(told)
    is_other_view = part == "payment" and told.object != "charge"
    return "nobody" if is_other_view and not says_who(told.thing) else part


def _of_charge(told: Told) -> str:
    if told.type == "charge.refunded":
        return "refund"
    if told.type is None and told.status == "failed":
        return "failure"
    if told.type in (None, *_SUCCEEDED):
        is_taken = told.thing.get("captured") is not False and told.status in ("succeeded", None)
        return "payment" if is_taken else "uncaptured"
    return "progress"


def _of_intent(told: Told) -> str:
    return (
        "payment" if told.type in (None, *_SUCCEEDED) and told.status in ("succeeded", None) else "progress"
    )


def _of_session(told: Told) -> str:
    ended = told.type in (None, *_SESSION_ENDS)
    is_paid = told.thing.get("mode") in ("payment", None) and told.thing.get("payment_status") == "paid"
    return "payment" if ended and is_paid and payment_of(told) else "checkout"


def _of_invoice(told: Told) -> str:
    is_paid = told.type in ("invoice.paid", "invoice.payment_succeeded") or (
        told.type is None and told.status == "paid"
    )
    if is_paid:
        if told.thing.get("amount_paid") == 0:
            return "nothing_due"
        if told.thing.get("paid_out_of_band") is True:
            return "payment"
        if told.thing.get("billing_reason") == "subscription_cycle":
            return "renewal"
        return "payment" if payment_of(told) else "told_by_charge"
    by_mail = told.thing.get("collection_method") == "send_invoice"
    is_sent = told.type == "invoice.sent" or (told.type in ("invoice.finalized", None) and by_mail)
    return "invoice" if is_sent and told.status != "draft" else "progress"


def _of_refund(told: Told) -> str:
    return "unrefunded" if told.status in ("failed", "canceled") else "refund"


def _of_customer(told: Told) -> str:
    if told.type == "customer.deleted" or told.thing.get("deleted") is True:
        return "customer_deleted"
    return "customer_created" if told.type == "customer.created" else "customer"


def _of_order(told: Told) -> str:
    return "payment" if told.status == "complete" and payment_of(told) else "progress"


def _of_dispute(told: Told) -> str:
    del told
    return "dispute"


def _of_subscription(told: Told) -> str:
    kind = (told.type or "").removeprefix("customer.subscription.")
    if kind == "deleted" or (told.type is None and told.status in _OVER):
        return "ended"
    if kind in ("", "created"):
        return "not_started" if told.status in ("incomplete", "incomplete_expired") else "started"
    if kind == "updated":
        before = told.previous or {}
        if before.get("status") == "incomplete" and told.status in ("active", "trialing"):
            return "started"
        return "changed" if _changes(before, told.thing) else "told_by_invoice"
    return "changed" if kind in ("paused", "resumed") else "progress"


def _changes(before: Object, now: Object) -> bool:
    """Say whether more changed than the period that is paid for."""
    names = set(before) - _PERIOD_ONLY
    if names != {"items"}:
        return bool(names)
    return _prices(before.get("items")) not in ([], _prices(now.get("items")))


def _prices(items: object) -> list[tuple[object, object]]:
    found = at({"items": items}, "items.data")
    rows = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return [(at(row, "price.id"), row.get("quantity")) for row in rows if at(row, "price.id")]
