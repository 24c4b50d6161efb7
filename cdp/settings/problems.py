"""What pydantic found wrong, in the words of `cdp.yaml`: given, expected, nearest known name."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from cdp.errors import nearest
from cdp.settings.document import Path, Problem
from cdp.settings.model import Settings

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "string_too_short": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "tuple_type": "a list",
    "list_type": "a list",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_too_long": "at most {max_length} characters",
}
_QUOTED = re.compile(r"'([^']*)'")


def problems(error: ValidationError) -> Iterator[Problem]:
    """Yield each problem once, with the path of the key in the file."""
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        yield _problem(found["type"], path, found["input"], found.get("ctx", {}), found["msg"])


def _problem(kind: str, path: Path, given: object, context: Mapping[str, Any], message: str) -> Problem:
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return Problem(path[:-1], f"the key {path[-1]!r} is missing")
    if kind == "value_error":
        return Problem(path, str(context["error"]), None)
    if kind == "literal_error":
        return _one_of(path, given, _QUOTED.findall(context["expected"]) or [context["expected"]])
    expected = _title(path) or _EXPECTED.get(kind)
    if expected is None:
        return Problem(path, f"given {_shown(given)}: {message}")
    quotes = expected == "text" and isinstance(given, int | float)
    hint = "Put it in quotes to make it text." if quotes else None
    return Problem(path, f"given {_shown(given)}, expected {expected.format(**context)}", hint)


def _one_of(path: Path, given: object, known: list[str]) -> Problem:
    close = nearest(str(given), known)
    if path and path[-1] == given:  # a key, not a value
        return Problem(path, "unknown key", _hint(close, known))
    hint = f"Did you mean {close!r}?" if close and close != given else None
    return Problem(path, f"given {_shown(given)}, expected {_either(known)}", hint)


def _unknown_key(path: Path) -> Problem:
    model = _model_at(path[:-1])
    known = [name for name, field in model.model_fields.items() if not field.exclude] if model else []
    return Problem(path, "unknown key", _hint(nearest(str(path[-1]), known), known))


def _hint(close: str | None, known: list[str]) -> str | None:
    if close:
        return f"Did you mean {close!r}?"
    return f"Expected {_either(known)}." if known else None


def _either(known: list[str]) -> str:
    return known[0] if len(known) == 1 else "one of " + ", ".join(known)


def _model_at(path: Path) -> type[BaseModel] | None:
    """Return the class of the section at ``path``, or None where there is none."""
    kind: Any = Settings
    for part in path:
        model = _inner(kind)
        if model is not None and part in model.model_fields:
            kind = model.model_fields[str(part)].annotation
    return _inner(kind)


def _inner(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for part in typing.get_args(kind) if (found := _inner(part))), None)


def _title(path: Path) -> str | None:
    """Return what the field at ``path`` calls its form, or None where it is plain."""
    model = _model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model and path else None
    return field and (field.title or _title_in(field.annotation))


def _title_in(kind: Any) -> str | None:
    titles = (getattr(part, "title", None) for part in getattr(kind, "__metadata__", ()))
    return next((title for title in titles if isinstance(title, str)), None) or next(
        (found for part in typing.get_args(kind) if (found := _title_in(part))), None
    )


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case Mapping():
            return "keys with values"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)
