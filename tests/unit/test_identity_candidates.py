"""Candidate pairs: single cases, hostile sizes, compiled loops with checked bounds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from identity.candidates import CAPS, Change, Key, Limits, choose_cap, count, emit, flips
from identity.warm import warm
from tests.candidates_tools import pairs, random_order

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = Limits(all_pairs=0)
MILLION = 1_000_000


@pytest.fixture(scope="module")
def compiled() -> None:
    """Leave only running to be timed, on a machine that has not compiled the kernels too."""
    for _ in warm():
        pass


def key(name: str, *codes: int, **more) -> Key:
    return Key(name, more.pop("space", name), np.array(codes, np.int32), max(codes) + 1, **more)


def found(keys: list[Key], cap: int, limits: Limits = BLOCKS, **more) -> list[tuple[int, int]]:
    size = len(keys[0].codes)
    order = np.arange(size, dtype=np.uint64)
    return sorted(pairs(emit(keys, np.ones(size, bool), order, cap, limits=limits, **more)))


def test_records_that_share_a_value_of_few_records_meet_once():
    assert found([key("door", 0, 0, 1, 1, -1, -1), key("phone", 3, 3, 2, 0, -1, -1)], 2) == [(0, 1), (2, 3)]


def test_common_values_are_combined_but_not_two_places():
    name, city, postcode = key("name", 0, 0, 0, 0), key("city", 0, 0, 0, 1), key("postcode", 0, 0, 0, 1)
    assert found([name, city], 2) == []
    assert found([city, postcode], 2) == []
    birth = key("birth_date", 0, 0, 1, 1)
    assert found([name, birth], 2) == [(0, 1), (2, 3)]
    assert found([name, key("birth_date", 0, 0, 0, 0), key("door", 0, 0, 1, 1)], 2) == [(0, 1), (2, 3)]
    assert found([name, city, postcode, key("text", 0, 0, 1, 1, alone=False)], 2) == [(0, 1), (2, 3)]


def test_swapped_names_meet():
    given, surname = (0, 0, 0, 1, 1, 1, 0, 2), (1, 2, 2, 0, 2, 2, 2, 1)
    names = [key("given", *given, space="name"), key("surname", *surname, space="name")]
    assert found(names, 2) == [(0, 3)]
    assert (0, 6) not in found(names, 3)


def test_a_key_that_does_not_stand_alone_needs_another():
    text = key("text", 0, 0, 1, 1, alone=False)
    assert found([text], 2) == []
    assert found([text, key("city", 0, 0, 0, 0)], 2) == [(0, 1), (2, 3)]


def test_few_records_are_all_compared():
    assert found([key("door", 0, -1, -1)], 2, Limits()) == [(0, 1), (0, 2), (1, 2)]


def test_members_of_a_common_identifier_meet_those_of_least_order():
    phone = key("phone", *[0] * 20, identifier=True)
    star = Limits(0, 2, 20)
    wanted = sorted([(a, b) for a in (0, 1) for b in range(20) if a < b])
    assert found([phone], 3, star) == wanted
    assert found([phone], 3, Limits(0, 2, 19)) == []
    everyone, order = np.ones(20, bool), np.arange(20, dtype=np.uint64)
    assert emit([phone], everyone, order, 3, limits=star).oversize == {}
    assert emit([phone], everyone, order, 3, limits=Limits(0, 2, 19)).oversize == {"phone": 20}


def test_the_order_of_the_rows_does_not_choose_representatives():
    size, random = 40, np.random.default_rng(4)
    order, moved = random_order(random, size), random.permutation(size)
    phone, everyone = key("phone", *[0] * size, identifier=True), np.ones(size, bool)
    plain = pairs(emit([phone], everyone, order, 3, limits=BLOCKS))
    shuffled = pairs(emit([phone], everyone, order[moved], 3, limits=BLOCKS))
    back = {(min(moved[a], moved[b]), max(moved[a], moved[b])) for a, b in shuffled}
    assert back == {*plain}


def test_several_values_meet_on_each_of_them():
    both = np.array([0, 0, 1, 2], np.int32), np.array([0, 1, 1, 0], np.int32)
    phone = Key("phone", "phone", np.array([0, 1, 0], np.int32), 2, several=both)
    assert found([phone], 2) == [(0, 1), (0, 2)]


def test_the_cap_bounds_the_pairs_of_single_values():
    few = [Key("a", "a", np.repeat(np.arange(100, dtype=np.int32), 80), 100)]
    assert choose_cap(few, np.ones(8_000, bool)) == CAPS[0]
    many = [Key(name, name, np.repeat(np.arange(2_000, dtype=np.int32), 80), 2_000) for name in "abc"]
    assert choose_cap(many, np.ones(160_000, bool)) == CAPS[1]


def test_a_change_below_and_above_the_limit_of_all_pairs_touches_everybody():
    door, limits = key("door", 0, 0, 1, 1), Limits(all_pairs=3)
    none, order = np.empty(0, np.int32), np.arange(4, dtype=np.uint64)
    came = Change(np.array([3], np.int32), np.array([False]))
    everyone = np.ones(4, bool)
    assert flips([door], everyone, order, 2, came, (none, none), limits=limits).tolist() == [0, 1, 2]
    assert flips([door], everyone, order, 2, came, (none, none)).tolist() == []


def test_a_grown_block_touches_the_ends_of_edges_that_nothing_else_holds():
    door, phone = key("door", 0, 0, 0, 0), key("phone", 0, 0, 1, -1)
    came = Change(np.array([3], np.int32), np.array([False]))
    edges = np.array([0, 0], np.int32), np.array([1, 2], np.int32)
    order, everyone = np.arange(4, dtype=np.uint64), np.ones(4, bool)
    assert flips([door, phone], everyone, order, 3, came, edges, limits=BLOCKS).tolist() == [0, 2]


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.usefixtures("compiled")
def test_a_million_equal_records_take_bounded_time_and_are_reported():
    same = np.zeros(MILLION, np.int32)
    names = "given surname birth_date door postcode city email/ phone/ text".split()
    keys = [Key(n, n, same, 1, alone=n != "text", identifier=n.endswith("/")) for n in names]
    oversize = _bounded(keys, most_pairs=0)
    assert oversize["email/"] == oversize["phone/"] == MILLION
    assert oversize["birth_date + door + given"] == MILLION


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.usefixtures("compiled")
def test_a_million_records_of_one_mail_address_take_bounded_time_and_are_reported():
    random = np.random.default_rng(1)
    keys = [Key("email/", "email/", np.zeros(MILLION, np.int32), 1, identifier=True)]
    for name in ("given", "surname"):
        codes = random.integers(0, 10_000, MILLION).astype(np.int32)
        keys.append(Key(name, "name", codes, 10_000))
    assert _bounded(keys, most_pairs=MILLION)["email/"] == MILLION


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.usefixtures("compiled")
def test_common_identifiers_of_the_largest_size_that_is_compared_take_bounded_time():
    codes = np.repeat(np.arange(MILLION // 5_000, dtype=np.int32), 5_000)
    keys = [Key("phone/", "phone/", codes, int(codes.max()) + 1, identifier=True)]
    assert _bounded(keys, most_pairs=8 * MILLION) == {}


def _bounded(keys: list[Key], most_pairs: int) -> dict[str, int]:
    everyone, order = np.ones(MILLION, bool), random_order(np.random.default_rng(2), MILLION)
    dirty = np.zeros(MILLION, bool)
    dirty[:10_000] = True
    rows = np.flatnonzero(dirty).astype(np.int32)
    edges = np.arange(MILLION - 1, dtype=np.int32), np.arange(1, MILLION, dtype=np.int32)
    start = [time.process_time()]
    full = emit(keys, everyone, order, 20)
    made = sum(len(left) for left, _ in full)
    start.append(time.process_time())
    some = sum(len(left) for left, _ in emit(keys, everyone, order, 20, dirty=dirty))
    start.append(time.process_time())
    flips(keys, everyone, order, 20, Change(rows, np.zeros(10_000, bool)), edges)
    start.append(time.process_time())
    assert max(np.diff(start)) < 2
    assert some <= made <= most_pairs
    return full.oversize


def test_counts_are_of_active_records_only():
    door = key("door", 0, 0, 1, -1)
    assert count([door], np.array([True, False, True, True])).spaces["door"].tolist() == [1, 1]


@pytest.mark.slow
@pytest.mark.soak
def test_compiled_loops_stay_inside_their_arrays(tmp_path):
    """The oracle tests run again with every index checked (what shows that they have force need not be)."""
    tests = ["tests/oracle/test_identity_candidates.py", "tests/properties/test_identity_candidates.py"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not force", *tests],
        cwd=ROOT,
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
