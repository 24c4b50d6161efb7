"""What the customers table says of value, support, times, places and consent, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cdp.events import UNATTENDED_OUTCOMES
from tests.warehouse_tools import (
    NOW,
    built,
    day,
    event,
    identifier,
    one,
    order,
    rows,
    table,
    value,
    world,
)
from warehouse.inputs import RATES

SHOP = {"shop:1": "C1"}


def customer(folder, events, id_map=None, **more):
    """The row of the only customer that ``events`` make."""
    keys = sorted({row["record_key"] for row in events if row["record_key"]})
    with built(
        world(folder / "in", [events], id_map or dict.fromkeys(keys, "C1"), **more), folder / "out"
    ) as release:
        return one(release, "SELECT * FROM customers")


class TestValue:
    def test_orders_and_refunds_add_up_in_the_base_currency(self, tmp_path):
        got = customer(
            tmp_path,
            [
                order("1", "10.50", at=1),
                order("2", "20", at=3),
                order("3", "-5", at=4, event_type="order_refunded"),
                order("4", "2.25", at=5, event_type="order_refunded"),
            ],
        )
        assert (got["order_count"], got["revenue"], got["average_order"]) == (
            2,
            Decimal("30.5"),
            Decimal("15.25"),
        )
        assert (got["refund_count"], got["refunded"], got["net_revenue"]) == (
            2,
            Decimal("7.25"),
            Decimal("23.25"),
        )
        assert (got["currency"], got["first_order_at"], got["last_order_at"]) == ("GBP", day(1), day(3))

    def test_one_foreign_currency_is_summed_and_named(self, tmp_path):
        got = customer(tmp_path, [order("1", "10", currency="EUR"), order("2", "5", currency="EUR")])
        assert (got["currency"], got["revenue"]) == ("EUR", Decimal(15))

    def test_sums_never_mix_currencies(self, tmp_path):
        got = customer(tmp_path, [order("1", "10", currency="EUR"), order("2", "5", currency="GBP")])
        assert (got["currency"], got["revenue"], got["net_revenue"], got["order_count"]) == (
            None,
            None,
            None,
            2,
        )

    def test_rates_bring_currencies_together_by_the_day_of_the_order(self, tmp_path):
        rates = [
            {"date": day(0).date(), "currency": "EUR", "rate": Decimal("0.9")},
            {"date": day(10).date(), "currency": "eur", "rate": Decimal("0.8")},
        ]
        got = customer(
            tmp_path,
            [
                order("1", "10", currency="EUR", at=9),
                order("2", "10", currency="EUR", at=10),
                order("3", "1", currency="GBP", at=10),
            ],
            rates=table(RATES, rates),
        )
        assert (got["currency"], got["revenue"]) == ("GBP", Decimal(18))

    def test_a_day_before_the_first_rate_has_no_base_amount(self, tmp_path):
        rates = [{"date": day(5).date(), "currency": "EUR", "rate": Decimal(1)}]
        inputs = world(
            tmp_path / "in", [[order("1", "10", currency="EUR", at=4)]], SHOP, rates=table(RATES, rates)
        )
        with built(inputs, tmp_path / "out") as release:
            assert one(release, "SELECT amount_base FROM contact_history")["amount_base"] is None

    def test_rates_are_read_from_csv_too(self, tmp_path):
        (tmp_path / "rates.csv").write_text("date,currency,rate\n2025-01-01,EUR,0.5\n", encoding="utf-8")
        got = customer(tmp_path, [order("1", "10", currency="EUR", at=1)], rates=tmp_path / "rates.csv")
        assert (got["currency"], got["revenue"]) == ("GBP", Decimal(5))

    def test_an_order_that_two_sources_report_counts_once(self, tmp_path):
        events = [
            order("w", "10", "web:1", channel="web", reference="R1"),
            order("s", "11", "shop:1", reference="R1"),
            order("t", "7", "shop:1", reference="R2"),
            order("x", "8", "web:1", channel="web", reference="R3"),
            order("R3", "9", "shop:1"),
        ]
        got = customer(tmp_path, events)
        assert (got["order_count"], got["revenue"]) == (3, Decimal(27))

    def test_lines_of_one_order_within_a_source_all_count_as_one_order(self, tmp_path):
        got = customer(tmp_path, [order("1", "10", reference="R1"), order("2", "5", reference="R1")])
        assert (got["order_count"], got["revenue"], got["average_order"]) == (1, Decimal(15), Decimal(15))

    def test_donations_are_apart_from_orders(self, tmp_path):
        got = customer(
            tmp_path,
            [
                order("1", "10", event_type="donation_made", channel="donations"),
                order("2", "4", event_type="donation_refunded", channel="donations"),
            ],
        )
        assert (got["donation_count"], got["donated"], got["order_count"], got["revenue"]) == (
            1,
            Decimal(6),
            0,
            None,
        )

    def test_an_order_without_amount_counts_and_does_not_dilute_the_average(self, tmp_path):
        got = customer(tmp_path, [order("1", "10"), order("2", None)])
        assert (got["order_count"], got["average_order"]) == (2, Decimal(10))


class TestSupport:
    @pytest.mark.parametrize(
        ("steps", "still_open"),
        [
            (["ticket_opened"], 1),
            (["ticket_opened", "ticket_solved"], 0),
            (["ticket_opened", "ticket_solved", "ticket_reopened"], 1),
            (["ticket_opened", "ticket_closed", "ticket_commented"], 0),
            (["ticket_solved"], 0),
        ],
    )
    def test_a_ticket_is_open_until_its_newest_state_closes_it(self, tmp_path, steps, still_open):
        events = [
            event(str(n), "help:1", event_type=step, reference="T1", channel="support", at=n)
            for n, step in enumerate(steps)
        ]
        got = customer(tmp_path, events)
        assert (got["ticket_count"], got["open_tickets"]) == (1, still_open)

    def test_opened_and_solved_at_the_same_moment_is_solved(self, tmp_path):
        events = [
            event("1", "help:1", event_type="ticket_solved", reference="T1"),
            event("2", "help:1", event_type="ticket_opened", reference="T1"),
        ]
        assert customer(tmp_path, events)["open_tickets"] == 0

    def test_an_outcome_of_the_source_closes_too(self, tmp_path):
        events = [event("1", "help:1", event_type="ticket_opened", reference="T1", outcome="Solved")]
        assert customer(tmp_path, events)["open_tickets"] == 0

    def test_escalations_count_per_ticket_and_call(self, tmp_path):
        events = [
            event("1", "help:1", event_type="ticket_escalated", reference="T1", escalation_level=1),
            event("2", "help:1", event_type="ticket_escalated", reference="T1", escalation_level=2),
            event("3", "calls:1", event_type="call_received", channel="phone", escalation_level=1),
            event("4", "calls:1", event_type="call_received", channel="phone", escalation_level=0),
        ]
        got = customer(tmp_path, events)
        assert (got["ticket_count"], got["escalations"]) == (1, 2)


class TestTimesAndPlaces:
    def test_only_sound_times_say_when_somebody_was_seen(self, tmp_path):
        events = [
            event("1", at=2, direction="inbound"),
            event("2", at=3, time_flag="ambiguous"),
            event("3", at=NOW, time_flag="missing", direction="inbound"),
            event("4", at=datetime(2999, 1, 1, tzinfo=UTC), time_flag="future"),
            event("5", at=datetime(1970, 1, 1, tzinfo=UTC), time_flag="before_1990"),
        ]
        got = customer(tmp_path, events)
        assert (got["first_seen_at"], got["last_seen_at"], got["last_inbound_at"]) == (day(2), day(3), day(2))
        assert got["event_count"] == 5

    def test_nobody_knows_when_where_no_time_is_sound(self, tmp_path):
        got = customer(tmp_path, [event("1", time_flag="missing")])
        assert (got["first_seen_at"], got["last_seen_at"]) == (None, None)

    def test_engagement_is_what_a_person_does_of_their_own_accord(self, tmp_path):
        events = [
            event("1", "mail:1", event_type="email_clicked", at=1, direction="inbound"),
            event("2", "mail:1", event_type="email_bounced", at=2, direction="outbound"),
        ]
        got = customer(tmp_path, events)
        assert (got["last_engaged_at"], got["last_outbound_at"]) == (day(1), day(2))

    @pytest.mark.parametrize("outcome", sorted(UNATTENDED_OUTCOMES))
    @pytest.mark.parametrize(
        "event_type", ["email_opened", "email_clicked", "page_viewed", "session_started"]
    )
    def test_what_nobody_did_is_no_engagement_and_stays_in_the_history(self, tmp_path, event_type, outcome):
        known = {"event_type": event_type, "direction": "inbound", "latitude": 1.0, "longitude": 2.0}
        events = [
            event("1", at=1, outcome="sent", **known),
            event("2", at=2, **known),
            event("3", at=3, outcome=outcome, **(known | {"latitude": 50.0})),
        ]
        with built(world(tmp_path / "in", [events], {"web:1": "C1"}), tmp_path / "out") as release:
            got = one(release, "SELECT * FROM customers")
            history = rows(release, "SELECT event_id, outcome FROM contact_history ORDER BY event_id")
        assert (got["last_engaged_at"], got["last_inbound_at"], got["latitude"]) == (day(2), day(2), 1.0)
        assert (got["event_count"], got["last_seen_at"]) == (3, day(3)), "it is an event all the same"
        assert [tuple(row.values()) for row in history] == [("1", "sent"), ("2", None), ("3", outcome)]

    def test_a_case_that_a_bot_opened_only_was_never_engaged(self, tmp_path):
        got = customer(tmp_path, [event("1", at=1, outcome="bot", direction="inbound")])
        assert (got["last_engaged_at"], got["last_inbound_at"]) == (None, None)

    def test_the_newest_position_stands(self, tmp_path):
        events = [
            event("1", at=1, latitude=51.5, longitude=-0.1),
            event("2", at=2, latitude=48.9, longitude=2.35),
            event("3", at=3, latitude=1.0),
        ]
        got = customer(tmp_path, events)
        assert (got["latitude"], got["longitude"]) == (48.9, 2.35)

    def test_channels_are_listed_once_and_sorted(self, tmp_path):
        events = [event("1", channel="web"), event("2", channel="email"), event("3", channel="web")]
        assert customer(tmp_path, events)["channels"] == ["email", "web"]


class TestAnonymity:
    @pytest.mark.parametrize(
        ("identifiers", "values", "anonymous"),
        [
            ([("anonymous_id", "x")], [], True),
            ([("external_id", "17850")], [], True),
            ([("handle", "ann")], [("country", "GB")], True),
            ([("user_id", "u1")], [], False),
            ([("email", "a@b.example")], [], False),
            ([("phone", "+442079460018")], [], False),
            ([], [("surname", "Smith")], False),
            ([], [("email", "a@b.example")], False),
        ],
    )
    def test_anonymous_is_who_has_no_name_email_phone_or_user_id(
        self, tmp_path, identifiers, values, anonymous
    ):
        got = customer(
            tmp_path,
            [event("1")],
            identifiers=[identifier("web:1", kind, text) for kind, text in identifiers],
            values=[value("web:1", name, text) for name, text in values],
        )
        assert got["is_anonymous"] is anonymous


class TestGoldenValues:
    def test_a_birth_date_that_is_no_whole_date_stays_in_the_attributions(self, tmp_path):
        for text, parsed in (("1980-05-17", "1980-05-17"), ("1980", None)):
            inputs = world(
                tmp_path / text, [[event("1")]], {"web:1": "C1"}, values=[value("web:1", "birth_date", text)]
            )
            with built(inputs, tmp_path / f"{text}-out") as release:
                assert one(release, "SELECT birth_date::VARCHAR AS d FROM customers")["d"] == parsed
                assert one(release, "SELECT value FROM customer_attributions")["value"] == text

    def test_a_country_is_its_code_and_the_attribution_keeps_the_text(self, tmp_path):
        said = {"GB": "GB", "UK": "GB", "United Kingdom": "GB", " deutschland ": "DE", "Atlantis": "Atlantis"}
        id_map = {f"web:{n}": f"C{n}" for n in range(len(said) + 1)}
        texts = [value(f"web:{n}", "country", text) for n, text in enumerate(said)]
        towns = [value("web:5", "city", "UK")]
        events = [event(f"{n}", key) for n, key in enumerate(id_map)]
        inputs = world(tmp_path / "in", [events], id_map, values=texts + towns)
        with built(inputs, tmp_path / "out") as release:
            got = rows(release, "SELECT country, city FROM customers ORDER BY customer_id")
            assert [row["country"] for row in got] == [*said.values(), None]
            assert got[5]["city"] == "UK"
            kept = rows(
                release,
                "SELECT value FROM customer_attributions WHERE attribute = 'country' ORDER BY customer_id",
            )
            assert [row["value"] for row in kept] == list(said)

    def test_values_of_the_profile_carry_their_attribution(self, tmp_path):
        inputs = world(
            tmp_path / "in", [[event("1")]], {"web:1": "C1"}, values=[value("web:1", "city", "Leeds")]
        )
        with built(inputs, tmp_path / "out") as release:
            assert one(release, "SELECT city FROM customers")["city"] == "Leeds"
            got = one(release, "SELECT * FROM customer_attributions")
            assert (got["customer_id"], got["source"], got["record_key"], got["rule"]) == (
                "C1",
                "web",
                "web:1",
                "most_recent",
            )


AN_UNSET_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)


def word(event_id, state, at, purpose="marketing", channel="email", **fields):
    given = {"event_type": "consent_changed", "consent_state": state, "consent_purpose": purpose}
    return event(event_id, "crm:1", at=at, consent_channel=channel, channel="crm", **{**given, **fields})


def mail(event_id, kind, at, **fields):
    return event(event_id, "mail:1", at=at, event_type=kind, channel="email", **fields)


class TestConsent:
    @pytest.mark.parametrize(
        ("events", "email", "sms"),
        [
            ([], "unknown", "unknown"),
            ([word("1", "granted", 1)], "granted", "unknown"),
            ([word("1", "granted", 1), word("2", "denied", 2)], "denied", "unknown"),
            ([word("1", "denied", 1), word("2", "granted", 2)], "granted", "unknown"),
            ([word("1", "granted", 1), word("2", "denied", 1)], "denied", "unknown"),
            ([word("1", "granted", 1, channel=None)], "granted", "granted"),
            ([word("1", "granted", 1, purpose=None, channel=None)], "granted", "granted"),
            ([word("1", "denied", 2, channel=None), word("2", "granted", 1)], "denied", "denied"),
            ([word("1", "denied", 1, channel=None), word("2", "granted", 2)], "granted", "denied"),
            ([word("1", "granted", 1), mail("2", "email_unsubscribed", 2)], "denied", "unknown"),
            ([word("1", "granted", 3), mail("2", "email_complained", 2)], "granted", "unknown"),
            ([mail("1", "email_unsubscribed", 1), mail("2", "email_resubscribed", 2)], "granted", "unknown"),
            ([event("1", "sms:1", event_type="sms_unsubscribed", channel="sms")], "unknown", "denied"),
            ([event("1", event_type="newsletter_subscribed")], "unknown", "unknown"),
            ([word("1", "perhaps", 1)], "unknown", "unknown"),
            # A grant of unknown time never overrules; a denial of unknown time stands.
            ([word("1", "granted", NOW, time_flag="missing"), word("2", "denied", 1)], "denied", "unknown"),
            ([word("1", "denied", NOW, time_flag="missing"), word("2", "granted", 1)], "denied", "unknown"),
            ([word("1", "granted", NOW, time_flag="missing")], "granted", "unknown"),
            # A clock that was never set, or runs ahead: a denial counts from when it landed.
            (
                [word("1", "granted", 1), word("2", "denied", AN_UNSET_CLOCK, time_flag="before_1990")],
                "denied",
                "unknown",
            ),
            (
                [
                    word("1", "granted", 1),
                    mail("2", "email_unsubscribed", AN_UNSET_CLOCK, time_flag="before_1990"),
                ],
                "denied",
                "unknown",
            ),
            (
                [
                    word("1", "denied", NOW + timedelta(999), time_flag="future"),
                    word("2", "granted", NOW + timedelta(1)),
                ],
                "granted",
                "unknown",
            ),
        ],
    )
    def test_the_newest_explicit_word_wins_and_a_tie_is_denied(self, tmp_path, events, email, sms):
        got = customer(
            tmp_path, [*events, event("0")], dict.fromkeys(("web:1", "crm:1", "mail:1", "sms:1"), "C1")
        )
        assert (got["consent_marketing_email"], got["consent_marketing_sms"]) == (email, sms)

    @pytest.mark.parametrize(
        ("written", "email", "sms"),
        [("E-Mail", "denied", "granted"), (" E mail", "denied", "granted"), ("Text_Messages", "granted", "denied"),
         ("fax", "granted", "granted")],
    )  # fmt: skip
    def test_a_channel_is_known_however_it_is_written(self, tmp_path, written, email, sms):
        got = customer(
            tmp_path, [word("1", "granted", 1, channel=None), word("2", "denied", 2, channel=written)]
        )
        assert (got["consent_marketing_email"], got["consent_marketing_sms"]) == (email, sms)

    def test_other_purposes_have_their_own_columns(self, tmp_path):
        got = customer(
            tmp_path,
            [word("1", "granted", 1, "analytics", None), word("2", "denied", 1, "personalisation", "web")],
        )
        states = (got["consent_analytics"], got["consent_personalisation"], got["consent_marketing_email"])
        assert states == ("granted", "denied", "unknown")

    def test_words_of_merged_records_meet_and_every_word_is_kept_by_purpose_and_channel(self, tmp_path):
        events = [
            word("1", "granted", 1),
            mail("2", "email_unsubscribed", 2),
            word("3", "granted", 5, "research", "post"),
        ]
        inputs = world(tmp_path / "in", [events], {"crm:1": "C1", "mail:1": "C1"})
        with built(inputs, tmp_path / "out") as release:
            got = rows(
                release,
                "SELECT purpose, channel, state, decided_at, source FROM customer_consents ORDER BY ALL",
            )
        assert [tuple(row.values()) for row in got] == [
            ("marketing", "email", "denied", day(2), "mail"),
            ("research", "post", "granted", day(5), "crm"),
        ]


@pytest.mark.parametrize(
    ("currencies", "revenue", "currency"),
    [(("GBP", "GBP"), 1010, "GBP"), (("GBP", None), None, None), (("GBP", "JPY"), None, None)],
)
def test_a_campaigns_revenue_is_of_one_known_currency(tmp_path, currencies, revenue, currency):
    click = event("k", "web:1", at=1, event_type="email_clicked", channel="email", campaign="spring")
    orders = [
        order(f"o{n}", amount, at=2, currency=given)
        for n, (amount, given) in enumerate(zip(("10.00", "1000.00"), currencies, strict=True))
    ]
    ids = {"web:1": "C1", "shop:1": "C1"}
    inputs = world(tmp_path / "in", [[click, *orders]], ids, base_currency=None)
    with built(inputs, tmp_path / "out") as release:
        found = one(release, "SELECT orders, revenue, currency FROM campaigns")
    assert found == {"orders": 2, "revenue": revenue, "currency": currency}
