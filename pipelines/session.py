"""A run's hold on its workspace: the lock, the ledger, the log, and what every stage is given."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cdp import runs
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.lock import writer_lock
from pipelines import runlog, sweep
from pipelines.options import RunOptions
from pipelines.progress import Progress, Silent
from pipelines.report import RunReport, StageTime
from pipelines.runlog import RunLog, Value
from warehouse.release import recover

if TYPE_CHECKING:
    from cdp.settings import Settings


@dataclass
class Session:
    """One run at work on one workspace; it holds the writer lock."""

    settings: Settings
    lake: Lake
    ledger: Ledger
    run_id: str
    now: datetime
    log: RunLog
    progress: Progress = field(default_factory=Silent)
    options: RunOptions = field(default_factory=RunOptions)
    report: RunReport = field(init=False)
    _begun: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.report = RunReport(self.run_id)
        self._begun = time.monotonic()

    def moment(self) -> datetime:
        """Return what time it is: that of the run's begin, and what has passed since."""
        return self.now + timedelta(seconds=time.monotonic() - self._begun)

    @contextlib.contextmanager
    def stage(self, name: str, source: str | None = None) -> Iterator[dict[str, Value]]:
        """Time and log one stage; the yielded dict takes the counts that it ends with."""
        counts: dict[str, Value] = {}
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield counts
        except BaseException as error:
            self.report.errors[name, source] = error
            self.log.failure(name if source is None else f"{name} {source}", error)
            raise
        self.report.errors.pop((name, source), None)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        self.report.times.append(StageTime(name, source, seconds, cpu_seconds))
        self.log.write(name, {"source": source, "seconds": round(seconds, 3), **counts})


@contextlib.contextmanager
def open_session(
    workspace: Path,
    settings: Settings,
    command: str,
    *,
    run_id: str,
    now: datetime,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    options: RunOptions | None = None,
) -> Iterator[Session]:
    """Hold the workspace for one run: lock it, mark dead runs, sweep their orphans, record this one.

    Raises :class:`cdp.errors.LockedError` when another run holds it for longer than ``wait_seconds``.
    A run whose block raises is recorded as failed, and the error goes on.
    """
    lake = Lake(workspace)
    with (
        writer_lock(workspace, run_id=run_id, wait_seconds=wait_seconds),
        Ledger(lake.ledger_path) as ledger,
        RunLog(lake.logs, run_id) as log,
    ):
        runs.start(ledger, run_id, command, now=now)
        session = Session(
            settings, lake, ledger, run_id, now, log, progress or Silent(), options or RunOptions()
        )
        log.write("start", {"command": command})
        try:
            swept = sweep.orphans(lake, ledger, now=now)
            if swept:
                log.write("swept", {"files": swept})
            recover(lake, ledger)
            yield session
        except BaseException:
            _finish(session, succeeded=False)
            raise
        _finish(session, succeeded=session.report.succeeded)


def _finish(session: Session, *, succeeded: bool) -> None:
    now = datetime.now(UTC)
    runs.finish(
        session.ledger, session.run_id, now=now, succeeded=succeeded, summary=session.report.summary()
    )
    session.log.write("end", {"succeeded": succeeded})
    runlog.forget(session.lake.logs, now=now)
