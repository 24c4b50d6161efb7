"""Cost of every stage from files to a release, each beside its physical limit in the same run.

``python -m benchmarks.stages [--people N --events N] [--json FILE]`` makes (once) a workspace of the
demo's realistic mix in ``.bench/`` and runs each stage in a process of its own: CPU-seconds, rows per
CPU-second, peak memory. The limits: pyarrow writing the very rows that landing wrote; DuckDB copying
the tables that standardising, identity and the release made. What a process costs before its first
row (imports, one to two CPU-seconds) is printed apart.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
_LIBRARIES = (
    "duckdb",
    "numpy",
    "orjson",
    "pandas",
    "phonenumbers",
    "polars",
    "pyarrow.parquet",
    "rapidfuzz",
    "sqlglot",
)
STAGES = ("land", "standardise", "identity", "release")


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_megabytes() -> float:
    """Return the peak of this process's own memory (``ru_maxrss`` would start from the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], object], repeat: int = 3) -> float:
    """Return the least CPU-seconds of a few tries."""
    best = float("inf")
    for _ in range(repeat):
        start = cpu_seconds()
        work()
        best = min(best, cpu_seconds() - start)
    return best


def prepare(people: int, events: int) -> Path:
    """Return a workspace with input files of that size, made once and kept."""
    from cdp.demo import generate

    workspace = BENCH / f"people={people},events={events}"
    if not (workspace / "cdp.yaml").exists():
        BENCH.mkdir(exist_ok=True)
        temporary = workspace.with_name(workspace.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        generate(temporary, people=people, events=events, seed=1, now=NOW)
        temporary.rename(workspace)
    for name in ("landing", "events", "identity", "releases", "exports", "logs", "dagster"):
        shutil.rmtree(workspace / name, ignore_errors=True)
    for path in workspace.glob("*.sqlite*"):
        path.unlink()
    return workspace


def run_stage(workspace: Path, stage: str) -> dict[str, Any]:
    """Run one stage of the pipeline here, without Dagster; return what it cost and its limit."""
    from cdp.settings import load
    from pipelines.session import open_session

    settings = load(workspace)
    for library in _LIBRARIES:
        importlib.import_module(library)
    start_up = cpu_seconds()
    with open_session(workspace, settings, f"bench {stage}", run_id=f"bench-{stage}", now=NOW) as session:
        work, limit = _WORK[stage]
        start, wall = cpu_seconds(), time.perf_counter()
        rows = work(session)
        cost = {
            "stage": stage,
            "rows": rows,
            "cpu": cpu_seconds() - start,
            "wall": time.perf_counter() - wall,
        }
        cost["start_up"] = start_up
        cost["peak_mb"] = peak_megabytes()
        cost["limit"], cost["limit_cpu"] = limit(session)
    return cost


def _land(session: Any) -> int:
    from pipelines.stages import land

    return sum(land.land(session, name).landed for name in session.settings.sources)


def _standardise(session: Any) -> int:
    from pipelines.stages import standardise

    reports = [
        standardise.standardise_source(session, name, check=_unchecked) for name in session.settings.sources
    ]
    return sum(report.envelopes for report in reports)


def _unchecked(events: Any, source: str) -> list[Any]:
    """Great Expectations is measured apart: its import alone takes seconds, whatever the rows."""
    del events, source
    return []


def _identity(session: Any) -> int:
    from pipelines.stages import customers, resolve

    resolve.resolve(session)
    customers.merge_customers(session)
    return int(session.ledger.value("SELECT records FROM generations ORDER BY generation DESC LIMIT 1"))


def _release(session: Any) -> int:
    from pipelines.stages import publish

    publish.publish(session)
    return int(session.ledger.value("SELECT sum(events) FROM event_files WHERE current"))


def _paths(session: Any, sql: str) -> list[str]:
    return [str(session.lake.path(row[0])) for row in session.ledger.rows(sql)]


def _pyarrow_write(session: Any) -> tuple[str, float]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from cdp.schemas import RAW, RAW_DICTIONARY_COLUMNS

    paths = _paths(session, "SELECT path FROM files WHERE zone = 'raw'")
    target = session.lake.root / "limit.parquet"
    total = 0.0
    for path in paths:
        table = pa.table(pq.read_table(path, columns=RAW.names))
        total += timed(
            lambda table=table: pq.write_table(  # type: ignore[misc]
                table,
                target,
                compression="zstd",
                compression_level=3,
                row_group_size=131_072,
                use_dictionary=[name for name in RAW_DICTIONARY_COLUMNS if name in RAW.names],
            ),
            repeat=2,
        )
    target.unlink()
    return "pyarrow writes the same rows", total


def _duckdb_copy(session: Any, paths: list[str], label: str) -> tuple[str, float]:
    from cdp.duck import connect, quote

    target = session.lake.root / "limit.parquet"
    listed = ", ".join(map(quote, paths))

    def copy() -> None:
        with connect() as connection:
            connection.execute(
                f"COPY (SELECT * FROM read_parquet([{listed}], union_by_name = true)) TO {quote(str(target))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )

    seconds = timed(copy, repeat=2)
    target.unlink()
    return label, seconds


def _copy_events(session: Any) -> tuple[str, float]:
    paths = _paths(session, "SELECT path FROM event_files WHERE current")
    return _duckdb_copy(session, paths, "DuckDB copies the same events")


def _copy_records(session: Any) -> tuple[str, float]:
    folder = session.ledger.value("SELECT path FROM generations ORDER BY generation DESC LIMIT 1")
    paths = sorted(str(path) for path in session.lake.path(folder).rglob("*record*.parquet"))
    return _duckdb_copy(session, paths, "DuckDB copies the same records")


def _copy_release(session: Any) -> tuple[str, float]:
    from cdp.duck import connect, quote
    from warehouse.release import current

    release = session.lake.releases / current(session.lake).version / "cdp.duckdb"
    target = session.lake.root / "limit.duckdb"

    def copy() -> None:
        target.unlink(missing_ok=True)
        with connect() as connection:
            connection.execute(f"ATTACH {quote(str(release))} AS source (READ_ONLY)")
            connection.execute(f"ATTACH {quote(str(target))} AS target")
            tables = connection.sql(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source'"
            ).fetchall()
            for schema, table in tables:
                connection.execute(f'CREATE TABLE target."{table}" AS FROM source."{schema}"."{table}"')

    seconds = timed(copy, repeat=2)
    target.unlink()
    return "DuckDB copies the same tables", seconds


_WORK: dict[str, tuple[Callable[[Any], int], Callable[[Any], tuple[str, float]]]] = {
    "land": (_land, _pyarrow_write),
    "standardise": (_standardise, _copy_events),
    "identity": (_identity, _copy_records),
    "release": (_release, _copy_release),
}


def _in_child(workspace: Path, stage: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.stages", "--stage", stage, "--workspace", str(workspace)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(costs: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Stages, each in a process of its own")
    for name in (
        "stage",
        "rows",
        "CPU-s",
        "wall s",
        "rows / CPU-s",
        "peak MB",
        "physical limit",
        "its CPU-s",
        "limit / ours",
    ):
        table.add_column(name, justify="left" if name in ("stage", "physical limit") else "right")
    for cost in costs:
        table.add_row(
            cost["stage"],
            f"{cost['rows']:,}",
            f"{cost['cpu']:.2f}",
            f"{cost['wall']:.2f}",
            f"{cost['rows'] / cost['cpu']:,.0f}",
            f"{cost['peak_mb']:,.0f}",
            cost["limit"],
            f"{cost['limit_cpu']:.2f}",
            f"{cost['limit_cpu'] / cost['cpu']:.0%}",
        )
    console = Console(width=140)
    console.print(table)
    total, wall = sum(cost["cpu"] for cost in costs), sum(cost["wall"] for cost in costs)
    peak = max(cost["peak_mb"] for cost in costs)
    start_up = max(cost["start_up"] for cost in costs)
    console.print(f"Files to release: {wall:.1f} s wall, {total:.1f} CPU-seconds, peak {peak:,.0f} MB.")
    console.print(f"Each process costs {start_up:.1f} CPU-seconds more before its first row.")


def main() -> None:
    """Run the benchmark, or with ``--stage`` one stage of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        print(json.dumps(run_stage(arguments.workspace, arguments.stage)))
        return
    workspace = prepare(arguments.people, arguments.events)
    costs = [_in_child(workspace, stage) for stage in STAGES]
    _print(costs)
    if arguments.json:
        arguments.json.write_text(json.dumps(costs, indent=1) + "\n")


if __name__ == "__main__":
    main()
