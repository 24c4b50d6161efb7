"""Whatever looks like SQL, or does not, gets an answer or a clean error, and no file changes.

An example is a process: `make test` tries thirty, `make soak` ten times as many.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.lake import Lake
from tests.conftest import examples
from tests.sandbox_forks import Forks
from tests.warehouse_tools import event, publish_into, world

WORDS = """SELECT FROM WHERE GROUP BY ALL ORDER LIMIT 5 WITH RECURSIVE AS UNION JOIN ON USING VALUES PIVOT UNNEST CASE
    WHEN THEN END NULL true ( ) [ ] { } , ; . * = <> || -> :: ? $1 @ # % ! -- /* */ ' " $$ 1 -1 1e400 0x 'a' "b"
    customers contact_history email customer_id nobody INSERT UPDATE DELETE DROP TABLE CREATE TEMP ATTACH COPY TO SET
    PRAGMA INSTALL LOAD EXPLAIN DESCRIBE SHOW TABLES SUMMARIZE CALL EXPORT IMPORT DATABASE VACUUM PREPARE EXECUTE USE
    read_text read_csv glob query query_table getenv current_setting duckdb_settings() range(3) sleep_ms(1)
    '/etc/passwd' 'out.csv' count(*) lambda x : x + 1 INTERVAL DATE INTEGER VARCHAR[] STRUCT MAP""".split()

QUERIES = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=8).map(lambda words: "SELECT " + " ".join(words)),
    st.text(max_size=60),
    st.binary(max_size=40).map(lambda data: data.decode("latin-1")),
)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    inputs = world(folder / "in", [[event("1")]], {"web:1": "C1"})
    return publish_into(Lake(folder / "ws"), inputs, masked=True)


@pytest.fixture(scope="module")
def forks():
    found = Forks()
    yield found
    found.close()


def test_anything_gets_an_answer_or_a_clean_error_and_no_file_changes(release, forks):
    folder = release.folder.parents[2]

    def state():
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}

    before = state()

    @settings(examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(QUERIES)
    def holds(query):
        told = forks.ask(release.masked_database, query, seconds=3)
        assert told.status == 0 or told.kind in ("usage", "failed", "timeout", "memory"), (query, told)
        assert told.status == 0 or told.kind in ("timeout", "memory") or told.message
        assert "root:" not in str(told)
        assert state() == before

    holds()
