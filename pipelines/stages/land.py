"""Stage: input files of a source become landed, immutable raw files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.session import Session
from pipelines.sources import connector_of

if TYPE_CHECKING:
    from connectors.landing import LandingReport


def land(session: Session, name: str) -> LandingReport:
    """Land what is new of source ``name``; files that cannot be read are reported and tried again next time."""
    from connectors import landing

    source = session.settings.sources[name]
    with session.stage("land", name) as counts, session.progress.step(f"Land {name}", None) as advance:
        report = landing.land(
            source,
            connector_of(source),
            session.lake,
            session.ledger,
            now=session.now,
            run_id=session.run_id,
            progress=lambda _, size: advance(size),
        )
        counts |= {
            "files": sum(batch.origins for batch in report.batches),
            "landed": report.landed,
            "duplicates": sum(batch.duplicates for batch in report.batches),
            "quarantined": sum(batch.quarantined for batch in report.batches),
            "unreadable": len(report.unreadable),
        }
    return report
