"""What API, pages and command line do with segments alike: one place for what a caller may ask and see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cdp.errors import UsageError
from cdp.lake import Lake
from cdp.masking import HIDDEN
from warehouse import masking
from warehouse.segments import evaluate, files, reading
from warehouse.segments.fields import Fields, fields_of
from warehouse.segments.files import Catalogue, Segment, Version
from warehouse.segments.parse import RuleError, parse, personal_fields
from warehouse.segments.tree import Node, references
from warehouse.segments.words import Said, Teller

if TYPE_CHECKING:
    import duckdb


class NotForYouError(UsageError):
    """A rule asks about personal data, and the caller may not read them."""


@dataclass(frozen=True)
class Desk:
    """The segments of a workspace beside one release, for a caller who may or may not see personal data."""

    lake: Lake
    connection: duckdb.DuckDBPyConnection
    fields: Fields
    catalogue: Catalogue
    personal: bool

    @classmethod
    def open(cls, lake: Lake, connection: duckdb.DuckDBPyConnection, *, personal: bool) -> Desk:
        """Read the files of segments, for questions to one release."""
        fields = fields_of(connection)
        return cls(lake, connection, fields, files.read(lake, fields), personal)

    @property
    def rules(self) -> Mapping[str, Node]:
        """The rules that may be named by others."""
        return self.catalogue.rules

    def rule(self, given: object) -> Node:
        """Return a rule that this caller may ask. Raises :class:`RuleError`, :class:`NotForYouError`."""
        node = parse(given, self.fields, set(self.rules))
        if not self.personal and (names := personal_fields(node, self.fields)):
            text = f"This rule asks about personal data ({', '.join(names)}), which the scope 'read-pii' may."
            raise NotForYouError(text)
        return node

    def usable(self, segment: Segment) -> Node:
        """Return the rule of a segment in use. Raises :class:`UsageError` where it has a problem or is archived."""
        node = self.rules.get(segment.segment_id)
        if node is None:
            state = self.shown(segment).problem or "It is archived."
            raise UsageError(f"The segment {segment.segment_id!r} cannot be used. {state}")
        return node

    def is_published(self, segment: Segment) -> bool:
        """Whether the release holds the members by today's rule: of this segment, and of all that it names."""
        sizes = reading.sizes(self.connection)
        waiting, seen = [segment.segment_id], set[str]()
        while waiting:
            one = waiting.pop()
            seen.add(one)
            known, found = sizes.get(one), self.catalogue.segments.get(one)
            if not known or found is None or known[-1].rule_version != found.last:
                return False
            waiting += references(self.rules[one]) - seen if one in self.rules else ()
        return True

    def count(self, rule: Node) -> int:
        """Return how many customers meet a rule."""
        return evaluate.count(self.connection, rule, self.rules, fields=self.fields)

    def sample(self, rule: Node, size: int) -> list[dict[str, Any]]:
        """Return a few of them, not masked."""
        return evaluate.sample(self.connection, rule, self.rules, size=size, fields=self.fields)

    def members(self, rule: Node, *, after: str | None = None, limit: int | None = None) -> Sequence[str]:
        """Return ids of who meets a rule."""
        return evaluate.members(
            self.connection, rule, self.rules, after=after, limit=limit, fields=self.fields
        )

    @property
    def teller(self) -> Teller:
        """Says rules to this caller."""
        return Teller(self.fields, self.names, personal=self.personal)

    @property
    def names(self) -> Mapping[str, str]:
        """The names of the segments by id, as this caller may see them."""
        return {one: self.shown(segment).name for one, segment in self.catalogue.segments.items()}

    def shown(self, segment: Segment) -> Segment:
        """Return a segment as this caller may see it: what people wrote may hold personal data."""
        if self.personal:
            return segment
        # What follows the first line quotes the rule.
        problem = segment.problem.splitlines()[0] if segment.problem else None
        told = masking.row("segments", {"problem": problem})
        return replace(segment, versions=tuple(map(self.shown_version, segment.versions)), **told)

    def shown_version(self, version: Version) -> Version:
        """Return a version as this caller may see it; a rule that nobody can read shows nothing of itself."""
        if self.personal:
            return version
        texts = masking.row("segments", {"name": version.name, "description": version.description})
        try:
            parse(version.rule, self.fields)
            rule = self.shown_rule(version.rule)
        except RuleError:
            rule = {}
        return replace(version, **texts, rule=rule)

    def need_own(self, segment: Segment) -> None:
        """Raise :class:`NotForYouError` where this caller does not see all of a segment: they cannot keep it either."""
        if segment.newest and self.shown_version(segment.newest) != segment.newest:
            text = "The rule, name or description of this segment holds personal data"
            raise NotForYouError(f"{text}, which the scope 'read-pii' may change.")

    def said(self, version: Version) -> Said:
        """Return the rule of a version in words."""
        try:
            return self.teller.say(parse(version.rule, self.fields))
        except RuleError as error:
            return Said(error.message.splitlines()[0])

    def shown_rule(self, rule: object) -> Any:
        """Return a rule as JSON; to who may not see personal data, without the values of personal fields."""
        if self.personal:
            return rule
        if isinstance(rule, list):
            return [self.shown_rule(part) for part in rule]
        if not isinstance(rule, Mapping):
            return rule
        if isinstance(near := rule.get("near"), Mapping):
            return {**rule, "near": dict.fromkeys(near, HIDDEN)}
        name = str(rule.get("field"))
        field = self.fields.customers.get(name) or self.fields.events.get(name)
        hidden = "value" in rule and (field is None or field.is_personal) and "where" not in rule
        shown = {name: self.shown_rule(part) for name, part in rule.items()}
        return {**shown, "value": HIDDEN} if hidden else shown
