"""The measures of a release equal slow loops over each customer's events, whatever the order of input.

An example builds a release of several customers: `make test` tries eight of each law, `make soak` eighty.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median_low

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.measures_oracle import History, counts, lifecycle, quintile
from tests.warehouse_tools import NOW, built, event, rows, value, world
from warehouse.compare import equal
from warehouse.measures import roles
from warehouse.measures.given import Costs, MeasureInputs

SLOW = settings(examples(2), suppress_health_check=[HealthCheck.too_slow])
KEYS = [f"{source}:{n}" for source in ("mail", "relay", "shop") for n in range(1, 5)]
TODAY = NOW.replace(hour=0)
GIVEN = MeasureInputs(
    lapsing=timedelta(days=10),
    lapsed=timedelta(days=20),
    attribution=timedelta(days=3),
    response=timedelta(days=2),
    reply=timedelta(days=2),
    costs=Costs(
        {"email": Decimal("0.5")}, {"sms_sent": Decimal("0.07")}, Decimal("0.6"), Decimal(4), Decimal(6),
        Decimal("0.4"),
    ),
)  # fmt: skip
KINDS = {
    "email": "email_sent email_sent email_delivered email_opened email_clicked email_received email_bounced",
    "sms": "sms_sent sms_received sms_unsubscribed",
    "phone": "call_missed call_placed call_received",
    "web": "page_viewed",
    "orders": "order_placed order_placed order_placed",
    "donations": "donation_made",
}
PLACES = [(channel, kind) for channel, kinds in KINDS.items() for kind in kinds.split()]


@st.composite
def events(draw, kinds=PLACES, days=14):
    """Events on whole days, so that some happen at once and some lie exactly a threshold apart."""
    made = []
    for number in range(draw(st.integers(0, 60))):
        channel, kind = draw(st.sampled_from(kinds))
        key = draw(st.sampled_from(KEYS))
        money = kind in ("order_placed", "donation_made")
        campaign = st.none() if channel == "phone" else st.sampled_from([None, "spring", "autumn"])
        made.append(
            event(
                f"e{number}",
                key,
                raw_row=number,
                channel=channel,
                event_type=kind,
                at=NOW - timedelta(days=draw(st.integers(0, days))),
                outcome=None if money else draw(st.sampled_from([None, None, None, None, "machine"])),
                time_flag=draw(st.sampled_from([None, None, None, None, None, "missing"])),
                reference=None if money else draw(st.sampled_from([None, None, "t1", "t2"])),
                campaign=draw(campaign),
                amount=Decimal(draw(st.integers(0, 40))) / 4 if money else None,
                currency="GBP" if money else None,
                duration_seconds=float(draw(st.integers(0, 600))) if kind == "call_received" else None,
            )
        )
    return made


id_maps = st.fixed_dictionaries(dict.fromkeys(KEYS, st.sampled_from(["C1", "C2", "C3"])))


def histories(made, id_map):
    """The oracle's view of each customer."""
    arrived, touched = set(), set()
    for row in made:
        place = row["source"], row["channel"]
        if counts(row) and roles.ROLES[row["event_type"]] & roles.DELIVERY:
            arrived.add(place)
        if counts(row) and roles.ROLES[row["event_type"]] & roles.TOUCH:
            touched.add(place)
    of = defaultdict(list)
    for row in made:
        of[id_map[row["record_key"]]].append(row)
    return {customer: History(of[customer], arrived - touched) for customer in sorted(set(id_map.values()))}


def release_of(folder, made, id_map, **more):
    return built(world(folder / "in", [made], id_map, measures=GIVEN, **more), folder / "out")


@SLOW
@given(st.data())
def test_how_events_are_spread_over_files_changes_no_measure(data):
    made, id_map = data.draw(events()), data.draw(id_maps)
    shuffled = data.draw(st.permutations(made))
    with tempfile.TemporaryDirectory() as name:
        one, other = Path(name) / "one", Path(name) / "other"
        halves = [shuffled[::2], shuffled[1::2]]
        with (
            release_of(one, made, id_map),
            built(world(other / "in", halves, id_map, measures=GIVEN), other / "out"),
        ):
            assert equal(one / "out/cdp.duckdb", other / "out/cdp.duckdb") == []


@SLOW
@given(events(), id_maps)
def test_responses_and_waits_equal_the_rules_applied_slowly(made, id_map):
    known = histories(made, id_map)
    with tempfile.TemporaryDirectory() as name, release_of(Path(name), made, id_map) as release:
        served = rows(release, "SELECT * FROM customer_channels")
        totals = {
            row["channel"]: row
            for row in rows(release, "SELECT * FROM channel_responses WHERE month IS NULL")
        }
        campaigns = rows(release, "SELECT campaign, channel, responses FROM campaigns")
    times, replies = defaultdict(list), defaultdict(list)
    by_campaign = defaultdict(int)
    expected = {}
    for customer, history in known.items():
        answered, waits = history.answered(GIVEN.response), history.waits(GIVEN.reply)
        for channel, _, _, campaign in answered:
            by_campaign[campaign, channel] += bool(campaign)
        first = defaultdict(dict)
        for (channel, _, at, _), response in answered.items():
            first[channel][at] = min(first[channel].get(at, response), response)
        for channel in {row["channel"] for row in history.events}:
            mine = [row for row in history.events if row["channel"] == channel]
            contacts_in = sum(history.has(row, roles.CONTACT_IN) for row in mine)
            contacts_out = sum(history.has(row, roles.TOUCH) for row in mine)
            if contacts_in + contacts_out:
                here = [wait for wait in waits if wait[0] == channel]
                took = [(reply - at).total_seconds() for _, at, reply in here if reply]
                replies[channel] += took
                answers = [(response - at).total_seconds() for at, response in first[channel].items()]
                times[channel] += answers
                expected[customer, channel] = (
                    contacts_in, contacts_out, len(answers), median_low(answers) if answers else None,
                    len(here), len(took), median_low(took) if took else None,
                )  # fmt: skip
    columns = (
        "contacts_in contacts_out responses median_response_seconds waits replies median_reply_seconds"
    ).split()
    got = {(row["customer_id"], row["channel"]): tuple(row[name] for name in columns) for row in served}
    assert got == expected
    for channel, row in totals.items():
        assert row["responses"] == len(times[channel])
        assert row["median_response_seconds"] == (median_low(times[channel]) if times[channel] else None)
        assert row["median_reply_seconds"] == (median_low(replies[channel]) if replies[channel] else None)
    for row in campaigns:
        assert row["responses"] == by_campaign[row["campaign"], row["channel"]]


@SLOW
@given(events(kinds=[p for p in PLACES if p[0] in ("email", "web", "orders", "donations")]), id_maps)
def test_credit_of_campaigns_equals_the_rule_applied_slowly(made, id_map):
    known = histories(made, id_map)
    amount = {row["event_id"]: row["amount"] for row in made}
    orders, revenue = defaultdict(int), defaultdict(Decimal)
    for history in known.values():
        for item, campaign, channel in history.credited(GIVEN.attribution):
            orders[campaign, channel] += 1
            revenue[campaign, channel] += amount[item]
    with tempfile.TemporaryDirectory() as name, release_of(Path(name), made, id_map) as release:
        got = rows(release, "SELECT campaign, channel, orders, revenue FROM campaigns")
    assert {(r["campaign"], r["channel"]): r["orders"] for r in got if r["orders"]} == dict(orders)
    assert {(r["campaign"], r["channel"]): r["revenue"] for r in got if r["orders"]} == dict(revenue)


@SLOW
@given(events(kinds=[p for p in PLACES if p[0] in ("orders", "donations", "sms")], days=90), id_maps)
def test_lifecycle_and_rfm_equal_the_rules_applied_slowly(made, id_map):
    known = histories(made, id_map)
    named = [value(key, "full_name", "Ann") for key in KEYS[:6]]
    one_name_each = {id_map[row["record_key"]]: row for row in named}
    with (
        tempfile.TemporaryDirectory() as name,
        release_of(Path(name), made, id_map, values=list(one_name_each.values())) as release,
    ):
        customers = {row["customer_id"]: row for row in rows(release, "SELECT * FROM customers")}
        changes = rows(
            release, "SELECT * FROM lifecycle_changes ORDER BY customer_id, entered_at NULLS FIRST"
        )
    buyers = {customer: moments for customer in known if (moments := known[customer].purchases())}
    for customer, row in customers.items():
        moments = buyers.get(customer, [])
        expected = lifecycle(moments, TODAY, GIVEN.lapsing, GIVEN.lapsed)
        seen = row["first_seen_at"]
        if not row["is_anonymous"] and (not moments or seen < moments[0]):
            expected = [(seen, "lead"), *expected]
        mine = [change for change in changes if change["customer_id"] == customer]
        assert [(change["entered_at"], change["stage"]) for change in mine] == expected
        assert [change["left_at"] for change in mine] == [at for at, _ in expected[1:]] + [None] * bool(
            expected
        )
        last = expected[-1] if expected else (None, None)
        assert (row["lifecycle_since"], row["lifecycle_stage"]) == last
        if moments:
            assert row["rfm_recency"] == quintile(moments[-1], (m[-1] for m in buyers.values()))
            frequency = {c: _purchases(customers[c]) for c in buyers}
            assert row["rfm_frequency"] == quintile(frequency[customer], frequency.values())
        else:
            assert (row["rfm_recency"], row["rfm_segment"]) == (None, None)


def _purchases(row):
    return row["order_count"] if row["first_order_at"] else row["donation_count"]


@SLOW
@given(events(), id_maps)
def test_cost_to_serve_equals_a_sum_by_hand(made, id_map):
    known = histories(made, id_map)
    expected = defaultdict(Decimal)
    for row in made:
        if row.get("outcome") == "machine":
            continue
        history, customer = known[id_map[row["record_key"]]], id_map[row["record_key"]]
        if row["event_type"] == "sms_sent":
            expected[customer] += Decimal("0.07")
        elif row["channel"] == "email" and (
            history.has(row, roles.TOUCH) or history.has(row, roles.CONTACT_IN)
        ):
            expected[customer] += Decimal("0.5")
        if row["event_type"] == "call_received":
            minutes = Decimal(repr(row["duration_seconds"])) / 60
            expected[customer] += minutes.quantize(Decimal("0.0001")) * Decimal("0.6")
        if row["event_type"] == "order_placed":
            expected[customer] += 4
    with tempfile.TemporaryDirectory() as name, release_of(Path(name), made, id_map) as release:
        for row in rows(release, "SELECT * FROM customers"):
            cost = expected[row["customer_id"]]
            assert abs(row["cost_to_serve"] - cost) <= Decimal("0.0002") * 60
            margin = (row["net_revenue"] or 0) * Decimal("0.4") if row["order_count"] else 0
            assert row["gross_margin"] == margin
            assert row["profit"] == row["gross_margin"] - row["cost_to_serve"]
