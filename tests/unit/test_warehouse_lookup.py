"""Finding a customer by anything, and what their page holds."""

from __future__ import annotations

import pytest

from cdp.errors import NotFoundError, UsageError
from cdp.schemas import HELD_BACK
from tests.warehouse_tools import (
    built,
    day,
    edge,
    event,
    identifier,
    order,
    table,
    value,
    world,
)
from warehouse import lookup
from warehouse.explain import explain
from warehouse.inputs import JUDGEMENTS, REDIRECTS

ID_MAP = {
    "web:u1": "C00000001",
    "crm:1": "C00000001",
    "shop:17850": "C00000001",
    "crm:2": "C00000002",
    "crm:3": "C00000003",
    "web:anon": "C00000004",
    "crm:4": "C00000005",
}
IDENTIFIERS = [
    identifier("web:u1", "user_id", "u1", namespace="web"),
    identifier("web:u1", "email", "ann@example.com"),
    identifier("crm:1", "email", "ann@example.com"),
    identifier("crm:1", "phone", "+442079460018"),
    identifier("shop:17850", "external_id", "17850", namespace="shop"),
    identifier("crm:2", "email", "family@example.com"),
    identifier("crm:3", "email", "family@example.com"),
    identifier("crm:2", "handle", "bob_b", namespace="instagram"),
    identifier("crm:3", "user_id", "17850", namespace="crm"),
    identifier("web:anon", "anonymous_id", "a-1", namespace="web"),
]
VALUES = [
    value("crm:1", "full_name", "Ann Smith"),
    value("crm:1", "email", "ann@example.com"),
    value("crm:2", "full_name", "Bob Müller"),
    value("crm:3", "given_name", "Cleo"),
    value("crm:3", "surname", "Müller"),
    value("crm:4", "full_name", "Ann Smith"),
    value("crm:2", "city", "Leeds"),
    value("crm:3", "city", "leeds"),
]
EVIDENCE = [
    edge("web:u1", "crm:1", 9.5, kind="deterministic", reason="same e-mail"),
    edge("crm:1", "shop:17850", 4.25, reason="same name"),
    edge("web:u1", "shop:17850", -2.0, reason="other city"),
    edge("crm:2", "crm:3", 1.5, reason="same e-mail, other given name"),
]
JUDGED = [
    {"judgement_id": 1, "left_record": "crm:2", "right_record": "crm:3", "kind": "must_link"},
    {
        "judgement_id": 2,
        "left_record": "crm:2",
        "right_record": "crm:3",
        "kind": "cannot_link",
        "decided_at": day(3),
        "decided_by": "kim",
        "reason": "siblings",
    },
]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookup")
    events = [
        event("1", "web:u1", at=1, subject="Home"),
        event("2", "crm:1", at=3, channel="crm", event_type="contact_updated"),
        order("3", "10", "shop:17850", at=2),
        event("4", "crm:2", at=1),
        event("5", "crm:3", at=1),
        event("6", "web:anon", at=1),
    ]
    inputs = world(
        folder / "in",
        [events],
        ID_MAP,
        identifiers=IDENTIFIERS,
        values=VALUES,
        evidence=EVIDENCE,
        judgements=table(JUDGEMENTS, JUDGED),
        held_back=table(
            HELD_BACK,
            [
                {
                    "what": "identifier",
                    "type": "email",
                    "namespace": "",
                    "value": "family@example.com",
                    "reason": "shared by many names",
                    "records": 2,
                }
            ],
        ),
        redirects=table(
            REDIRECTS,
            [
                {"previous_customer_id": "C00000010", "customer_id": "C00000009"},
                {"previous_customer_id": "C00000009", "customer_id": "C00000001"},
            ],
        ),
        probabilities={"crm:1": 0.97, "shop:17850": 0.91},
    )
    with built(inputs, folder) as connection:
        yield connection


@pytest.mark.parametrize(
    ("text", "customer", "by"),
    [
        ("C00000001", "C00000001", "customer_id"),
        ("c00000001 ", "C00000001", "customer_id"),
        ("C00000009", "C00000001", "retired_id"),
        ("C00000010", "C00000001", "retired_id"),
        ("c1", "C00000001", "customer_id"),
        ("9", "C00000001", "retired_id"),
        ("shop:17850", "C00000001", "record_key"),
        (" ANN@Example.com", "C00000001", "identifier"),
        ("+44 20 7946 0018", "C00000001", "identifier"),
        ("020 7946 0018", "C00000001", "identifier"),
        ("(020) 7946-0018", "C00000001", "identifier"),
        ("00442079460018", "C00000001", "identifier"),
        ("u1", "C00000001", "identifier"),
        ("user_id:u1", "C00000001", "identifier"),
        ("@Bob_B", "C00000002", "identifier"),
        ("external_id:17850", "C00000001", "identifier"),
        ("user_id:17850", "C00000003", "identifier"),
        ("a-1", "C00000004", "identifier"),
        ("bob muller", "C00000002", "name"),
        ("Cleo Müller", "C00000003", "name"),
        ("cleo", "C00000003", "name"),
        ("phone:020 7946 0018", "C00000001", "identifier"),
    ],
)
def test_a_customer_is_found_by_anything(release, text, customer, by):
    (match,) = lookup.find(release, text)
    assert (match.customer_id, match.matched_by) == (customer, by)


def test_a_shared_identifier_and_a_common_name_give_every_candidate(release):
    assert [m.customer_id for m in lookup.find(release, "family@example.com")] == ["C00000002", "C00000003"]
    assert [m.customer_id for m in lookup.find(release, "17850")] == ["C00000001", "C00000003"]
    assert {m.customer_id for m in lookup.find(release, "ann smith")} == {"C00000001", "C00000005"}
    people = lookup.candidates(release, ["C00000005", "C00000001"])
    assert [person["customer_id"] for person in people] == ["C00000005", "C00000001"]


@pytest.mark.parametrize("text", ["", "  ", "nobody@example.com", "C99999999", "%", "' OR 1=1 --", "_"])
def test_what_is_not_there_is_not_found(release, text):
    assert lookup.find(release, text) == []


def test_a_typing_error_is_answered_with_the_nearest_name(release):
    assert lookup.near(release, "an@example.com")[0] == "ann@example.com"
    assert "Ann Smith" in lookup.near(release, "Anne Smith")
    assert lookup.near(release, "zzzzqqq") == []


def test_a_profile_holds_everything_about_one_customer(release):
    got = lookup.profile(release, "C00000001")
    assert got.columns["full_name"] == "Ann Smith"
    assert [(g.attribute, g.source) for g in got.golden] == [("email", "crm"), ("full_name", "crm")]
    assert got.former_ids == ["C00000009", "C00000010"]
    assert [(r.record_key, r.event_count) for r in got.records] == [
        ("crm:1", 1),
        ("shop:17850", 1),
        ("web:u1", 1),
    ]
    mail = next(i for i in got.identifiers if i.type == "email")
    assert (mail.value, mail.sources) == ("ann@example.com", ("crm", "web"))
    assert [c.event_type for c in got.contacts] == ["contact_updated", "order_placed", "page_viewed"]
    assert got.consent["marketing_email"] == "unknown"


def test_the_weakest_link_is_the_lightest_of_the_heaviest_tree(release):
    evidence = lookup.profile(release, "C00000001").evidence
    assert evidence.kinds == {"deterministic": 1, "probabilistic": 2}
    assert evidence.weakest is not None
    assert evidence.weakest.reason == "same name"


def test_a_profile_shows_as_much_history_as_it_is_asked_for(release):
    assert len(lookup.profile(release, "C00000001", history=1).contacts) == 1
    assert lookup.profile(release, "C00000001", history=0).contacts == []


def test_an_unknown_customer_has_no_profile(release):
    with pytest.raises(NotFoundError, match="C00000099"):
        lookup.profile(release, "C00000099")


def test_a_profile_is_plain_json(release):
    told = lookup.as_json(lookup.profile(release, "C00000001"))
    assert told["columns"]["revenue"] == "10.0000"
    assert told["contacts"][0]["occurred_at"] == "2025-01-04T00:00:00Z"


class TestExplain:
    def test_one_person_over_the_strongest_way_with_the_weakest_link(self, release):
        told = explain(release, "web:u1", "shop:17850")
        assert told.same_customer
        assert [(e.left_record, e.right_record) for e in told.path] == [
            ("crm:1", "web:u1"),
            ("crm:1", "shop:17850"),
        ]
        assert told.weakest is not None
        assert told.weakest.match_weight == 4.25
        assert told.without_it is not None
        assert "they are two people" in told.without_it
        assert [e.reason for e in told.against] == ["other city"]

    def test_identifiers_stand_for_the_records_that_carry_them(self, release):
        told = explain(release, "020 7946 0018", "u1")
        assert (told.left.records, told.right.records) == (("crm:1",), ("web:u1",))
        assert [e.reason for e in told.path] == ["same e-mail"]

    def test_two_names_of_one_record_need_no_evidence(self, release):
        told = explain(release, "ann@example.com", "020 7946 0018")
        assert (told.same_customer, list(told.path)) == (True, [])

    def test_two_people_with_what_was_held_back(self, release):
        told = explain(release, "crm:2", "crm:3")
        assert not told.same_customer
        assert [(e.kind, e.reason) for e in told.held_back] == [
            ("judgement", "judged to be two people by kim on 2025-01-04: siblings"),
            ("probabilistic", "same e-mail, other given name"),
        ]
        assert [(s.what, s.value, s.held_back) for s in told.shared] == [
            ("city", "Leeds", None),
            ("email", "family@example.com", "shared by many names"),
        ]

    def test_strangers_share_nothing(self, release):
        told = explain(release, "crm:2", "web:anon")
        assert (list(told.held_back), list(told.shared)) == ([], [])

    def test_a_text_of_several_customers_is_settled_by_the_other_text(self, release):
        assert explain(release, "family@example.com", "crm:2").left.customer_id == "C00000002"
        with pytest.raises(UsageError, match="leads to 2 customers: C00000002, C00000003"):
            explain(release, "family@example.com", "web:u1")

    def test_an_unknown_text_is_answered_with_the_nearest(self, release):
        with pytest.raises(NotFoundError, match=r"Did you mean ann@example\.com"):
            explain(release, "web:u1", "an@example.com")


def test_without_the_weakest_link_another_way_may_remain(tmp_path):
    evidence = [edge("a:1", "a:2", 9), edge("a:2", "a:3", 5), edge("a:1", "a:3", 3, reason="same phone")]
    inputs = world(
        tmp_path / "in", [[event("1", "a:1")]], dict.fromkeys(("a:1", "a:2", "a:3"), "C1"), evidence=evidence
    )
    with built(inputs, tmp_path / "out") as connection:
        told = explain(connection, "a:1", "a:3")
    assert [e.match_weight for e in told.path] == [9, 5]
    assert (
        told.without_it == "Without it they still hang together over a:1 and a:3 (weight +3.0: same phone)."
    )
