"""A big release for measuring what serves it: made-up customers, records and events, really built and published.

    python -m benchmarks.serving_data --out FOLDER [--customers 1000000] [--events 20000000] [--fresh]

The inputs of the build are kept below the workspace: calling again builds and publishes them anew, with
whatever the release has become since.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import shutil
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from benchmarks import serving_events, serving_people
from cdp import duck
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.lock import writer_lock
from warehouse.inputs import BuildInputs
from warehouse.release import Release, Resources, publish

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
_INPUTS: Final = "bench-inputs"
_READY: Final = "READY"
_SETTINGS: Final = """\
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
own: {domains: [shop.example]}
sources:
  web: {connector: segment, path: "inbox/web/*"}
release: {keep: 2, masked: false}
"""


def inputs(folder: Path, customers: int, events: int, *, now: datetime = NOW, seed: int = 1) -> BuildInputs:
    """Return the inputs of a release of that size below ``folder``, made where they are not there yet."""
    root = folder / f"customers={customers},events={events},seed={seed}"
    if not (root / _READY).exists():
        shutil.rmtree(folder, ignore_errors=True)
        root.mkdir(parents=True)
        with duck.connect(memory_limit="4GB", temp_directory=root / "spill") as connection:
            connection.execute("SET preserve_insertion_order = false")
            serving_people.make(connection, customers, now, seed)
            serving_people.write(connection, root)
            serving_events.write(connection, events, now, root)
        shutil.rmtree(root / "spill", ignore_errors=True)
        (root / _READY).touch()
    tables: dict[str, Any] = {name: root / f"{name}.parquet" for name in serving_people.TABLES}
    rate = pa.array(["0.86"]).cast(pa.decimal128(18, 8))
    rates = pa.table({"date": [date(2020, 1, 1)], "currency": ["EUR"], "rate": rate})
    return BuildInputs(
        event_files=tuple(sorted(root.glob("events-*.parquet"))),
        **tables,
        rates=rates,
        workspace="shop",
        default_region="GB",
        base_currency="GBP",
        generation=2,
        digest=f"{customers}-{events}-{seed}",
    )


def make(
    out: Path, customers: int, events: int, *, now: datetime = NOW, memory_limit: str = "5GB"
) -> Release:
    """Publish a release of that size into the workspace ``out`` (made where it is not there)."""
    out.mkdir(parents=True, exist_ok=True)
    settings = out / "cdp.yaml"
    if not settings.exists():
        settings.write_text(_SETTINGS, encoding="utf-8")
    given = inputs(out / _INPUTS, customers, events, now=now)
    lake = Lake(out)
    with writer_lock(out, run_id="bench"), Ledger(lake.ledger_path) as ledger:
        return publish(
            lake,
            ledger,
            dataclasses.replace(given, digest=f"{given.digest}-{time.time_ns()}"),
            now=now,
            run_id="bench",
            resources=Resources(threads=2, memory_limit=memory_limit),
        )


def main() -> None:
    """Make the workspace and say what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--events", type=int)
    parser.add_argument("--fresh", action="store_true", help="make the inputs again, too")
    arguments = parser.parse_args()
    if arguments.fresh:
        shutil.rmtree(arguments.out / _INPUTS, ignore_errors=True)
    events = arguments.events or arguments.customers * 20
    release = make(arguments.out, arguments.customers, events)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu, size = usage.ru_utime + usage.ru_stime, release.database.stat().st_size
    print(f"{release.folder}: {size / 1e6:,.0f} MB, {cpu:,.0f} CPU-seconds in all")
    for name, rows in release.manifest["rows"].items():
        print(f"  {name:24} {rows:>12,}")
    (arguments.out / _READY).touch()


if __name__ == "__main__":
    main()
