"""A rule in words, for people: as a tree of sentences, and what a new version changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from cdp.masking import HIDDEN
from warehouse.segments.fields import Field, Fields
from warehouse.segments.files import Version
from warehouse.segments.parse import RuleError, parse
from warehouse.segments.tree import All, AnyOf, Compare, Did, InSegment, Near, Node, Not, Value

ALL: Final = "All of these hold"
ANY: Final = "At least one of these holds"
NONE: Final = "None of these holds"
NOT_ALL: Final = "Not all of these hold"
EVERYBODY: Final = "Everybody"
_SHOWN: Final = 8


@dataclass(frozen=True)
class Said:
    """A sentence, and the sentences below it."""

    text: str
    parts: tuple[Said, ...] = ()

    def flat(self) -> str:
        """Return it on one line.

        >>> Said(ALL, (Said("City is York"), Said("Revenue is at least 100"))).flat()
        'City is York and Revenue is at least 100'
        """
        if not self.parts:
            return self.text
        inner = [part.flat() if not part.parts else f"({part.flat()})" for part in self.parts]
        if self.text in (ALL, ANY):
            return (" and " if self.text == ALL else " or ").join(inner)
        joined = (" or " if self.text == NONE else " and ").join(inner)
        return f"not ({joined})"


@dataclass(frozen=True)
class Teller:
    """Says rules. ``names`` of segments by id; without ``personal``, values of personal fields are hidden."""

    fields: Fields
    names: Mapping[str, str]
    personal: bool = True

    def say(self, node: Node) -> Said:
        """Return a rule in words."""
        if isinstance(node, All | AnyOf):
            name = ALL if isinstance(node, All) else ANY
            return self._group(name, node.parts) if node.parts else Said(EVERYBODY)
        if isinstance(node, Not):
            return self._not(node.part)
        return Said(self._leaf(node))

    def _leaf(self, node: Compare | Did | InSegment | Near) -> str:
        if isinstance(node, Compare):
            return self.compare(node, self.fields.customers)
        if isinstance(node, Did):
            return self._did(node)
        if isinstance(node, InSegment):
            return f"Is in the segment “{self.names.get(node.segment_id, node.segment_id)}”"
        if not self.personal:
            return f"Was last seen within {HIDDEN} km of {HIDDEN}"
        return f"Was last seen within {node.km:g} km of {node.latitude:g}, {node.longitude:g}"

    def _group(self, text: str, parts: tuple[Node, ...]) -> Said:
        return Said(text, tuple(self.say(part) for part in parts))

    def _not(self, part: Node) -> Said:
        if isinstance(part, AnyOf):
            return self._group(NONE, part.parts)
        if isinstance(part, All) and part.parts:
            return self._group(NOT_ALL, part.parts)
        return Said(NONE, (self.say(part),))

    def compare(self, node: Compare, known: Mapping[str, Field]) -> str:
        """Return a condition on a field in words."""
        field = known.get(node.field)
        if field is None:
            return f"{node.field} {node.op}"
        operator = field.operator(node.op)
        words = operator.words if operator else node.op
        if node.value is None:
            return f"{field.label} {words}"
        value = HIDDEN if field.is_personal and not self.personal else self._value(node, field)
        if "…" in words:
            return f"{field.label} {words.replace('…', value)}"
        return f"{field.label} {words} {value}"

    @staticmethod
    def _value(node: Compare, field: Field) -> str:
        unit = f" {node.currency}" if node.currency else ""
        values = node.value if isinstance(node.value, tuple) else (node.value,)
        shown = [_plain(value, field) for value in values[:_SHOWN]]
        if len(values) > _SHOWN:
            shown.append(f"{len(values) - _SHOWN} more")
        if node.op == "between":
            return f"{shown[0]} and {shown[1]}{unit}"
        last = " and " if node.op == "includes_all" else " or "
        return last.join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown) + unit

    def _did(self, node: Did) -> str:
        what = " or ".join(event_words(name) for name in node.types) or "anything"
        details = "; ".join(_lowered(self.compare(part, self.fields.events)) for part in node.where)
        if details:
            what = f"{what} (where {details})"
        if node.at_most == 0 and node.at_least is None:
            return f"Never did: {what}{_window(node)}"
        return f"Did: {what}, {_times(node)}{_window(node)}"


def event_words(name: str) -> str:
    """Return an event type as people say it.

    >>> event_words("order_placed")
    'order placed'
    """
    return name.replace("_", " ").replace("email", "e-mail").replace("sms", "text message")


def _times(node: Did) -> str:
    def times(number: int) -> str:
        return "once" if number == 1 else f"{number} times"

    if node.at_least is not None and node.at_most is not None:
        if node.at_least == node.at_most:
            return f"exactly {times(node.at_least)}"
        return f"{node.at_least} to {node.at_most} times"
    return (
        f"at most {times(node.at_most)}"
        if node.at_most is not None
        else f"at least {times(node.at_least or 1)}"
    )


def _window(node: Did) -> str:
    if node.within_days and node.before_days:
        return f", between {node.within_days} and {node.before_days} days ago"
    if node.within_days:
        return f", within the last {node.within_days} days"
    return f", more than {node.before_days} days ago" if node.before_days else ""


def _plain(value: Value, field: Field) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, int):
        return f"{value:,}" if field.kind in ("number", "money") else str(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def changes(before: Version, after: Version, teller: Teller) -> list[str]:
    """Return what a version changed, a sentence each."""
    told: list[str] = []
    if before.name != after.name:
        told.append(f"Renamed from “{before.name}” to “{after.name}”")
    if before.description != after.description:
        told.append("Described anew")
    if before.archived != after.archived:
        told.append("Taken out of use" if after.archived else "Taken back into use")
    if before.rule != after.rule:
        told += _rule_changes(before.rule, after.rule, teller)
    return told or ["Saved again without a change"]


def _rule_changes(before: Mapping[str, Any], after: Mapping[str, Any], teller: Teller) -> list[str]:
    try:
        old, new = (_sentences(teller.say(parse(rule, teller.fields))) for rule in (before, after))
    except RuleError:
        return ["Its rule was changed"]
    told = [f"No longer: {text}" for text in old if text not in new]
    told += [f"New: {text}" for text in new if text not in old]
    return told or ["Its conditions were put into other groups"]


def _sentences(said: Said) -> list[str]:
    if not said.parts:
        return [said.text]
    return [said.text, *(text for part in said.parts for text in _sentences(part))]
