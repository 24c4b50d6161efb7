"""The SQL of a rule says the same as a plain evaluator that looks at one customer after the other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.segment_tools import holds
from tests.warehouse_tools import built, event, identifier, rows, value, world
from warehouse.segments.evaluate import count, fields_of, members
from warehouse.segments.fields import OPERATORS, known_fields
from warehouse.segments.parse import parse
from warehouse.segments.tree import as_json

CUSTOMERS = [f"C{number}" for number in range(8)]
FIELDS = known_fields()
# Times of the events (day 424 is the release's): just inside and outside of 30 and 90 days, and later than now.
DAYS = (0, 100, 333.4, 333.6, 334.5, 334.4, 393.6, 394.4, 394.5, 394.6, 420, 424.5, 430)
TEXTS = ("York", "york", "YORK ", "Leeds", "Ærø", "%", "a'b", "")


@st.composite
def worlds(draw):
    """Events, golden values and identifiers of eight customers."""
    events, values, identifiers = [], [], []
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(["page_viewed", "order_placed", "email_opened", "order_refunded"]))
        money = kind.startswith("order") and draw(st.booleans())
        place = draw(st.booleans())
        events.append(
            event(
                str(number),
                f"web:{draw(st.integers(0, 7))}",
                at=draw(st.sampled_from(DAYS)),
                event_type=kind,
                channel=draw(st.sampled_from(["web", "email", "orders"])),
                time_flag=draw(st.sampled_from([None, None, None, "ambiguous", "missing", "future"])),
                outcome=draw(st.sampled_from([None, "ok", "bot", "machine"])),
                campaign=draw(st.sampled_from([None, "Spring", "spring ", "Sale"])),
                amount=Decimal(draw(st.integers(-200, 800))) / 4 if money else None,
                currency=draw(st.sampled_from(["GBP", "GBP", "EUR"])) if money else None,
                latitude=draw(st.sampled_from([51.5, 53.96, -33.9, 89.99, 0.0])) if place else None,
                longitude=draw(st.sampled_from([-0.1, -1.08, 151.2, 179.95, -179.95])) if place else None,
            )
        )
    for number in range(8):
        for name in ("city", "country", "birth_date"):
            pool = TEXTS if name != "birth_date" else ("1980-02-29", "1999-12-31", "2026-02-01", "unclear")
            if text := draw(st.sampled_from((None, *pool))):
                values.append(value(f"web:{number}", name, text))
        if draw(st.booleans()):
            identifiers.append(
                identifier(f"web:{number}", draw(st.sampled_from(["email", "user_id"])), str(number))
            )
    return events, values, identifiers


def _value(kind, takes):
    days = st.sampled_from(["2026-01-30", "2025-12-31", "1980-02-29", "2025-01-01", "2026-03-01"])
    one = {
        "text": st.sampled_from(
            [text for text in TEXTS if text] + ["or", "GB", "granted", "unknown", "'; --"]
        ),
        "list": st.sampled_from(["web", "email", "orders", "user_id", "x"]),
        "number": st.integers(-3, 6) | st.sampled_from([0.5, 51.5, 0.0]),
        "money": st.integers(-100, 300) | st.sampled_from([0.25, 50.5]),
        "boolean": st.booleans(),
        "date": days,
        "time": days,
    }[kind]
    two = st.lists(one, min_size=2, max_size=2).map(sorted)
    many = st.lists(one, min_size=1, max_size=3)
    return {"one": one, "two": two, "many": many, "days": st.sampled_from([1, 30, 90, 424, 10_000])}[takes]


@st.composite
def compares(draw, known):
    field = known[draw(st.sampled_from(sorted(known)))]
    operator = draw(st.sampled_from(OPERATORS[field.kind]))
    made = {"field": field.name, "op": operator.name}
    if operator.takes != "nothing":
        made["value"] = draw(_value(field.kind, operator.takes))
    if field.kind == "money" and draw(st.booleans()):
        made["currency"] = draw(st.sampled_from(["GBP", "EUR"]))
    return made


@st.composite
def behaviours(draw):
    made = {
        "did": draw(st.sampled_from(["any", "page_viewed", "order_placed", ["email_opened", "order_placed"]]))
    }
    low, high = draw(
        st.sampled_from([(None, None), (1, None), (2, None), (None, 0), (None, 2), (1, 1), (2, 5)])
    )
    window = draw(
        st.sampled_from([(None, None), (30, None), (90, None), (None, 30), (90, 30), (36_500, None)])
    )
    named = {"at_least": low, "at_most": high, "within_days": window[0], "before_days": window[1]}
    where = draw(st.lists(compares(FIELDS.events), max_size=2))
    made |= {name: number for name, number in named.items() if number is not None}
    return made | ({"where": where} if where else {})


places = st.fixed_dictionaries(
    {
        "latitude": st.sampled_from([51.0, 54.0, -33.9, 90.0, 0.0]),
        "longitude": st.sampled_from([0.0, 180.0, 151.0, -180.0]),
        "km": st.sampled_from([0.5, 70.0, 350.0, 9000.0, 20_040.0]),
    }
)
CORE = {name: FIELDS.customers[name] for name in (
    "city", "country", "birth_date", "is_anonymous", "channels", "identifier_types", "order_count", "revenue",
    "net_revenue", "currency", "latitude", "event_count", "first_seen_at", "last_order_at",
    "consent_marketing_email", "match_probability",
)}  # fmt: skip
leaves = (
    compares(CORE) | compares(FIELDS.customers) | behaviours()
    | st.builds(lambda place: {"near": place}, places) | st.just({"segment": "other"})
)  # fmt: skip
rules = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=6,
)


@settings(examples(3), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(), st.lists(rules, min_size=12, max_size=12), leaves.filter(lambda leaf: "segment" not in leaf))
def test_sql_says_what_a_plain_evaluator_says(tmp_path_factory, made, asked, other):
    events, values, identifiers = made
    folder = tmp_path_factory.mktemp("world")
    id_map = {f"web:{number}": customer for number, customer in enumerate(CUSTOMERS)}
    inputs = world(folder / "events", [events], id_map, values=values, identifiers=identifiers)
    with built(inputs, folder) as connection:
        fields = fields_of(connection)
        customers = rows(connection, "SELECT * FROM customers ORDER BY customer_id")
        done = rows(connection, "SELECT * FROM contact_history")
        by_customer = {one: [row for row in done if row["customer_id"] == one] for one in CUSTOMERS}
        segments = {"other": parse(other, fields)}
        for rule in asked:
            node = parse(rule, fields, {"other"})
            assert parse(as_json(node), fields) == node
            expected = [
                row["customer_id"]
                for row in customers
                if holds(node, row, by_customer[row["customer_id"]], segments)
            ]
            assert members(connection, node, segments) == expected, rule
            assert count(connection, node, segments) == len(expected)


HOSTILE = [
    "'; DROP TABLE customers; --",
    '"',
    "$p1",
    "\\",
    "%",
    "_",
    "{{7*7}}",
    "\n",
    "null",
    "' OR 1=1 --",
    "🦜" * 100,
]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    texts = [value(f"web:{number}", "city", text) for number, text in enumerate(HOSTILE)]
    events = [
        event(str(number), f"web:{number}", campaign=text, at=number) for number, text in enumerate(HOSTILE)
    ]
    id_map = {f"web:{number}": f"C{number:02}" for number in range(len(HOSTILE))}
    with built(world(folder / "events", [events], id_map, values=texts), folder) as connection:
        yield connection


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_value_is_compared_and_never_run(release, number):
    fields, text = fields_of(release), HOSTILE[number]
    one = [f"C{number:02}"]
    for rule in (
        {"field": "city", "op": "is", "value": text},
        {"field": "city", "op": "is_any_of", "value": [text]},
        {"did": "any", "where": [{"field": "campaign", "op": "is", "value": text}]},
        {"not": {"field": "city", "op": "is_none_of", "value": [text]}},
    ):
        assert members(release, parse(rule, fields)) == one
    assert one[0] in members(release, parse({"field": "city", "op": "contains", "value": text}, fields))
    assert members(release, parse({"field": "channels", "op": "includes_any", "value": [text]}, fields)) == []
    assert release.execute("SELECT count(*) FROM customers").fetchone() == (len(HOSTILE),)
