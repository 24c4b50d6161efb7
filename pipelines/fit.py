"""A new version of the identity model, and what it would change, before it is used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp.errors import UsageError
from pipelines import inputs, models
from pipelines.generations import Generation, model_description, newest
from pipelines.records import RecordTables
from pipelines.stages.resolve import assign_ids, resolve_tables

if TYPE_CHECKING:
    import pyarrow as pa

    from identity.resolution import Resolution
    from identity.version import ModelVersion as Fitted
    from pipelines.session import Session


@dataclass(frozen=True)
class Estimate:
    """A model version with what it makes of the records: customers, and what it expects of them."""

    version: str
    fitted_on: int
    customers: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class FitReport:
    """The model in use and the new one on the same records.

    Compared with the customers as they are, ``moved`` of the ``records`` would change customer; ``merged``
    customers would become part of another, ``split`` would lose records to others. ``used``: whether the new one
    has been taken into use.
    """

    records: int
    old: Estimate
    new: Estimate
    moved: int
    merged: int
    split: int
    used: bool

    @property
    def changed_share(self) -> float:
        """Share of the records that would change customer."""
        return self.moved / self.records if self.records else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {**asdict(self), "changed_share": self.changed_share}


def fit(session: Session, *, use: bool) -> FitReport:
    """Estimate a model on the records of the newest generation, and say what it would change.

    It is kept as a candidate, or, with ``use``, becomes the one in use: the next run resolves with it.
    Raises :class:`UsageError` before the first run.
    """
    generation = newest(session.ledger)
    in_use = models.current(session.ledger)
    if generation is None or in_use is None or not session.lake.path(generation.path).is_dir():
        raise UsageError("There are no resolved records yet.", hint="Run `cdp run` first.")
    with session.stage("fit") as counts:
        tables, judged = _tables(session, generation), inputs.judgements(session.ledger)
        resolution = resolve_tables(session, tables, judged, None)
        assignment, _ = assign_ids(session.ledger, resolution.clusters)
        new = _estimate(resolution, tables.records.num_rows)
        changes = assignment.changes["change"].to_pylist()
        is_other = new.version != in_use.version
        if is_other:
            _keep(session, resolution.version, tables.records.num_rows, use=use)
        report = FitReport(
            tables.records.num_rows,
            _present(session, generation, in_use, tables, judged) if is_other else new,
            new,
            assignment.moved_records,
            changes.count("merged"),
            changes.count("split"),
            used=use and is_other,
        )
        counts |= {"model": new.version, "moved": report.moved, "used": report.used}
    return report


def _present(
    session: Session,
    generation: Generation,
    in_use: models.ModelVersion,
    tables: RecordTables,
    judged: pa.Table,
) -> Estimate:
    """What the model in use makes of the records: what the newest generation says, if it was made with that model."""
    if generation.model_version != in_use.version:
        model = models.load(session.lake, in_use)
        if model is not None:
            return _estimate(resolve_tables(session, tables, judged, model), in_use.records)
    told = model_description(session.lake, generation)
    return Estimate(in_use.version, in_use.records, generation.customers, *models.estimated(told))


def _tables(session: Session, generation: Generation) -> RecordTables:
    folder = session.lake.path(generation.path)
    read = {name: pq.read_table(folder / f"{name}.parquet") for name in ("records", "identifiers", "values")}
    return RecordTables(**read, attributed=0, unattributed=0)


def _estimate(resolution: Resolution, fitted_on: int) -> Estimate:
    customers = pc.count_distinct(resolution.clusters["cluster_id"]).as_py()
    return Estimate(resolution.version.version, fitted_on, customers, *models.estimated(resolution.model))


def _keep(session: Session, model: Fitted, records: int, *, use: bool) -> None:
    models.write(session.lake, model)
    with session.ledger.transaction("model"):
        models.record(
            session,
            model,
            records=records,
            state="current" if use else "candidate",
            reason="cdp identity fit",
        )
