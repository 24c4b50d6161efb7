"""The benchmarks' own generator of people: the same for one seed, opaque, with the truth it states."""

from __future__ import annotations

import duckdb
import pyarrow.parquet as pq
import pytest

from benchmarks import people


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    target = tmp_path_factory.mktemp("people") / "people.parquet"
    assert people.generate(target, 20_000, seed=3) == 20_000
    return target


def ask(path, sql):
    with duckdb.connect() as con:
        con.read_parquet(str(path)).create_view("people")
        return con.sql(sql).fetchall()


def test_equal_seeds_give_equal_people_and_others_give_others(path, tmp_path):
    people.generate(tmp_path / "again.parquet", 20_000, seed=3)
    people.generate(tmp_path / "other.parquet", 20_000, seed=4)
    first = pq.read_table(path)
    assert first.equals(pq.read_table(tmp_path / "again.parquet"))
    assert not first.equals(pq.read_table(tmp_path / "other.parquet"))


def test_records_have_ids_that_say_nothing(path):
    assert ask(path, "SELECT count(DISTINCT record_id) FROM people") == [(20_000,)]
    ((related,),) = ask(
        path,
        """SELECT corr(record_id[2:]::DOUBLE, entity_id[2:]::DOUBLE) FROM people""",
    )
    assert abs(related) < 0.05


def test_people_have_several_records_and_households_share(path):
    ((mean, most),) = ask(
        path, "SELECT avg(n), max(n) FROM (SELECT count(*) AS n FROM people GROUP BY entity_id)"
    )
    assert 2.3 < mean < 2.8
    assert most == 8
    ((shared,),) = ask(
        path,
        """SELECT count(*) FROM (SELECT email FROM people WHERE email LIKE 'the%'
           GROUP BY email HAVING count(DISTINCT entity_id) > 1)""",
    )
    assert shared > 10


def test_own_addresses_belong_to_one_person(path):
    ((double,),) = ask(
        path,
        """SELECT count(*) FROM (SELECT lower(email) AS e FROM people
           WHERE lower(email) NOT LIKE 'the%' AND lower(email) <> 'test@test.com'
           GROUP BY e HAVING count(DISTINCT entity_id) > 1)""",
    )
    assert double <= 2  # a typing error may meet another address


def test_names_are_skewed_and_misspelt(path):
    counts = ask(path, "SELECT lower(surname) AS s, count(*) FROM people GROUP BY s ORDER BY 2 DESC")
    assert counts[1][1] > 50
    assert len(counts) > 3_000


def test_a_small_file_has_the_size_that_was_asked_for(tmp_path):
    assert people.generate(tmp_path / "few.parquet", 7, seed=1) == 7
    assert pq.read_table(tmp_path / "few.parquet").num_rows == 7
