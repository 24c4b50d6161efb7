"""What a run shows of its results in Dagster: counts, links, and samples without anybody's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from cdp.masking import mask
from cdp.schemas import EVENTS
from connectors.landing import LandingReport
from pipelines.session import Session
from pipelines.stages.customers import CustomersReport
from pipelines.stages.publish import PublishReport
from pipelines.stages.resolve import ResolveReport
from pipelines.stages.standardise import StandardiseReport

if TYPE_CHECKING:
    import pyarrow as pa

Metadata = Mapping[str, Any]

_SAMPLE_COLUMNS = ("occurred_at", "event_type", "channel", "direction", "record_key", "subject")
_PERSONAL = {field.name for field in EVENTS if field.metadata[b"pii"] != b"none"}


def landing(session: Session, report: LandingReport) -> Metadata:
    """Describe what landing a source brought."""
    found: dict[str, Any] = {
        "dagster/row_count": report.landed,
        "files": sum(batch.origins for batch in report.batches),
        "duplicates": sum(batch.duplicates for batch in report.batches),
        "quarantined": sum(batch.quarantined for batch in report.batches),
        "bytes": sum(batch.size for batch in report.batches),
        "folder": dg.MetadataValue.path(str(session.lake.path(f"landing/raw/source={report.source}"))),
    }
    if report.unreadable:
        found["unreadable"] = dg.MetadataValue.md(
            "\n".join(f"- {u.origin}: {u.problem}" for u in report.unreadable)
        )
    return found


def standardised(session: Session, report: StandardiseReport) -> Metadata:
    """Describe the events of a source."""
    found: dict[str, Any] = {
        "dagster/row_count": report.events,
        "files": report.files,
        "envelopes": report.envelopes,
        "rejected by checks": report.rejected,
        "revisions settled": report.revisions,
        "folder": dg.MetadataValue.path(str(session.lake.path(f"events/source={report.source}"))),
    }
    if report.sample is not None and report.sample.num_rows:
        found["sample (masked)"] = sample(report.sample)
    return found


def sample(events: pa.Table) -> dg.TableMetadataValue:
    """Return the first events as a table; personal columns are masked."""
    rows = events.select(_SAMPLE_COLUMNS).slice(0, 5).to_pylist()
    records = [
        {name: mask(value) if name in _PERSONAL else str(value or "") for name, value in row.items()}
        for row in rows
    ]
    return dg.MetadataValue.table(
        [dg.TableRecord({name: value or "" for name, value in record.items()}) for record in records]
    )


def identity(session: Session, report: ResolveReport) -> Metadata:
    """Describe a generation."""
    return {
        "dagster/row_count": report.records,
        "customers": report.customers,
        "unchanged": report.unchanged,
        "ids created": report.created,
        "ids merged": report.merged,
        "ids split": report.split,
        "records that changed customer": report.generation.moved_records or 0,
        "share that changed customer": report.generation.changed_share or 0.0,
        "cause": report.cause,
        "model version": report.generation.model_version or "",
        "values, records and clusters held back": report.held_back,
        "folder": dg.MetadataValue.path(str(session.lake.path(report.generation.path))),
    }


def customers(session: Session, report: CustomersReport) -> Metadata:
    """Describe the golden values."""
    return {
        "dagster/row_count": report.profiles.customers,
        "unchanged": report.unchanged,
        "golden values": report.values,
        "folder": dg.MetadataValue.path(str(session.lake.path(report.profiles.path))),
    }


def release(session: Session, report: PublishReport) -> Metadata:
    """Describe a release."""
    folder = session.lake.releases / report.version
    return {
        "dagster/row_count": report.rows["customers"],
        "version": report.version,
        "unchanged": report.unchanged,
        "rows": dg.MetadataValue.json(report.rows),
        "database": dg.MetadataValue.path(str(folder / "cdp.duckdb")),
        "dagster/uri": (folder / "manifest.json").as_uri(),
    }


def event_columns() -> dg.TableSchema:
    """Return the columns of standardised events, with what they hold and how personal that is."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                str(field.type),
                field.metadata[b"comment"].decode(),
                dg.TableColumnConstraints(nullable=field.nullable),
                {"pii": field.metadata[b"pii"].decode()},
            )
            for field in EVENTS
        ]
    )
