"""A tiny shop for tests of whole runs: a web source and order lines, with the troubles of real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.runs import new_run_id
from cdp.settings import Settings, load
from connectors.registry import names
from pipelines import fit as fitting
from pipelines import runner
from pipelines.fit import FitReport
from pipelines.options import RunOptions
from pipelines.report import RunReport
from pipelines.session import open_session
from warehouse.compare import equal
from warehouse.release import current

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

CONFIG = """
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
sources:
  web: {connector: segment, path: "inbox/web/*"}
  orders:
    connector: files
    path: "inbox/orders/*.csv"
    event:
      type: {column: order_no, prefixes: {R: order_refunded}, default: order_placed}
      group_by: order_no
      time: order_time
      amount: "quantity * unit_price"
      currency: GBP
      product: product
    identifiers: {external_id: {column: customer_no, namespace: shop}, email: email}
    traits: {full_name: name, email: email}
exports: {feed: {dataset: customers, format: csv, purpose: internal}}
"""

PEOPLE = (
    ("u1", "Ann Archer", "ann.archer@mail.example"),
    ("u2", "Bob Baker", "bob.baker@mail.example"),
    ("u3", "Cyd Carver", "cyd.carver@mail.example"),
)


def call(number: int, person: int, kind: str = "track", **more: Any) -> str:
    """Return one tracking call as a line of JSON."""
    user, name, email = PEOPLE[person]
    content: dict[str, Any] = {
        "type": kind,
        "messageId": f"m{number}",
        "anonymousId": f"device-{person}",
        "timestamp": f"2026-02-{number % 27 + 1:02d}T10:00:00Z",
    }
    if kind == "identify":
        content |= {"userId": user, "traits": {"name": name, "email": email}}
    elif kind == "track":
        content |= {"event": "Product Viewed", "properties": {"name": "Lamp"}}
    return json.dumps(content | more)


ORDER_HEAD = "order_no,order_time,customer_no,name,email,product,quantity,unit_price"

# A line that is cut, an id that comes again (the same, then with another payload), an order whose lines
# lie in two files, and one without any customer.
FILES: Mapping[str, Sequence[str]] = {
    "inbox/web/1.jsonl": [
        *(call(number, number % 3) for number in range(1, 7)),
        *(call(10 + person, person, "identify") for person in range(3)),
        '{"type": "track", "messageId": "cut',
    ],
    "inbox/web/2.jsonl": [
        call(1, 1),
        call(20, 0),
        call(2, 2, properties={"name": "Chair"}, timestamp="2026-02-20T10:00:00Z"),
        call(21, 1, kind="dance"),
    ],
    "inbox/orders/1.csv": [
        ORDER_HEAD,
        "A1,2026-02-03 12:00,C1,Ann Archer,ann.archer@mail.example,Lamp,1,30.00",
        "A1,2026-02-03 12:00,C1,Ann Archer,ann.archer@mail.example,Bulb,2,2.50",
        "A2,2026-02-04 12:00,C2,Robert Baker,bob.baker@mail.example,Chair,1,80.00",
        "A3,2026-02-05 12:00,,,,Vase,1,9.00",
        "A4,2026-02-05 13:00,C3,Cyd Carver,cyd.carver@mail.example,Vase,many,9.00",
    ],
    "inbox/orders/2.csv": [
        ORDER_HEAD,
        "A1,2026-02-03 12:00,C1,Ann Archer,ann.archer@mail.example,Shade,1,12.00",
        "R5,2026-02-09 09:00,C2,Robert Baker,bob.baker@mail.example,Chair,1,80.00",
    ],
}


def make_shop(folder: Path, files: Mapping[str, Sequence[str]] = FILES, config: str = CONFIG) -> Path:
    """Make a workspace with input files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cdp.yaml").write_text(config, encoding="utf-8")
    add_files(folder, files)
    return folder


def add_files(folder: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Write input files into a workspace."""
    for name, lines in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings_of(folder: Path) -> Settings:
    return load(folder, names())


def run(folder: Path, selection: str = "run", *, engine: str = "plain", **options: Any) -> RunReport:
    """Run a selection, by default without Dagster, at a fixed time."""
    chosen = RunOptions(full=options.pop("full", False), quarantined=options.pop("quarantined", False))
    now = options.pop("now", NOW)
    return runner.run(
        folder, settings_of(folder), selection, engine=engine, now=now, options=chosen, **options
    )


def fit(folder: Path, *, use: bool = False) -> FitReport:
    """Estimate a model on the present records, as `cdp identity fit` does."""
    run_id = new_run_id(NOW, "fit0")
    with open_session(folder, settings_of(folder), "identity fit", run_id=run_id, now=NOW) as session:
        return fitting.fit(session, use=use)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the current release."""
    with current(Lake(folder)).open() as connection:
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    return found


def ledger_rows(folder: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Ask the ledger."""
    with Ledger(Lake(folder).ledger_path, read_only=True) as ledger:
        return [tuple(row) for row in ledger.rows(sql, parameters)]


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between the current releases of two workspaces."""
    return equal(current(Lake(one)).database, current(Lake(other)).database)


def copy(folder: Path, into: Path) -> Path:
    """Copy a workspace as it is on disk now."""
    return Path(shutil.copytree(folder, into))


def cdp(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from cdp.cli.main import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, timeout: float = 120) -> tuple[int, str, str]:
    """Wait for a process; return its exit status and what it wrote."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err
