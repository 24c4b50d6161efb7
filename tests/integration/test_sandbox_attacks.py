"""More attacks on the sandbox: on the masked copy, through every function, on the kernel, with time and memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from cdp.errors import RunFailedError, UsageError
from cdp.lake import Lake
from tests.conftest import thinned
from tests.sandbox_forks import Forks
from tests.warehouse_tools import event, identifier, publish_into, value, world
from warehouse import sandbox, sandbox_child

LIMITS = sandbox.Limits(seconds=4)
SECRETS = ("Quackenthwaite", "zebulonia", "447700900417", "Wobblegate", "k-90417")
GUARDED = sys.platform == "linux" and sandbox_child.platform.machine() in sandbox_child._CALLS


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    mail = "zebulonia@postfach.example"
    golden = {"full_name": "Zebulonia Quackenthwaite", "surname": "Quackenthwaite", "email": mail,
              "phone": "+447700900417", "street": "Wobblegate 7"}  # fmt: skip
    events = [event(f"{n}", "crm:k-90417", subject=f"from {mail}", at=n) for n in range(3)]
    inputs = world(
        folder / "in",
        [events],
        {"crm:k-90417": "C1"},
        identifiers=[identifier("crm:k-90417", "email", mail)],
        values=[value("crm:k-90417", name, text) for name, text in golden.items()],
    )
    (folder / "secret.csv").write_text("secret\n4711\n", encoding="utf-8")
    return publish_into(Lake(folder / "ws"), inputs, masked=True)


def ask(database, query, limits=LIMITS):
    with sandbox.run(database, query, limits) as answer:
        return answer.read_all()


@pytest.fixture(scope="module")
def forks():
    found = Forks()
    yield found
    found.close()


def state(folder):
    """Everything that is in a folder, and what is in it."""
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


REFUSED = {
    "switch the profiler on": "FROM enable_profiling(format := 'json', save_location := '{folder}/profile')",
    "switch logging on": "FROM enable_logging()",
    "switch logging off": "FROM disable_logging()",
    "a serialised query of a file": "FROM json_execute_serialized_sql(json_serialize_sql("
    "'FROM read_text(''{folder}/secret.csv'')'))",
    "serialised DDL": "FROM json_execute_serialized_sql(json_serialize_sql('DROP TABLE customers'))",
    "parquet file metadata": "FROM parquet_file_metadata('{folder}/x.parquet')",
    "parquet schema": "FROM parquet_schema('{folder}/x.parquet')",
    "parquet key values": "FROM parquet_kv_metadata('{folder}/x.parquet')",
    "parquet bloom filter": "FROM parquet_bloom_probe('{folder}/x.parquet', 'a', 1)",
    "parquet scan": "FROM parquet_scan('{folder}/x.parquet')",
    "read csv, automatic": "FROM read_csv_auto('{folder}/secret.csv')",
    "read ndjson": "FROM read_ndjson('{folder}/secret.csv')",
    "read json objects": "FROM read_json_objects('{folder}/secret.csv')",
    "read one csv file": "FROM read_single_csv_file('{folder}/secret.csv')",
    "the unmasked file beside": "FROM read_duckdb('{release}/cdp.duckdb', table_name := 'customers')",
    "the unmasked file by name": "FROM '{release}/cdp.duckdb'",
    "the key of the tokens": "FROM read_blob('{release}/masking.key')",
    "all files below": "FROM read_text('{folder}/**')",
    "a list of files": "FROM read_text(['{folder}/secret.csv', '/etc/passwd'])",
    "a file through a subquery": "SELECT (SELECT content FROM read_text('{folder}/secret.csv'))",
    "a file through a lateral join": "FROM range(1), LATERAL (FROM read_text('{folder}/secret.csv'))",
    "a file through a recursion": "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t, "
    "read_text('{folder}/secret.csv')) FROM t",
    "a file URL": "FROM read_text('file://{folder}/secret.csv')",
    "a home folder": "FROM read_text('~/.bashrc')",
    "a parent folder": "FROM read_text('../../secret.csv')",
    "memory of the process": "FROM read_blob('/proc/self/mem')",
    "open files of the process": "FROM glob('/proc/self/fd/*')",
    "maps of the process": "FROM read_text('/proc/self/maps')",
    "standard input": "FROM read_text('/dev/stdin')",
    "describe a file": "DESCRIBE FROM '{folder}/secret.csv'",
    "summarise a file": "SUMMARIZE FROM '{folder}/secret.csv'",
    "https": "FROM read_csv('https://127.0.0.1:1/x.csv')",
    "a data lake": "FROM read_parquet('hf://datasets/x/y.parquet')",
    "another cloud": "FROM read_parquet('azure://x/y.parquet')",
    "the list of extensions": "FROM duckdb_extensions()",
    "update extensions": "UPDATE EXTENSIONS",
    "force install": "FORCE INSTALL spatial FROM 'http://127.0.0.1:1'",
    "import database": "IMPORT DATABASE '{folder}'",
    "copy database": "COPY FROM DATABASE cdp TO memory",
    "attach a file of one's own": "ATTACH ':memory:' AS mine",
    "alter": "ALTER TABLE customers ADD COLUMN x INT",
    "truncate": "TRUNCATE customers",
    "merge": "MERGE INTO customers USING customers AS c ON true WHEN MATCHED THEN DELETE",
    "create view": "CREATE VIEW v AS SELECT 1",
    "create or replace temp view": "CREATE OR REPLACE TEMP VIEW customers AS SELECT 1",
    "create index": "CREATE INDEX i ON customers (email)",
    "create sequence": "CREATE TEMP SEQUENCE s",
    "create schema": "CREATE SCHEMA s",
    "create type": "CREATE TYPE t AS ENUM ('a')",
    "create a table function": "CREATE TEMP MACRO m() AS TABLE FROM read_text('/etc/passwd')",
    "create table in memory": "CREATE TABLE memory.x AS SELECT 1",
    "comment": "COMMENT ON TABLE customers IS 'mine'",
    "analyze": "ANALYZE",
    "deallocate": "DEALLOCATE ALL",
    "transaction": "START TRANSACTION; SELECT 1",
    "copy to standard output": "COPY (SELECT 1) TO '/dev/stdout'",
    "set by a function": "SELECT set_config('memory_limit', '9GB', false)",
    "postgres: read a file": "SELECT pg_read_file('/etc/passwd')",
    "postgres: run a program": "COPY customers TO PROGRAM 'sh'",
    "sqlite: load a library": "SELECT load_extension('x')",
    "mysql: load a file": "SELECT load_file('/etc/passwd')",
    "mssql: run a program": "EXEC xp_cmdshell 'sh'",
    "a python function": "FROM python_map_function((SELECT 1))",
    "a pointer to scan": "FROM python_arrow_scan(1::POINTER)",
    "a reader of one's own": "FROM arrow_scan_dumb(1::POINTER, 2::POINTER, 3::POINTER)",
    "an external resource": "FROM create_external_resource('file', path := '/etc/passwd')",
    "a variable of the program": "FROM request_data",
    "a second statement behind a no-break space": "SELECT 1;\u00a0DROP TABLE customers",
    "a second statement behind a zero-width space": "SELECT 1;\u200bDROP TABLE customers",
    "a second statement behind a line separator": "SELECT 1;\u2028DROP TABLE customers",
    "a second statement in a full-width disguise": "SELECT 1； DROP TABLE customers",
    "a second statement behind a NUL": "SELECT 1;\0DROP TABLE customers",
    "a second statement behind a nested comment": "SELECT 1 /* /* */ ; */ ; DELETE FROM customers --",
    "a second statement behind an odd quote": "SELECT $$a$$; SELECT $x$;$x$",
    "a second statement behind a line comment": "SELECT 1 -- \n; DELETE FROM customers",
    "a file with a NUL in its name": "FROM read_text('{folder}/secret.csv\0')",
    "force checkpoint": "FROM force_checkpoint('cdp')",
    "an answer that is an error": "SELECT error('4711' || 'x') FROM customers WHERE false OR error('no') IS NULL",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_attack_on_the_masked_copy_is_refused_and_changes_nothing(release, forks, name):
    folder = release.folder.parents[2]
    before = state(folder)
    query = REFUSED[name].replace("{folder}", str(folder)).replace("{release}", str(release.folder))
    told = forks.ask(release.masked_database, query)
    assert told.kind in ("usage", "failed"), told
    assert not any(secret in told.message for secret in (*SECRETS, "secret\n4711", "root:"))
    assert state(folder) == before


# Allowed, as nothing comes of them.
HARMLESS = {
    "checkpoint": "FROM checkpoint('cdp')",
    "write to the log": "SELECT write_log('x') AS x",
    "read the log": "FROM duckdb_logs()",
    "secrets": "FROM duckdb_secrets()",
    "which secret": "FROM which_secret('s3://x', 's3')",
    "variables": "SELECT getvariable('x') AS x",
    "settings": "SELECT name, value FROM duckdb_settings()",
    "prepared statements": "FROM duckdb_prepared_statements()",
    "temporary files": "FROM duckdb_temporary_files()",
    "storage of a column": "FROM pragma_storage_info('customers')",
    "statistics of columns": "SELECT stats(email), stats(full_name), stats(street) FROM customers",
    "sample of a table": "FROM duckdb_table_sample('customers')",
    "everything of a table": "SUMMARIZE customers",
    "everything of the history": "SUMMARIZE contact_history",
    "constraints": "FROM duckdb_constraints()",
    "indexes": "FROM duckdb_indexes()",
    "columns": "SELECT * EXCLUDE (comment) FROM duckdb_columns()",
    "views": "SELECT view_name FROM duckdb_views()",
    "all tables": "SHOW ALL TABLES",
    "free blocks": "FROM pragma_metadata_info('cdp')",
    "row numbers": "SELECT rowid, * FROM customers",
    "a table by a computed name": "FROM query_table('customers')",
    "a computed query": "FROM query('SELECT email FROM customers')",
    "rows as a struct": "SELECT c FROM customers AS c",
    "columns by a pattern": "SELECT COLUMNS('.*') FROM customers",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_allowed_tells_nothing_that_is_masked_and_changes_nothing(release, forks, name):
    folder = release.folder.parents[2]
    before = state(folder)
    answer = forks.ask(release.masked_database, HARMLESS[name])
    assert not answer.refused, answer
    told = str(answer.rows).lower()
    assert [secret for secret in SECRETS if secret.lower() in told] == []
    assert state(folder) == before


_FUNCTIONS = """
SELECT DISTINCT function_name, function_type FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate') AND len(parameter_types) = 1
  AND parameter_types[1] IN ('VARCHAR', 'ANY', 'T') AND function_name SIMILAR TO '[a-z_0-9]+'
  AND function_name NOT IN ('unnest', 'error') ORDER BY ALL
"""


def _every_function():
    """Calls of every function that takes one text: ``{}`` stands for the column."""
    calls = []
    with duckdb.connect() as connection:
        for name, kind in connection.execute(_FUNCTIONS).fetchall():
            call = f"CAST({name}({{}}) AS VARCHAR)"
            call = call if kind == "aggregate" else f"any_value(TRY({call}))"
            try:
                connection.execute(f"EXPLAIN SELECT {call.format('x')} FROM (SELECT 'a' AS x)")
            except duckdb.Error:  # of another type, or never the same twice
                continue
            calls.append(call)
    return calls


def test_no_function_gives_a_masked_column_back(release, forks):
    calls = _every_function()
    assert len(calls) > 60
    told = {}
    for path in (release.masked_database, release.database):
        answers = [
            forks.ask(
                path, f"SELECT [{', '.join(call.format(column) for call in calls)}] AS told FROM customers"
            )
            for column in ("full_name", "email", "street")
        ]
        assert not any(answer.refused for answer in answers), answers
        told[path] = str([answer.rows for answer in answers]).lower()
    assert [secret for secret in SECRETS if secret.lower() in told[release.masked_database]] == []
    assert any(secret.lower() in told[release.database] for secret in SECRETS), "they do tell what is there"


@pytest.mark.parametrize("column", ["full_name", "email", "phone", "street"])
def test_an_error_quotes_no_masked_value(release, forks, column):
    told = forks.ask(release.masked_database, f"SELECT {column}::INTEGER FROM customers")
    assert "Could not convert" in told.message
    assert not any(secret in told.message for secret in SECRETS)


BOMBS = {
    "sleep": "SELECT sleep_ms(60000)",
    "padding": "SELECT length(lpad('x', 2000000000, 'y'))",
    "format": "SELECT length(format('{:>2000000000}', 'x'))",
    "a million laughs": "WITH a AS (SELECT unnest(range(1000)) AS x), b AS (SELECT 1 FROM a, a AS a2, a AS a3), "
    "c AS (SELECT 1 FROM b, b AS b2) SELECT count(*) FROM c, c AS c2",
    "recursion with keys": "WITH RECURSIVE t(k, v) USING KEY (k) AS (SELECT 1, 1 UNION SELECT 1, v + 1 FROM t) FROM t",
    "recursion that doubles": "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) "
    "SELECT max(length(s)) FROM t",
    "pattern": "SELECT count(*) FROM range(100000) t(i) "
    "WHERE regexp_matches(repeat('a', 20000) || i, '(a?){400}a{400}b')",
    "list of lists": "SELECT list(range(100000)) FROM range(100000)",
    "list in a list": "SELECT list_transform(range(1000000000), lambda x: [x, x])",
    "map": "SELECT map_from_entries(list({k: i, v: repeat('x', 1000)})) FROM range(100000000) t(i)",
    "window": "SELECT max(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) AS s FROM range(1000000000) t(i))",
    "join": "SELECT count(*) FROM range(100000) a JOIN range(100000) b ON (a.range * b.range) % 7 = 3, "
    "range(100000) c",
    "pivot": "PIVOT (SELECT i, i AS j FROM range(10000000) t(i)) ON j USING sum(i)",
    "json": "SELECT max(length(to_json(range(10000 + i))::VARCHAR)) FROM range(10000000) t(i)",
    "similarity": "SELECT max(damerau_levenshtein(repeat('ab', 9000), repeat('ba', i))) FROM range(20000) t(i)",
    "split": "SELECT sum(len(string_split(repeat('a,', 10000000), ','))) FROM range(1000)",
    "distinct": "SELECT count(DISTINCT hash(i)) FROM range(10000000000) t(i)",
    "fibonacci": "WITH RECURSIVE f(a, b) AS (SELECT 0::DOUBLE, 1::DOUBLE UNION ALL SELECT b, a + 1 FROM f) "
    "SELECT count(*) FROM f",
}


@pytest.mark.parametrize("name", thinned(BOMBS, list(BOMBS)[::2].__contains__))
def test_a_bomb_is_ended(release, name):
    began = time.monotonic()
    with pytest.raises((RunFailedError, UsageError)):
        ask(release.masked_database, BOMBS[name], sandbox.Limits(seconds=1))
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
        "SELECT " + "[" * 5_000 + "1" + "]" * 5_000,
        "SELECT " + " + ".join(["1"] * 50_000),
        " UNION ALL ".join(["SELECT 1"] * 5_000),
        "SELECT " + "-" * 30_000 + "1",
        "SELECT '[" + "[" * 100_000 + "'::JSON",
        "WITH " + ", ".join(f"a{n} AS (SELECT 1)" for n in range(3_000)) + " SELECT 1",
        "SELECT " + "NOT " * 30_000 + "true",
        "SELECT 1 AS " + "x" * 200_000,
    ],
    ids=["parentheses", "brackets", "sum", "union", "comment", "json", "with", "not", "name"],
)  # fmt: skip
def test_deep_and_long_queries_end_cleanly(release, forks, query):
    told = forks.ask(release.masked_database, query, seconds=2)
    assert len(told.message) < 10_000
    assert forks.ask(release.masked_database, "SELECT 1 AS one").rows == [{"one": 1}], (
        "the next one is answered"
    )


_PROBE = """
import ctypes, os, resource, socket, subprocess, sys, threading
sys.path.insert(0, {folder!r})
import sandbox_child
resource.setrlimit(resource.RLIMIT_NPROC, (4096, 4096))
sandbox_child.ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
sandbox_child._shut_the_kernel()
tries = {{
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write": lambda: os.open("/nowhere/x", os.O_CREAT | os.O_WRONLY),
    "list": lambda: os.listdir("/"), "fork": os.fork, "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {{}}), "socket": lambda: socket.socket(),
    "pair": lambda: socket.socketpair(), "kill": lambda: os.kill(os.getppid(), 0),
    "unlink": lambda: os.unlink("/nowhere/x"),
    "rename": lambda: os.rename("/nowhere/x", "/nowhere/y"), "mkdir": lambda: os.mkdir("/nowhere/x"),
    "link": lambda: os.link("/etc/passwd", "/nowhere/x"), "symlink": lambda: os.symlink("a", "/nowhere/x"),
    "chmod": lambda: os.chmod("/nowhere", 0o777), "memfd": lambda: os.memfd_create("x"), "session": os.setsid,
    "chdir": lambda: os.chdir("/"), "limits": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "readlink": lambda: os.readlink("/proc/self/exe"), "truncate": lambda: os.truncate("/nowhere/x", 0),
}}
open_still = []
for name, attempt in tries.items():
    try:
        attempt()
        open_still.append(name)
    except (PermissionError, ValueError):  # setrlimit makes a ValueError of it
        pass
    except OSError as error:
        open_still.append(f"{{name}}: {{error}}")
done = []
thread = threading.Thread(target=lambda: done.append(1)); thread.start(); thread.join()
print(open_still, done)
"""


@pytest.mark.skipif(not GUARDED, reason="no filter of system calls for this machine")
def test_the_kernel_refuses_the_process_files_sockets_and_processes_but_not_threads():
    script = _PROBE.format(folder=str(Path(sandbox_child.__file__).parent))
    found = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stdout.strip() == "[] [1]"


def test_a_running_query_has_given_up_its_rights(release):
    child = sandbox._Child(release.masked_database, "SELECT sleep_ms(4000)", LIMITS)
    try:
        folder = Path(f"/proc/{child.process.pid}")
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and "NoNewPrivs:\t1" not in (folder / "status").read_text():
            time.sleep(0.05)
        time.sleep(0.7)
        status = (folder / "status").read_text()
        limits = {
            line[:25].strip(): line[26:46].strip() for line in (folder / "limits").read_text().splitlines()
        }
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status or not GUARDED
        assert limits["Max processes"] == limits["Max file size"] == limits["Max core file size"] == "0"
        assert limits["Max address space"] == str(LIMITS.address_space)
    finally:
        child.close()


def test_a_query_that_is_stopped_from_outside_ends_at_once(release):
    import threading

    stop = sandbox.Stop()
    threading.Timer(0.8, stop).start()
    began = time.monotonic()
    with (
        pytest.raises(RunFailedError),
        sandbox.run(release.masked_database, "SELECT sleep_ms(4000)", LIMITS, stop),
    ):
        pass
    assert time.monotonic() - began < 3
    with pytest.raises(RunFailedError), sandbox.run(release.masked_database, "SELECT 1", LIMITS, stop):
        pass
