"""Orphans: files that a run wrote and never committed, and derived files that nothing lists any more."""

from __future__ import annotations

from pathlib import Path

from cdp import durable
from cdp.lake import SWEPT, Lake
from cdp.ledger import Ledger
from cdp.lock import landing_lock
from pipelines import models

GENERATIONS_KEPT = 2


def listed(lake: Lake, ledger: Ledger) -> set[str]:
    """Return the relative paths of every file that the ledger lists and that is still needed."""
    paths = {
        row[0]
        for row in ledger.rows("SELECT path FROM files UNION ALL SELECT path FROM event_files WHERE current")
    }
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


def orphans(lake: Lake, ledger: Ledger) -> int:
    """Remove what the ledger does not list; return how many files went. The caller holds the writer lock."""
    with landing_lock(lake.root):  # what a collector lands right now is listed, or not yet written
        swept = lake.sweep(listed(lake, ledger))
        for folder in SWEPT:
            _remove_empty_folders(lake.path(folder))
    for zone in (lake.releases, lake.exports):
        for leftover in sorted(zone.rglob(f"*{durable.TEMPORARY_SUFFIX}")):
            durable.remove(leftover)
            swept += 1
    return swept


def _remove_empty_folders(zone: Path) -> None:
    for folder in sorted((path for path in zone.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
