"""Rules from JSON: every mistake is named by its path in the tree, with what was expected and what is near."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from cdp.errors import UsageError, nearest
from cdp.events import EVENT_TYPES
from warehouse.segments.fields import OPERATORS, Field, Fields
from warehouse.segments.tree import All, AnyOf, Compare, Did, InSegment, Near, Node, Not, Value

MOST_NODES: Final = 200
MOST_DEPTH: Final = 20
MOST_VALUES: Final = 1000
MOST_DAYS: Final = 36_500
MOST_TIMES: Final = 1_000_000
LONGEST_TEXT: Final = 500
MOST_KM: Final = 20_040
_LARGEST: Final = Decimal(10) ** 15
_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_KINDS: Final = ("all", "any", "not", "field", "did", "segment", "near")
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "field": ("field", "op", "value", "currency"),
    "did": ("did", "at_least", "at_most", "within_days", "before_days", "where"),
}
ANY: Final = "any"
NO_CURRENCY: Final = (
    "expected a currency, as GBP: there is no base currency that amounts could be compared in"
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place of the tree: ``$`` is the root, ``$.all[1].value`` a member below it."""

    path: str
    message: str


class RuleError(UsageError):
    """A rule is not as expected; ``mistakes`` are all that were found."""

    def __init__(self, mistakes: Collection[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = [f"{mistake.path}: {mistake.message}" for mistake in self.mistakes[:10]]
        super().__init__("\n  ".join(["The rule is not as expected.", *lines]))


def parse(given: object, fields: Fields, segments: Collection[str] | None = None) -> Node:
    """Return a rule from JSON values.

    ``segments``: ids of the segments that a rule may name; None allows every id that is well formed.
    Raises :class:`RuleError` with all mistakes.

    >>> from warehouse.segments.fields import known_fields
    >>> parse({"field": "city", "op": "is", "value": "York"}, known_fields())
    Compare(field='city', op='is', value='York', currency=None)
    >>> try:
    ...     parse({"all": [{"field": "citty", "op": "is", "value": "York"}]}, known_fields())
    ... except RuleError as error:
    ...     print(error.mistakes[0].path, error.mistakes[0].message)
    $.all[0].field there is no field 'citty'; did you mean 'city'?
    """
    parser = _Parser(fields, segments)
    node = parser.node(given, "$", 1)
    if parser.mistakes or node is None:
        raise RuleError(parser.mistakes)
    return node


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    shown = repr(name) if isinstance(name, str) and len(name) <= LONGEST_TEXT else "of this name"
    close = nearest(name, known) if isinstance(name, str) and len(name) <= LONGEST_TEXT else None
    if close:
        return f"there is no {what} {shown}; did you mean {close!r}?"
    some = ", ".join(list(known)[:12])
    return f"there is no {what} {shown}; known are: {some or 'none'}"


class _Parser:
    def __init__(self, fields: Fields, segments: Collection[str] | None) -> None:
        self.fields = fields
        self.segments = segments
        self.mistakes: list[Mistake] = []
        self._nodes = 0

    def _wrong(self, path: str, message: str) -> None:
        self.mistakes.append(Mistake(path, message))

    def node(self, given: object, path: str, depth: int) -> Node | None:
        self._nodes += 1
        if self._nodes > MOST_NODES or depth > MOST_DEPTH:
            if not self.mistakes or "too large" not in self.mistakes[-1].message:
                limits = f"at most {MOST_NODES} conditions, {MOST_DEPTH} levels deep"
                self._wrong(path, f"the rule is too large: expected {limits}")
            return None
        if not isinstance(given, dict):
            self._wrong(path, f"expected a condition, an object with one of {', '.join(_KINDS)}")
            return None
        kinds = [kind for kind in _KINDS if kind in given]
        if len(kinds) != 1:
            found = f"found {' and '.join(kinds)}" if kinds else self._stray(given)
            self._wrong(path, f"expected exactly one of {', '.join(_KINDS)}; {found}")
            return None
        allowed = _MEMBERS.get(kinds[0], (kinds[0],))
        for name in given:
            if name not in allowed:
                self._wrong(path, _unknown(f"member beside {kinds[0]!r}", name, allowed))
        return self._of_kind(kinds[0], given, path, depth)

    @staticmethod
    def _stray(given: Mapping[str, object]) -> str:
        for name in given:
            if close := nearest(str(name)[:LONGEST_TEXT], _KINDS):
                return f"did you mean {close!r}?"
        return "found none of them"

    def _of_kind(self, kind: str, given: Mapping[str, Any], path: str, depth: int) -> Node | None:
        if kind in ("all", "any"):
            return self._group(kind, given[kind], f"{path}.{kind}", depth)
        if kind == "not":
            part = self.node(given["not"], f"{path}.not", depth + 1)
            return Not(part) if part else None
        if kind == "segment":
            return self._segment(given["segment"], f"{path}.segment")
        if kind == "near":
            return self._near(given["near"], f"{path}.near")
        if kind == "did":
            return self._did(given, path)
        return self._compare(given, path, self.fields.customers, "field")

    def _group(self, kind: str, given: object, path: str, depth: int) -> Node | None:
        if not isinstance(given, list):
            self._wrong(path, "expected a list of conditions")
            return None
        if kind == "any" and not given:
            self._wrong(path, "expected at least one condition: nobody could meet any of none")
            return None
        parts = [self.node(part, f"{path}[{at}]", depth + 1) for at, part in enumerate(given)]
        sound = tuple(part for part in parts if part is not None)
        return All(sound) if kind == "all" else AnyOf(sound)

    def _segment(self, given: object, path: str) -> InSegment | None:
        if not isinstance(given, str) or not _ID.fullmatch(given):
            self._wrong(path, "expected the id of a segment")
            return None
        if self.segments is not None and given not in self.segments:
            self._wrong(path, _unknown("segment", given, sorted(self.segments)))
            return None
        return InSegment(given)

    def _near(self, given: object, path: str) -> Near | None:
        names = ("latitude", "longitude", "km")
        if not isinstance(given, dict) or set(given) != set(names):
            self._wrong(path, "expected latitude, longitude and km, and nothing else")
            return None
        bounds = {"latitude": (-90, 90), "longitude": (-180, 180), "km": (0, MOST_KM)}
        numbers: list[float] = []
        for name in names:
            value, (low, high) = given[name], bounds[name]
            if not _is_number(value) or not low <= value <= high:
                self._wrong(f"{path}.{name}", f"expected a number from {low} to {high}")
            else:
                numbers.append(float(value))
        return Near(*numbers) if len(numbers) == len(names) else None

    def _did(self, given: Mapping[str, Any], path: str) -> Did | None:
        if not self.fields.events:
            self._wrong(path, "this release has no table of behaviour; `cdp publish` makes a new one")
            return None
        before = len(self.mistakes)
        types = self._types(given["did"], f"{path}.did")
        whole: dict[str, int | None] = {}
        for name, low, high in (
            ("at_least", 1, MOST_TIMES), ("at_most", 0, MOST_TIMES),
            ("within_days", 1, MOST_DAYS), ("before_days", 1, MOST_DAYS),
        ):  # fmt: skip
            whole[name] = self._whole(given.get(name), f"{path}.{name}", low, high)
        at_least, at_most = whole["at_least"], whole["at_most"]
        if at_least is None and at_most is None:
            at_least = 1
        if at_least is not None and at_most is not None and at_least > at_most:
            self._wrong(f"{path}.at_most", f"expected {at_least} or more, as at_least says")
        within, past = whole["within_days"], whole["before_days"]
        if within is not None and past is not None and past >= within:
            self._wrong(f"{path}.before_days", f"expected fewer days than within_days, which are {within}")
        where = self._where(given.get("where", []), f"{path}.where")
        return None if len(self.mistakes) > before else Did(types, at_least, at_most, within, past, where)

    def _types(self, given: object, path: str) -> tuple[str, ...]:
        if given == ANY:
            return ()
        names = given if isinstance(given, list) else [given]
        if not names or len(names) > len(EVENT_TYPES):
            self._wrong(path, "expected an event type, a list of some, or 'any'")
        for at, name in enumerate(names):
            if not isinstance(name, str) or name not in EVENT_TYPES:
                where = f"{path}[{at}]" if isinstance(given, list) else path
                self._wrong(where, _unknown("event type", name, EVENT_TYPES))
        return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))

    def _whole(self, given: object, path: str, low: int, high: int) -> int | None:
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
            self._wrong(path, f"expected a whole number from {low} to {high:,}")
            return None
        return given

    def _where(self, given: object, path: str) -> tuple[Compare, ...]:
        if not isinstance(given, list) or len(given) > MOST_DEPTH:
            self._wrong(path, f"expected a list of at most {MOST_DEPTH} conditions on the event")
            return ()
        found: list[Compare] = []
        for at, part in enumerate(given):
            here = f"{path}[{at}]"
            if not isinstance(part, dict) or not {"field", "op"} <= set(part) <= set(_MEMBERS["field"]):
                self._wrong(here, "expected an object with field, op and value")
                continue
            compare = self._compare(part, here, self.fields.events, "field of events")
            found += [compare] if compare else []
        return tuple(found)

    def _compare(
        self, given: Mapping[str, Any], path: str, known: Mapping[str, Field], what: str
    ) -> Compare | None:
        name, op = given["field"], given.get("op")
        field = known.get(name) if isinstance(name, str) else None
        if field is None:
            self._wrong(f"{path}.field", _unknown(what, name, known))
            return None
        operator = field.operator(op) if isinstance(op, str) else None
        if operator is None:
            names = [found.name for found in OPERATORS[field.kind]]
            self._wrong(f"{path}.op", _unknown(f"operator of {field.kind}", op, names))
            return None
        currency = self._currency(given, field, path)
        if operator.takes == "nothing":
            if given.get("value") is not None:
                self._wrong(f"{path}.value", f"expected none: {operator.name} stands alone")
            return Compare(field.name, operator.name)
        before = len(self.mistakes)
        if field.kind == "money" and not self.fields.has_base and given.get("currency") is None:
            self._wrong(f"{path}.currency", NO_CURRENCY)
        value = self._value(given.get("value"), field, operator.takes, f"{path}.value")
        return Compare(field.name, operator.name, value, currency) if len(self.mistakes) == before else None

    def _currency(self, given: Mapping[str, Any], field: Field, path: str) -> str | None:
        currency = given.get("currency")
        if currency is None:
            return None
        if field.kind != "money" or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            wanted = (
                "a code of three capitals, as GBP"
                if field.kind == "money"
                else "none: it is no amount of money"
            )
            self._wrong(f"{path}.currency", f"expected {wanted}")
            return None
        return currency

    def _value(self, given: object, field: Field, takes: str, path: str) -> Value:
        if takes == "days":
            if given is None:
                self._wrong(path, f"expected a whole number from 1 to {MOST_DAYS:,}")
            return self._whole(given, path, 1, MOST_DAYS)
        one: Callable[[object, str], Value] = {
            "text": self._text, "list": self._text, "boolean": self._boolean, "date": self._day, "time": self._day,
        }.get(field.kind) or (lambda value, where: self._number(value, where, field))  # fmt: skip
        if takes == "one":
            return one(given, path)
        if takes == "two":
            return self._pair(given, path, one)
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_VALUES:
            self._wrong(path, f"expected a list of 1 to {MOST_VALUES} values")
            return None
        return tuple(one(value, f"{path}[{at}]") for at, value in enumerate(given))

    def _pair(self, given: object, path: str, one: Callable[[object, str], Value]) -> Value:
        if not isinstance(given, list) or len(given) != 2:
            self._wrong(path, "expected a list of two values, the smaller one first")
            return None
        low, high = one(given[0], f"{path}[0]"), one(given[1], f"{path}[1]")
        if low is not None and high is not None and low > high:  # type: ignore[operator]  # of one type
            self._wrong(path, "expected the smaller value first")
        return (low, high)

    def _text(self, given: object, path: str) -> str | None:
        if not isinstance(given, str) or not 1 <= len(given) <= LONGEST_TEXT or not _is_text(given):
            self._wrong(path, f"expected a text of 1 to {LONGEST_TEXT} characters")
            return None
        return given

    def _boolean(self, given: object, path: str) -> bool | None:
        if not isinstance(given, bool):
            self._wrong(path, "expected true or false")
            return None
        return given

    def _day(self, given: object, path: str) -> date | None:
        try:
            if (
                isinstance(given, str)
                and _DAY.fullmatch(given)
                and (day := date.fromisoformat(given)).year < 9999
            ):
                return day
        except ValueError:
            pass
        self._wrong(path, "expected a day, as 2026-01-31")
        return None

    def _number(self, given: object, path: str, field: Field) -> Value:
        number = Decimal(str(given)) if _is_number(given) else None
        if number is not None and abs(number) < _LARGEST:
            if field.is_whole and number == number.to_integral_value():
                return int(number)
            if field.type == "DOUBLE" or number == round(number, 4):
                return number
        decimals = "" if field.type == "DOUBLE" else ", with at most 4 decimals"
        self._wrong(path, f"expected a number{decimals}")
        return None


def _is_number(given: object) -> bool:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    return abs(given) < _LARGEST if isinstance(given, int) else math.isfinite(given)


def _is_text(given: str) -> bool:
    """Whether a text can be stored at all: halves of surrogate pairs and NUL cannot."""
    return "\x00" not in given and not any("\ud800" <= letter <= "\udfff" for letter in given)


def personal_fields(node: Node, fields: Fields) -> tuple[str, ...]:
    """Return what a rule asks that only who may read personal data may ask: fields, and ``near`` for places."""
    from warehouse.segments.tree import walk

    named: set[str] = set()
    for part in walk(node):
        if isinstance(part, Near):
            named.add("near")
        elif isinstance(part, Compare):
            # A condition on an event is a Compare, too: a name that either kind of field has is judged by both.
            found = (fields.customers.get(part.field), fields.events.get(part.field))
            named |= {field.name for field in found if field and field.is_personal}
    return tuple(sorted(named))
