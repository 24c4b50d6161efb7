"""Laws of identity that hold for any people, identifiers and judgements.

`make test` tries 15 to 40 examples of each law, `make soak` ten times as many.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import ids, resolve, survivorship
from identity.comparer import Usual, bind, plan
from identity.encode import encode
from identity.evaluation import evaluate
from identity.features import FeatureStore
from tests.conftest import examples
from tests.identity_tools import groups, identifiers, judgements, records

GIVEN = ["Ada", "Adda", "Bob", "Robert", "Carl", "Karl", "Dora", "J.", "Emmy", "王杰"]
FAMILY = ["Byron", "Byrom", "Gauss", "Hill", "O'Hare", "van Dyk", "Dyk", "Hill Jr", "Robert"]
PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "given_name": st.sampled_from(GIVEN),
        "surname": st.sampled_from(FAMILY),
        "birth_date": st.sampled_from(
            ["1970-01-02", "1970-02-01", "1971-01-02", "02 Jan 1970", "1985-12-30"]
        ),
        "street": st.sampled_from(["1 Moss St", "1 Moss Street Apt 2", "9 Kiln Lane"]),
        "postcode": st.sampled_from(["LS1 4DY", "LS1 4DZ", "YO1 7HH"]),
        "city": st.sampled_from(["Leeds", "Leed", "York"]),
    },
)
VALUES = st.one_of(
    st.tuples(
        st.just("email"), st.just(""), st.sampled_from(["a@x.org", "b@x.org", "ada.b@y.net", "test@test.com"])
    ),
    st.tuples(
        st.just("phone"), st.just(""), st.sampled_from(["+15835735431", "+442079460123", "0000000000"])
    ),
    st.tuples(st.just("user_id"), st.just("web"), st.sampled_from(["u1", "u2", "u3"])),
    st.tuples(st.just("anonymous_id"), st.just("web"), st.sampled_from(["n1", "n2", "n3"])),
)


@st.composite
def inputs(draw, least=2, most=14):
    size = draw(st.integers(least, most))
    people = {f"s{i % 3}:{i:02d}": draw(PEOPLE) for i in range(size)}
    keys = st.sampled_from(sorted(people))
    rows = draw(st.lists(st.tuples(keys, VALUES), max_size=2 * size))
    pairs = draw(st.lists(st.tuples(keys, keys, st.sampled_from(["must_link", "cannot_link"])), max_size=4))
    return (
        records(people),
        identifiers([(key, *value) for key, value in rows]),
        [(a, b, kind) for a, b, kind in pairs if a != b],
    )


def by_key(table):
    """Rows in the order of their keys: clusters come in the order of the records."""
    return table.sort_by([(name, "ascending") for name in table.column_names[:3]])


@examples(10)
@given(inputs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_plays_no_part(given_inputs, random):
    people, rows, judged = given_inputs
    first = resolve(people, rows, judgements(*judged) if judged else None)
    shuffled = list(range(people.num_rows))
    random.shuffle(shuffled)
    columns = people.column_names
    random.shuffle(columns)
    order = list(range(rows.num_rows))
    random.shuffle(order)
    second = resolve(
        people.take(shuffled).select(columns),
        rows.take(pa.array(order, pa.int64())),
        judgements(*judged) if judged else None,
    )
    assert by_key(first.clusters).equals(by_key(second.clusters))
    assert by_key(first.evidence).equals(by_key(second.evidence))
    assert first.held_back.equals(second.held_back)
    assert first.model == second.model


@examples(10)
@given(inputs())
def test_judgements_always_hold(given_inputs):
    people, rows, judged = given_inputs
    last = {frozenset((a, b)): (a, b, kind) for a, b, kind in judged}
    cannot = [pair for pair in last.values() if pair[2] == "cannot_link"]
    must = [pair for pair in last.values() if pair[2] == "must_link"]
    joined = _closure([(a, b) for a, b, _ in must])
    consistent = [p for p in cannot if joined.get(p[0], p[0]) != joined.get(p[1], p[1])]
    stated = [*must, *consistent]
    found = resolve(people, rows, judgements(*stated) if stated else None)
    cluster = dict(
        zip(found.clusters["record_key"].to_pylist(), found.clusters["cluster_id"].to_pylist(), strict=True)
    )
    assert all(cluster[a] == cluster[b] for a, b, _ in must)
    assert all(cluster[a] != cluster[b] for a, b, _ in consistent)


def _closure(pairs):
    label: dict[str, str] = {}
    for _ in range(len(pairs) + 1):
        for a, b in pairs:
            low = min(label.get(a, a), label.get(b, b), a, b)
            for key in [*label, a, b]:
                if label.get(key, key) in (label.get(a, a), label.get(b, b)):
                    label[key] = low
    return label


@examples(10)
@given(inputs())
def test_clusters_are_a_partition_named_by_their_smallest_record(given_inputs):
    people, rows, judged = given_inputs
    found = resolve(people, rows, judgements(*judged) if judged else None)
    assert sorted(found.clusters["record_key"].to_pylist()) == sorted(people["record_key"].to_pylist())
    sizes = {min(group): len(group) for group in groups(found)}
    for row in found.clusters.to_pylist():
        assert row["cluster_id"] in sizes
        alone = sizes[row["cluster_id"]] == 1
        assert (row["match_probability"] is None) == alone
        assert alone or 0.5 <= row["match_probability"] <= 1.0


@examples(10)
@given(inputs())
def test_every_weight_is_the_sum_of_its_levels_and_joins_one_cluster(given_inputs):
    people, rows, judged = given_inputs
    found = resolve(people, rows, judgements(*judged) if judged else None)
    where = {key: group for group in groups(found) for key in group}
    for edge in found.evidence.to_pylist():
        assert sum(level["weight"] for level in edge["levels"]) == pytest.approx(
            edge["match_weight"], abs=1e-9
        )
        assert 1 / (1 + 2.0 ** -edge["match_weight"]) == pytest.approx(edge["match_probability"], abs=1e-9)
        assert where[edge["left_record"]] is where[edge["right_record"]]
        assert edge["reason"]


@examples(10)
@given(inputs())
def test_unique_identifiers_veto(given_inputs):
    people, rows, _ = given_inputs
    found = resolve(people, rows)
    users: dict[str, set[str]] = {}
    for row in rows.to_pylist():
        if row["type"] == "user_id":
            users.setdefault(row["record_key"], set()).add(row["value"])
    for group in groups(found):
        single = [users[key] for key in group if len(users.get(key, ())) == 1]
        bridged = any(len(users.get(key, ())) > 1 for key in group)
        assert bridged or len(set().union(*single)) <= 1


@examples(10)
@given(inputs(least=3), st.integers(1, 5))
def test_comparing_is_symmetric_and_does_not_depend_on_the_chunk(given_inputs, chunk):
    people, rows, _ = given_inputs
    encoded, _ = encode(people, rows)
    features = FeatureStore()
    found = bind(encoded, plan(encoded), features, Usual.of(encoded, features))
    left, right = (side.astype(np.int32) for side in np.triu_indices(len(encoded), 1))
    whole = found.levels(left, right)
    assert np.array_equal(whole, found.levels(right, left))
    parts = [found.levels(left[i : i + chunk], right[i : i + chunk]) for i in range(0, len(left), chunk)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))


@examples(10)
@given(inputs())
def test_renamed_columns_of_one_meaning_give_the_same_clusters(given_inputs):
    from identity import roles

    people, _, _ = given_inputs
    names = {
        "given_name": "First Name",
        "surname": "last_name",
        "birth_date": "DOB",
        "street": "addressLine1",
        "postcode": "ZIP",
        "city": "Town",
        "record_key": "id",
    }
    renamed = people.rename_columns([names.get(name, name) for name in people.column_names])
    original = people.rename_columns([{"record_key": "record_id"}.get(n, n) for n in people.column_names])
    assert groups_of(roles.prepare(renamed)) == groups_of(roles.prepare(original))


def groups_of(prepared):
    return groups(resolve(prepared.records, prepared.identifiers))


KEYS = [f"r{i}" for i in range(10)]
PARTITION = st.dictionaries(st.sampled_from(KEYS), st.sampled_from("abcde"), min_size=1)


def _clusters(partition):
    return pa.table({"record_key": list(partition), "cluster_id": list(partition.values())})


@examples(7)
@given(st.lists(PARTITION, min_size=1, max_size=6))
def test_ids_are_one_to_one_and_never_reused(partitions):
    previous, redirects, number = None, None, 1
    retired: set[str] = set()
    for partition in partitions:
        found = ids.assign(_clusters(partition), previous, number, redirects)
        mapped = dict(
            zip(found.id_map["record_key"].to_pylist(), found.id_map["customer_id"].to_pylist(), strict=True)
        )
        assert mapped.keys() == partition.keys()
        pairs = {(partition[key], customer) for key, customer in mapped.items()}
        assert len(pairs) == len({c for c, _ in pairs}) == len({customer for _, customer in pairs})
        live = set(mapped.values())
        assert not live & retired
        before = set(previous["customer_id"].to_pylist()) if previous is not None else set()
        assert all(ids.number_of(c) >= number for c in live - before)
        assert all(ids.number_of(c) < found.next_number for c in live)
        gone = set(found.redirects["previous_customer_id"].to_pylist())
        retired |= gone | (before - live)
        assert not gone & live
        kinds = {change["change"] for change in found.changes.to_pylist()}
        assert kinds <= set(ids.CHANGE_KINDS)
        previous, redirects, number = found.id_map, found.redirects, found.next_number


@examples(7)
@given(PARTITION)
def test_the_same_clusters_keep_their_ids_and_change_nothing(partition):
    first = ids.assign(_clusters(partition), None, 1)
    again = ids.assign(_clusters(partition), first.id_map, first.next_number, first.redirects)
    assert again.id_map.equals(first.id_map)
    assert again.changes.num_rows == 0
    assert again.moved_records == 0
    assert again.next_number == first.next_number


OBSERVATIONS = st.lists(
    st.tuples(
        st.sampled_from(KEYS[:6]),
        st.sampled_from(["email", "city", "street", "postcode", "surname"]),
        st.sampled_from(["x", "yy", "zzz", "ww", " "]),
        st.one_of(st.none(), st.integers(0, 5)),
        st.sampled_from(["crm", "web"]),
    ),
    max_size=25,
)


def _values(rows):
    stamps = pa.array([None if r[3] is None else r[3] * 1_000_000 for r in rows], pa.int64())
    return pa.table(
        {
            "record_key": pa.array([r[0] for r in rows], pa.string()),
            "attribute": pa.array([r[1] for r in rows], pa.string()),
            "value": pa.array([r[2] for r in rows], pa.string()),
            "observed_at": stamps.cast(pa.timestamp("us", "UTC")),
            "source": pa.array([r[4] for r in rows], pa.string()),
        }
    )


@examples(20)
@given(OBSERVATIONS, PARTITION, st.sampled_from(survivorship.RULES), st.randoms(use_true_random=False))
def test_golden_values_were_said_and_do_not_depend_on_order(rows, partition, rule, random):
    policy = survivorship.SurvivorshipPolicy(default=rule, trust={"crm": 80})
    profiles, chosen = survivorship.merge(_values(rows), _clusters(partition), policy)
    shuffled = list(rows)
    random.shuffle(shuffled)
    again, chosen_again = survivorship.merge(_values(shuffled), _clusters(partition), policy)
    assert profiles.equals(again)
    assert chosen.equals(chosen_again)
    assert sorted(profiles["cluster_id"].to_pylist()) == sorted(set(partition.values()))
    said = {(partition.get(r[0]), r[0], r[1], r[2], r[4]) for r in rows}
    for row in chosen.to_pylist():
        assert (row["cluster_id"], row["record_key"], row["attribute"], row["value"], row["source"]) in said
    by_cluster: dict[str, set[str]] = {}
    for row in chosen.to_pylist():
        if row["attribute"] in ("city", "street", "postcode"):
            by_cluster.setdefault(row["cluster_id"], set()).add(row["record_key"])
    assert all(len(keys) == 1 for keys in by_cluster.values())


LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@examples(10)
@given(LABELS)
def test_accuracy_figures_equal_an_obvious_count(labels):
    truth = pa.table(
        {"record_id": [str(i) for i in range(len(labels))], "entity_id": [str(e) for e, _ in labels]}
    )
    predicted = pa.table({"record_id": truth["record_id"], "cluster_id": [str(c) for _, c in labels]})
    found = evaluate.evaluate(truth, predicted)
    pairs = [(i, j) for i in range(len(labels)) for j in range(i)]
    same_entity = {p for p in pairs if labels[p[0]][0] == labels[p[1]][0]}
    same_cluster = {p for p in pairs if labels[p[0]][1] == labels[p[1]][1]}
    common = same_entity & same_cluster
    assert (found.true_pairs, found.predicted_pairs, found.common_pairs) == (
        len(same_entity), len(same_cluster), len(common),
    )  # fmt: skip
    precision = [_share(labels, i, 1) for i in range(len(labels))]
    recall = [_share(labels, i, 0) for i in range(len(labels))]
    assert found.bcubed_precision == pytest.approx(sum(precision) / len(labels))
    assert found.bcubed_recall == pytest.approx(sum(recall) / len(labels))


def _share(labels, i, side):
    peers = [label for label in labels if label[side] == labels[i][side]]
    return sum(label == labels[i] for label in peers) / len(peers)
