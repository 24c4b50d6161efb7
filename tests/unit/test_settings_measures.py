"""Thresholds, windows and costs of cdp.yaml."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from cdp.errors import ConfigError
from cdp.settings import parse
from warehouse.measures.given import of_settings

HEAD = "workspace: {name: shop, currency: GBP}\n"


def test_without_a_word_there_are_defaults_and_no_costs() -> None:
    given = of_settings(parse("workspace: {name: shop}"))
    assert (given.lapsing, given.lapsed, given.costs) == (timedelta(days=90), timedelta(days=365), None)
    assert given.attribution == given.response == given.reply == timedelta(days=7)


def test_what_is_given_is_read_exactly() -> None:
    given = of_settings(
        parse(
            HEAD + "lifecycle: {lapsing: 2w, lapsed: 30d}\nmeasures: {reply: 36h}\n"
            "costs: {contact: {email: 0.1}, event: {email_sent: 0.002}, margin: 42.5%}"
        )
    )
    assert (given.lapsing, given.lapsed, given.reply) == (
        timedelta(days=14),
        timedelta(days=30),
        timedelta(hours=36),
    )
    assert given.costs is not None
    assert (given.costs.contact["email"], given.costs.margin) == (Decimal("0.1"), Decimal("0.425"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lifecycle: {lapsing: 90d, lapsed: 12w}", "expected more than lapsing (90d)"),
        ("costs: {contact: {emial: 1}}", "Did you mean 'email'?"),
        ("costs: {event: {email_snet: 1}}", "Did you mean 'email_sent'?"),
        ("costs: {order: -1}", "expected an amount of money"),
        ("costs: {order: nan}", "expected an amount of money"),
        ("costs: {order: true}", "expected an amount of money"),
        ("costs: {margin: 120%}", "expected a share"),
        ("costs: {margin: much}", "expected a share"),
        ("costs: {ordre: 1}", "ordre"),
        ("measures: {reply: soon}", "a duration such as"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(HEAD + text)
    assert said in caught.value.message


def test_costs_need_a_currency() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("workspace: {name: shop}\ncosts: {order: 1}")
    assert "costs are in the workspace's currency" in caught.value.message
