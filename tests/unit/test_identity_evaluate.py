"""Evaluation: figures against an obvious implementation, signs of wrong customers, errors worth reading."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cdp.cli.main import Context, cli
from cdp.errors import UsageError
from identity.evaluation.diagnostics import diagnose
from identity.evaluation.evaluate import evaluate, sizes
from identity.evaluation.facts import read_facts
from identity.evaluation.mistakes import FALSE_MERGE, MISSED_MATCH, find_mistakes
from identity.evaluation.truth import read_truth
from tests.identity_tools import identifiers, records

PEOPLE = {
    "web:1": {"given_name": "Ann", "surname": "Byron", "birth_date": "1980-02-03"},
    "web:2": {"given_name": "Anna", "surname": "Byron", "birth_date": "1980-02-03"},
    "crm:3": {"given_name": "Carl", "surname": "Byron", "birth_date": "2008-11-30"},
    "crm:4": {"given_name": "Emmy", "surname": "Noether", "birth_date": "1982-03-23"},
    "mail:emmy@noether.org": {"given_name": "Emmy", "surname": "Noether"},
    "crm:6": {"given_name": "George", "surname": "Boole"},
}
IDS = [
    ("web:1", "email", "byrons@mail.org"),
    ("web:2", "email", "Byrons+shop@mail.org"),
    ("crm:3", "email", "byrons@mail.org"),
    ("crm:4", "email", "emmy@noether.org"),
    ("mail:emmy@noether.org", "email", "emmy@noether.org"),
    ("web:1", "user_id", "web", "u1"),
    ("crm:3", "user_id", "web", "u3"),
]
ENTITIES = dict(zip(PEOPLE, ("ann", "ann", "carl", "emmy", "emmy", "george"), strict=True))
FOUND = {
    "web:1": "A", "web:2": "A", "crm:3": "A", "crm:4": "B", "mail:emmy@noether.org": "C", "crm:6": "D"
}  # fmt: skip


def facts():
    return read_facts(records(PEOPLE), identifiers(IDS))


def table(groups, label, key="record_id"):
    return pa.table({key: pa.array(groups, pa.string()), label: pa.array(groups.values(), pa.string())})


def truth(groups=ENTITIES):
    return table(groups, "entity_id")


def clusters(groups=FOUND):
    return table(groups, "cluster_id", "record_key")


@given(
    st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))), min_size=1, max_size=12)
)
def test_figures_equal_those_of_counting_pairs_one_by_one(labels):
    entities = {f"r{i}": f"e{entity}" for i, (entity, _) in enumerate(labels)}
    given = {f"r{i}": f"c{cluster}" for i, (_, cluster) in enumerate(labels) if cluster is not None}
    own = {key: given.get(key, f"alone {key}") for key in entities}
    pairs = list(combinations(entities, 2))
    true = {p for p in pairs if entities[p[0]] == entities[p[1]]}
    joined = {p for p in pairs if own[p[0]] == own[p[1]]}
    shares = []
    for key, mine in entities.items():
        cluster = {k for k in own if own[k] == own[key]}
        entity = {k for k, one in entities.items() if one == mine}
        shares.append((len(cluster & entity) / len(cluster), len(cluster & entity) / len(entity)))
    told = evaluate(truth(entities), table(given, "cluster_id"))
    assert (told.true_pairs, told.predicted_pairs, told.common_pairs) == (
        len(true), len(joined), len(true & joined)
    )  # fmt: skip
    assert told.bcubed_precision == pytest.approx(sum(p for p, _ in shares) / len(shares))
    assert told.bcubed_recall == pytest.approx(sum(r for _, r in shares) / len(shares))
    counted = sizes(truth(entities), table(given, "cluster_id"))
    assert sum(row.entities for row in counted) == told.entities
    assert sum(row.clusters for row in counted) == told.clusters


def test_facts_put_swapped_names_and_forms_of_an_address_together():
    said = facts().table
    names = {(row["record"], row["norm"]) for row in said.to_pylist() if row["field"] == "name"}
    assert (0, "ann byron") in names
    mails = {row["norm"] for row in said.to_pylist() if row["field"] == "email"}
    assert mails == {"byrons@mail.org", "emmy@noether.org"}
    swapped = records({"a": {"full_name": "Byron, Ann"}, "b": {"given_name": "Byron", "surname": "Ann"}})
    norms = [row["norm"] for row in read_facts(swapped).table.to_pylist() if row["field"] == "name"]
    assert norms == ["ann byron", "ann byron"]


def test_placeholders_say_nothing():
    rows = [("web:1", "email", "test@test.com"), ("web:2", "phone", "0000000000")]
    fields = read_facts(records(PEOPLE), identifiers(rows)).table["field"].to_pylist()
    assert "email" not in fields
    assert "phone" not in fields


def test_signs_of_customers_that_are_several_people():
    told = {finding.check: finding for finding in diagnose(clusters(), facts()).over_merged}
    assert told["birth_dates_apart"].customers == 1
    assert told["birth_dates_apart"].examples[0].customers == ("A",)
    assert told["user_id/web"].customers == 1
    assert told["given_names"].customers == 0  # Ann and Anna are one name
    many = {f"r:{i}": {"given_name": n} for i, n in enumerate(["Ann", "Bob", "Carl", "Dora", "dora"])}
    crowd = diagnose(clusters(dict.fromkeys(many, "X")), read_facts(records(many)))
    assert [f.customers for f in crowd.over_merged] == [1]
    assert crowd.largest[0].given_names == 4


def test_signs_of_people_who_are_several_customers():
    told = {finding.check: finding for finding in diagnose(clusters(), facts()).under_merged}
    shared = told["email+name"]
    assert (shared.values, shared.customers, shared.records) == (1, 2, 2)
    assert shared.examples[0].customers == ("B", "C")
    assert told["name+birth_date"].customers == 0
    assert "phone+name" not in told  # nobody has a phone: nothing was looked at


def test_a_record_without_a_cluster_is_a_customer_of_its_own():
    told = diagnose(clusters({"web:1": "A", "web:2": "A"}), facts())
    assert (told.records, told.customers, told.alone) == (6, 5, 4)


def test_weight_reason_and_levels_are_of_one_edge():
    weighed = pa.table(
        {
            "left_record": ["crm:4", "crm:4"],
            "right_record": ["mail:emmy@noether.org"] * 2,
            "match_weight": [3.0, -1.0],
            "reason": ["stronger", "weaker"],
            "levels": [[{"comparison": "e-mail", "level": "same", "weight": 3.0}], []],
        }
    )
    (missed,) = (
        m for m in find_mistakes(truth(), clusters(), facts(), weighed).examples if m.kind == MISSED_MATCH
    )
    assert (missed.match_weight, missed.reason, missed.levels) == (
        3.0,
        "stronger",
        (("e-mail", "same", 3.0),),
    )


def test_errors_are_shown_by_one_pair_with_what_agrees():
    told = find_mistakes(truth(), clusters(), facts())
    assert (told.false_merges, told.missed_matches) == (1, 1)
    false, missed = (next(m for m in told.examples if m.kind == kind) for kind in (FALSE_MERGE, MISSED_MATCH))
    assert {false.left, false.right} & {"crm:3"}
    assert false.pairs == 2
    agreement = {side.field: side.agreement for side in false.fields}
    assert agreement["email"] == "same"
    assert agreement["given_name"] == "differs"
    assert {missed.left, missed.right} == {"crm:4", "mail:emmy@noether.org"}
    assert {missed.left_customer, missed.right_customer} == {"B", "C"}
    assert missed.pattern.startswith("email same, given_name same, surname same")


def test_the_strongest_evidence_shows_a_false_merge():
    level = {"comparison": "e-mail", "level": "same", "weight": 9.5}
    weighed = pa.table(
        {
            "left_record": ["web:1", "crm:3", "crm:4"],
            "right_record": ["crm:3", "web:2", "mail:emmy@noether.org"],
            "match_weight": [2.0, 9.5, -1.0],
            "reason": ["weak", "strong", "unsure"],
            "levels": [[], [level], []],
        }
    )
    told = find_mistakes(truth(), clusters(), facts(), weighed)
    false, missed = (next(m for m in told.examples if m.kind == kind) for kind in (FALSE_MERGE, MISSED_MATCH))
    assert (false.match_weight, false.reason) == (9.5, "strong")
    assert false.levels == (("e-mail", "same", 9.5),)
    assert (missed.match_weight, missed.reason) == (-1.0, "unsure")


def test_examples_come_from_one_pattern_after_the_other():
    people, entities = {}, {}
    for i in range(6):
        for side in "ab":
            fields = {"surname": f"Smith{i}", "given_name": "Jo" if i < 4 or side == "a" else "Wilhelmina"}
            people[f"{side}:{i}"] = fields
            entities[f"{side}:{i}"] = f"e{i}"
    apart = {key: key for key in people}
    told = find_mistakes(truth(entities), clusters(apart), read_facts(records(people)), most=2)
    assert [p.mistakes for p in told.patterns] == [4, 2]
    assert len({m.pattern for m in told.examples}) == 2


@pytest.mark.parametrize(
    ("columns", "options", "named_by"),
    [
        ({"record_key": ["web:1", "crm:3", "x:9"], "entity_id": "aab"}, {}, "record_key"),
        ({"source": ["web", "crm", "x"], "key": ["1", "3", "9"], "person": "aab"}, {}, "source and key"),
        ({"mine": ["web:1", "crm:3", "x:9"], "who": "aab"}, {"key": "mine", "entity": "who"}, "mine"),
    ],
)
def test_truth_names_records_in_several_ways(columns, options, named_by):
    told = read_truth(pa.table({name: list(values) for name, values in columns.items()}), facts(), **options)
    assert (told.named_by, told.rows, told.unknown, told.contradicted) == (named_by, 3, 1, 0)
    assert told.table.num_rows == 3


def test_a_truth_without_a_name_or_an_entity_says_nothing():
    rows = {"record_id": ["web:1", "web:2", "crm:3", "", None], "entity_id": ["a", " ", None, "a", "a"]}
    told = read_truth(pa.table(rows), facts())
    assert told.table.to_pylist() == [{"record_id": "web:1", "entity_id": "a"}]
    assert (told.rows, told.unknown) == (5, 0)


def test_truth_may_name_records_by_an_identifier():
    told = read_truth(pa.table({"id": ["U1", "u3", "u9"], "entity_id": ["a", "b", "c"]}), facts_of("id"))
    assert told.table.to_pydict() == {"record_id": ["crm:3", "web:1"], "entity_id": ["b", "a"]}
    by_mail = pa.table({"email": ["byrons@mail.org", "BYRONS@mail.org", "emmy@noether.org"], "person": "aba"})
    found = read_truth(by_mail.set_column(1, "person", pa.array(list("aba"))), facts())
    assert (found.named_by, found.by_identifier) == ("email", True)
    assert found.contradicted == 2  # the family's address names two persons
    assert found.table["entity_id"].to_pylist() == ["a", "a"]


def facts_of(column):
    return read_facts(
        records(PEOPLE), identifiers([(*row[:1], column, *row[2:]) for row in IDS if len(row) == 4])
    )


def test_a_truth_that_names_no_record_is_refused():
    with pytest.raises(UsageError, match="neither record keys nor identifiers"):
        read_truth(pa.table({"id": ["q"], "entity_id": ["a"]}), facts())
    with pytest.raises(UsageError, match="which records are one entity"):
        read_truth(pa.table({"id": ["q"]}), facts())
    with pytest.raises(UsageError, match="nearest: entity_id"):
        read_truth(pa.table({"id": ["q"], "entity_id": ["a"]}), facts(), entity="entity_ids")


@pytest.mark.parametrize(
    ("known", "found", "told"),
    [
        ({"a": "1", None: "2"}, {"a": "x"}, "record_id is empty in rows of truth"),
        ({"a": None}, {"a": "x"}, "entity_id is empty in rows of truth"),
        ({"a": "1"}, {None: "x"}, "record_id is empty in rows of predicted"),
    ],
)
def test_rows_that_name_nothing_are_refused(known, found, told):
    with pytest.raises(UsageError, match=told):
        evaluate(truth(known), table(found, "cluster_id"))


def test_a_record_that_stands_twice_is_refused():
    twice = pa.table({"record_id": ["a", "a", "b"], "cluster_id": ["x", "y", "y"]})
    with pytest.raises(UsageError, match="1 rows of predicted repeat a record_id"):
        evaluate(truth({"a": "1", "b": "1"}), twice)


def test_a_record_without_a_cluster_id_is_alone():
    found = evaluate(truth({"a": "1", "b": "1"}), table({"a": None, "b": None}, "cluster_id"))
    assert (found.clusters, found.predicted_pairs, found.pairwise_recall) == (2, 0, 0)


# --- the command


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rows = [
        {"id": key, "email": next((r[2] for r in IDS if r[:2] == (key, "email")), None), "given_name": None,
         "surname": None, "birth_date": None, **fields, "entity_id": ENTITIES[key]}
        for key, fields in PEOPLE.items()
    ]  # fmt: skip
    pa.csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "truth.csv")
    pq.write_table(clusters().rename_columns(["record_id", "cluster_id"]), tmp_path / "found.parquet")
    return str(tmp_path / "truth.csv"), str(tmp_path / "found.parquet")


def command(*arguments: str):
    return CliRunner().invoke(cli, ["identity", "evaluate", *arguments], obj=Context())


def test_the_command_masks_personal_data(files):
    known, found = files
    done = command("--truth", known, "--predicted", found, "--errors", "2")
    assert done.exit_code == 0, done.output
    assert "0.3333" in done.output
    for personal in ("Byron", "byrons", "Emmy", "noether", "1980"):
        assert personal not in done.output
    assert "mail:••••@•••••••.•••" in done.output
    shown = command("--truth", known, "--predicted", found, "--errors", "2", "--show-values")
    assert "Byron" in shown.output
    assert "mail:emmy@noether.org" in shown.output


def test_the_command_gives_json(files):
    known, found = files
    told = json.loads(
        command("--truth", known, "--predicted", found, "--errors", "2", "--format", "json").output
    )
    assert told["accuracy"]["common_pairs"] == 1
    assert told["accuracy"]["pairwise_precision"] == pytest.approx(1 / 3)
    assert told["mistakes"]["false_merges"] == 1
    assert "byron" not in json.dumps(told).lower()
    assert told["diagnostics"]["over_merged"]


def test_clusters_may_name_records_by_source_and_key(tmp_path):
    (tmp_path / "truth.csv").write_text(
        "source,key,entity_id,surname\na,1,x,Ng\na,2,x,Ng\nb,1,y,Roe\nb,2,y,Roe\n"
    )
    (tmp_path / "found.csv").write_text("source,key,cluster_id\na,1,c\na,2,c\nb,1,d\nb,2,\n,,d\n")
    files = ("--truth", str(tmp_path / "truth.csv"), "--predicted", str(tmp_path / "found.csv"))
    told = json.loads(command(*files, "--format", "json").output)
    assert (told["truth"]["named_by"], told["truth"]["unknown"]) == ("source and key", 0)
    assert (told["accuracy"]["pairwise_precision"], told["accuracy"]["pairwise_recall"]) == (1, 0.5)
    assert told["diagnostics"]["records"] == 4


def test_rows_that_name_no_record_are_told_with_their_fate(tmp_path):
    (tmp_path / "found.csv").write_text("id,cluster_id\n1,c\n2,c\n")
    (tmp_path / "people.csv").write_text("id,email\n1,ann@mail.org\n2,bob@mail.org\n")
    (tmp_path / "by_key.csv").write_text("id,person\n1,a\n9,a\n")
    (tmp_path / "by_mail.csv").write_text("email,person\nann@mail.org,a\nzoe@mail.org,a\n")
    files = ("--predicted", str(tmp_path / "found.csv"), "--records", str(tmp_path / "people.csv"))
    by_key = command(*files, "--truth", str(tmp_path / "by_key.csv")).output
    assert "1 rows name no record of these and count as records of their own." in by_key
    by_mail = command(*files, "--truth", str(tmp_path / "by_mail.csv")).output
    assert "Truth: 1 records named by email" in by_mail
    assert "1 rows name no record of these and are left out." in by_mail


def test_nothing_is_said_of_masks_where_no_value_is_shown(tmp_path):
    (tmp_path / "truth.csv").write_text("id,person\n1,a\n2,a\n")
    (tmp_path / "found.csv").write_text("id,cluster_id\n1,c\n2,c\n")
    files = ("--truth", str(tmp_path / "truth.csv"), "--predicted", str(tmp_path / "found.csv"))
    assert "masked" not in command(*files).output
    assert "0 false merges." in command(*files, "--errors", "1").output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--errors", "3"], "no truth"),
        (["--id", "email"], "no truth"),
        (["--entity", "person"], "no truth"),
        (["--records", __file__], "goes with --predicted"),
    ],
)
def test_options_that_would_do_nothing_are_wrong_use(options, told):
    with pytest.raises(UsageError, match=told):
        CliRunner().invoke(cli, ["identity", "evaluate", *options], obj=Context(), catch_exceptions=False)


def test_a_negative_number_of_errors_is_refused():
    assert "not in the range" in command("--errors", "-1").output
