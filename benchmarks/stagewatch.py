"""Time and memory of the stages of one process, told apart by marks."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory(name: str) -> float:
    """Return a figure of this process's memory in MB: ``VmHWM`` (peak) or ``VmRSS`` (now)."""
    for line in _STATUS.read_text().splitlines() if _STATUS.exists() else []:
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu() -> float:
    """Return the CPU-seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass
class StageWatch:
    """Collects what each stage costs; a stage ends where the next begins."""

    stages: list[dict[str, Any]] = field(default_factory=list)
    _name: str | None = None
    _cpu: float = 0.0
    _wall: float = 0.0
    peak_mb: float = 0.0

    def __call__(self, name: str) -> None:
        """Begin the stage ``name``; fits ``progress`` of the engine."""
        self.end()
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # the peak of the next stage starts from what is in use now
        self._name, self._cpu, self._wall = name, cpu(), time.perf_counter()

    def end(self) -> None:
        """End the current stage."""
        peak = memory("VmHWM")
        self.peak_mb = max(self.peak_mb, peak)
        if self._name is None:
            return
        self.stages.append(
            {
                "stage": self._name,
                "cpu": round(cpu() - self._cpu, 3),
                "wall": round(time.perf_counter() - self._wall, 3),
                "peak_mb": round(peak),
                "after_mb": round(memory("VmRSS")),
            }
        )
        self._name = None

    def costs(self) -> list[dict[str, Any]]:
        """Return the stages in the order in which they first began; those of one name are added up."""
        found: dict[str, dict[str, Any]] = {}
        for stage in self.stages:
            known = found.setdefault(stage["stage"], {**stage, "cpu": 0.0, "wall": 0.0, "peak_mb": 0})
            known["cpu"] = round(known["cpu"] + stage["cpu"], 3)
            known["wall"] = round(known["wall"] + stage["wall"], 3)
            known["peak_mb"] = max(known["peak_mb"], stage["peak_mb"])
            known["after_mb"] = stage["after_mb"]
        return list(found.values())
