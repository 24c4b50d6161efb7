"""Shopify's and Stripe's signatures: which deliveries are genuine."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.signatures.shopify import SCHEME as SHOPIFY
from connectors.collector.signatures.stripe import SCHEME as STRIPE
from tests.signature_tools import NOW, delivery, flipped, flipped_text, keys, rfc2104, verdict

SECRET = "hush"
BODY = '{"id":820982911946154508,"email":"jón@example.com","total_price":"398.00"}'.encode()
STRIPE_SECRET = "whsec_test"
EVENT = b'{"id":"evt_1","object":"event","type":"charge.succeeded"}'


def shopify(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    signature = base64.b64encode(rfc2104(secret.encode(), body)).decode()
    return {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Topic": "orders/create"}


def v1(at: float = NOW, body: bytes = EVENT, secret: str = STRIPE_SECRET) -> str:
    return rfc2104(secret.encode(), f"{at:.0f}.".encode() + body).hex()


def stripe(at: float = NOW) -> dict[str, str]:
    return {"Stripe-Signature": f"t={at:.0f},v1={v1(at)},v0={'6' * 64}"}


def test_shopify_signs_the_body_as_it_came() -> None:
    assert verdict(SHOPIFY, BODY, shopify(), keys(SECRET)) is None
    assert verdict(SHOPIFY, b"", shopify(b""), keys(SECRET)) is None
    assert verdict(SHOPIFY, BODY + b"\n", shopify(), keys(SECRET)) == "bad_signature"


def test_a_key_that_is_being_changed_has_two_values() -> None:
    assert verdict(SHOPIFY, BODY, shopify(), keys("new", SECRET)) is None
    assert verdict(SHOPIFY, BODY, shopify(), keys("new", "newer")) == "bad_signature"


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_genuine(secrets: tuple[str, ...]) -> None:
    assert verdict(SHOPIFY, BODY, shopify(secret=""), keys(*secrets)) == "missing_secret"
    assert verdict(STRIPE, EVENT, stripe(), keys(*secrets)) == "missing_secret"


@pytest.mark.parametrize("value", ["", "é", "====", "A" * 100_000, "\udcff", "\x00", "hush"])
def test_what_is_no_signature_of_shopifys_is_refused(value: str) -> None:
    wanted = "bad_signature" if value else "missing_signature"
    assert verdict(SHOPIFY, BODY, {"X-Shopify-Hmac-Sha256": value}, keys(SECRET)) == wanted
    assert verdict(SHOPIFY, BODY, {}, keys(SECRET)) == "missing_signature"


def test_shopifys_signature_has_one_spelling() -> None:
    value = shopify()["X-Shopify-Hmac-Sha256"]
    for other in (value.rstrip("="), value + "=", f" {value}", base64.b64decode(value).hex(), value.lower()):
        assert verdict(SHOPIFY, BODY, {"X-Shopify-Hmac-Sha256": other}, keys(SECRET)) == "bad_signature"


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_changed_byte_of_shopifys_delivery_is_refused(at: int, bit: int) -> None:
    headers = shopify()
    assert verdict(SHOPIFY, flipped(BODY, at, bit), headers, keys(SECRET)) == "bad_signature"
    name = "X-Shopify-Hmac-Sha256"
    assert (
        verdict(SHOPIFY, BODY, {name: flipped_text(headers[name], at, bit)}, keys(SECRET)) == "bad_signature"
    )


def test_the_topic_becomes_the_type() -> None:
    assert SHOPIFY.kind(delivery(BODY, shopify())) == "orders/create"
    assert SHOPIFY.kind(delivery(BODY, {})) == ""
    assert len(SHOPIFY.kind(delivery(BODY, {"X-Shopify-Topic": "x" * 9_999}))) == 200


def test_stripe_signs_the_time_and_the_body() -> None:
    assert verdict(STRIPE, EVENT, stripe(), keys(STRIPE_SECRET)) is None
    assert verdict(STRIPE, EVENT, stripe(), keys("another", STRIPE_SECRET)) is None
    assert verdict(STRIPE, EVENT, stripe(), keys("another")) == "bad_signature"


def test_one_of_several_signatures_is_enough() -> None:
    header = {"Stripe-Signature": f"t={NOW:.0f},v1={'0' * 64},v1={v1()}"}
    assert verdict(STRIPE, EVENT, header, keys(STRIPE_SECRET)) is None


def test_signatures_of_another_version_are_not_looked_at() -> None:
    header = {"Stripe-Signature": f"t={NOW:.0f},v0={v1()}"}
    assert verdict(STRIPE, EVENT, header, keys(STRIPE_SECRET)) == "missing_signature"


@pytest.mark.parametrize(
    ("age", "tolerance", "wanted"),
    [
        (0, "5m", None),
        (300, "5m", None),
        (301, "5m", "stale_timestamp"),
        (301, "6m", None),
        (-300, "5m", None),
        (-301, "5m", "future_timestamp"),
    ],
)
def test_a_time_that_is_too_far_off_is_a_replay(age: float, tolerance: str, wanted: str | None) -> None:
    assert verdict(STRIPE, EVENT, stripe(NOW - age), keys(STRIPE_SECRET, tolerance=tolerance)) == wanted


def test_a_time_cannot_be_put_into_an_old_delivery() -> None:
    header = {"Stripe-Signature": f"t={NOW:.0f},v1={v1(NOW - 9_000)}"}
    assert verdict(STRIPE, EVENT, header, keys(STRIPE_SECRET)) == "bad_signature"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", "missing_signature"),
        ("t=1", "missing_signature"),
        ("v1=", "missing_signature"),
        (",".join(["v1=00"] * 1_000), "missing_signature"),
        (f"v1={v1()}", "bad_timestamp"),
        (f"t=,v1={v1()}", "bad_timestamp"),
        (f"t=²,v1={v1()}", "bad_timestamp"),
        (f"t=-1,v1={v1()}", "bad_timestamp"),
        (f"t=1e9,v1={v1()}", "bad_timestamp"),
        (f"t={'9' * 5_000},v1={v1()}", "bad_timestamp"),
        (f"t={NOW:.0f},t={NOW:.0f},v1={v1()}", "bad_timestamp"),
        (f"t={NOW:.0f},v1=é", "bad_signature"),
        (f"t={NOW:.0f},v1={v1().upper()}", "bad_signature"),
    ],
)
def test_what_is_no_signature_of_stripes_is_refused(header: str, wanted: str) -> None:
    assert verdict(STRIPE, EVENT, {"Stripe-Signature": header}, keys(STRIPE_SECRET)) == wanted


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_changed_byte_of_stripes_delivery_is_refused(at: int, bit: int) -> None:
    assert verdict(STRIPE, flipped(EVENT, at, bit), stripe(), keys(STRIPE_SECRET)) == "bad_signature"
    header = f"t={NOW:.0f},v1={v1()}"
    changed = {"Stripe-Signature": flipped_text(header, at, bit)}
    assert verdict(STRIPE, EVENT, changed, keys(STRIPE_SECRET)) is not None
