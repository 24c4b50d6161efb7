"""Runs: the ledger's log of who worked on the workspace when, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cdp.ledger import Ledger, timestamp


def new_run_id(now: datetime, token: str) -> str:
    """Return a run id that sorts by time; ``token`` (random) keeps two of one second apart.

    >>> new_run_id(datetime(2026, 1, 2, 3, 4, 5), "ab12")
    '20260102T030405-ab12'
    """
    return f"{now:%Y%m%dT%H%M%S}-{token}"


def start(ledger: Ledger, run_id: str, command: str, *, now: datetime) -> None:
    """Record the start of a run; runs that died before it are marked abandoned.

    The caller holds the writer lock, so whatever still says ``running`` has no process any more.
    """
    with ledger.transaction("run start"):
        ledger.execute(
            "UPDATE runs SET status = 'abandoned', finished_at = ? WHERE status = 'running' AND run_id <> ?",
            (timestamp(now), run_id),
        )
        ledger.execute(
            "INSERT INTO runs (run_id, command, started_at, status, pid) VALUES (?, ?, ?, 'running', ?) "
            "ON CONFLICT (run_id) DO UPDATE SET status = 'running', pid = excluded.pid",
            (run_id, command, timestamp(now), os.getpid()),
        )


def finish(
    ledger: Ledger, run_id: str, *, now: datetime, succeeded: bool, summary: Mapping[str, Any]
) -> None:
    """Record how a run ended; ``summary`` holds counts only, no personal data."""
    with ledger.transaction("run finish"):
        ledger.execute(
            "UPDATE runs SET status = ?, finished_at = ?, summary = ? WHERE run_id = ?",
            ("succeeded" if succeeded else "failed", timestamp(now), json.dumps(summary), run_id),
        )
