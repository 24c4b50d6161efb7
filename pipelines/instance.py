"""Dagster's own record of runs, kept in the workspace, and the end of runs whose process is gone."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from dagster._core.instance import InstanceRef

from pipelines.workspace import dagster_folder

PROCESS_TAG = "cdp/process"
_OPEN = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]

_SETTINGS = {
    "telemetry": {"enabled": False},
    # Steps write to this process's own standard error; nothing is captured into files.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
        "config": {},
    },
}


def open_instance(workspace: Path) -> dg.DagsterInstance:
    """Return the instance that `cdp run` records its runs in; `dg dev` shows the same."""
    folder = dagster_folder(workspace)
    folder.mkdir(exist_ok=True)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=_SETTINGS))


def this_process() -> str:
    """Return what tells this process from every other one on this machine, even one with its number later."""
    return _process(os.getpid()) or str(os.getpid())


def _process(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    # The command's name, in brackets, may hold blanks; the start time is the 20th field after it.
    return f"{pid}@{text.rpartition(')')[2].split()[19]}"


def is_alive(process: str) -> bool:
    """Say whether a process of :func:`this_process` still runs.

    >>> is_alive(this_process()), is_alive("1@0")
    (True, False)
    """
    number = process.partition("@")[0]
    return number.isdigit() and _process(int(number)) == process


def mark_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """Say in a run's tags which process works on it."""
    instance.add_run_tags(run_id, {PROCESS_TAG: this_process()})


def mark_dead_runs(instance: dg.DagsterInstance, *, but: str | None = None) -> list[str]:
    """Mark every run as failed whose process is gone; return their ids. The caller holds the writer lock."""
    dead = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_OPEN)):
        process = run.tags.get(PROCESS_TAG)
        if run.run_id != but and process is not None and not is_alive(process):
            instance.report_run_failed(run, f"The process {process} of this run is gone.")
            dead.append(run.run_id)
    return dead
