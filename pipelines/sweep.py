"""Orphans: files that a run wrote and never committed, and derived files that nothing lists any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cdp import durable
from cdp.lake import SWEPT, Lake
from cdp.ledger import Ledger, timestamp
from cdp.lock import landing_lock, nobody_reading
from pipelines import models

GENERATIONS_KEPT = 2


# Whoever reads has taken the paths from the ledger before: a reader of an hour is a long one. What may take longer
# (a backup) says so by ``cdp.lock.reading``.
GRACE = timedelta(hours=1)

_NEEDED = """
SELECT path FROM stored_files UNION SELECT path FROM stored_events WHERE current
UNION SELECT path FROM segment_history UNION SELECT path FROM retired WHERE retired_at > ?
"""


def listed(lake: Lake, ledger: Ledger, retired_since: datetime | None = None) -> set[str]:
    """Return the relative paths of every file that the ledger lists and that is still needed.

    Of those that packs took the place of: what was retired later than ``retired_since`` (default: all).
    """
    since = "" if retired_since is None else timestamp(retired_since)
    paths = {row[0] for row in ledger.rows(_NEEDED, (since,))}
    paths |= set(models.listed(ledger))
    for folder in identity_folders(ledger):
        paths |= {
            path.relative_to(lake.root).as_posix() for path in lake.path(folder).rglob("*") if path.is_file()
        }
    return paths


def identity_folders(ledger: Ledger) -> list[str]:
    """Return the folders of the newest generations and their profiles."""
    kept = "SELECT generation, path FROM generations ORDER BY generation DESC LIMIT ?"
    rows = ledger.rows(
        f"WITH kept AS ({kept}) SELECT path FROM kept "
        "UNION ALL SELECT p.path FROM profiles AS p JOIN kept USING (generation)",
        (GENERATIONS_KEPT,),
    )
    return [row[0] for row in rows]


def orphans(lake: Lake, ledger: Ledger, *, now: datetime) -> int:
    """Remove what the ledger does not list; return how many files went. The caller holds the writer lock."""
    with (
        nobody_reading(lake.root) as is_quiet,
        landing_lock(lake.root),  # what a collector lands right now is listed, or not yet written
    ):
        since = now - GRACE if is_quiet else None
        swept = lake.sweep(listed(lake, ledger, since))
        for folder in SWEPT:
            _remove_empty_folders(lake.path(folder))
        if since is not None:
            _forget(ledger, since)
    for zone in (lake.releases, lake.exports):
        for leftover in sorted(zone.rglob(f"*{durable.TEMPORARY_SUFFIX}")):
            durable.remove(leftover)
            swept += 1
    return swept


def _forget(ledger: Ledger, since: datetime) -> None:
    """Forget what was retired before and is gone now."""
    if ledger.value("SELECT 1 FROM retired WHERE retired_at <= ?", (timestamp(since),)):
        with ledger.transaction("retired"):
            ledger.execute("DELETE FROM retired WHERE retired_at <= ?", (timestamp(since),))


def _remove_empty_folders(zone: Path) -> None:
    for folder in sorted((path for path in zone.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
