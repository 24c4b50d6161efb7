"""What the collector costs: events per CPU-second of the server, latency at half of the top load, memory.

    python -m benchmarks.collect [--seconds 6] [--rounds 3] [--minutes 0]

A real `cdp collect` on loopback, with a load generator in a process of its own whose cost is not counted. Events
have about 700 bytes. CPU is that of the server's process; what lands the events is a process beside it, counted
apart (sealing). ``--minutes`` adds a long run at half of the top load that watches the server's memory.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import machine

_KEY: Final = "benchmark-write-key"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_AIMS: Final = {100: 150_000, 1: 15_000}
_AIM_SEALING: Final = 100_000


@contextmanager
def collector(workspace: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a collector on a new workspace; yield its process and port."""
    cdp = [sys.executable, "-m", "cdp"]
    subprocess.run([*cdp, "init", str(workspace), "--write-key", _KEY], check=True, capture_output=True)
    process = subprocess.Popen(
        [*cdp, "collect", "-w", str(workspace), "--port", "0", "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"CDP_WEB_KEY": _KEY, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    found = re.search(r"http://[^:]+:(\d+)", process.stdout.readline())
    if found is None:
        raise SystemExit("the collector does not start")
    try:
        yield process, int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def cpu(process: int) -> float:
    """Return the CPU-seconds of a process so far, its threads included."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def resident(process: int) -> float:
    """Return the resident memory of a process in MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def load(port: int, *options: str) -> dict[str, Any]:
    """Run the load generator; return what it tells."""
    command = [sys.executable, "-m", "benchmarks.collect_load", str(port), _KEY, *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def settled(workspace: Path, seconds: float = 120) -> None:
    """Wait until everything has landed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any((workspace / "landing" / "wal").iterdir()):
        time.sleep(0.2)


def throughput(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Measure batches of 100 and single calls, at full load and at half of it."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="cdp-collect-") as folder:
        workspace = Path(folder) / "shop"
        with collector(workspace) as (process, port):
            (sealer,) = children(process.pid)
            for batch in (100, 1):
                load(port, "--batch", str(batch), "--seconds", "1")  # warm
                for _ in range(rounds):
                    settled(workspace)
                    rows.append(_round(process.pid, sealer, port, workspace, batch, seconds))
                    print(json.dumps(rows[-1]), flush=True)
    return rows


def _round(
    server: int, sealer: int, port: int, workspace: Path, batch: int, seconds: float
) -> dict[str, Any]:
    before, sealing = cpu(server), cpu(sealer)
    full = load(port, "--batch", str(batch), "--seconds", str(seconds))
    spent = cpu(server) - before
    settled(workspace)
    sealed = cpu(sealer) - sealing
    rate = full["requests"] / full["seconds"] / 2
    half = load(port, "--batch", str(batch), "--seconds", str(seconds), "--rate", f"{rate:.1f}")
    return {
        "batch": batch,
        "bytes_per_event": full["bytes_per_event"],
        "events_per_second": round(full["events"] / full["seconds"]),
        "events_per_server_cpu_second": round(full["events"] / spent),
        "aim": _AIMS[batch],
        "sealed_per_cpu_second": round(full["events"] / sealed) if sealed else None,
        "aim_sealing": _AIM_SEALING,
        "half_load_ms": half["ms"],
        "statuses": {"full": full["statuses"], "half": half["statuses"]},
        "server_mb": round(resident(server)),
    }


def memory(minutes: float) -> list[float]:
    """Return the server's memory (MB) through a run at about half of its top load, every tenth of it."""
    found: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="cdp-collect-") as folder,
        collector(Path(folder) / "shop") as (process, port),
    ):
        full = load(port, "--batch", "10", "--seconds", "3")
        rate = f"{full['requests'] / full['seconds'] / 2:.1f}"
        for _ in range(10):
            load(port, "--batch", "10", "--seconds", str(minutes * 6), "--rate", rate)
            found.append(round(resident(process.pid), 1))
            print(json.dumps({"server_mb": found[-1]}), flush=True)
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "throughput": throughput(given.seconds, given.rounds)}
    if given.minutes:
        report["memory_mb"] = memory(given.minutes)
    if given.out:
        given.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
