"""Numbered stories of people and their records, each with the customers that must come of it."""

from __future__ import annotations

from datetime import timedelta

from identity import IdentityPolicy, resolve
from identity.policy import Limit
from tests.identity_tools import groups, identifiers, judgements, records, settle, together

ADDRESS = {"street": "12 Moss Street", "city": "Leeds", "postcode": "LS1 4DY"}


def test_01_anonymous_browsing_then_log_in():
    """A visitor browses, logs in, and later writes an e-mail: all of it is one customer."""
    found = settle(
        {"web:anon1": {}, "web:u1": {"given_name": "Ada", "surname": "Byron"}, "mail:ada@byron.uk": {}},
        [
            ("web:anon1", "anonymous_id", "web", "anon1"),
            ("web:u1", "anonymous_id", "web", "anon1"),
            ("web:u1", "user_id", "web", "u1"),
            ("web:u1", "email", "ada@byron.uk"),
            ("mail:ada@byron.uk", "email", "ada@byron.uk"),
        ],
    )
    assert groups(found) == {frozenset({"web:anon1", "web:u1", "mail:ada@byron.uk"})}


def test_02_two_people_share_one_family_email():
    """A couple uses one address; a mail from it without a name stays alone and is reported."""
    found = settle(
        {
            "crm:1": {"given_name": "Ruth", "surname": "Okafor", "birth_date": "1970-02-03"},
            "crm:2": {"given_name": "Daniel", "surname": "Okafor", "birth_date": "1968-11-30"},
            "mail:family@okafor.net": {},
        },
        [(key, "email", "family@okafor.net") for key in ("crm:1", "crm:2", "mail:family@okafor.net")],
    )
    assert len(groups(found)) == 3
    held = found.held_back.to_pylist()
    assert [(row["value"], row["records"]) for row in held] == [("family@okafor.net", 1)]
    assert "several customers" in held[0]["reason"]


def test_03_father_and_son_of_one_name():
    """They share name, address and landline, but not the birth date and the suffix."""
    found = settle(
        {
            "crm:1": {"full_name": "Robert Hale Sr.", "birth_date": "1941-05-06", **ADDRESS},
            "crm:2": {"full_name": "Robert Hale Jr.", "birth_date": "1969-09-17", **ADDRESS},
            "shop:9": {"full_name": "Rob Hale Jr", "birth_date": "1969-09-17", **ADDRESS},
        },
        [(key, "phone", "+441132496000") for key in ("crm:1", "crm:2", "shop:9")],
    )
    assert groups(found) == {frozenset({"crm:1"}), frozenset({"crm:2", "shop:9"})}


def test_04_a_junk_phone_joins_nobody():
    """A switchboard with many callers, and a number of zeros, are no evidence."""
    names = [
        "Ada Byron",
        "Carl Gauss",
        "Emmy Noether",
        "George Boole",
        "Hedy Lamarr",
        "Ivan Petrov",
        "Kim Novak",
    ]
    people = {f"crm:{i}": {"full_name": name} for i, name in enumerate(names)}
    rows = [(key, "phone", "+442079460000") for key in people]
    rows += [("crm:0", "phone", "0000000000"), ("crm:1", "phone", "0000000000")]
    found = settle(
        {**people, "calls:+442079460000": {}}, [*rows, ("calls:+442079460000", "phone", "+442079460000")]
    )
    assert all(len(group) == 1 for group in groups(found))
    reasons = {row["value"]: row["reason"].split()[0] for row in found.held_back.to_pylist()}
    assert reasons == {"2079460000": "shared", "0000000000": "placeholder"}


def test_05_marriage_and_move():
    """A new surname and a new address, but the same e-mail, birth date and given name."""
    found = settle(
        {
            "crm:1": {"full_name": "Maria Lang", "birth_date": "1985-03-14", **ADDRESS},
            "shop:7": {
                "full_name": "Maria Weber",
                "birth_date": "1985-03-14",
                "street": "3 Kiln Lane",
                "city": "York",
                "postcode": "YO1 7HH",
            },
        },
        [("crm:1", "email", "maria.lang@web.de"), ("shop:7", "email", "maria.lang@web.de")],
    )
    assert together(found, "crm:1", "shop:7")


def test_06_a_judged_split_stays_split():
    """Twins whom the evidence joins are held apart by a person's word, also after later evidence."""
    people = {
        "crm:1": {"full_name": "Jo Winter", "birth_date": "1990-01-09", **ADDRESS},
        "crm:2": {"full_name": "Jo Winter", "birth_date": "1990-01-09", **ADDRESS},
    }
    rows = [(key, "email", "jo@winter.org") for key in people]
    assert together(settle(people, rows), "crm:1", "crm:2")
    split = settle(people, rows, [("crm:1", "crm:2", "cannot_link")])
    assert not together(split, "crm:1", "crm:2")
    more = {**people, "shop:3": {"full_name": "Jo Winter", "birth_date": "1990-01-09", **ADDRESS}}
    later = settle(more, [*rows, ("shop:3", "email", "jo@winter.org")], [("crm:1", "crm:2", "cannot_link")])
    assert not together(later, "crm:1", "crm:2")


def test_07_a_must_link_joins_what_no_evidence_joins():
    people = {"crm:1": {"full_name": "Ana Ruiz"}, "mail:x@y.org": {}}
    rows = [("mail:x@y.org", "email", "x@y.org")]
    assert not together(settle(people, rows), *people)
    found = settle(people, rows, [("crm:1", "mail:x@y.org", "must_link")])
    assert together(found, *people)
    edge = found.evidence.to_pylist()[0]
    assert edge["kind"] == "judgement"


def test_08_two_accounts_of_one_site_are_two_customers():
    """User ids are unique per namespace: equal names and e-mails do not join two accounts."""
    people = {f"web:u{i}": {"full_name": "Lee Chan", "birth_date": "1979-07-07"} for i in (1, 2)}
    rows = [(key, "user_id", "web", key[4:]) for key in people] + [
        (key, "email", "lee@chan.hk") for key in people
    ]
    assert not together(settle(people, rows), *people)
    assert together(settle(people, rows, policy=IdentityPolicy(unique=frozenset())), *people)
    assert together(settle(people, rows, [("web:u1", "web:u2", "must_link")]), *people)


def test_09_one_account_seen_by_two_sources():
    """The same user id in one namespace joins, whatever else is known."""
    people = {"web:u1": {}, "app:u1": {"full_name": "Noor Haddad"}}
    found = settle(people, [(key, "user_id", "shop", "u1") for key in people])
    assert together(found, *people)


def test_10_calls_and_messages_of_one_unnamed_number():
    """Records without any name are joined by what they share."""
    keys = ["calls:+4915112345678", "sms:+4915112345678", "chat:55"]
    found = settle({key: {} for key in keys}, [(key, "phone", "+4915112345678") for key in keys])
    assert groups(found) == {frozenset(keys)}
    assert all(0.5 < row["match_probability"] < 1 for row in found.clusters.to_pylist())


def test_11_a_limit_of_the_policy_and_its_window():
    """Three people once had a number; only one of them in the last month."""
    people = {
        "crm:1": {"full_name": "Ada Byron"},
        "crm:2": {"full_name": "Carl Gauss"},
        "crm:3": {"full_name": "Emmy Noether"},
        "calls:1": {},
    }
    rows = [(key, "phone", "+15835735431") for key in people]
    seen = {("crm:3", "+15835735431"): 400, ("calls:1", "+15835735431"): 401}
    table = identifiers(rows, seen)
    strict = IdentityPolicy(limits={"phone": Limit(1)})
    held = resolve(records(people), table, None, strict).held_back.to_pylist()
    assert "different names" in held[0]["reason"]
    recent = IdentityPolicy(limits={"phone": Limit(1, timedelta(days=30))})
    reasons = {row["reason"] for row in resolve(records(people), table, None, recent).held_back.to_pylist()}
    assert not any("different names" in reason for reason in reasons)


def test_12_swapped_names_and_a_short_form():
    found = settle(
        {
            "crm:1": {"given_name": "Margaret", "surname": "Thornbury", "birth_date": "1951-08-20"},
            "web:2": {"given_name": "Thornbury", "surname": "Peggy", "birth_date": "1951-08-20"},
            "tel:3": {"given_name": "Maggie", "surname": "Thornburry", "birth_date": "20 Aug 1951"},
        }
    )
    assert together(found, "crm:1", "web:2", "tel:3")


def test_13_the_policy_may_give_an_ambiguous_record_to_the_commonest_owner():
    people = {
        "crm:1": {"given_name": "Ruth", "surname": "Okafor", "birth_date": "1970-02-03"},
        "shop:1": {"given_name": "Ruth", "surname": "Okafor", "birth_date": "1970-02-03"},
        "crm:2": {"given_name": "Daniel", "surname": "Okafor", "birth_date": "1968-11-30"},
        "mail:f": {},
    }
    rows = [(key, "email", "family@okafor.net") for key in people]
    assert frozenset({"mail:f"}) in groups(settle(people, rows))
    best = settle(people, rows, policy=IdentityPolicy(ambiguous="best"))
    assert together(best, "crm:1", "shop:1", "mail:f")


def test_14_judgements_that_contradict_each_other():
    """The later word wins, also where the earlier one reaches through a chain."""
    people = {key: {"full_name": "Sam Hill"} for key in ("a:1", "b:1", "c:1")}
    chain = [("a:1", "b:1", "must_link"), ("b:1", "c:1", "must_link"), ("a:1", "c:1", "cannot_link")]
    found = resolve(records(people), None, judgements(*chain))
    assert not together(found, "a:1", "c:1")
    reopened = resolve(records(people), None, judgements(*chain, ("a:1", "c:1", "must_link")))
    assert together(reopened, "a:1", "b:1", "c:1")


def test_15_a_donor_with_hundreds_of_equal_rows():
    """Rows of one person, all alike, are one customer; so are the rows that differ from them a little."""
    donor = {"full_name": "Ottilie Feldmann", "birth_date": "1949-10-11", **ADDRESS}
    people = {f"gifts:{i:04d}": donor for i in range(400)}
    people["crm:1"] = {**donor, "full_name": "Otilie Feldmann"}
    people["crm:2"] = {
        "full_name": "Bruno Feld",
        "birth_date": "1990-03-05",
        "city": "York",
        "postcode": "YO1 7HH",
    }
    found = settle(people, [(key, "email", "ottilie@feldmann.de") for key in people if key != "crm:2"])
    assert {len(group) for group in groups(found)} == {401, 1}
    assert all(
        row["match_probability"] > 0.5 for row in found.clusters.to_pylist() if row["match_probability"]
    )
