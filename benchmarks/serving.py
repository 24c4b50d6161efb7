"""What the server costs: CPU per request, top load, latencies at half of it, on a real release.

    python -m benchmarks.serving [--workspace FOLDER] [--customers N] [--seconds S] [--json FILE] [--only NAME]…

Starts ``cdp serve`` on the workspace (made with :mod:`benchmarks.serving_data` where there is none) and asks as a
system with a key does: authentication, limits and audit are on. CPU is the server process's own, by the kernel.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import machine
from benchmarks.serving_load import request

ROOT: Final = Path(__file__).resolve().parent.parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SAMPLE: Final = 2_000
_RULE: Final = {"all": [{"field": "order_count", "op": "at_least", "value": 2},
                        {"field": "country", "op": "is", "value": "GB"}]}  # fmt: skip
_BEHAVIOUR: Final = {"all": [_RULE, {"did": "email_clicked", "at_least": 1, "within_days": 180}]}


def cpu_of(pid: int) -> float:
    """Return the CPU-seconds of a process so far, all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_of(pid: int) -> int:
    """Return the peak memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


@contextlib.contextmanager
def served(workspace: Path) -> Iterator[tuple[int, int]]:
    """Run ``cdp serve``; yield its process id and port."""
    command = [sys.executable, "-m", "cdp", "serve", "-w", str(workspace), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield process.pid, int(line.split("://")[1].split("/")[0].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def key(workspace: Path) -> str:
    """Return a key that may read everything as often as it likes."""
    from warehouse.serve import keys
    from warehouse.serve.store import FILE, Store

    store = Store(workspace / FILE)
    try:
        limits = keys.Limits(requests_per_minute=100_000_000, rows_per_day=10**12)
        return keys.create(store, "benchmark", ["admin"], now=datetime.now(UTC), limits=limits)[1]
    finally:
        store.close()


def samples(workspace: Path, seed: int = 1) -> dict[str, list[str]]:
    """Return some e-mail addresses, ids and names of the release, drawn evenly."""
    from cdp.lake import Lake
    from warehouse.release import current

    with current(Lake(workspace)).open() as connection:
        ids = connection.execute(
            "SELECT c.customer_id, i.value, c.surname FROM customers AS c JOIN customer_identifiers AS i "
            "USING (customer_id) WHERE i.type = 'email' AND c.surname IS NOT NULL "
            f"ORDER BY hash(c.customer_id || '{seed}') LIMIT {_SAMPLE}"
        ).fetchall()
    random.Random(seed).shuffle(ids)
    return {
        "id": [row[0] for row in ids],
        "email": [row[1] for row in ids],
        "surname": [row[2] for row in ids],
    }


def questions(workspace: Path, secret: str, cookie: str) -> dict[str, list[str]]:
    """Return the requests of each kind."""
    head, page = f"authorization: Bearer {secret}\r\n", f"cookie: {cookie}\r\naccept-encoding: gzip\r\n"
    known = samples(workspace)
    lookup = [json.dumps({"type": "email", "value": one}) for one in known["email"]]
    search = [json.dumps({"text": one[:-1] + "x"}) for one in known["surname"][:200]]
    return {
        "lookup by e-mail": [request("POST", "/api/v1/profiles/lookup", head, body) for body in lookup],
        "profile by id": [request("GET", f"/api/v1/profiles/{one}", head) for one in known["id"]],
        "history page": [request("GET", f"/api/v1/profiles/{one}/history", head) for one in known["id"]],
        "evidence": [request("GET", f"/api/v1/profiles/{one}/evidence", head) for one in known["id"]],
        "search": [request("POST", "/api/v1/search", head, body) for body in search],
        "segment size": [request("POST", "/api/v1/segments/preview", head, json.dumps({"rule": _RULE}))],
        "… with behaviour": [
            request("POST", "/api/v1/segments/preview", head, json.dumps({"rule": _BEHAVIOUR}))
        ],
        "customer page": [request("GET", f"/customers/{one}", page) for one in known["id"]],
    }


def session(workspace: Path) -> str:
    """Return the cookie of somebody who is signed in."""
    from warehouse.serve import keys, sessions
    from warehouse.serve.store import FILE, Store

    store = Store(workspace / FILE)
    try:
        now = datetime.now(UTC)
        return f"{sessions.COOKIE}={sessions.begin(store, keys.owner(store, now), now)}"
    finally:
        store.close()


def load(
    port: int, requests: list[str], seconds: float, *, connections: int = 8, rate: float | None = None
) -> dict[str, Any]:
    """Ask for some seconds; return what :mod:`benchmarks.serving_load` found."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(requests, file)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.serving_load", str(port), file.name,
                   "--seconds", str(seconds), "--connections", str(connections)]  # fmt: skip
        command += ["--rate", str(rate)] if rate else []
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured(pid: int, port: int, requests: list[str], seconds: float) -> dict[str, Any]:
    """Return cost and latencies of one kind of request."""
    load(port, requests, min(1.0, seconds), connections=1)
    before = cpu_of(pid)
    one = load(port, requests, seconds, connections=1)
    cpu = (cpu_of(pid) - before) / one["requests"]
    before = cpu_of(pid)
    top = load(port, requests, seconds)
    cpu_at_top = (cpu_of(pid) - before) / top["requests"]
    rate = top["requests"] / top["seconds"]
    half = load(port, requests, seconds, rate=max(rate / 2, 0.5))
    return {
        "cpu_ms": round(1_000 * cpu, 2),
        "cpu_ms_at_top": round(1_000 * cpu_at_top, 2),
        "top_per_second": round(rate, 1),
        "p50_ms": half["ms"]["p50"],
        "p99_ms": half["ms"]["p99"],
        "bytes": one["bytes"],
        "statuses": {**one["statuses"]},
    }


def show(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table."""
    print(
        f"{'request':18} {'CPU ms':>8} {'at top':>8} {'top /s':>8} {'p50 ms':>8} {'p99 ms':>8} {'bytes':>8}  status"
    )
    for name, row in found.items():
        figures = " ".join(
            f"{row[key]:>8,}"
            for key in ("cpu_ms", "cpu_ms_at_top", "top_per_second", "p50_ms", "p99_ms", "bytes")
        )
        print(f"{name:18} {figures}  {', '.join(f'{k}: {v}' for k, v in row['statuses'].items())}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--only", action="append", help="only the kinds whose names contain this")
    given = parser.parse_args()
    workspace = given.workspace or ROOT / ".bench" / f"serving-{given.customers}"
    if not (workspace / "releases" / "CURRENT").exists():
        from benchmarks.serving_data import make

        make(workspace, given.customers, given.customers * 20)
    secret, cookie = key(workspace), session(workspace)
    found: dict[str, Any] = {}
    with served(workspace) as (pid, port):
        for name, requests in questions(workspace, secret, cookie).items():
            if not given.only or any(part in name for part in given.only):
                found[name] = measured(pid, port, requests, given.seconds)
        peak = memory_of(pid)
    show(found)
    print(f"Half of the top load at 8 connections; the server's peak memory {peak:,} MB; {machine()}.")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
