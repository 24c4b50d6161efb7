"""Stage: the exports that ``cdp.yaml`` names, from the current release, as files and over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cdp.errors import CdpError, RunFailedError
from cdp.settings.exporting import EACH_RUN
from pipelines.session import Session
from warehouse import release as releases

if TYPE_CHECKING:
    from cdp.settings import Settings
    from warehouse.audiences.delivery import DeliveryReport
    from warehouse.exports import Export, ExportReport
    from warehouse.release import Release

    Report = ExportReport | DeliveryReport


def configured(settings: Settings) -> dict[str, Export]:
    """Return the exports of ``cdp.yaml`` by name."""
    if not settings.exports:
        return {}
    from warehouse import exports

    return exports.configured(settings)


def of_each_run(settings: Settings) -> dict[str, Export]:
    """Return the exports that every run writes."""
    return {name: found for name, found in configured(settings).items() if found.schedule == EACH_RUN}


def skipped(settings: Settings) -> dict[str, str]:
    """Return the exports that runs leave alone, with when they are written instead."""
    return {name: found.schedule for name, found in settings.exports.items() if found.schedule != EACH_RUN}


def pending(session: Session) -> list[str]:
    """Return the names of the exports of each run that the current release does not have as they are defined now."""
    standing = releases.find_current(session.lake)
    if standing is None:
        return []
    return [
        name
        for name, wanted in of_each_run(session.settings).items()
        if not _is_done(session, standing, wanted)
    ]


def _is_done(session: Session, release: Release, wanted: Export) -> bool:
    if wanted.destination is not None:
        from warehouse.audiences import delivery

        return delivery.is_done(session.ledger, release, wanted)
    return _is_written(session, release, wanted)


def _is_written(session: Session, release: Release, wanted: Export) -> bool:
    from warehouse.exports import LATEST, definition

    path = session.ledger.value(
        "SELECT path FROM exports WHERE dataset = ? AND release = ?", (wanted.name, release.version)
    )
    manifest = session.lake.path(path) / releases.MANIFEST if path else None
    pointer = session.lake.exports / wanted.name / LATEST
    return (
        manifest is not None
        and manifest.is_file()
        and json.loads(manifest.read_text(encoding="utf-8"))["definition"]
        == definition(session.ledger, wanted)
        and pointer.is_file()
        and release.version in pointer.read_text(encoding="utf-8")
    )


def export_all(session: Session) -> list[ExportReport]:
    """Write and deliver every export of each run that is not there yet; return those that became files.

    One that fails stops no other. Raises :class:`RunFailedError` at the end, which names those that did.
    """
    wanted = of_each_run(session.settings)
    if not wanted:
        return []
    release = releases.current(session.lake)
    files: list[ExportReport] = []
    failed: dict[str, str] = {}
    with session.stage("export") as counts, session.progress.step("Export", len(wanted)) as advance:
        for name, definition in wanted.items():
            try:
                if definition.destination is None:
                    written = write_files(session, release, definition)
                    files.append(written)
                    counts[name] = written.rows
                else:
                    delivered = deliver(session, release, definition)
                    session.report.deliveries.append(delivered)
                    counts[name] = delivered.rows
                    if delivered.problem:
                        failed[name] = delivered.problem
            except (
                CdpError
            ) as error:  # its own settings are wrong, or its own disk is full: the others' are not
                failed[name] = error.message
            advance(1)
        if failed:
            told = "; ".join(f"{name}: {why}" for name, why in failed.items())
            hint = "Everything else is done; the next run, or `cdp export NAME`, tries again."
            raise RunFailedError(f"Not all exports are complete: {told}.", hint=hint)
    return files


def export_one(
    session: Session, wanted: Export, *, withdraw: bool = False, caller: str | None = None
) -> Report:
    """Write or deliver one export now, whatever its schedule; ``caller`` asked for it (None: the run)."""
    release = releases.current(session.lake)
    if wanted.destination is None:
        return write_files(session, release, wanted, caller=caller)
    return deliver(session, release, wanted, withdraw=withdraw, caller=caller)


def write_files(
    session: Session, release: Release, wanted: Export, *, caller: str | None = None
) -> ExportReport:
    """Write an export's files."""
    from warehouse.exports import export

    return export(
        session.lake,
        session.ledger,
        release,
        wanted,
        now=session.now,
        run_id=session.run_id,
        caller=caller,
    )


def deliver(
    session: Session, release: Release, wanted: Export, *, withdraw: bool = False, caller: str | None = None
) -> DeliveryReport:
    """Deliver an export over HTTP."""
    from warehouse.audiences import delivery

    return delivery.deliver(
        session.lake,
        session.ledger,
        release,
        wanted,
        now=session.now,
        caller=caller or session.run_id,
        withdraw=withdraw,
    )
