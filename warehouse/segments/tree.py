"""A rule as a tree of values. A condition on an absent value is false; ``not`` of it is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

Value: TypeAlias = "str | bool | int | Decimal | date | tuple[Value, ...] | None"
"""What a field is compared with, in the type of the field."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no part, everybody is meant."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """A field of the customer, or of an event, is what ``op`` and ``value`` say.

    ``currency``: of an amount of money; None = the base currency of the release.
    """

    field: str
    op: str
    value: Value = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """The customer did something so many times.

    ``types``: event types, none = any. ``at_least``/``at_most``: how often, both inclusive. Only events of
    the last ``within_days`` days count, and only those older than ``before_days`` days; ``where``: further
    conditions on each event.
    """

    types: tuple[str, ...]
    at_least: int | None = 1
    at_most: int | None = None
    within_days: int | None = None
    before_days: int | None = None
    where: tuple[Compare, ...] = ()


@dataclass(frozen=True, slots=True)
class InSegment:
    """The customer is a member of another segment."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class Near:
    """The last known position is at most ``km`` kilometres from a place (degrees, WGS 84; great circle)."""

    latitude: float
    longitude: float
    km: float


Node: TypeAlias = All | AnyOf | Not | Compare | Did | InSegment | Near


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, conditions on events included."""
    yield node
    if isinstance(node, All | AnyOf):
        for part in node.parts:
            yield from walk(part)
    elif isinstance(node, Not):
        yield from walk(node.part)
    elif isinstance(node, Did):
        yield from node.where


def references(node: Node) -> frozenset[str]:
    """Return the ids of the segments that a rule names itself."""
    return frozenset(part.segment_id for part in walk(node) if isinstance(part, InSegment))


def as_json(node: Node) -> dict[str, Any]:
    """Return a rule as it is written in JSON.

    >>> as_json(Not(Compare("city", "is", "York")))
    {'not': {'field': 'city', 'op': 'is', 'value': 'York'}}
    """
    if isinstance(node, All):
        return {"all": [as_json(part) for part in node.parts]}
    if isinstance(node, AnyOf):
        return {"any": [as_json(part) for part in node.parts]}
    if isinstance(node, Not):
        return {"not": as_json(node.part)}
    if isinstance(node, InSegment):
        return {"segment": node.segment_id}
    if isinstance(node, Near):
        return {"near": {"latitude": node.latitude, "longitude": node.longitude, "km": node.km}}
    return _did(node) if isinstance(node, Did) else _compare(node)


def _compare(node: Compare) -> dict[str, Any]:
    made: dict[str, Any] = {"field": node.field, "op": node.op}
    if node.value is not None:
        made["value"] = _plain(node.value)
    if node.currency:
        made["currency"] = node.currency
    return made


def _did(node: Did) -> dict[str, Any]:
    did: Any = "any" if not node.types else node.types[0] if len(node.types) == 1 else list(node.types)
    numbers: Mapping[str, int | None] = {
        "at_least": node.at_least,
        "at_most": node.at_most,
        "within_days": node.within_days,
        "before_days": node.before_days,
    }
    made = {"did": did, **{name: number for name, number in numbers.items() if number is not None}}
    return made | ({"where": [_compare(part) for part in node.where]} if node.where else {})


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value
