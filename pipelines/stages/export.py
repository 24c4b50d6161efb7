"""Stage: the exports that ``cdp.yaml`` names, from the current release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.session import Session
from warehouse import release as releases

if TYPE_CHECKING:
    from cdp.settings import Settings
    from warehouse.exports import Export, ExportReport


def configured(settings: Settings) -> dict[str, Export]:
    """Return the exports of ``cdp.yaml`` by name."""
    from warehouse.exports import Export

    return {
        name: Export(
            name,
            dataset=given.dataset,
            formats=(given.format,),
            purpose=given.purpose,
            min_probability=given.min_probability,
        )
        for name, given in settings.exports.items()
    }


def pending(session: Session) -> list[str]:
    """Return the names of the exports that the current release does not have as they are defined now."""
    from warehouse.exports import LATEST, definition

    standing = releases.find_current(session.lake)
    if standing is None:
        return []
    found = []
    for name, wanted in configured(session.settings).items():
        path = session.ledger.value(
            "SELECT path FROM exports WHERE dataset = ? AND release = ?", (name, standing.version)
        )
        manifest = session.lake.path(path) / releases.MANIFEST if path else None
        pointer = session.lake.exports / name / LATEST
        if (
            manifest is None
            or not manifest.is_file()
            or json.loads(manifest.read_text(encoding="utf-8"))["definition"]
            != definition(session.ledger, wanted)
            or not pointer.is_file()
            or standing.version not in pointer.read_text(encoding="utf-8")
        ):
            found.append(name)
    return found


def export_all(session: Session) -> list[ExportReport]:
    """Write every configured export of the current release that is not there yet."""
    wanted = configured(session.settings)
    if not wanted:
        return []
    from warehouse.exports import export

    release = releases.current(session.lake)
    reports = []
    with session.stage("export") as counts, session.progress.step("Export", len(wanted)) as advance:
        for definition in wanted.values():
            reports.append(
                export(
                    session.lake, session.ledger, release, definition, now=session.now, run_id=session.run_id
                )
            )
            advance(1)
        counts |= {report.export.name: report.rows for report in reports}
    return reports
