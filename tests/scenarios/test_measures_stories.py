"""Numbered stories of customers and what the measures for marketing say of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.warehouse_tools import NOW, built, event, one, order, rows, value, world
from warehouse.measures.given import Costs, MeasureInputs
from warehouse.measures.lookups import campaigns_of, channels_of, lifecycle_of, tickets_of

TODAY = NOW.replace(hour=0)


def ago(days, hours=0):
    return NOW - timedelta(days=days, hours=hours)


def act(event_id, event_type, at, record="mail:1", channel="email", **fields):
    return event(event_id, record, event_type=event_type, channel=channel, at=at, **fields)


def release(folder, events, id_map, **more):
    return built(world(folder / "in", [events], id_map, **more), folder / "out")


def test_01_two_customers_become_one_and_have_the_measures_of_their_joint_history(tmp_path):
    """Alone, one lapsed after her only order and the other is new; together she came back. The reply that lies with
    one answers the message that lies with the other."""
    events = [
        order("o1", "20", "shop:1", at=ago(500)),
        order("o2", "30", "web:1", at=ago(10)),
        act("m1", "email_received", ago(9), "mail:1"),
        act("m2", "email_sent", ago(8), "web:1"),
    ]
    apart = {"shop:1": "C1", "mail:1": "C1", "web:1": "C2"}
    with release(tmp_path / "apart", events, apart) as before:
        stages = {r["customer_id"]: r["lifecycle_stage"] for r in rows(before, "SELECT * FROM customers")}
        assert stages == {"C1": "lapsed", "C2": "customer"}
        assert (channels_of(before, "C1")[0]["waits"], channels_of(before, "C1")[0]["replies"]) == (1, 0)
    with release(tmp_path / "merged", events, dict.fromkeys(apart, "C1")) as after:
        merged = one(after, "SELECT * FROM customers")
        assert (merged["lifecycle_stage"], merged["lifecycle_since"]) == ("won_back", ago(10))
        assert merged["order_count"] == 2
        changes = [(row["stage"], row["entered_at"]) for row in lifecycle_of(after, "C1")]
        bought = ago(500)
        assert changes == [
            ("customer", bought),
            ("lapsing", bought + timedelta(days=90)),
            ("lapsed", bought + timedelta(days=365)),
            ("won_back", ago(10)),
        ]
        contact = channels_of(after, "C1")[0]
        assert (contact["waits"], contact["replies"], contact["median_reply_seconds"]) == (1, 1, 86_400)


def test_02_a_newsletter_answers_no_question_and_a_bot_is_no_reader(tmp_path):
    events = [
        act("q", "email_received", ago(5)),
        act("n", "email_sent", ago(4), campaign="Spring", reference="n1"),
        act("d", "email_delivered", ago(4), campaign="Spring", reference="n1"),
        act("o", "email_opened", ago(4), campaign="Spring", reference="n1", outcome="machine"),
        act("c", "email_clicked", ago(4), campaign="Spring", reference="n1", outcome="bot"),
    ]
    with release(tmp_path, events, {"mail:1": "C1"}) as made:
        total = one(made, "SELECT * FROM channel_responses WHERE month IS NULL")
        assert (total["waits"], total["replies"], total["reply_rate"]) == (1, 0, 0.0)
        assert (total["contacts_out"], total["responses"], total["response_rate"]) == (1, 0, 0.0)
        campaign = one(made, "SELECT * FROM campaigns")
        names = ("sends", "delivered", "opens", "machine_opens", "clicks", "responses", "people", "visitors")
        assert tuple(campaign[name] for name in names) == (1, 1, 0, 1, 0, 0, 1, 0)
        (touch,) = campaigns_of(made, "C1")
        assert (touch["sends"], touch["opens"], touch["machine_opens"], touch["clicks"]) == (1, 0, 2, 0)


def test_03_three_messages_in_a_row_are_one_wait_and_one_long_after_is_another(tmp_path):
    events = [
        act("1", "message_received", ago(30), "chat:1", "social"),
        act("2", "message_received", ago(30, hours=-1), "chat:1", "social"),
        act("3", "message_received", ago(30, hours=-2), "chat:1", "social"),
        act("4", "message_sent", ago(30, hours=-5), "chat:1", "social"),
        act("5", "message_received", ago(20), "chat:1", "social"),
        act("6", "message_received", ago(10), "chat:1", "social"),
        act("7", "message_sent", ago(9), "chat:1", "social"),
    ]
    with release(tmp_path, events, {"chat:1": "C1"}) as made:
        found = one(made, "SELECT * FROM customer_channels")
    assert (found["waits"], found["replies"], found["median_reply_seconds"]) == (3, 2, 5 * 3600)
    # The message of ten days ago answers nothing: our last touch is twenty days older.
    assert (found["contacts_in"], found["contacts_out"], found["responses"]) == (5, 2, 0)


def test_04_an_order_is_credited_once_to_the_last_act_and_follows_each_message(tmp_path):
    events = [
        act("s1", "email_sent", ago(6), campaign="Spring", reference="a"),
        act("s2", "email_sent", ago(5), campaign="Summer", reference="b"),
        act("c1", "email_clicked", ago(4), campaign="Spring", reference="a"),
        order("o1", "40", at=ago(3)),
        order("o2", "60", at=ago(3, hours=-30 * 24)),
        order("o3", None, at=ago(3, hours=2)),
    ]
    with release(tmp_path, events, {"mail:1": "C1", "shop:1": "C1"}) as made:
        found = {row["campaign"]: row for row in rows(made, "SELECT * FROM campaigns")}
    spring, summer = found["Spring"], found["Summer"]
    assert (spring["orders"], spring["revenue"], spring["currency"]) == (2, Decimal(40), "GBP")
    assert (summer["orders"], summer["revenue"]) == (0, None)
    assert (spring["orders_after_send"], summer["orders_after_send"]) == (2, 2)
    assert (summer["revenue_after_send"], spring["responses"], summer["responses"]) == (Decimal(40), 1, 0)


def test_05_a_donor_is_scored_by_donations_and_keeps_a_stage(tmp_path):
    gift = {"event_type": "donation_made", "channel": "donations"}
    events = [
        order("d1", "15", "give:1", at=ago(2), **gift),
        order("d2", "500", "give:2", at=ago(100), **gift),
        order("d3", "5", "give:2", at=ago(150), **gift),
    ]
    with release(tmp_path, events, {"give:1": "C1", "give:2": "C2"}) as made:
        one_gift, generous = rows(made, "SELECT * FROM customers ORDER BY customer_id")
    assert (one_gift["rfm_recency"], one_gift["rfm_frequency"], one_gift["rfm_monetary"]) == (3, 1, 1)
    assert (generous["rfm_recency"], generous["rfm_frequency"], generous["rfm_monetary"]) == (1, 3, 3)
    assert (one_gift["lifecycle_stage"], generous["lifecycle_stage"]) == ("customer", "lapsing")
    assert generous["lifecycle_since"] == ago(10)


def test_06_tickets_have_a_state_a_level_and_a_time_to_solve(tmp_path):
    known = {"product": "LAMP", "department": "service", "reference": "T1"}
    events = [
        act(
            "1",
            "ticket_opened",
            ago(9),
            "desk:1",
            "support",
            escalation_level=0,
            subject="It is dark",
            **known,
        ),
        act("2", "ticket_escalated", ago(8), "desk:1", "support", escalation_level=2, **known),
        act("3", "ticket_solved", ago(7), "desk:1", "support", escalation_level=2, **known),
        act("4", "ticket_opened", ago(3), "desk:1", "support", reference="T2", product="LAMP"),
        act("5", "call_received", ago(2), "desk:1", "phone", escalation_level=1, product="LAMP"),
    ]
    with release(tmp_path, events, {"desk:1": "C1"}) as made:
        opened, call, solved = tickets_of(made, "C1")
        total = one(made, "SELECT * FROM product_escalations WHERE all_departments")
        customer = one(made, "SELECT ticket_count, open_tickets, escalations FROM customers")
    assert (opened["reference"], opened["state"], opened["escalated"]) == ("T2", "open", False)
    assert (call["is_ticket"], call["state"], call["escalation_level"]) == (False, None, 1)
    assert (solved["state"], solved["escalation_level"], solved["subject"]) == ("closed", 2, "It is dark")
    assert solved["solved_at"] - solved["opened_at"] == timedelta(days=2)
    assert tuple(customer.values()) == (2, 1, 2)
    assert (total["tickets"], total["escalated"], total["open_tickets"], total["solved"]) == (3, 2, 1, 1)
    assert (total["median_solve_seconds"], total["level_1"], total["level_2"]) == (2 * 86_400, 1, 1)


def test_07_who_calls_often_and_buys_little_costs_more_than_they_bring(tmp_path):
    costs = Costs({"phone": Decimal("1.50")}, {}, Decimal("0.60"), Decimal(4), Decimal(6), Decimal("0.4"))
    events = [
        order("o1", "20", at=ago(9)),
        *(
            act(f"c{n}", "call_received", ago(n), "shop:1", "phone", duration_seconds=600.0)
            for n in range(1, 4)
        ),
        order("o2", "100", "shop:2", at=ago(9)),
    ]
    id_map = {"shop:1": "C1", "shop:2": "C2"}
    with release(tmp_path, events, id_map, measures=MeasureInputs(costs=costs)) as made:
        caller, quiet = rows(made, "SELECT * FROM customers ORDER BY customer_id")
        everybody = one(made, "SELECT * FROM profitability WHERE dimension = 'all'")
    assert (caller["cost_to_serve"], caller["gross_margin"]) == (Decimal("26.5"), Decimal(8))
    assert (caller["profit"], quiet["profit"]) == (Decimal("-18.5"), Decimal(36))
    assert (caller["profit_decile"], quiet["profit_decile"]) == (6, 1)
    assert (everybody["customers"], everybody["profit"], everybody["at_a_loss"]) == (2, Decimal("17.5"), 1)


@pytest.mark.parametrize("costs", [None, Costs(order=Decimal(4))])
def test_08_what_was_not_configured_is_not_known(tmp_path, costs):
    with release(
        tmp_path, [order("o1", "20")], {"shop:1": "C1"}, measures=MeasureInputs(costs=costs)
    ) as made:
        found = one(made, "SELECT cost_to_serve, gross_margin, profit, profit_decile FROM customers")
        assert rows(made, "SELECT * FROM profitability") == []
    assert list(found.values()) == [Decimal(4) if costs else None, None, None, None]


def test_09_equal_customers_score_equally_and_segments_follow_the_grid(tmp_path):
    events = [
        order(f"o{n}-{k}", "10", f"shop:{n}", at=ago(30 * n, hours=k))
        for n in range(10)
        for k in range(n // 5 + 1)
    ]
    id_map = {f"shop:{n}": f"C{n}" for n in range(10)}
    with release(tmp_path, events, id_map) as made:
        found = rows(made, "SELECT * FROM customers ORDER BY customer_id")
        cells = one(made, "SELECT sum(customers) AS n, sum(net_revenue) AS money FROM rfm_cells")
    assert [row["rfm_recency"] for row in found] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [row["rfm_frequency"] for row in found] == [1] * 5 + [3] * 5
    assert [row["rfm_segment"] for row in found] == [
        "new", "new", "promising", "promising", "about_to_sleep",
        "need_attention", "at_risk", "at_risk", "at_risk", "at_risk",
    ]  # fmt: skip
    assert (cells["n"], cells["money"]) == (10, Decimal(150))


def test_10_a_lead_is_known_and_an_anonymous_visitor_is_none(tmp_path):
    events = [event("1", "web:1", at=ago(5)), event("2", "web:2", at=ago(4))]
    named = [value("web:1", "full_name", "Ann")]
    with release(tmp_path, events, {"web:1": "C1", "web:2": "C2"}, values=named) as made:
        known, anonymous = rows(made, "SELECT * FROM customers ORDER BY customer_id")
        months = rows(made, "SELECT * FROM lifecycle_months WHERE entered > 0")
    assert (known["lifecycle_stage"], known["lifecycle_since"]) == ("lead", ago(5))
    assert (anonymous["lifecycle_stage"], anonymous["lifecycle_since"]) == (None, None)
    assert [(row["stage"], row["entered"], row["standing"]) for row in months] == [("lead", 1, 1)]


def test_11_what_happens_at_once_and_at_the_very_threshold(tmp_path):
    """A touch comes before the answer of its moment; a reply does not answer a message of its moment, and the wait
    goes on; an order exactly a window after a click is credited, one a moment later is not."""
    moment = timedelta(microseconds=1)
    events = [
        act("1", "sms_sent", ago(40), "text:1", "sms"),
        act("2", "sms_received", ago(40), "text:1", "sms"),
        act("3", "sms_received", ago(39), "text:1", "sms"),
        act("4", "email_clicked", ago(30), campaign="Spring"),
        order("o1", "10", at=ago(23)),
        order("o2", "10", at=ago(23) + moment),
    ]
    with release(tmp_path, events, dict.fromkeys(("text:1", "mail:1", "shop:1"), "C1")) as made:
        texts = one(made, "SELECT * FROM customer_channels WHERE channel = 'sms'")
        assert (texts["responses"], texts["median_response_seconds"]) == (1, 0)
        assert (texts["waits"], texts["replies"]) == (1, 0)
        assert one(made, "SELECT orders FROM campaigns")["orders"] == 1


def test_12_a_purchase_at_the_threshold_comes_before_it_and_the_next_after_a_return_is_a_customers(tmp_path):
    first = ago(900)
    moments = [first, first + timedelta(days=90), first + timedelta(days=600), first + timedelta(days=610)]
    events = [order(f"o{n}", "10", at=moment) for n, moment in enumerate(moments)]
    with release(tmp_path, events, {"shop:1": "C1"}) as made:
        found = [(row["stage"], (row["entered_at"] - first).days) for row in lifecycle_of(made, "C1")]
    assert found == [
        ("customer", 0), ("lapsing", 180), ("lapsed", 455), ("won_back", 600), ("customer", 610),
        ("lapsing", 700),
    ]  # fmt: skip


def test_13_where_a_source_tells_only_what_arrived_arrival_is_the_touch(tmp_path):
    events = [
        act("1", "email_delivered", ago(9), "relay:1"),
        act("2", "email_received", ago(8)),
        act("3", "email_delivered", ago(7), "relay:1"),
    ]
    id_map = dict.fromkeys(("relay:1", "mail:1"), "C1")
    with release(tmp_path / "one", events, id_map) as made:
        found = one(made, "SELECT contacts_out, responses, waits, replies FROM customer_channels")
    assert tuple(found.values()) == (2, 1, 1, 1)
    events.append(act("4", "email_sent", ago(9), "relay:1"))
    with release(tmp_path / "two", events, id_map) as made:
        found = one(made, "SELECT contacts_out, responses, waits, replies FROM customer_channels")
    assert tuple(found.values()) == (1, 1, 1, 0)
