"""Numbered stories of people and their records, each with the customers that must come of it."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from identity import IdentityPolicy, resolve, roles
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
    found = settle(people, rows)
    assert not together(found, *people)
    (held,) = found.held_back.to_pylist()
    assert (held["what"], held["type"], held["namespace"]) == ("pair", "user_id", "web")
    assert (held["value"], held["records"]) == ("web:u1 and web:u2", 2)
    assert "but their customers hold different values of user_id of web" in held["reason"]
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


def _families() -> dict[str, dict[str, str]]:
    """Sixty couples, each of the two in two sources: what households share is learned from them."""
    wives, men = (
        "Ada Emmy Hedy Ivy Kim Lise Mia Noor".split(),
        "Abel Carl Emil Gino Hugo Ivan Lars Omar".split(),
    )
    found = {}
    for i in range(60):
        home = _home(i)
        surname = "Byron Gauss Noether Boole Lamarr Petrov Novak Meitner".split()[i // 8] + "aeiou"[i % 5]
        for who, given, year in (("a", wives[i % 8], 40 + i), ("b", men[i % 7], 37 + i * 3 % 50)):
            fields = {
                "full_name": f"{given} {surname}",
                "birth_date": f"19{year}-{year * 5 % 12 + 1:02d}-{year * 7 % 27 + 1:02d}",
                **home,
            }
            found |= {f"crm:o{who}{i}": fields, f"web:o{who}{i}": fields}
    return found


def _home(i: int) -> dict[str, str]:
    name = "Oak Elm Ash Fir Yew Bay Sage".split()[i % 7] + "hill park gate mead".split()[i // 7 % 4]
    return {
        "street": f"{i * 7 + 3} {name} Street",
        "city": "Leeds York Bath Hull".split()[i % 4],
        "postcode": f"LS{i % 9 + 1} {i % 7 + 1}{'ABCDEFGH'[i % 8]}{'XYZWVUTS'[i // 8 % 8]}",
    }


def test_16_a_son_named_after_his_father_without_a_suffix():
    """Name, address and landline agree; a generation lies between the birth dates."""
    found = settle(
        {
            **_families(),
            "crm:1": {"full_name": "Walter Amsel", "birth_date": "1944-07-09", **ADDRESS},
            "shop:1": {"full_name": "Walter Amsel", "birth_date": "9 July 1944", **ADDRESS},
            "crm:2": {"full_name": "Walter Amsel", "birth_date": "1972-02-12", **ADDRESS},
        },
        [(key, "phone", "+441132496000") for key in ("crm:1", "shop:1", "crm:2")],
    )
    assert groups(found) >= {frozenset({"crm:1", "shop:1"}), frozenset({"crm:2"})}


def test_17_twins_share_everything_but_the_given_name():
    found = settle(
        {
            **_families(),
            "crm:1": {"full_name": "Stephen Earle", "birth_date": "1981-04-18", **ADDRESS},
            "crm:2": {"full_name": "Karen Earle", "birth_date": "1981-04-18", **ADDRESS},
            "shop:2": {"full_name": "Earle, Karen", "birth_date": "18.04.1981", **ADDRESS},
        },
        [(key, "phone", "+441132496000") for key in ("crm:1", "crm:2", "shop:2")],
    )
    assert groups(found) >= {frozenset({"crm:1"}), frozenset({"crm:2", "shop:2"})}


def test_18_branches_of_one_organisation():
    """One name at two addresses with two telephones is two branches; one address in two spellings is one."""
    north = {"street": "2905 N. Leavitt St", "city": "Chicago", "postcode": "60618"}
    south = {"street": "6423 S. Woodlawn Ave", "city": "Evanston", "postcode": "60201"}
    found = settle(
        {
            "a:1": {"company": "Mary Crane Center #1", **north},
            "b:1": {"company": "Mary Crane Ctr. No. 1, Inc.", **north, "street": "2905 North Leavitt Street"},
            "a:2": {"company": "Mary Crane Center #2", **south},
            "b:2": {"company": "The Mary Crane Centre 2", **south},
        },
        [
            *((key, "phone", "7739388130") for key in ("a:1", "b:1")),
            *((key, "phone", "8472650017") for key in ("a:2", "b:2")),
        ],
    )
    assert groups(found) == {frozenset({"a:1", "b:1"}), frozenset({"a:2", "b:2"})}


def test_19_misread_digits_and_ordinals():
    """A reading machine took letters for digits; one writes the number of a street, the other the word."""
    found = settle(
        {
            "scan:1": {
                "given_name": "0liver",
                "surname": "5mithers",
                "street": "12 First Avenue",
                "city": "Leeds",
            },
            "crm:1": {
                "given_name": "Oliver",
                "surname": "Smithers",
                "street": "12 1st Ave",
                "city": "Leeds",
            },
        }
    )
    assert together(found, "scan:1", "crm:1")
    levels = {level["comparison"]: level["level"] for level in found.evidence.to_pylist()[0]["levels"]}
    assert levels["given name"] == levels["surname"] == "same"
    assert levels["address"] == "same door and place"


def test_20_a_file_of_restaurants_under_the_header_name():
    """Nothing but the values says that the names are those of organisations."""
    table = pa.table(
        {
            "id": [str(i) for i in range(6)],
            "name": [
                "Art's Delicatessen", "Art's Deli", "Hotel Bel-Air", "Bel-Air Hotel", "Cafe Bizou", "Campanile Grill",
            ],
            "addr": [
                "12224 Ventura Blvd.", "12224 ventura blvd", "701 Stone Canyon Rd.", "701 stone canyon road",
                "14016 Ventura Blvd.", "624 S. La Brea Ave.",
            ],
            "phone": [
                "818/762-1221", "818-762-1221", "310/472-1211", "310-472-1211", "818/788-3536", "213/938-1447",
            ],
        }
    )  # fmt: skip
    prepared = roles.prepare(table)
    assert prepared.roles["name"].role == "company"
    found = resolve(prepared.records, prepared.identifiers)
    assert {group for group in groups(found) if len(group) > 1} == {frozenset("01"), frozenset("23")}


def test_21_an_organisation_that_bears_the_name_of_its_owner():
    """The kind of record keeps a firm and a person apart, though address and telephone are the same."""
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "record_type": ["PERSON", "ORGANIZATION", "PERSON"],
            "name": ["Otto Brandt", "Otto Brandt", "Brandt, Otto"],
            "address": ["12 Moss Street, Leeds"] * 3,
            "phone": ["+441132496000"] * 3,
        }
    )
    prepared = roles.prepare(table)
    assert prepared.records["company"].to_pylist() == [None, "Otto Brandt", None]
    assert groups(resolve(prepared.records, prepared.identifiers)) == {frozenset("13"), frozenset("2")}


def test_22_judgements_on_calls_do_not_tear_them_out_of_their_customers():
    """Couples share a landline, so that a phone alone is weak; calls without a name still follow their owners."""
    people = _families()
    rows = [
        (key, "phone", f"+44113249{int(key[6:]):04d}") for key in people
    ]  # both of a couple in both sources
    for i in (1, 2):
        people[f"crm:{i}"] = {"full_name": ("Walter Amsel", "Greta Drossel")[i - 1], **_home(70 + i)}
        people |= {f"call:{i}a": {}, f"call:{i}b": {}}
        rows += [(key, "phone", f"+44207946000{i}") for key in (f"crm:{i}", f"call:{i}a", f"call:{i}b")]
    found = settle(people, rows)
    customers = [frozenset({f"crm:{i}", f"call:{i}a", f"call:{i}b"}) for i in (1, 2)]
    assert set(customers) <= groups(found)
    for judged in (
        ("call:1a", "call:1b", "must_link"),
        ("crm:1", "call:1a", "must_link"),
        ("call:1a", "call:2a", "cannot_link"),
        ("call:1a", "crm:2", "cannot_link"),
    ):
        assert groups(settle(people, rows, [judged])) == groups(found), judged
    apart = groups(settle(people, rows, [("call:1a", "crm:1", "cannot_link")]))
    assert {frozenset({"crm:1", "call:1b"}), frozenset({"call:1a"}), customers[1]} <= apart
    moved = groups(
        settle(people, rows, [("call:1a", "crm:2", "must_link")])
    )  # now two customers have the phone
    assert {frozenset({"crm:1"}), frozenset({"call:1b"}), customers[1] | {"call:1a"}} <= moved


def test_23_unnamed_records_that_a_judgement_joined_wait_as_one():
    """A call and a chat of one person: whose phone it is, is known; whose address, is not until she writes again."""
    people = {"crm:1": {"full_name": "Ada Byron"}, "call:1": {}, "chat:1": {}, "mail:1": {}}
    rows = [("crm:1", "phone", "+442079460001"), ("call:1", "phone", "+442079460001")]
    rows += [("chat:1", "email", "someone@mail.org"), ("mail:1", "email", "someone@mail.org")]
    assert groups(settle(people, rows)) == {frozenset({"crm:1", "call:1"}), frozenset({"chat:1", "mail:1"})}
    found = settle(people, rows, [("call:1", "chat:1", "must_link")])
    assert groups(found) == {frozenset(people)}
    told = {frozenset((e["left_record"], e["right_record"])): e["kind"] for e in found.evidence.to_pylist()}
    assert told == {
        frozenset({"crm:1", "call:1"}): "deterministic",
        frozenset({"call:1", "chat:1"}): "judgement",
        frozenset({"chat:1", "mail:1"}): "deterministic",
    }
