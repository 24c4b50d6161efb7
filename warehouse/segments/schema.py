"""The JSON Schema of a rule, and of a segment's file: for editors and for other programs."""

from __future__ import annotations

from typing import Any, Final

from cdp.events import EVENT_TYPES
from warehouse.segments import parse
from warehouse.segments.fields import OPERATORS, Field, known_fields
from warehouse.segments.files import ID_PATTERN, LONGEST_DESCRIPTION, LONGEST_NAME

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_NODE: Final = {"$ref": "#/$defs/rule"}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": parse.LONGEST_TEXT}
_DAYS: Final = {"type": "integer", "minimum": 1, "maximum": parse.MOST_DAYS}


def _one(field: Field) -> dict[str, Any]:
    if field.kind in ("number", "money"):
        return {"type": "number"}
    if field.kind in ("date", "time"):
        return {"type": "string", "format": "date"}
    return {"type": "boolean"} if field.kind == "boolean" else _TEXT


def _value(field: Field, takes: str) -> dict[str, Any] | None:
    many = {"type": "array", "items": _one(field), "minItems": 1, "maxItems": parse.MOST_VALUES}
    two = {"type": "array", "items": _one(field), "minItems": 2, "maxItems": 2}
    return {"one": _one(field), "two": two, "many": many, "days": _DAYS}.get(takes)


def _compare(field: Field) -> dict[str, Any]:
    """A condition on one field: which operators it has, and what each of them takes."""
    by_value: dict[str, tuple[dict[str, Any] | None, list[str]]] = {}
    for operator in OPERATORS[field.kind]:
        by_value.setdefault(operator.takes, (_value(field, operator.takes), []))[1].append(operator.name)
    shapes = []
    for value, names in by_value.values():
        members: dict[str, Any] = {"field": {"const": field.name}, "op": {"enum": names}}
        if value is not None:
            members["value"] = value
        if field.kind == "money":
            members["currency"] = {"type": "string", "pattern": "^[A-Z]{3}$"}
        required = ["field", "op", *(["value"] if value is not None else [])]
        shapes.append(
            {"type": "object", "properties": members, "required": required, "additionalProperties": False}
        )
    return {"description": field.comment, "oneOf": shapes}


def _did() -> dict[str, Any]:
    name = {"enum": list(EVENT_TYPES)}
    times = {"type": "integer", "maximum": parse.MOST_TIMES}
    events = [{"$ref": f"#/$defs/event_{field}"} for field in known_fields().events]
    return {
        "type": "object",
        "description": "The customer did something so many times; at least once where nothing is said.",
        "properties": {
            "did": {"anyOf": [{"const": parse.ANY}, name, {"type": "array", "items": name, "minItems": 1}]},
            "at_least": {**times, "minimum": 1},
            "at_most": {**times, "minimum": 0},
            "within_days": _DAYS,
            "before_days": _DAYS,
            "where": {"type": "array", "items": {"oneOf": events}, "maxItems": parse.MOST_DEPTH},
        },
        "required": ["did"],
        "additionalProperties": False,
    }


def _object(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}


def _near() -> dict[str, Any]:
    bounds = {"latitude": (-90, 90), "longitude": (-180, 180), "km": (0, parse.MOST_KM)}
    numbers = {
        name: {"type": "number", "minimum": low, "maximum": high} for name, (low, high) in bounds.items()
    }
    return {"type": "object", "properties": numbers, "required": list(bounds), "additionalProperties": False}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a segment's file; ``#/$defs/rule`` is that of a rule alone."""
    fields = known_fields()
    customers = {f"field_{name}": _compare(field) for name, field in fields.customers.items()}
    events = {f"event_{name}": _compare(field) for name, field in fields.events.items()}
    group = {"type": "array", "items": _NODE}
    kinds = [
        _object("all", group),
        _object("any", {**group, "minItems": 1}),
        _object("not", _NODE),
        _object("segment", {"type": "string", "pattern": f"^{ID_PATTERN}$"}),
        _object("near", _near()),
        _did(),
        *({"$ref": f"#/$defs/{name}"} for name in customers),
    ]
    return {
        "$schema": _DRAFT,
        "title": "A version of a segment: segments/<segment_id>/v0001.json",
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            "description": {"type": "string", "maxLength": LONGEST_DESCRIPTION},
            "rule": _NODE,
            "author": {"type": ["string", "null"], "maxLength": LONGEST_NAME},
            "created_at": {"type": "string", "format": "date-time"},
            "archived": {"type": "boolean"},
            "segment_id": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
            "version": {"type": "integer", "minimum": 1},
        },
        "required": ["rule"],
        "additionalProperties": False,
        "$defs": {"rule": {"oneOf": kinds}, **customers, **events},
    }
