"""``logs/<run>.jsonl``: what a run did, one JSON object per line, without anybody's data.

Only names from the configuration, counts, durations and words of our own vocabularies are written.
Messages of errors that cdp raises name no person; of any other error only its type and the place in
the code are kept, because its message may quote a value.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cdp.errors import CdpError

KEPT = timedelta(days=30)

Value = str | int | float | bool | None


class RunLog:
    """The log file of one run; each line is written as it happens."""

    def __init__(self, folder: Path, run_id: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{run_id}.jsonl"
        self._handle = self.path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()

    def write(self, event: str, fields: Mapping[str, Value] | None = None) -> None:
        """Write one line; ``fields`` hold nobody's data."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **(fields or {})}
        self._handle.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._handle.flush()

    def failure(self, stage: str, error: BaseException) -> None:
        """Write that a stage failed, with what may be said of the error."""
        self.write("failed", {"stage": stage, **describe(error)})


def describe(error: BaseException) -> dict[str, Value]:
    """Return what may be logged of an error.

    >>> describe(ValueError("jane@example.org"))["error"]
    'ValueError'
    """
    if isinstance(error, CdpError):
        return {"error": type(error).__name__, "message": error.message}
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "place": place}


def forget(folder: Path, *, now: datetime) -> int:
    """Remove logs older than ``KEPT``; return how many."""
    removed = 0
    for path in folder.glob("*.jsonl"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < now - KEPT:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
