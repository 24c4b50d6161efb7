"""What the measures of a release are made with: thresholds, windows, costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp.settings.base import duration
from warehouse.measures.roles import BITS, ROLES

if TYPE_CHECKING:
    import duckdb

    from cdp.settings import Settings

_COST: Final = pa.decimal128(18, 6)
_LEAST: Final = Decimal("0.000001")


@dataclass(frozen=True)
class Costs:
    """What serving costs, in the base currency; ``margin`` is the share of net revenue that goods leave."""

    contact: Mapping[str, Decimal] = field(default_factory=dict)
    event: Mapping[str, Decimal] = field(default_factory=dict)
    call_minute: Decimal = Decimal(0)
    order: Decimal = Decimal(0)
    refund: Decimal = Decimal(0)
    margin: Decimal | None = None


@dataclass(frozen=True)
class MeasureInputs:
    """Thresholds and windows; ``costs`` None: cost_to_serve and profit stay NULL."""

    lapsing: timedelta = timedelta(days=90)
    lapsed: timedelta = timedelta(days=365)
    attribution: timedelta = timedelta(days=7)
    response: timedelta = timedelta(days=7)
    reply: timedelta = timedelta(days=7)
    costs: Costs | None = None


def of_settings(settings: Settings) -> MeasureInputs:
    r"""Return what ``cdp.yaml`` says.

    >>> from cdp.settings import parse
    >>> of_settings(parse("workspace: {name: shop}\nlifecycle: {lapsing: 30d}")).lapsing.days
    30
    """
    lifecycle, windows, given = settings.lifecycle, settings.measures, settings.costs
    costs = Costs(given.contact, given.event, given.call_minute, given.order, given.refund, given.margin)
    return MeasureInputs(
        lapsing=duration(lifecycle.lapsing),
        lapsed=duration(lifecycle.lapsed),
        attribution=duration(windows.attribution),
        response=duration(windows.response),
        reply=duration(windows.reply),
        costs=costs if given.configured else None,
    )


def _exact(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(_LEAST)


def register(connection: duckdb.DuckDBPyConnection, given: MeasureInputs) -> None:
    """Make them readable: ``measure_roles``, ``measure_channel_costs``, ``measure_given``, macros of bits."""
    costs = given.costs or Costs()
    events = {name: _exact(costs.event.get(name)) for name in ROLES}
    connection.register(
        "measure_roles",
        pa.table(
            {
                "event_type": list(ROLES),
                "roles": pa.array(list(ROLES.values()), pa.int32()),
                "event_cost": pa.array(list(events.values()), _COST),
            }
        ),
    )
    connection.register(
        "measure_channel_costs",
        pa.table(
            {
                "channel": pa.array(list(costs.contact), pa.string()),
                "contact_cost": pa.array([_exact(cost) for cost in costs.contact.values()], _COST),
            }
        ),
    )
    windows = ("lapsing", "lapsed", "attribution", "response", "reply")
    row = {name: pa.array([getattr(given, name)], pa.duration("us")) for name in windows}
    amounts = ("call_minute", "order", "refund", "margin")
    row |= {f"{name}_cost": pa.array([_exact(getattr(costs, name))], _COST) for name in amounts}
    row["has_costs"] = pa.array([given.costs is not None])
    connection.register("measure_given", pa.table(row))
    for name, bit in BITS.items():
        connection.execute(f"CREATE TEMP MACRO is_{name}(roles) AS (roles & {bit}) <> 0")
        connection.execute(f"CREATE TEMP MACRO bit_{name}() AS {bit}")
