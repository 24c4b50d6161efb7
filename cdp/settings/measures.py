"""The part of ``cdp.yaml`` that measures for marketing read: lifecycle, attribution, costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cdp.settings.base import Duration, Model


def _money(given: Any) -> Any:
    try:
        amount = Decimal(str(given)) if isinstance(given, str | int | float) else Decimal("NaN")
    except ArithmeticError:
        amount = Decimal("NaN")
    if isinstance(given, bool) or not amount.is_finite() or not 0 <= amount < 10**9:
        raise ValueError(f"given {given!r}, expected an amount of money such as 0.05 or 4.50")
    return amount


def _margin(given: Any) -> Any:
    text = str(given).strip() if isinstance(given, str | int | float) and not isinstance(given, bool) else ""
    try:
        share = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ArithmeticError:
        share = Decimal("NaN")
    if not share.is_finite() or not 0 <= share <= 1:
        raise ValueError(f"given {given!r}, expected a share such as 40% or 0.4")
    return share


Money = Annotated[
    Decimal,
    BeforeValidator(_money, json_schema_input_type=str | float),
    Field(title="an amount of money such as 0.05"),
]
Margin = Annotated[
    Decimal,
    BeforeValidator(_margin, json_schema_input_type=str | float),
    Field(title="a share such as 40% or 0.4"),
]


class LifecycleSettings(Model):
    """When a customer who does not buy is lapsing, and lapsed."""

    lapsing: Duration = Field("90d", description="Time since the last purchase after which one is lapsing.")
    lapsed: Duration = Field(
        "365d", description="Time since the last purchase after which one has lapsed; longer than `lapsing`."
    )


class MeasureSettings(Model):
    """Within which time what follows counts as caused by what went before."""

    attribution: Duration = Field(
        "7d", description="An order counts for a campaign that the person acted on this long before."
    )
    response: Duration = Field("7d", description="What the person does this long after our touch answers it.")
    reply: Duration = Field("7d", description="What we send this long after a message answers it.")


class CostSettings(Model):
    """What serving a customer costs, in the workspace's currency; without any, cost and profit are NULL."""

    contact: dict[str, Money] = Field(
        default_factory=dict,
        description="Channel -> cost of one contact in or out (a message, a call, a ticket that was opened).",
    )
    event: dict[str, Money] = Field(
        default_factory=dict,
        description="Event type -> cost of one such event, instead of its channel's.",
    )
    call_minute: Money = Field(Decimal(0), description="Cost of a minute of a call, by its duration.")
    order: Money = Field(Decimal(0), description="Cost of an order: packing, carriage.")
    refund: Money = Field(Decimal(0), description="Cost of a refund.")
    margin: Margin | None = Field(
        None, description="Share of net revenue that the goods leave; without it, profit is NULL."
    )

    @property
    def configured(self) -> bool:
        """Whether any key was given."""
        return bool(self.model_fields_set)
