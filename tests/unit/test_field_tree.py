"""Fields of payloads as paths: which names are shown, and which keys are data."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.field_tree import FieldTree


def fields(*samples: list[Any], headings: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the fields of samples of structures, each of one document."""
    tree = FieldTree([len(sample) for sample in samples], headings=headings)
    for number, sample in enumerate(samples):
        for structure in sample:
            tree.add(number, structure, 1)
    return tree.fields()


def test_a_field_is_named_by_its_path_and_counted_per_sample() -> None:
    found = fields(
        [{"type": "VARCHAR", "traits": {"email": "VARCHAR"}, "tags": ["VARCHAR"]}],
        [{"type": "VARCHAR", "products": [{"sku": "VARCHAR"}]}, {"type": "VARCHAR"}],
    )
    assert found == {
        "products[].sku": (0, 1),
        "tags[]": (1, 0),
        "traits.email": (1, 0),
        "type": (1, 2),
    }


def test_a_field_without_a_value_is_none() -> None:
    assert fields([{"a": "NULL", "b": {}, "c": [], "d": ["NULL"], "e": "BOOLEAN"}]) == {"e": (1,)}


def test_keys_that_are_data_are_one() -> None:
    mailboxes = {"ann@mail.example": "UBIGINT", "bob@mail.example": "UBIGINT", "+44 7911 123456": "UBIGINT"}
    found = fields([{"seen": mailboxes, "by": {"9f3c2a7e51b04d6c": {"n": "UBIGINT"}}}])
    assert found == {"by.*.n": (1,), "seen.*": (1,)}


def test_a_map_with_keys_without_end_is_one_field() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b + c for a in letters for b in letters for c in "xyz"]
    assert fields([{"votes": dict.fromkeys(words, "UBIGINT")}]) == {"votes.*": (1,)}
    few_each = [{"votes": {word: {"at": "VARCHAR"} for word in words[n : n + 3]}} for n in range(0, 600, 3)]
    assert fields(few_each) == {"votes.*.at": (200,)}


def test_many_fields_that_come_again_are_no_map() -> None:
    names = [f"field_{chr(97 + n // 5)}{chr(97 + n % 5)}" for n in range(40)]
    found = fields([{"properties": dict.fromkeys(names, "VARCHAR")} for _ in range(5)])
    assert set(found) == {f"properties.{name}" for name in names}


def test_headings_of_a_table_may_hold_blanks_where_most_rows_have_them() -> None:
    rows = [{"Customer No": "VARCHAR", "Größe": "VARCHAR"}] * 4
    assert set(fields(rows, headings=True)) == {'"Customer No"', '"Größe"'}
    assert set(fields(rows)) == {"*"}
    assert set(fields([*rows, {"Ann Archer": "VARCHAR"}], headings=True)) == {'"Customer No"', '"Größe"', "*"}


structures = st.recursive(
    st.sampled_from(["VARCHAR", "UBIGINT", "NULL", "JSON"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=12) | st.emails(), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(st.lists(structures, max_size=6), st.lists(structures, max_size=6))
def test_every_structure_has_fields_and_none_of_them_says_more_than_a_name(
    one: list[Any], other: list[Any]
) -> None:
    for path, counts in fields(one, other).items():
        assert path.isascii()
        assert "@" not in path
        assert counts[0] <= len(one)
        assert counts[1] <= len(other)
        assert sum(counts) > 0
