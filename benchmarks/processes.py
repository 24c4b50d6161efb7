"""Whole processes, measured: wall and CPU time, peak memory; and spreads of repeated runs.

The process that measures imports nothing heavy: a child starts with the peak memory of its parent.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What one process cost; ``output`` is its standard output, ``status`` its exit status."""

    wall: float
    cpu: float
    peak_mb: float
    status: int
    output: str
    errors: str

    def figures(self) -> dict[str, float]:
        """The three figures by name."""
        return {"wall": round(self.wall, 3), "cpu": round(self.cpu, 3), "peak_mb": round(self.peak_mb)}


def measured(
    command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end; ``log`` (a file name without suffix) takes what it writes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    out, err = log.with_suffix(".out"), log.with_suffix(".err")
    with out.open("w") as stdout, err.open("w") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=stdout, stderr=stderr, env={**os.environ, **(environment or {})}
        )
        _, state, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(state)
    return Cost(
        wall,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        process.returncode,
        out.read_text(errors="replace"),
        err.read_text(errors="replace"),
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, middle and most of some runs.

    >>> spread([3.0, 1.0, 2.0])
    {'min': 1.0, 'median': 2.0, 'max': 3.0}
    """
    return {
        "min": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "max": round(max(values), 4),
    }


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Spread of wall, CPU and peak memory over runs."""
    return {name: spread([run[name] for run in runs]) for name in ("wall", "cpu", "peak_mb")}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory, 1), "processor": model}
