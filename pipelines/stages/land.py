"""Stage: input files of a source, and what a collector has taken, become landed, immutable raw files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cdp.errors import CorruptError, RunFailedError
from cdp.lake import WAL, Lake
from cdp.ledger import Ledger
from pipelines.session import Session
from pipelines.sources import connector_of, context_of
from pipelines.stages.check import account

if TYPE_CHECKING:
    from cdp.settings import Settings
    from connectors.inbox import InboxFile
    from connectors.landing import LandingReport
    from connectors.suppression import Gate


def hold_back(ledger: Ledger, settings: Settings, name: str) -> Gate:
    """Return what holds rows of source ``name`` back before they land: the suppression list."""
    from connectors.suppression import Gate

    return Gate(ledger, connector_of(settings.sources[name]), context_of(settings, name))


SEAL = "seal"


def seal(session: Session) -> None:
    """Land what a collector has taken, of all sources; a collector that is at work goes on meanwhile.

    What cannot land waits, and stops nothing else: it stands as a :class:`RunFailedError` in the
    session's report, with which the run ends.
    """
    from cdp.lock import collector_lock

    session.report.errors.pop((SEAL, None), None)
    folder = session.lake.path(WAL)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    from connectors.collector import wal
    from connectors.collector.seal import Sealer

    with collector_lock(session.lake.root) as alone:
        if alone:
            wal.recover(folder)
    settings = session.settings
    problems: dict[str, str] = {}
    with (
        session.stage(SEAL) as counts,
        Sealer(session.lake.root, settings, lambda ledger, name: hold_back(ledger, settings, name)) as sealer,
    ):
        for sealed in sealer.seal(sealer.waiting()):
            problems |= sealed.problems
            for batch in sealed.batches.values():
                counts["landed"] = int(counts.get("landed") or 0) + batch.landed
    if problems:
        error = RunFailedError(
            "\n".join(f"{what}: {problem}" for what, problem in problems.items()),
            hint="What could land of the collector's segments has landed; the rest is kept.",
        )
        session.report.errors[SEAL, None] = error
        session.log.failure(SEAL, error)


def land(session: Session, name: str) -> LandingReport:
    """Land what is new of source ``name``; files that cannot be read are reported and wait for next time."""
    from connectors import landing

    seal(session)
    source = session.settings.sources[name]
    connector = connector_of(source)
    waiting = sum(file.size for file in new_files(session, name))
    with session.stage("land", name) as counts, session.progress.step(f"Land {name}", waiting) as advance:
        report = landing.land(
            source,
            connector,
            session.lake,
            session.ledger,
            now=session.now,
            run_id=session.run_id,
            progress=lambda _, size: advance(size),
            held_back=hold_back(session.ledger, session.settings, name),
        )
        account(session, name)
        counts |= {
            "files": sum(batch.origins for batch in report.batches),
            "landed": report.landed,
            "suppressed": sum(batch.suppressed for batch in report.batches),
            "duplicates": sum(batch.duplicates for batch in report.batches),
            "quarantined": sum(batch.quarantined for batch in report.batches),
            "unreadable": len(report.unreadable),
        }
    return report


def is_pending(session: Session, name: str) -> bool:
    """Say whether source ``name`` has input that has not landed, or a batch that a dead run began."""
    left = session.ledger.value(
        "SELECT 1 FROM batches WHERE source = ? AND state = 'intent' AND NOT collected", (name,)
    )
    return left is not None or bool(new_files(session, name))


def new_files(session: Session, name: str) -> list[InboxFile]:
    """Return the input files of source ``name`` that have not landed as they are now."""
    from connectors import inbox

    rows = session.ledger.rows("SELECT origin, cursor FROM cursors WHERE source = ?", (name,))
    cursors = {row["origin"]: row["cursor"] for row in rows}
    return inbox.files(session.lake.root, session.settings.sources[name].paths, cursors)


def verify(session: Session, name: str, days: Iterable[str]) -> int:
    """Check the landed files of ``days`` (ingest dates) against the ledger; return their rows.

    Raises :class:`CorruptError` for the first that is missing or is not what was written.
    """
    rows = 0
    with session.stage("verify", name) as counts:
        for day in days:
            for file in session.ledger.rows(
                "SELECT DISTINCT path, stored_rows AS rows, stored_size AS size FROM stored_files "
                "WHERE source = ? AND ingest_date = ? ORDER BY path",
                (name, day),
            ):
                problem = file_problem(session.lake, file["path"], rows=file["rows"], size=file["size"])
                if problem:
                    raise CorruptError(
                        problem, hint="Restore it from a backup; `cdp doctor` lists all such files."
                    )
                rows += file["rows"]
        counts["rows"] = rows
    return rows


def file_problem(lake: Lake, path: str, *, rows: int, size: int) -> str | None:
    """Return what is wrong with a file that the ledger lists, or None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = lake.path(path)
    if not whole.is_file():
        return f"The file {path} is missing."
    if whole.stat().st_size != size:
        return f"The file {path} has {whole.stat().st_size} bytes; {size} were written."
    try:
        found = pq.read_metadata(whole).num_rows
    except (OSError, pa.ArrowInvalid) as error:
        return f"The file {path} cannot be read ({type(error).__name__})."
    return None if found == rows else f"The file {path} has {found} rows; {rows} were written."


def ingest_dates(ledger: Ledger) -> list[str]:
    """Return the days on which anything has landed, the first first."""
    return [row[0] for row in ledger.rows("SELECT DISTINCT ingest_date FROM batches ORDER BY ingest_date")]
