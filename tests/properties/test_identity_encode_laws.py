"""Laws of encoding: a table at once or in parts, its rows and columns in whatever order, in any form.

`make test` tries 30 examples of the dear ones, `make soak` ten times as many.
"""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from identity.encode import append, encode
from identity.held import placeholders
from identity.kernels import hashing
from identity.values import Values
from tests.conftest import examples
from tests.encode_tools import COLUMNS, as_texts, dirty_people, same_values, sightings


@st.composite
def batches(draw):
    """Tables of people with different columns (also none), sizes (also 0) and keys, with identifiers."""
    made = []
    for place in range(draw(st.integers(1, 4))):
        people, rows = dirty_people(draw(st.integers(0, 1000)), draw(st.integers(0, 9)), prefix=f"b{place}")
        names = {"birth_date", *draw(st.sets(st.sampled_from(sorted(COLUMNS))))} & set(people.column_names)
        rows = rows if draw(st.booleans()) else rows.drop_columns(["last_seen_at"])
        made.append((people.select(["record_key", *sorted(names)]), rows))
    return made


def together(tables):
    return pa.concat_tables(tables, promote_options="default")


@examples(15)
@given(batches(), st.integers(0, 1000))
def test_parts_that_are_appended_equal_the_whole(parts, seed):
    _, frozen = encode(*dirty_people(seed, 40))
    whole, _ = encode(together([p for p, _ in parts]), together([r for _, r in parts]), frozen, threads=1)
    encoded = [encode(people, rows, frozen, threads=1) for people, rows in parts]
    state = encoded[0][0]
    for batch, _ in encoded[1:]:
        state = append(state, batch)
    assert same_values(whole, state)
    counts = Counter()
    for part, _ in encoded:
        counts += told(part)
    assert told(whole) == told(state) == counts
    for values in state.spaces.values():
        assert np.array_equal(values.hashes, hashing.hash_texts(values.texts))
        assert len(set(values.texts.to_pylist())) == len(values)
        assert values.locate(values.hashes).tolist() == list(range(len(values)))


def told(found):
    """How many records carry each placeholder."""
    rows = placeholders(found, np.ones(len(found), bool)).to_pylist()
    return Counter({(r["type"], r["namespace"], r["value"]): r["records"] for r in rows})


@examples(15)
@given(st.integers(0, 1000), st.integers(0, 30), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_plays_no_part(seed, size, chance):
    people, rows = dirty_people(seed, size)
    first, frozen = encode(people, rows)
    order = list(range(size))
    chance.shuffle(order)
    names = people.column_names
    chance.shuffle(names)
    places = list(range(len(rows)))
    chance.shuffle(places)
    again, frozen_again = encode(
        people.take(pa.array(order, pa.int64())).select(names), rows.take(pa.array(places, pa.int64()))
    )
    assert frozen == frozen_again
    assert by_key(first) == by_key(again)


def by_key(found):
    made = as_texts(found)
    keys = made["keys"]
    columns = {
        name: dict(zip(keys, column[1], strict=True))
        for part in ("columns", "keys_only")
        for name, column in made[part].items()
    }
    several = {
        (part, name): sorted((keys[record], *rest) for record, *rest in made[part][name][2])
        for part in ("identifiers", "placeholders")
        for name in made[part]
    }
    chosen = {
        name: dict(zip(keys, made["identifiers"][name][1], strict=True)) for name in made["identifiers"]
    }
    return columns, several, chosen, dict(zip(keys, made["order"], strict=True))


@examples(15)
@given(st.integers(0, 1000), st.integers(1, 20))
def test_identifiers_by_dictionary_of_keys(seed, size):
    people, _ = dirty_people(seed, size)
    rows = sightings(random.Random(seed), people["record_key"].to_pylist(), 2 * size)
    keys = people["record_key"].combine_chunks()
    places = pa.compute.index_in(rows["record_key"].combine_chunks(), value_set=keys)
    coded = rows.set_column(0, "record_key", pa.DictionaryArray.from_arrays(places, keys))
    assert same_values(encode(people, rows)[0], encode(people, coded)[0])


TEXTS = st.text(max_size=40)


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=30), st.integers(0, 30), st.integers(1, 7))
def test_hashes_are_of_the_bytes_alone(texts, start, width):
    array = pa.array(texts, pa.string())
    expected = [0 if text is None else int(hashing.hash_texts(pa.array([text]))[0]) for text in texts]
    assert hashing.hash_texts(array).tolist() == expected
    assert hashing.hash_texts(array.slice(start)).tolist() == expected[start:]
    assert hashing.hash_texts(array.cast(pa.large_string())).tolist() == expected
    chunks = [array.slice(i, width) for i in range(0, len(array), width)]
    assert hashing.hash_texts(pa.chunked_array(chunks, pa.string())).tolist() == expected
    assert hashing.hash_texts(array.dictionary_encode()).tolist() == expected


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_hashes_are_found_where_they_stand_first(stock, wanted):
    found = hashing.locate(
        np.array(stock, np.uint64) << np.uint64(60), np.array(wanted, np.uint64) << np.uint64(60)
    )
    assert found.tolist() == [stock.index(value) if value in stock else -1 for value in wanted]


@given(st.lists(TEXTS.filter(bool), unique=True), st.lists(TEXTS.filter(bool), unique=True))
def test_dictionaries_of_equal_hashes_keep_their_texts_apart(one, two):
    """The worst case: every hash collides."""
    first = Values(pa.array(one, pa.string()), np.zeros(len(one), np.uint64))
    second = Values(pa.array(two, pa.string()), np.zeros(len(two), np.uint64))
    both, codes = first.union(second)
    assert both.texts.to_pylist() == [*one, *(text for text in two if text not in one)]
    assert both.texts.take(pa.array(codes)).to_pylist() == two
