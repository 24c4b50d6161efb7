"""What the templates of segments ask: choices of the builder, the chart of sizes, small lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from warehouse.pages import segment_form
from warehouse.pages.segment_form import Draft
from warehouse.segments import choices
from warehouse.segments.choices import Choice, Choices
from warehouse.segments.desk import Desk
from warehouse.segments.fields import CUSTOMERS, EVENTS, OPERATORS, Field, Operator
from warehouse.segments.parse import ANY
from warehouse.segments.reading import Size
from warehouse.segments.words import event_words

_GROUPS: Final[Mapping[str, str]] = {
    "text": "Who and where",
    "number": "Numbers",
    "money": "Money",
    "time": "Times",
    "date": "Dates",
    "boolean": "Yes or no",
    "list": "Lists",
}
_CONSENT: Final = "Consent"
_WIDTH: Final = 100
_HEIGHT: Final = 24


@dataclass(frozen=True)
class Option:
    """An entry of a select."""

    value: str
    words: str


@dataclass(frozen=True)
class Builder:
    """The builder of one rule: its draft, and everything that may be chosen in it."""

    desk: Desk
    release: str
    draft: Draft
    segment_id: str | None = None

    modes = segment_form.MODES
    often = segment_form.OFTEN
    windows = segment_form.WINDOWS

    def _known(self, draft: Draft) -> Mapping[str, Field]:
        fields = self.desk.fields
        return fields.events if draft.kind == segment_form.DETAIL else fields.customers

    def field(self, draft: Draft) -> Field | None:
        """Return the field of a condition, once it has been chosen."""
        return self._known(draft).get(draft.one("field"))

    def fields(self, draft: Draft) -> Mapping[str, Sequence[Option]]:
        """Return what may be looked at, by groups; personal data only for who may read them."""
        found: dict[str, list[Option]] = {}
        for field in self._known(draft).values():
            if field.is_personal and not self.desk.personal:
                continue
            group = _CONSENT if field.name.startswith("consent_") else _GROUPS[field.kind]
            found.setdefault(group, []).append(Option(field.name, field.label))
        return found

    def operators(self, field: Field) -> Sequence[Operator]:
        """Return how a field may be compared."""
        return OPERATORS[field.kind]

    def operator(self, draft: Draft) -> Operator | None:
        """Return the chosen operator, or the first one where it does not fit the field."""
        field = self.field(draft)
        if field is None:
            return None
        return field.operator(draft.one("op")) or OPERATORS[field.kind][0]

    def choices(self, draft: Draft) -> Choices:
        """Return the values that occur, and those that were chosen and do not."""
        field = self.field(draft)
        if field is None:
            return Choices()
        table = EVENTS if draft.kind == segment_form.DETAIL else CUSTOMERS
        found = choices.of_field(
            self.desk.connection, self.release, table, field, personal=self.desk.personal
        )
        if not found.whole:
            return found
        known = {choice.value for choice in found.values}
        missing = [Choice(text, 0) for text in draft.many("value") if text not in known]
        return Choices((*found.values, *missing), whole=True)

    def event_types(self, draft: Draft) -> Sequence[Option]:
        """Return what customers did in this release, and what was chosen."""
        found = choices.event_types(self.desk.connection, self.release).values
        options = [Option(ANY, "anything at all")]
        options += [Option(one.value, f"{event_words(one.value)} ({one.count:,})") for one in found]
        known = {option.value for option in options}
        return [
            *options,
            *(Option(name, event_words(name)) for name in draft.many("did") if name not in known),
        ]

    def segments(self, draft: Draft) -> Sequence[Option]:
        """Return the segments that may be named, and the one that is."""
        found = [
            Option(one, name)
            for one, name in self.desk.names.items()
            if one in self.desk.rules and one != self.segment_id
        ]
        chosen = draft.one("segment")
        known = {option.value for option in found}
        return (
            found if not chosen or chosen in known else [*found, Option(chosen, f"{chosen} (cannot be used)")]
        )


def paths(values: Sequence[int]) -> str:
    """Return the path of a small line, in a box of 100 by 24; nothing for fewer than two values.

    >>> paths([1, 3])
    'M0.0 22.0L100.0 2.0'
    """
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    step = _WIDTH / (len(values) - 1)
    room = _HEIGHT - 4
    points = [
        (step * at, _HEIGHT - 2 - (room * (value - low) / (high - low) if high > low else room / 2))
        for at, value in enumerate(values)
    ]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def chart(sizes: Sequence[Size], most: int = 120) -> dict[str, Any] | None:
    """Return the chart of a segment's size over releases; None before there are two."""
    shown = sizes[-most:]
    if len(shown) < 2:
        return None
    labels = [f"{one.released_at:%d %b %Y %H:%M}" for one in shown]
    series = [{"name": "Members", "values": [one.size for one in shown], "color": "accent"}]
    return {"type": "line", "labels": labels, "series": series}
