"""Stage: records from events, clusters from records, permanent ids for clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp import durable
from cdp.ledger import Ledger, timestamp
from cdp.schemas import ID_MAP
from pipelines import digests, inputs, records
from pipelines.session import Session
from pipelines.sources import grouped_sources

if TYPE_CHECKING:
    from cdp.settings import IdentitySettings
    from identity.ids import IdAssignment
    from identity.policy import IdentityPolicy

SEQUENCE = "customer"
SPILL = "identity/spill.tmp"

REDIRECTS = pa.schema([("previous_customer_id", pa.string()), ("customer_id", pa.string())])


@dataclass(frozen=True)
class Generation:
    """One result of the identity stage, as the ledger lists it."""

    generation: int
    path: str
    input_digest: str
    records: int
    customers: int


@dataclass(frozen=True)
class ResolveReport:
    """What the identity stage did; ``unchanged`` when its inputs are those of the newest generation."""

    generation: Generation
    unchanged: bool
    attributed: int = 0
    unattributed: int = 0
    held_back: int = 0
    created: int = 0
    merged: int = 0
    split: int = 0

    @property
    def records(self) -> int:
        """Return how many records there are."""
        return self.generation.records

    @property
    def customers(self) -> int:
        """Return how many customers they are."""
        return self.generation.customers


def newest(ledger: Ledger) -> Generation | None:
    """Return the newest generation, or None before the first."""
    rows = ledger.rows(
        "SELECT generation, path, input_digest, records, customers FROM generations "
        "ORDER BY generation DESC LIMIT 1"
    )
    return Generation(**dict(rows[0])) if rows else None


def input_digest(session: Session) -> str:
    """Return a digest over everything that decides what the identity stage gives."""
    judged = inputs.judgements(session.ledger)
    return digests.digest(
        inputs.events(session.lake, session.ledger).digest,
        digests.rows_digest(list(zip(*judged.to_pydict().values(), strict=True))),
        session.settings.identity,
        digests.code("identity", "pipelines.records"),
    )


def resolve(session: Session, *, full: bool = False) -> ResolveReport:
    """Resolve all records, unless nothing has changed since the newest generation.

    The generation's Parquet files come first, then one transaction with the id map, the sequence
    and what changed; until it commits, nothing of the new generation counts.
    """
    digest = input_digest(session)
    known = newest(session.ledger)
    if known is not None and known.input_digest == digest and not full:
        return ResolveReport(known, unchanged=True)
    with session.stage("resolve") as counts, session.progress.step("Resolve identities", 3) as advance:
        report = _resolve(session, digest, advance=lambda: advance(1))
        counts |= {
            "records": report.records,
            "customers": report.customers,
            "created": report.created,
            "merged": report.merged,
            "split": report.split,
        }
    return report


def _resolve(session: Session, digest: str, *, advance: Callable[[], None]) -> ResolveReport:
    from identity.ids import assign
    from identity.resolution import resolve as resolve_records

    lake, ledger = session.lake, session.ledger
    events = inputs.events(lake, ledger)
    tables = records.build(
        events.files,
        events.excluded,
        grouped_sources=grouped_sources(session.settings),
        temp_directory=lake.path(SPILL),
    )
    durable.remove(lake.path(SPILL))
    advance()
    resolution = resolve_records(
        tables.records, tables.identifiers, inputs.judgements(ledger), policy(session.settings.identity)
    )
    advance()
    assignment = assign(
        resolution.clusters.select(["record_key", "cluster_id"]),
        _previous(ledger, resolution.clusters["record_key"]),
        ledger.next_number(SEQUENCE),
        inputs.table(ledger, "SELECT previous_customer_id, customer_id FROM redirects ORDER BY 1", REDIRECTS),
    )
    number = int(ledger.value("SELECT coalesce(max(generation), 0) FROM generations")) + 1
    generation = Generation(
        number,
        f"identity/{number:06d}-{digest[:8]}",
        digest,
        tables.records.num_rows,
        pc.count_distinct(assignment.id_map["customer_id"]).as_py(),
    )
    _write(
        lake.path(generation.path),
        {
            "records": tables.records,
            "identifiers": tables.identifiers,
            "values": tables.values,
            "clusters": resolution.clusters,
            "evidence": resolution.evidence,
            "held_back": resolution.held_back,
            "id_map": assignment.id_map,
        },
        resolution.model,
    )
    changed = _commit(session, generation, assignment, str(resolution.model.get("version") or ""))
    advance()
    return ResolveReport(
        generation,
        unchanged=False,
        attributed=tables.attributed,
        unattributed=tables.unattributed,
        held_back=resolution.held_back.num_rows,
        created=changed.get("created", 0),
        merged=changed.get("merged", 0),
        split=changed.get("split", 0),
    )


def _previous(ledger: Ledger, keys: pa.ChunkedArray) -> pa.Table:
    """Return the id map of the records that are there now.

    A customer all of whose records are gone (a mapping lost them) is not retired but rests: when the
    records come back, so does its id.
    """
    known = inputs.table(ledger, "SELECT record_key, customer_id FROM id_map ORDER BY record_key", ID_MAP)
    return known.filter(pc.is_in(known["record_key"], value_set=keys.combine_chunks()))


def _write(folder: Path, tables: dict[str, pa.Table], model: dict[str, object]) -> None:
    with durable.atomic_directory(folder) as temporary:
        for name, table in tables.items():
            pq.write_table(table, temporary / f"{name}.parquet", compression="zstd")
        text = json.dumps(model, indent=1, sort_keys=True, default=float)
        (temporary / "model.json").write_text(text, encoding="utf-8")


def _commit(session: Session, generation: Generation, assignment: IdAssignment, model: str) -> dict[str, int]:
    """Commit ids and generation in one transaction; return how many ids changed in which way."""
    ledger, now = session.ledger, timestamp(session.now)
    changes = assignment.changes.to_pylist()
    with ledger.transaction("identity"):
        ledger.execute(
            "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                generation.generation,
                generation.path,
                generation.input_digest,
                model or None,
                generation.records,
                generation.customers,
                now,
                session.run_id,
            ),
        )
        ledger.execute_many(
            "INSERT INTO id_map VALUES (?, ?) ON CONFLICT (record_key) DO UPDATE "
            "SET customer_id = excluded.customer_id WHERE customer_id <> excluded.customer_id",
            zip(*assignment.id_map.to_pydict().values(), strict=True),
        )
        ledger.execute_many(
            "INSERT OR REPLACE INTO redirects VALUES (?, ?)",
            zip(*assignment.redirects.to_pydict().values(), strict=True),
        )
        ledger.execute_many(
            "INSERT INTO id_changes (changed_at, change, customer_id, previous_customer_id, generation, "
            "run_id, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    now,
                    change["change"],
                    change["customer_id"],
                    change["previous_customer_id"],
                    generation.generation,
                    session.run_id,
                    change["reason"],
                )
                for change in changes
            ],
        )
        ledger.advance(SEQUENCE, assignment.next_number)
    kinds = [str(change["change"]) for change in changes]
    return {kind: kinds.count(kind) for kind in set(kinds)}


def policy(settings: IdentitySettings) -> IdentityPolicy:
    """Return the identity rules of ``cdp.yaml``."""
    from cdp.settings import duration
    from identity.policy import DEFAULT_PRIORITY, IdentityPolicy, Limit

    limits: dict[str, Limit] = {
        kind: Limit(limit.max, duration(limit.window) if limit.window else None)
        for kind, limit in settings.limits.items()
    }
    return IdentityPolicy(
        limits=limits,
        unique=frozenset(settings.unique),
        priority=settings.priority or DEFAULT_PRIORITY,
        threshold=settings.threshold,
    )
