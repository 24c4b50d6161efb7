"""Customer ids: who keeps one, who gets a new one, and where old ones lead."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cdp.errors import UsageError
from identity import ids


def clusters(**partition):
    return pa.table({"record_key": list(partition), "cluster_id": list(partition.values())})


def test_the_larger_part_keeps_the_id_and_the_rest_gets_a_new_one():
    first = ids.assign(clusters(a="x", b="x", c="x"), None, 1)
    found = ids.assign(clusters(a="a", b="b", c="b"), first.id_map, first.next_number)
    assert found.id_map["customer_id"].to_pylist() == ["C00000002", "C00000001", "C00000001"]
    assert [c["change"] for c in found.changes.to_pylist()] == ["split"]
    assert found.moved_records == 1


def test_a_merge_keeps_the_older_of_equal_claims_and_redirects_the_other():
    first = ids.assign(clusters(a="a", b="b"), None, 1)
    found = ids.assign(clusters(a="a", b="a"), first.id_map, first.next_number)
    assert set(found.id_map["customer_id"].to_pylist()) == {"C00000001"}
    assert found.redirects.to_pylist() == [{"previous_customer_id": "C00000002", "customer_id": "C00000001"}]


def test_redirects_follow_later_merges():
    one = ids.assign(clusters(a="a", b="b", c="c"), None, 1)
    two = ids.assign(clusters(a="a", b="b", c="b"), one.id_map, one.next_number)
    three = ids.assign(clusters(a="a", b="a", c="a", d="a"), two.id_map, two.next_number, two.redirects)
    live = set(three.id_map["customer_id"].to_pylist())
    assert {row["customer_id"] for row in three.redirects.to_pylist()} == live
    assert three.redirects.num_rows == 2


def test_a_retired_id_is_not_given_again():
    one = ids.assign(clusters(a="a", b="b"), None, 1)
    two = ids.assign(clusters(a="a", b="a"), one.id_map, one.next_number)
    three = ids.assign(clusters(a="a", b="b"), two.id_map, two.next_number, two.redirects)
    assert set(three.id_map["customer_id"].to_pylist()) == {"C00000001", "C00000003"}
    stale = ids.assign(clusters(a="a", b="b"), one.id_map, two.next_number, two.redirects)
    assert "C00000002" not in stale.id_map["customer_id"].to_pylist()


def test_a_sequence_that_lags_behind_is_refused():
    previous = pa.table({"record_key": ["a"], "customer_id": ["C00000009"]})
    with pytest.raises(UsageError, match="C00000009 is in use"):
        ids.assign(clusters(a="a"), previous, 5)
    with pytest.raises(UsageError, match="more than one cluster"):
        ids.assign(pa.table({"record_key": ["a", "a"], "cluster_id": ["x", "y"]}), None, 1)


def test_ids_are_ordered_by_their_numbers():
    """Past eight digits, the text of an id says nothing of its age."""
    previous = pa.table({"record_key": ["a", "b"], "customer_id": ["C99999999", "C100000000"]})
    with pytest.raises(UsageError, match="C100000000 is in use"):
        ids.assign(clusters(a="a", b="b"), previous, 100_000_000)
    found = ids.assign(clusters(a="a", b="a"), previous, 100_000_001)
    assert set(found.id_map["customer_id"].to_pylist()) == {"C99999999"}
    old, young, gone = "C99999999", "C100000000", "C100000005"
    three = pa.table({"record_key": list("abcd"), "customer_id": [old, young, gone, gone]})
    split = ids.assign(clusters(a="a", b="b", c="a", d="b"), three, 100_000_006)
    assert split.redirects.to_pylist() == [{"previous_customer_id": gone, "customer_id": old}]
