"""Parts of identity one by one: roles, evidence, resolution's edges, explanations, ids, survivorship."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp.errors import NotFoundError, UsageError
from identity import IdentityPolicy, explain, resolve, roles, survivorship
from identity.comparisons import of_text
from identity.encode import encode
from identity.evaluation.evaluate import evaluate
from identity.hinges import hinges
from identity.model import Parameters, build
from identity.version import ModelVersion
from tests.identity_tools import IDENTIFIERS, TIMESTAMP, day, groups, identifiers, judgements, records, settle

NAMES = ["Ada Byron", "Carl Gauss", "Emmy Noether", "George Boole", "Hedy Lamarr", "Ivan Petrov"]


def crowd(size=60):
    """Pairs of records of one person each, so that there is something to learn from."""
    people, rows = {}, []
    for i in range(size):
        fields = {
            "given_name": NAMES[i % 6].split()[0],
            "surname": f"{NAMES[i % 5].split()[1]}{'abcdefghijkl'[i % 12]}",
            "birth_date": f"{1950 + i % 40}-{1 + i % 12:02d}-{1 + i % 28:02d}",
            "city": ["Leeds", "York", "Bath"][i % 3],
        }
        for source in ("crm", "web"):
            people[f"{source}:{i:03d}"] = fields
            rows.append((f"{source}:{i:03d}", "email", f"person{i}@mail.org"))
    return people, rows


# --- roles


@pytest.mark.parametrize(
    ("column", "role"),
    [
        ("firstName", "given_name"),
        ("LAST_NAME", "surname"),
        ("Customer Name", "full_name"),
        ("Date of Birth", "birth_date"),
        ("home_phone", "phone"),
        ("Zip Code", "postcode"),
        ("suburb", "city"),
        ("addr1", "street"),
        ("Company Name", "company"),
        ("billing_city", "city"),
    ],
)
def test_columns_are_understood_by_their_names(column, role):
    assert roles.by_name(column).role == role


def test_ids_of_many_kinds_become_identifiers():
    kinds = {
        "SSN": "national_id",
        "loyalty_card": "external_id",
        "twitter_handle": "handle",
        "device_id": "device",
    }
    assert {name: roles.by_name(name).identifier for name in kinds} == kinds


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (["a@x.org", "b@y.net", "c@z.de"], "email"),
        (["+44 20 7946 0958", "(583) 573-5431"], "phone"),
        (["1970-01-02", "03/04/1981", "5 May 1990"], "birth_date"),
    ],
)
def test_columns_without_a_telling_name_are_understood_by_content(values, role):
    table = pa.table({"id": ["1", "2", "3"][: len(values)], "x17": values})
    assert roles.assign(table)["x17"].role == role


def test_columns_of_one_role_are_coalesced_and_contacts_become_identifiers():
    table = pa.table(
        {
            "id": ["1", "2"],
            "address1": ["1 Moss St", None],
            "full address": ["other", "2 Kiln Lane, York"],
            "email": ["a@x.org", None],
            "work_email": [None, "b@x.org"],
            "passport": ["P1", ""],
        }
    )
    prepared = roles.prepare(table)
    assert prepared.records["street"].to_pylist() == ["1 Moss St", "2 Kiln Lane, York"]
    found = {
        (r["record_key"], r["type"], r["namespace"], r["value"]) for r in prepared.identifiers.to_pylist()
    }
    assert found == {
        ("1", "email", "", "a@x.org"), ("2", "email", "", "b@x.org"), ("1", "national_id", "passport", "P1"),
    }  # fmt: skip


def test_a_given_mapping_overrules_and_mistakes_are_named():
    table = pa.table({"key": ["1"], "who": ["Ada Byron"], "email": ["a@x.org"]})
    assert roles.assign(table, {"full_name": "who"}, id_column="key")["who"].role == "full_name"
    with pytest.raises(UsageError, match="nearest: email"):
        roles.assign(table, {"email": "emial"})
    with pytest.raises(UsageError, match="nearest: surname"):
        roles.assign(table, {"surnam": "who"})


# --- resolution


def test_no_records_give_no_clusters():
    empty = pa.table({"record_key": pa.array([], pa.string()), "source": pa.array([], pa.string())})
    found = resolve(empty, IDENTIFIERS.empty_table())
    assert (found.clusters.num_rows, found.evidence.num_rows, found.held_back.num_rows) == (0, 0, 0)


def test_one_record_is_a_customer():
    found = settle({"crm:1": {"full_name": "Ada Byron"}})
    assert found.clusters.to_pylist() == [
        {"record_key": "crm:1", "cluster_id": "crm:1", "match_probability": None}
    ]


def test_columns_without_any_value_do_no_harm():
    people = records({"a:1": {"surname": "Hill"}, "a:2": {"surname": "Hill"}})
    people = people.append_column("email", pa.nulls(2, pa.string())).append_column("note", pa.nulls(2))
    assert resolve(people).clusters.num_rows == 2


def test_wrong_tables_are_refused():
    with pytest.raises(UsageError, match="record_key"):
        resolve(pa.table({"key": ["1"]}))
    with pytest.raises(UsageError, match="repeats"):
        resolve(pa.table({"record_key": ["a", "a"]}))
    with pytest.raises(UsageError, match="that no record has"):
        settle({"a:1": {}}, [("b:2", "email", "x@y.org")])
    with pytest.raises(UsageError, match="unknown kind"):
        settle({"a:1": {}, "a:2": {}}, judged=[("a:1", "a:2", "maybe")])


def test_judgements_on_records_that_are_gone_are_left_out():
    found = settle({"a:1": {"surname": "Hill"}}, judged=[("a:1", "a:9", "must_link")])
    assert found.clusters.num_rows == 1


def test_a_model_version_can_be_kept_and_used_again():
    people, rows = crowd()
    first = settle(people, rows)
    again = resolve(
        records(people), identifiers(rows), model=ModelVersion.from_bytes(first.version.to_bytes())
    )
    assert again.clusters.equals(first.clusters)
    assert again.model["version"] == first.model["version"]
    assert json.loads(json.dumps(first.model)) == first.model
    assert 0.9 < first.model["estimated_precision"] <= 1


def test_a_frozen_model_weighs_a_pair_the_same_among_other_records():
    people, rows = crowd()
    first = settle(people, rows)
    fewer = {key: fields for key, fields in people.items() if int(key[4:]) < 30}
    few_rows = [r for r in rows if r[0] in fewer]
    found = resolve(records(fewer), identifiers(few_rows), model=first.version)
    assert found.model["version"] == first.model["version"]
    known = {(e["left_record"], e["right_record"]): e["match_weight"] for e in first.evidence.to_pylist()}
    assert found.evidence.num_rows
    for edge in found.evidence.to_pylist():
        assert known[edge["left_record"], edge["right_record"]] == edge["match_weight"]


def test_a_record_may_have_several_values_of_one_type():
    people = {"crm:1": {"surname": "Hill"}, "web:2": {"surname": "Hill"}, "tel:3": {"surname": "Hill"}}
    rows = [("crm:1", "email", "a@x.org"), ("crm:1", "email", "b@x.org"), ("web:2", "email", "b@x.org")]
    found = settle(people, [*rows, ("tel:3", "email", "c@zz.net")])
    assert groups(found) == {frozenset({"crm:1", "web:2"}), frozenset({"tel:3"})}


def test_a_million_equal_values_would_stay_bounded():
    """Many records of one e-mail without a name: a star, not all pairs."""
    keys = [f"mail:{i}" for i in range(3_000)]
    found = settle({key: {} for key in keys}, [(key, "email", "one@list.org") for key in keys])
    assert len(groups(found)) == 1
    assert found.evidence.num_rows == len(keys) - 1
    (held,) = found.held_back.to_pylist()
    assert (held["what"], held["type"], held["value"], held["records"]) == ("cluster", "size", keys[0], 3_000)
    assert held["reason"].startswith("holds 3000 records, more than the 500 ")


def test_an_address_that_many_streets_share_is_a_hub_though_nobody_is_named():
    keys = [f"shop:{i}" for i in range(60)]
    streets = {key: {"street": f"{i} Moss Street", "city": "Leeds"} for i, key in enumerate(keys)}
    rows = [(key, "email", "office@post.org") for key in keys]
    found = settle(streets, rows)
    assert all(len(group) == 1 for group in groups(found))
    (held,) = found.held_back.to_pylist()
    assert (held["value"], held["records"]) == ("office@post.org", 60)
    assert "15 different people, counted by names and by 60 streets" in held["reason"]
    few = {key: streets[key] for key in keys[:19]}
    assert len(groups(settle(few, rows[:19]))) == 1, "one who sends presents to her friends"


def test_somebody_with_many_devices_is_one_customer():
    """Sessions of the web, each with an anonymous id of its own, and one e-mail: nothing out of the ordinary."""
    keys = [f"web:{i}" for i in range(300)]
    rows = [(key, "anonymous_id", "web", key) for key in keys] + [
        (key, "email", "joan@post.org") for key in keys
    ]
    found = settle({key: {} for key in keys}, rows)
    assert len(groups(found)) == 1
    assert found.held_back.num_rows == 0


def test_equal_names_alone_stay_bounded_and_apart():
    keys = [f"crm:{i}" for i in range(2_000)]
    found = settle({key: {"full_name": "John Smith"} for key in keys})
    assert found.model["candidate_pairs"] == 0
    held = found.held_back.to_pylist()
    assert [(row["what"], row["records"]) for row in held] == [("record", 2_000)]
    assert all(len(group) == 1 for group in groups(found))


def test_clusters_do_not_grow_over_the_limit():
    people, rows = {}, []
    for i in range(30):
        people[f"crm:{i:02d}"] = {"full_name": "Ada Byron", "birth_date": "1970-01-02", "city": f"Town {i}"}
        rows.append((f"crm:{i:02d}", "email", "ada@byron.uk"))
    assert max(map(len, groups(settle(people, rows)))) == 30
    limited = settle(people, rows, policy=IdentityPolicy(max_cluster=8))
    assert max(map(len, groups(limited))) <= 8


def test_a_higher_threshold_joins_less():
    people, rows = crowd()
    found = settle(people, rows, policy=IdentityPolicy(threshold=0.999999))
    assert len(groups(found)) >= len(groups(settle(people, rows)))
    assert all(e["match_probability"] >= 0.999 for e in found.evidence.to_pylist())


# --- explanations


def story():
    people, rows = crowd()
    people["tel:x"] = {"given_name": "Ada"}
    return people, [*rows, ("tel:x", "phone", "+442079460123"), ("crm:000", "phone", "+442079460123")]


def test_a_pair_is_explained_from_the_evidence():
    found = settle(*story())
    told = explain.pair("web:000", "crm:000", found.evidence)
    assert {told.left, told.right} == {"crm:000", "web:000"}
    assert sum(level.weight for level in told.levels) == pytest.approx(told.match_weight)
    assert any(level.comparison == "e-mail" and level.level == "same" for level in told.levels)
    assert "same e-mail (weight" in told.reason
    assert told.to_dict()["levels"][0]["comparison"] == "prior"


def test_a_pair_without_evidence_can_be_scored():
    people, rows = story()
    found = settle(people, rows)
    with pytest.raises(NotFoundError):
        explain.pair("crm:000", "crm:001", found.evidence)
    scored = explain.score_pair("crm:000", "crm:001", records(people), identifiers(rows), found.version)
    told = explain.pair("crm:001", "crm:000", found.evidence, scored)
    assert told.match_probability < 0.5
    known = explain.score_pair("crm:000", "web:000", records(people), identifiers(rows), found.version)
    assert explain.pair("crm:000", "web:000", known) == explain.pair("crm:000", "web:000", found.evidence)
    with pytest.raises(NotFoundError):
        explain.score_pair("crm:000", "crm:999", records(people), identifiers(rows), found.version)


def test_a_path_names_its_weakest_link_and_what_it_hangs_on():
    people = {"crm:1": {"full_name": "Ada Byron"}, "calls:2": {}, "mail:3": {}}
    rows = [("crm:1", "phone", "+442079460123"), ("calls:2", "phone", "+442079460123"),
            ("crm:1", "email", "ada@byron.uk"), ("mail:3", "email", "ada@byron.uk")]  # fmt: skip
    found = settle(people, rows)
    evidence = found.evidence
    without = hinges("mail:3", "calls:2", records(people), identifiers(rows), found.version)
    assert without == ("e-mail", "phone")
    without = hinges("crm:1", "calls:2", records(people), identifiers(rows), found.version)
    assert "no other link joins the two sides" in explain.path("mail:3", "calls:2", evidence).sentence
    told = explain.path("mail:3", "calls:2", evidence, without)
    assert len(told.steps) == 2
    assert told.weakest.levels[0].comparison == "phone"
    assert told.bridge
    assert told.without == ("phone",)
    assert "without this phone they are two people" in told.sentence
    with pytest.raises(NotFoundError):
        explain.path("mail:3", "web:9", evidence)
    with pytest.raises(UsageError):
        explain.path("mail:3", "mail:3", evidence)


# --- policy


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    with pytest.raises(UsageError, match="the threshold is"):
        IdentityPolicy(threshold=threshold)


# --- survivorship


def values(*rows):
    """Rows of (record_key, attribute, value, day, source)."""
    columns = list(zip(*rows, strict=True))
    times = pa.array([None if d is None else day(d) for d in columns[3]], TIMESTAMP)
    names = ("record_key", "attribute", "value", "observed_at", "source")
    return pa.table(dict(zip(names, (*columns[:3], times, columns[4]), strict=True)))


SAID = values(
    ("a", "email", "new@x.org", 9, "web"),
    ("b", "email", "old@long.example.org", 1, "crm"),
    ("c", "email", "old@long.example.org", 2, "crm"),
    ("a", "street", "1 Moss St", 3, "web"),
    ("a", "city", "Leeds", 3, "web"),
    ("b", "street", "2 Kiln Lane", 5, "crm"),
    ("b", "city", " ", 8, "crm"),
)
ONE = pa.table({"record_key": ["a", "b", "c"], "cluster_id": ["a", "a", "a"]})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("most_recent", "new@x.org"),
        ("most_frequent", "old@long.example.org"),
        ("longest", "old@long.example.org"),
        ("trust", "new@x.org"),
    ],
)
def test_each_rule_chooses(rule, expected):
    policy = survivorship.SurvivorshipPolicy(per_attribute={"email": rule}, trust={"web": 90})
    profiles, chosen = survivorship.merge(SAID, ONE, policy)
    assert profiles["email"].to_pylist() == [expected]
    row = next(r for r in chosen.to_pylist() if r["attribute"] == "email")
    assert row["rule"] == rule


def test_an_address_moves_as_one():
    profiles, chosen = survivorship.merge(SAID, ONE)
    assert profiles.to_pylist()[0]["street"] == "2 Kiln Lane"
    assert profiles.to_pylist()[0]["city"] is None
    assert {r["record_key"] for r in chosen.to_pylist() if r["attribute"] in ("street", "city")} == {"b"}


def test_every_cluster_has_a_profile():
    lonely = pa.table({"record_key": ["a", "z"], "cluster_id": ["a", "z"]})
    profiles, _ = survivorship.merge(SAID, lonely)
    assert profiles["cluster_id"].to_pylist() == ["a", "z"]
    assert profiles["email"].to_pylist() == ["new@x.org", None]


def test_unknown_rules_and_double_fields_are_refused():
    with pytest.raises(UsageError, match="nearest: longest"):
        survivorship.SurvivorshipPolicy(default="longst")
    with pytest.raises(UsageError, match="more than one"):
        survivorship.SurvivorshipPolicy(groups={"x": ("city",), "y": ("city",)})


# --- accuracy


PEOPLE = Path(__file__).parents[1] / "data" / "people"

FLOORS = {
    "fake_1000": (0.985, 0.985),
    "febrl3": (0.9995, 0.9995),
    "senzing_truthset": (0.80, 0.91),
}


@pytest.mark.parametrize("name", FLOORS)
def test_accuracy_on_labelled_people_does_not_fall(name):
    assert_accurate(PEOPLE / f"{name}.parquet", *FLOORS[name])


def test_accuracy_on_customers_of_five_channels_does_not_fall(shared):
    assert_accurate(shared / "er" / "customers_20k.parquet", 0.95, 0.968)


def assert_accurate(path, pairwise, bcubed):
    table = pq.read_table(path)
    prepared = roles.prepare(table.drop_columns(["entity_id"]), id_column="record_id")
    found = resolve(prepared.records, prepared.identifiers, with_evidence=False)
    predicted = found.clusters.rename_columns(["record_id", "cluster_id", "match_probability"])
    figures = evaluate(table.select(["record_id", "entity_id"]), predicted)
    assert figures.pairwise_f1 >= pairwise
    assert figures.bcubed_f1 >= bcubed


def test_records_stay_in_the_order_in_which_they_came():
    people = records({"b:2": {"city": "York"}, "a:1": {"city": "Leeds"}})
    encoded, _ = encode(people)
    assert encoded.keys.to_pylist() == people["record_key"].to_pylist()
    assert encoded.texts(encoded.columns["city"]).to_pylist() == [
        c.lower() for c in people["city"].to_pylist()
    ]


def test_the_latest_of_two_judgements_on_one_pair_stands():
    people = records({"a:1": {}, "b:2": {}})
    first = ("a:1", "b:2", "cannot_link")
    assert len(groups(resolve(people, None, judgements(first, ("b:2", "a:1", "must_link"))))) == 1
    assert len(groups(resolve(people, None, judgements(("b:2", "a:1", "must_link"), first)))) == 2


def test_names_of_organisations_are_enough_where_there_is_nothing_else():
    own = "Harbour Orchid Quarry Lantern Thistle Cobalt Meadow Falcon Juniper Pebble Saffron Walnut".split()
    trade = "Mills Shipping Brewery Printing Tailors".split()
    names = [f"{first} {second}" for first in own for second in trade]
    spelled = {"a": "Zephyr Instruments Ltd", "b": "Zephyr Instruments", "c": "Zephyr Instrumants"}
    records = {f"r{i}": {"company": name} for i, name in enumerate(names)}
    found = settle(records | {key: {"company": name} for key, name in spelled.items()})
    clusters = dict(
        zip(found.clusters["record_key"].to_pylist(), found.clusters["cluster_id"].to_pylist(), strict=True)
    )
    assert clusters["a"] == clusters["b"] == clusters["c"]
    assert len(set(clusters.values())) == len(names) + 1


def test_a_near_miss_is_never_better_evidence_than_agreement():
    parameters = Parameters(
        (np.array([0.1, 0.3, 0.6]),),
        (np.array([0.5, 0.2, 0.3]),),
        (np.array([0.9, 0.0001, 0.01]),),
        1e-3,
        1e-4,
    )
    model = build([of_text("hobby")], parameters)
    different, similar, same = model.weights[0].tolist()
    assert different < similar == same == int(np.rint(np.log2(0.6 / 0.01) * 1000))
