"""The form of a rule: the state of the builder is the form itself, whatever stands in it, finished or not.

Every part of the rule has a key: ``0`` is the root, ``0-2`` its third part. Inputs are named ``<key>.<what>``.
A form becomes a draft, a button changes the draft, a draft becomes a form or the JSON of a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from warehouse.segments.fields import Field, Fields, Operator
from warehouse.segments.parse import ANY, MOST_DEPTH, Mistake
from warehouse.segments.tree import All, AnyOf, Compare, Did, InSegment, Near, Node, Not, as_json

GROUP: Final = "group"
ATTRIBUTE: Final = "attribute"
BEHAVIOUR: Final = "behaviour"
SEGMENT: Final = "segment"
PLACE: Final = "place"
DETAIL: Final = "detail"
ROOT: Final = "0"
MODES: Final[Mapping[str, str]] = {
    "all": "all of these hold",
    "any": "at least one of these holds",
    "none": "none of these holds",
    "not_all": "not all of these hold",
}
OFTEN: Final[Mapping[str, str]] = {
    "at_least": "at least",
    "at_most": "at most",
    "exactly": "exactly",
    "between": "between",
    "never": "never",
}
WINDOWS: Final[Mapping[str, str]] = {
    "within": "within the last",
    "before": "more than … days ago",
    "between": "between … days ago",
    "ever": "at any time",
}
_KINDS: Final = (GROUP, ATTRIBUTE, BEHAVIOUR, SEGMENT, PLACE, DETAIL)
_STARTS: Final[Mapping[str, Mapping[str, list[str]]]] = {
    GROUP: {"mode": ["any"]},
    ATTRIBUTE: {},
    DETAIL: {},
    SEGMENT: {},
    PLACE: {"km": ["25"]},
    BEHAVIOUR: {"often": ["at_least"], "times": ["1"], "window": ["within"], "days": ["90"]},
}


@dataclass
class Draft:
    """A part of a rule as it stands in the form: texts by name, and the parts below it."""

    kind: str
    values: dict[str, list[str]] = field(default_factory=dict)
    parts: list[Draft] = field(default_factory=list)
    key: str = ROOT
    mistakes: list[str] = field(default_factory=list)
    is_new: bool = False

    def one(self, name: str, otherwise: str = "") -> str:
        """Return a text of the form."""
        given = self.values.get(name)
        return given[0] if given else otherwise

    def many(self, name: str) -> list[str]:
        """Return all texts of this name that are not empty."""
        return [text for text in self.values.get(name, []) if text]


def empty() -> Draft:
    """Return the form of a new rule: one group."""
    return Draft(GROUP, {"mode": ["all"]})


def numbered(draft: Draft, key: str = ROOT) -> Draft:
    """Give every part its key."""
    draft.key = key
    for at, part in enumerate(draft.parts):
        numbered(part, f"{key}-{at}")
    return draft


def from_items(items: Iterable[tuple[str, str]]) -> Draft:
    """Return the draft that a form holds; what is no part of a rule is left aside."""
    texts: dict[str, dict[str, list[str]]] = {}
    for name, text in items:
        key, dot, what = name.partition(".")
        if dot and all(part.isdecimal() and len(part) < 4 for part in key.split("-")):
            texts.setdefault(key, {}).setdefault(what, []).append(text)
    return numbered(_read(ROOT, texts, 1) or empty())


def _read(key: str, texts: Mapping[str, dict[str, list[str]]], depth: int) -> Draft | None:
    values = texts.get(key)
    kind = values.get("kind", [""])[0] if values else ""
    if values is None or kind not in _KINDS or depth > MOST_DEPTH + 1:
        return None
    below = sorted(
        (one for one in texts if one.rpartition("-")[0] == key), key=lambda one: int(one.rpartition("-")[2])
    )
    parts = [part for one in below if (part := _read(one, texts, depth + 1))]
    return Draft(kind, {name: given for name, given in values.items() if name != "kind"}, parts)


def find(draft: Draft, key: str) -> Draft | None:
    """Return the part with this key."""
    if draft.key == key:
        return draft
    return next((found for part in draft.parts if (found := find(part, key))), None)


def act(draft: Draft, action: str) -> Draft:
    """Do what a button says: ``add-<kind>:<key>``, ``remove:<key>``; anything else changes nothing."""
    verb, _, key = action.partition(":")
    chosen = find(draft, key)
    if chosen is None:
        return draft
    kind = verb.removeprefix("add-")
    if verb != kind and kind in _KINDS and (chosen.kind == (BEHAVIOUR if kind == DETAIL else GROUP)):
        chosen.parts.append(Draft(kind, dict(_STARTS[kind]), is_new=True))
    elif verb == "remove" and key != ROOT:
        above = find(draft, key.rpartition("-")[0])
        if above is not None:
            above.parts.remove(chosen)
            above.is_new = True
    return numbered(draft)


class _Writer:
    """Writes JSON, and knows which part stands at which path of it."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.paths: dict[str, Draft] = {}

    def node(self, draft: Draft, path: str) -> dict[str, Any]:
        self.paths[path] = draft
        if draft.kind == GROUP:
            return self._group(draft, path)
        if draft.kind == BEHAVIOUR:
            return self._behaviour(draft, path)
        if draft.kind == SEGMENT:
            return {"segment": draft.one("segment")}
        if draft.kind == PLACE:
            return {"near": {name: _number(draft.one(name)) for name in ("latitude", "longitude", "km")}}
        return self._compare(draft, self.fields.customers)

    def _group(self, draft: Draft, path: str) -> dict[str, Any]:
        mode = draft.one("mode", "all")
        inner = "all" if mode in ("all", "not_all") else "any"
        outside = "" if mode in ("all", "any") else ".not"
        parts = [self.node(part, f"{path}{outside}.{inner}[{at}]") for at, part in enumerate(draft.parts)]
        return {"not": {inner: parts}} if outside else {inner: parts}

    def _behaviour(self, draft: Draft, path: str) -> dict[str, Any]:
        types = draft.many("did")
        did: Any = types[0] if len(types) == 1 else types
        where = []
        for at, part in enumerate(draft.parts):
            self.paths[f"{path}.where[{at}]"] = part
            where.append(self._compare(part, self.fields.events))
        return {"did": did or "", **_times(draft), **_days(draft), **({"where": where} if where else {})}

    @staticmethod
    def _compare(draft: Draft, known: Mapping[str, Field]) -> dict[str, Any]:
        found = known.get(draft.one("field"))
        made: dict[str, Any] = {"field": draft.one("field"), "op": draft.one("op")}
        operator = found.operator(draft.one("op")) if found else None
        if found is None or operator is None or operator.takes == "nothing":
            return made
        made["value"] = _value(draft, found, operator)
        return made | ({"currency": draft.one("currency")} if draft.one("currency") else {})


def rule_of(draft: Draft, fields: Fields) -> dict[str, Any]:
    """Return the JSON of a draft, with a word at each part that is not finished yet."""
    made = _Writer(fields).node(draft, "$")
    for part in _all(draft):
        part.mistakes = _unfinished(part, fields)
    return made


def place(draft: Draft, fields: Fields, mistakes: Iterable[Mistake]) -> None:
    """Write the mistakes of a rule beside the parts where they were made."""
    writer = _Writer(fields)
    writer.node(draft, "$")
    for mistake in mistakes:
        path = max((path for path in writer.paths if mistake.path.startswith(path)), key=len)
        part = writer.paths[path]
        if not part.mistakes:
            part.mistakes.append(f"{mistake.message[:1].upper()}{mistake.message[1:]}.")


def is_complete(draft: Draft) -> bool:
    """Whether nothing is said against any part."""
    return not any(part.mistakes for part in _all(draft))


def is_empty(draft: Draft) -> bool:
    """Whether there is no condition in it: then everybody meets it.

    >>> [is_empty(act(numbered(empty()), action)) for action in ("none", "add-group:0", "add-place:0")]
    [True, True, False]
    """
    return all(part.kind == GROUP for part in _all(draft))


def mistakes(draft: Draft) -> Iterable[str]:
    """Yield what is said against the parts of a draft."""
    return (text for part in _all(draft) for text in part.mistakes)


def _all(draft: Draft) -> Iterable[Draft]:
    yield draft
    for part in draft.parts:
        yield from _all(part)


def _unfinished(draft: Draft, fields: Fields) -> list[str]:
    if draft.kind == GROUP:
        is_open = not draft.parts and (draft.key != ROOT or draft.one("mode", "all") != "all")
        return ["Add a condition to this group, or remove it."] if is_open else []
    if draft.kind == SEGMENT:
        return [] if draft.one("segment") else ["Choose a segment."]
    if draft.kind == PLACE:
        named = all(draft.one(name).strip() for name in ("latitude", "longitude", "km"))
        return [] if named else ["Fill in latitude, longitude and distance."]
    if draft.kind == BEHAVIOUR:
        return [] if draft.many("did") else ["Choose what they did."]
    known = fields.events if draft.kind == DETAIL else fields.customers
    found = known.get(draft.one("field"))
    if found is None:
        return ["Choose what to look at."]
    operator = found.operator(draft.one("op"))
    needs = operator is not None and operator.takes != "nothing"
    return (
        ["Fill in a value."]
        if needs and not any(text.strip() for name in ("value", "more") for text in draft.many(name))
        else []
    )


def _times(draft: Draft) -> dict[str, Any]:
    often, times = draft.one("often", "at_least"), _number(draft.one("times", "1"))
    if often == "never":
        return {"at_most": 0}
    if often == "exactly":
        return {"at_least": times, "at_most": times}
    if often == "between":
        return {"at_least": times, "at_most": _number(draft.one("times2"))}
    return {often if often in OFTEN else "at_least": times}


def _days(draft: Draft) -> dict[str, Any]:
    window, days = draft.one("window", "ever"), _number(draft.one("days"))
    if window == "within":
        return {"within_days": days}
    if window == "before":
        return {"before_days": days}
    return {"within_days": days, "before_days": _number(draft.one("days2"))} if window == "between" else {}


def _value(draft: Draft, found: Field, operator: Operator) -> Any:
    texts = draft.values.get("value", [])
    if operator.takes == "many":
        # What was chosen or written before stays as it is; only new text is taken apart at its commas.
        more = [part.strip() for part in draft.one("more").split(",")]
        return [text for text in (*texts, *more) if text]
    if operator.takes == "two":
        return [_typed(text, found) for text in (*texts, draft.one("value2"))[:2]]
    text = texts[0] if texts else ""
    return _number(text) if operator.takes == "days" else _typed(text, found)


def _typed(text: str, found: Field) -> Any:
    if found.kind in ("number", "money"):
        return _number(text)
    if found.kind == "boolean":
        return {"yes": True, "no": False}.get(text, text)
    return text


def _number(text: str) -> Any:
    """Return a number where the text is one; else the text, of which reading the rule says what is wrong."""
    plain = text.strip().replace(" ", "")
    try:
        return int(plain) if plain.lstrip("-").isdecimal() and len(plain) < 20 else float(plain)
    except ValueError:
        return text


def draft_of(node: Node) -> Draft:
    """Return the form of a rule."""
    made = _draft(node)
    root = made if made.kind == GROUP else Draft(GROUP, {"mode": ["all"]}, [made])
    return numbered(root)


def _draft(node: Node) -> Draft:
    if isinstance(node, All | AnyOf):
        return Draft(
            GROUP,
            {"mode": ["all" if isinstance(node, All) else "any"]},
            [_draft(part) for part in node.parts],
        )
    if isinstance(node, Not):
        inner = node.part
        if isinstance(inner, All | AnyOf) and inner.parts:
            mode = "not_all" if isinstance(inner, All) else "none"
            return Draft(GROUP, {"mode": [mode]}, [_draft(part) for part in inner.parts])
        return Draft(GROUP, {"mode": ["none"]}, [_draft(inner)])
    if isinstance(node, InSegment):
        return Draft(SEGMENT, {"segment": [node.segment_id]})
    if isinstance(node, Near):
        place = {"latitude": node.latitude, "longitude": node.longitude, "km": node.km}
        return Draft(
            PLACE, {name: [f"{value:g}" if name == "km" else repr(value)] for name, value in place.items()}
        )
    return _behaviour_draft(node) if isinstance(node, Did) else _compare_draft(node, ATTRIBUTE)


def _compare_draft(node: Compare, kind: str) -> Draft:
    given = as_json(node).get("value")
    values = {"field": [node.field], "op": [node.op]}
    if node.op == "between" and isinstance(given, list):
        values |= {"value": [str(given[0])], "value2": [str(given[1])]}
    elif isinstance(given, list):
        values["value"] = [str(one) for one in given]
    elif given is not None:
        values["value"] = [
            {True: "yes", False: "no"}.get(given, str(given)) if isinstance(given, bool) else str(given)
        ]
    return Draft(kind, values | ({"currency": [node.currency]} if node.currency else {}))


def _behaviour_draft(node: Did) -> Draft:
    low, high = node.at_least, node.at_most
    if low is None:
        often, times = ("never", ["1"]) if high == 0 else ("at_most", [str(high)])
    elif high is None:
        often, times = "at_least", [str(low)]
    else:
        often, times = ("exactly" if low == high else "between"), [str(low)]
    window = {(True, True): "between", (True, False): "within", (False, True): "before"}.get(
        (node.within_days is not None, node.before_days is not None), "ever"
    )
    values = {
        "did": list(node.types) or [ANY], "often": [often], "times": times, "times2": [str(high or "")],
        "window": [window], "days": [str(node.within_days or node.before_days or "")],
        "days2": [str(node.before_days or "")],
    }  # fmt: skip
    return Draft(BEHAVIOUR, values, [_compare_draft(part, DETAIL) for part in node.where])
