"""Ad-hoc SQL can read the release and do nothing else, however it is asked."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from pathlib import Path

import duckdb
import pytest

from cdp.errors import RunFailedError, UsageError
from cdp.lake import Lake
from tests.conftest import thinned
from tests.sandbox_forks import Forks
from tests.warehouse_tools import customers_table, event, publish_into, world
from warehouse import sandbox

SHORT = sandbox.Limits(seconds=4)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sandbox")
    events = [event(f"{n}", subject=f"subject {n}") for n in range(3)]
    names = customers_table({"web:1": 'Ann, the "first"'})
    release = publish_into(Lake(folder / "ws"), world(folder / "in", [events], {"web:1": "C1"}, values=names))
    secret = folder / "secret.csv"
    secret.write_text("secret\n42\n", encoding="utf-8")
    return release.database


def ask(database, query, limits=SHORT):
    with sandbox.run(database, query, limits) as answer:
        return answer.read_all().to_pylist()


def test_a_question_is_answered(database):
    assert ask(database, "SELECT count(*) AS n FROM contact_history") == [{"n": 3}]


@pytest.mark.parametrize(
    "query",
    [
        "FROM customers SELECT customer_id",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a;",
        "SHOW TABLES",
        "DESCRIBE customers",
        "SUMMARIZE customers",
        "VALUES (1), (2)",
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'customers'",
        "SELECT unnest(range(5)) -- ; SELECT 2",
        "SELECT ';' AS text",
    ],
)
def test_every_way_of_asking_one_question_is_allowed(database, query):
    assert ask(database, query)


# Each tries to reach out of the release; all are refused, and what they say names the reason.
ATTACKS = {
    "two statements": "SELECT 1; SELECT 2",
    "no statement": "",
    "only a comment": "-- nothing",
    "a second statement behind a comment": "SELECT 1 /* ; */ ; DROP TABLE customers",
    "insert": "INSERT INTO customers (customer_id) VALUES ('x')",
    "delete": "DELETE FROM customers",
    "update": "UPDATE customers SET email = 'x'",
    "drop": "DROP TABLE customers",
    "create table": "CREATE TABLE x AS SELECT 1",
    "create temp table": "CREATE TEMP TABLE x AS SELECT 1",
    "create macro": "CREATE TEMP MACRO f() AS 1",
    "write within a query": "WITH d AS (DELETE FROM customers RETURNING 1) SELECT * FROM d",
    "copy out": "COPY customers TO '{folder}/out.csv'",
    "copy in": "COPY customers FROM '{folder}/secret.csv'",
    "export database": "EXPORT DATABASE '{folder}/dump'",
    "attach": "ATTACH '{folder}/other.duckdb'",
    "attach sqlite": "ATTACH '{folder}/ws/ledger.sqlite' (TYPE sqlite)",
    "detach": "DETACH cdp",
    "use": "USE temp",
    "read text": "SELECT * FROM read_text('{folder}/secret.csv')",
    "read blob": "SELECT * FROM read_blob('/etc/passwd')",
    "read csv": "SELECT * FROM read_csv('{folder}/secret.csv')",
    "read csv by name": "SELECT * FROM '{folder}/secret.csv'",
    "read json": "SELECT * FROM read_json('{folder}/secret.csv')",
    "read ndjson objects": "SELECT * FROM read_ndjson_objects('{folder}/secret.csv')",
    "read parquet": "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "parquet metadata": "SELECT * FROM parquet_metadata('{folder}/x.parquet')",
    "sniff csv": "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "glob": "SELECT * FROM glob('{folder}/*')",
    "glob root": "SELECT * FROM glob('/*')",
    "read duckdb": "SELECT * FROM read_duckdb('{folder}/ws/releases/x.duckdb')",
    "fetch over http": "SELECT * FROM read_text('http://127.0.0.1:1/x')",
    "fetch from s3": "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "process environment": "SELECT * FROM read_text('/proc/self/environ')",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "load a file": "LOAD '{folder}/x.duckdb_extension'",
    "set": "SET enable_external_access = true",
    "set threads": "SET threads = 8",
    "set memory": "SET memory_limit = '100GB'",
    "set temp directory": "SET temp_directory = '{folder}'",
    "reset": "RESET lock_configuration",
    "set variable": "SET VARIABLE x = 1",
    "pragma": "PRAGMA enable_object_cache",
    "pragma assignment": "PRAGMA memory_limit = '100GB'",
    "secret": "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "call": "CALL pragma_version()",
    "checkpoint": "CHECKPOINT",
    "vacuum": "VACUUM",
    "begin": "BEGIN",
    "prepare": "PREPARE p AS SELECT 1",
    "execute": "EXECUTE p",
    "explain analyze": "EXPLAIN ANALYZE SELECT 1",
    "environment variable": "SELECT getenv('HOME')",
    "python variable": "SELECT * FROM request",
    "python module": "SELECT * FROM json",
    "write a log": "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_path = '{folder}')",
    "a query in a query": "SELECT * FROM query('DELETE FROM customers')",
    "a file through query": "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "a file through query_table": "SELECT * FROM query_table('{folder}/secret.csv')",
    "a raw pointer": "SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "a pandas pointer": "SELECT * FROM pandas_scan(1::POINTER)",
    "json from a file": "SELECT * FROM read_json_auto('/etc/hostname')",
    "syntax": "SELEC 1",
}


@pytest.fixture(scope="module")
def forks():
    found = Forks()
    yield found
    found.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_changes_nothing(database, forks, name):
    folder = database.parents[3]
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    bytes_before = database.stat().st_mtime_ns
    told = forks.ask(database, ATTACKS[name].format(folder=folder))
    assert told.kind in ("usage", "failed"), told
    assert "42" not in told.message
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
    assert database.stat().st_mtime_ns == bytes_before


@pytest.mark.parametrize("name", ["two statements", "insert", "read csv", "glob", "install", "set", "syntax"])
def test_what_an_attack_is_answered_comes_through(database, name):
    with pytest.raises((UsageError, RunFailedError)) as refused:
        ask(database, ATTACKS[name].format(folder=database.parents[3]))
    assert "42" not in str(refused.value)


def test_the_attacks_would_work_without_the_sandbox(database):
    """Else the tests above would prove nothing."""
    folder = database.parents[3]
    with duckdb.connect() as connection:
        assert connection.execute(ATTACKS["read csv by name"].format(folder=folder)).fetchall() == [(42,)]
        assert connection.execute(ATTACKS["read text"].format(folder=folder)).fetchall()
        assert connection.execute(ATTACKS["glob"].format(folder=folder)).fetchall()


# These want too much time or memory. The clock ends them, or the memory limit does.
BOMBS = {
    "sleep": "SELECT pg_sleep(60)",
    "sleep in every row": "SELECT pg_sleep(1) FROM range(100)",
    "cross join": "SELECT count(*) FROM range(1000000000) a, range(1000000000) b",
    "endless recursion": "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) FROM t",
    "long text": "SELECT length(repeat('x', 2000000000))",
    "many long texts": "SELECT max(repeat(i::VARCHAR, 10000000)) FROM range(1000) t(i)",
    "long list": "SELECT len(list(i)) FROM range(1000000000) t(i)",
    "wide aggregate": "SELECT string_agg(repeat('x', 1000)) FROM range(10000000)",
    "big sort": "SELECT i FROM range(1000000000) t(i) ORDER BY hash(i) OFFSET 900000000",
    "edit distances": "SELECT max(levenshtein(repeat('a', 20000), repeat('b', i))) FROM range(20000) t(i)",
    "endless output": "SELECT repeat('x', 1000) FROM range(1000000000)",
}


@pytest.mark.parametrize("name", thinned(BOMBS, list(BOMBS)[::2].__contains__))
def test_a_bomb_is_ended_at_its_limit(database, name):
    limits = sandbox.Limits(seconds=1)
    began = time.monotonic()
    with pytest.raises(RunFailedError), sandbox.run(database, BOMBS[name], limits) as answer:
        for _ in answer:
            pass
    assert time.monotonic() - began < 12


def test_deep_nesting_ends_the_query_and_not_the_program(database):
    with pytest.raises((UsageError, RunFailedError)):
        ask(database, "SELECT " + "(" * 50_000 + "1" + ")" * 50_000)


def test_no_process_outlives_its_question(database):
    with pytest.raises(RunFailedError, match="took longer than 1 s"):
        ask(database, "SELECT pg_sleep(60)", sandbox.Limits(seconds=1))
    with sandbox.run(database, "SELECT * FROM range(1000000000)", SHORT) as answer:
        answer.read_next_batch()
    children = [line for line in _children() if "sandbox_child" in line]
    assert children == []


def _children():
    """Return the command lines of this process's children."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == os.getpid():
                    found.append((folder / "cmdline").read_text())
    return found


def test_the_process_sees_no_environment(database, monkeypatch):
    monkeypatch.setenv("CDP_TEST_SECRET", "hush")
    child = sandbox._Child(database, "SELECT pg_sleep(3)", SHORT)
    try:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert b"hush" not in Path(f"/proc/{child.process.pid}/environ").read_bytes()
            time.sleep(0.1)
    finally:
        child.close()


def test_unknown_names_are_answered_with_near_ones(database):
    with pytest.raises(UsageError, match='Candidate bindings: "email"'):
        ask(database, "SELECT emial FROM customers")
    with pytest.raises(UsageError, match='Did you mean "customers"'):
        ask(database, "SELECT * FROM custmers")


def _drain(database, query, sizes):
    with sandbox.run(database, query) as answer:
        sizes.extend(batch.num_rows for batch in answer)


def test_an_error_in_the_middle_of_an_answer_is_not_taken_for_its_end(database):
    late = "SELECT CASE WHEN i = 2900000 THEN error('boom') ELSE repeat('x', 9) END FROM range(3000000) t(i)"
    begun: list[int] = []
    with pytest.raises(RunFailedError, match="boom"):
        _drain(database, late, begun)
    assert len(begun) > 10, "it began well"
    with pytest.raises(RunFailedError, match="boom"):
        ask(database, late, sandbox.DEFAULT_LIMITS)
    out = io.BytesIO()
    with pytest.raises(RunFailedError, match="boom"):
        sandbox.to_stream(database, late, out, "csv")


QUERY = "SELECT full_name, channels, first_seen_at, NULL AS nothing, '=1' AS formula FROM customers"


def test_csv_and_json_hold_the_values_as_they_are(database):
    out = io.BytesIO()
    sandbox.to_stream(database, QUERY, out, "csv", SHORT)
    assert out.getvalue().decode().splitlines() == [
        "full_name,channels,first_seen_at,nothing,formula",
        '"Ann, the ""first""",web,2025-01-01T00:00:00.000000Z,,=1',
    ]
    out = io.BytesIO()
    sandbox.to_stream(database, QUERY, out, "json", SHORT)
    (row,) = json.loads(out.getvalue())
    assert row == {
        "full_name": 'Ann, the "first"',
        "channels": ["web"],
        "first_seen_at": "2025-01-01T00:00:00.000000Z",
        "nothing": None,
        "formula": "=1",
    }
    lines = io.BytesIO()
    sandbox.to_stream(database, QUERY, lines, "jsonl", SHORT)
    assert json.loads(lines.getvalue()) == row


def test_a_file_appears_whole_or_not_at_all(database, tmp_path):
    sandbox.to_file(database, QUERY, tmp_path / "out.parquet", "parquet", SHORT)
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT formula FROM '{tmp_path}/out.parquet'").fetchall() == [("=1",)]
    with pytest.raises(RunFailedError):
        sandbox.to_file(database, "SELECT error('no')", tmp_path / "bad.csv", "csv", SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet"]


def test_a_long_answer_streams(database):
    out = io.BytesIO()
    sandbox.to_stream(database, "SELECT i, repeat('x', 100) AS t FROM range(300000) t(i)", out, "csv")
    assert out.getvalue().count(b"\n") == 300_001


def test_an_answer_without_rows_has_its_columns(database):
    out = io.BytesIO()
    sandbox.to_stream(database, "SELECT customer_id FROM customers WHERE false", out, "csv", SHORT)
    assert out.getvalue() == b"customer_id\n"


class _Gone(io.RawIOBase):
    """A stream whose reader has gone away."""

    def writable(self):
        return True

    def write(self, _data):
        raise BrokenPipeError


def test_a_reader_that_goes_away_ends_the_query(database):
    began = time.monotonic()
    with pytest.raises(BrokenPipeError):
        sandbox.to_stream(database, "SELECT * FROM range(1000000000)", _Gone(), "csv", SHORT)
    assert time.monotonic() - began < 3.5
