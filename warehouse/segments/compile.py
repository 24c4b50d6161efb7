"""SQL of a rule: expressions of SQLGlot, whose names come from the dictionary and whose values are parameters.

DuckDB's three-valued logic gives what is promised: at the root NULL counts as false, and ``all`` and ``any``
keep that; only ``not`` must say it. Other segments become common table expressions, each once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cdp.errors import UsageError
from warehouse.segments.fields import CUSTOMERS, EVENTS, SOUND, Field, Fields
from warehouse.segments.parse import NO_CURRENCY, Mistake, RuleError
from warehouse.segments.tree import All, AnyOf, Compare, Did, InSegment, Near, Node, Not

if TYPE_CHECKING:
    from sqlglot import exp

EARTH_KM: Final = 6371.0088
"""Mean radius of the Earth (IUGG): distances are great circles on a sphere of it."""
_KEY: Final = "customer_no"
_ORDERING: Final = {"at_least": "GTE", "at_most": "LTE", "more_than": "GT", "less_than": "LT"}


@dataclass(frozen=True)
class AsOf:
    """What a rule is asked of: a release, the moment that its days are counted from, its base currency."""

    release: str
    moment: datetime
    base_currency: str | None


@dataclass(frozen=True)
class Query:
    """SQL of DuckDB and its parameters by name."""

    sql: str
    parameters: Mapping[str, Any]


def query(
    select: exp.Select, node: Node, fields: Fields, as_of: AsOf, segments: Mapping[str, Node] | None = None
) -> Query:
    """Return ``select`` (of ``customers AS c``), narrowed to who meets a rule.

    ``segments``: the rules of the segments that may be named, by id. Raises :class:`UsageError` where one
    is not among them, or where they name each other in a circle.
    """
    compiler = _Compiler(fields, as_of, segments or {})
    condition = compiler.condition(node)
    narrowed = select.where(condition)
    for name, part in compiler.tables.items():
        narrowed = narrowed.with_(name, as_=part)
    return Query(narrowed.sql(dialect="duckdb"), dict(compiler.parameters))


@dataclass
class _Compiler:
    fields: Fields
    as_of: AsOf
    segments: Mapping[str, Node]
    parameters: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, exp.Expr] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def condition(self, node: Node) -> exp.Expr:
        from sqlglot import exp

        if isinstance(node, All):
            return exp.and_(*map(self.condition, node.parts)) if node.parts else exp.true()
        if isinstance(node, AnyOf):
            return exp.or_(*map(self.condition, node.parts)) if node.parts else exp.false()
        if isinstance(node, Not):
            return exp.not_(
                exp.Coalesce(this=exp.paren(self.condition(node.part)), expressions=[exp.false()])
            )
        if isinstance(node, Compare):
            return self._compare(self.fields.customers[node.field], node, "c")
        if isinstance(node, Did):
            return self._did(node)
        return self._member(node) if isinstance(node, InSegment) else self._near(node)

    def _parameter(self, value: Any, kind: str) -> exp.Expr:
        """Take a value in as a parameter, cast to a type of ours: the only way a value gets into a query."""
        from sqlglot import exp

        name = f"p{len(self.parameters) + 1}"
        self.parameters[name] = value
        return exp.cast(exp.Placeholder(this=name), kind, dialect="duckdb")

    def _typed(self, value: Any, of: Field) -> exp.Expr:
        if of.kind == "money":
            return self._parameter(value, "DECIMAL(38, 4)")
        if of.kind == "number":
            if isinstance(value, int):
                return self._parameter(value, "BIGINT")
            if of.type == "DOUBLE":
                return self._parameter(float(value), "DOUBLE")
            return self._parameter(Decimal(value), "DECIMAL(38, 4)")
        return self._parameter(value, {"boolean": "BOOLEAN", "date": "DATE"}.get(of.kind, "VARCHAR"))

    def _compare(self, of: Field, node: Compare, table: str) -> exp.Expr:
        from sqlglot import exp

        column: exp.Expr = exp.column(of.name, table=table, quoted=True)
        if node.op in ("is_known", "is_unknown"):
            return self._known(of, column, known=node.op == "is_known")
        if of.kind in ("date", "time"):
            return self._time(of, column, node.op, node.value)
        if of.kind == "list":
            return self._list(column, node.op, node.value)
        if of.kind == "text":
            return self._text(column, node.op, node.value)
        if of.kind == "money" and table == "b":
            column, currency = self._event_money(node)
        else:
            currency = self._currency(node, table) if of.kind == "money" else None
        return exp.and_(self._amount(of, column, node.op, node.value), currency) if currency else self._amount(
            of, column, node.op, node.value
        )  # fmt: skip

    @staticmethod
    def _known(of: Field, column: exp.Expr, *, known: bool) -> exp.Expr:
        from sqlglot import exp

        if of.kind == "list":
            length = exp.Coalesce(
                this=exp.func("len", column, dialect="duckdb"), expressions=[exp.Literal.number(0)]
            )
            sign = exp.GT if known else exp.EQ
            return sign(this=length, expression=exp.Literal.number(0))
        absent = exp.Is(this=column, expression=exp.null())
        return exp.not_(absent) if known else absent

    def _amount(self, of: Field, column: exp.Expr, op: str, value: Any) -> exp.Expr:
        from sqlglot import exp

        if op == "between":
            return exp.Between(this=column, low=self._typed(value[0], of), high=self._typed(value[1], of))
        sign = {"is": exp.EQ, "is_not": exp.NEQ}.get(op) or getattr(exp, _ORDERING[op])
        made: exp.Expr = sign(this=column, expression=self._typed(value, of))
        return made

    def _currency(self, node: Compare, table: str) -> exp.Expr:
        """Amounts of one currency only are compared: the named one, else the release's base currency.

        Raises :class:`RuleError` where there is neither: 500 JPY are not more than 100 GBP.
        """
        from sqlglot import exp

        wanted = node.currency or self.as_of.base_currency
        if wanted is None:
            raise RuleError([Mistake("$", f"{node.field}: {NO_CURRENCY}")])
        column = exp.column("currency", table=table, quoted=True)
        return exp.EQ(this=column, expression=self._parameter(wanted, "VARCHAR"))

    def _event_money(self, node: Compare) -> tuple[exp.Expr, exp.Expr | None]:
        """An event also knows its amount in the base currency, whatever it was paid in."""
        from sqlglot import exp

        if node.currency or self.as_of.base_currency is None:
            return exp.column("amount", table="b", quoted=True), self._currency(node, "b")
        return exp.column("amount_base", table="b", quoted=True), None

    def _text(self, column: exp.Expr, op: str, value: Any) -> exp.Expr:
        from sqlglot import exp

        lower = exp.Lower(this=column)
        if op in ("is_any_of", "is_none_of"):
            found: exp.Expr = exp.In(this=lower, expressions=[self._lowered(one) for one in value])
            return found if op == "is_any_of" else exp.not_(found)
        if op in ("contains", "starts_with"):
            return exp.Anonymous(this=op, expressions=[lower, self._lowered(value)])
        sign = exp.EQ if op == "is" else exp.NEQ
        return sign(this=lower, expression=self._lowered(value))

    def _lowered(self, value: str) -> exp.Expr:
        from sqlglot import exp

        return exp.Lower(this=self._parameter(value, "VARCHAR"))

    def _list(self, column: exp.Expr, op: str, value: Any) -> exp.Expr:
        from sqlglot import exp

        if op == "includes":
            return exp.Anonymous(
                this="list_contains", expressions=[column, self._parameter(value, "VARCHAR")]
            )
        name = "list_has_any" if op == "includes_any" else "list_has_all"
        return exp.Anonymous(this=name, expressions=[column, self._parameter(list(value), "VARCHAR[]")])

    def _time(self, of: Field, column: exp.Expr, op: str, value: Any) -> exp.Expr:
        from sqlglot import exp

        def moment(when: datetime) -> exp.Expr:
            if of.kind == "date":
                return self._parameter(when.date(), "DATE")
            return self._parameter(when, "TIMESTAMPTZ")

        if op in ("within_days", "before_days"):
            start = moment(self.as_of.moment - timedelta(days=value))
            if op == "before_days":
                return exp.LT(this=column, expression=start)
            return exp.Between(this=column, low=start, high=moment(self.as_of.moment))
        first = moment(_midnight(value[0] if op == "between" else value))
        if op == "before":
            return exp.LT(this=column, expression=first)
        since = exp.GTE(this=column, expression=first)
        if op == "on_or_after":
            return since
        after = moment(_midnight(value[1] + timedelta(days=1)))
        return exp.and_(since, exp.LT(this=column, expression=after))

    def _did(self, node: Did) -> exp.Expr:
        from sqlglot import exp

        key = exp.column(_KEY, table="b", quoted=True)
        counted = exp.select(key).from_(exp.to_table(EVENTS, alias="b")).where(*self._events(node))
        if node.at_least is None:
            # At most so often, which holds for who never did it, too: nobody who did it more often.
            often = (
                counted if node.at_most == 0 else self._having(counted, key, (node.at_most or 0) + 1, None)
            )
            return exp.not_(self._in(often))
        if node.at_least == 1 and node.at_most is None:
            return self._in(counted)
        return self._in(self._having(counted, key, node.at_least, node.at_most))

    def _having(self, select: exp.Select, key: exp.Expr, low: int, high: int | None) -> exp.Select:
        from sqlglot import exp

        number = exp.Count(this=exp.Star())
        having: list[exp.Expr] = [exp.GTE(this=number, expression=self._parameter(low, "BIGINT"))]
        if high is not None:
            having.append(exp.LTE(this=number.copy(), expression=self._parameter(high, "BIGINT")))
        return select.group_by(key.copy()).having(*having)

    @staticmethod
    def _in(select: exp.Select) -> exp.Expr:
        from sqlglot import exp

        return exp.In(this=exp.column(_KEY, table="c", quoted=True), query=exp.Subquery(this=select))

    def _events(self, node: Did) -> Iterable[exp.Expr]:
        from sqlglot import exp

        kind = exp.column("event_type", table="b", quoted=True)
        when = exp.column("occurred_at", table="b", quoted=True)
        if len(node.types) == 1:
            yield exp.EQ(this=kind, expression=self._parameter(node.types[0], "VARCHAR"))
        elif node.types:
            yield exp.In(this=kind, expressions=[self._parameter(name, "VARCHAR") for name in node.types])
        moment = self.as_of.moment
        if node.within_days is not None:
            first = self._parameter(moment - timedelta(days=node.within_days), "TIMESTAMPTZ")
            yield exp.Between(this=when, low=first, high=self._parameter(moment, "TIMESTAMPTZ"))
        if node.before_days is not None:
            last = self._parameter(moment - timedelta(days=node.before_days), "TIMESTAMPTZ")
            yield exp.LT(this=when, expression=last)
        if node.within_days is not None or node.before_days is not None:
            yield _sound()
        for part in node.where:
            yield self._compare(self.fields.events[part.field], part, "b")

    def _near(self, node: Near) -> exp.Expr:
        """Haversine; first a belt of latitudes, which spares most customers the trigonometry."""
        from sqlglot import exp

        latitude, longitude = (exp.column(name, table="c", quoted=True) for name in ("latitude", "longitude"))
        belt = math.degrees(node.km / EARTH_KM) + 1e-6
        edges = [self._parameter(node.latitude + side * belt, "DOUBLE") for side in (-1, 1)]
        place = [self._parameter(value, "DOUBLE") for value in (node.latitude, node.longitude)]

        def call(name: str, *values: exp.Expr) -> exp.Expr:
            return exp.Anonymous(this=name, expressions=list(values))

        def half_sine(one: exp.Expr, other: exp.Expr) -> exp.Expr:
            difference = exp.paren(exp.Sub(this=call("radians", one), expression=call("radians", other)))
            sine = call(
                "sin", exp.Div(this=difference, expression=exp.Literal.number(2), typed=False, safe=False)
            )
            return call("pow", sine, exp.Literal.number(2))

        cosines = exp.Mul(
            this=call("cos", call("radians", latitude.copy())),
            expression=call("cos", call("radians", place[0].copy())),
        )
        east = exp.Mul(this=cosines, expression=half_sine(longitude, place[1]))
        haversine = exp.Add(this=half_sine(latitude.copy(), place[0]), expression=east)
        most = math.sin(min(node.km / EARTH_KM / 2, math.pi / 2)) ** 2
        within = exp.LTE(this=haversine, expression=self._parameter(most, "DOUBLE"))
        return exp.and_(exp.Between(this=latitude, low=edges[0], high=edges[1]), within)

    def _member(self, node: InSegment) -> exp.Expr:
        from sqlglot import exp

        name = self._names.get(node.segment_id) or self._table(node.segment_id)
        return self._in(exp.select(exp.column(_KEY, quoted=True)).from_(exp.to_table(name)))

    def _table(self, segment_id: str) -> str:
        from sqlglot import exp

        if segment_id in self._open:
            circle = " -> ".join([*self._open[self._open.index(segment_id) :], segment_id])
            raise UsageError(f"Segments name each other in a circle: {circle}.", hint="Take one of them out.")
        if segment_id not in self.segments:
            raise UsageError(
                f"There is no segment {segment_id!r} that can be used.", hint="`cdp segment list`."
            )
        self._open.append(segment_id)
        condition = self.condition(self.segments[segment_id])
        self._open.pop()
        name = f"segment_{len(self._names) + 1}"
        self._names[segment_id] = name
        key = exp.column(_KEY, table="c", quoted=True)
        self.tables[name] = exp.select(key).from_(exp.to_table(CUSTOMERS, alias="c")).where(condition)
        return name


def _sound() -> exp.Expr:
    """Whether an event has a time that days may be counted from."""
    from sqlglot import exp

    flag = exp.column(SOUND, table="b", quoted=True)
    none = exp.Is(this=flag, expression=exp.null())
    return exp.paren(exp.or_(none, exp.EQ(this=flag.copy(), expression=exp.Literal.string("ambiguous"))))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
