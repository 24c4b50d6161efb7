"""Stage: records from events, clusters from records, permanent ids for clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp import durable
from cdp.errors import CdpError
from cdp.ledger import Ledger, timestamp
from cdp.schemas import ID_MAP
from pipelines import digests, generations, identity_state, inputs, models, records, uncertain
from pipelines.generations import Generation, newest
from pipelines.models import ModelVersion
from pipelines.session import Session
from pipelines.sources import grouped_sources
from warehouse.inputs import REDIRECTS

if TYPE_CHECKING:
    from cdp.settings import IdentitySettings
    from identity.ids import IdAssignment
    from identity.policy import IdentityPolicy
    from identity.resolution import Resolution
    from identity.version import ModelVersion as Fitted

SEQUENCE = "customer"
SPILL = "identity/spill.tmp"


@dataclass(frozen=True)
class ResolveReport:
    """What the identity stage did; ``unchanged`` when its inputs are those of the newest generation.

    ``cause`` says what had changed since, ``new_model`` why another model version was taken into use, if so;
    ``updated`` whether only what changed was resolved, or (which gives the same) all records.
    """

    generation: Generation
    unchanged: bool
    attributed: int = 0
    unattributed: int = 0
    held_back: int = 0
    created: int = 0
    merged: int = 0
    split: int = 0
    cause: str = ""
    new_model: str | None = None
    updated: bool = False

    @property
    def records(self) -> int:
        """Return how many records there are."""
        return self.generation.records

    @property
    def customers(self) -> int:
        """Return how many customers they are."""
        return self.generation.customers


def input_digest(session: Session) -> str:
    """Return a digest over everything that decides what the identity stage gives, but for the model."""
    return digests.digest(generations.current_inputs(session))


def up_to_date(session: Session, known: Generation) -> bool:
    """Say whether resolving would give a generation again: same inputs, and the model that is in use."""
    model = models.current(session.ledger)
    return (
        known.input_digest == input_digest(session)
        and model is not None
        and model.version == known.model_version
    )


def resolve(session: Session, *, full: bool = False) -> ResolveReport:
    """Resolve all records, unless nothing has changed since the newest generation.

    The generation's Parquet files come first, then one transaction with the id map, the sequence
    and what changed; until it commits, nothing of the new generation counts.
    """
    known = newest(session.ledger)
    if known is not None and not full and up_to_date(session, known):
        return ResolveReport(known, unchanged=True)
    with session.stage("resolve") as counts, session.progress.step("Resolve identities", 3) as advance:
        report = _resolve(session, None if full else known, known, advance=lambda: advance(1))
        counts |= {
            "records": report.records,
            "customers": report.customers,
            "created": report.created,
            "merged": report.merged,
            "split": report.split,
            "known_before": report.generation.previous_records or 0,
            "changed_customer": report.generation.moved_records or 0,
            "cause": report.cause,
            "model": report.generation.model_version or "",
            "new_model": report.new_model or "",
            "updated": report.updated,
        }
    return report


@dataclass(frozen=True)
class _Chosen:
    """The model to use (None: estimate one), its version, and why a new one would be needed."""

    model: Fitted | None
    version: ModelVersion | None
    reason: str


def _choose_model(session: Session, tables: records.RecordTables) -> _Chosen:
    version, count = models.current(session.ledger), tables.records.num_rows
    if version is None:
        return _Chosen(None, None, "the first run")
    if count >= models.GROWTH * version.records:
        reason = (
            f"{count} records, {models.GROWTH} times the {version.records} that the last one was made from"
        )
        return _Chosen(None, version, reason)
    try:
        model = models.load(session.lake, version)
    except CdpError as error:
        return _Chosen(None, version, f"the last one cannot be read: {error.message}")
    if model is None:
        return _Chosen(None, version, "the file of the last one was gone")
    unread = model.unread(tables.records, tables.identifiers)
    if unread:
        reason = f"records hold {', '.join(unread)}, which the old one did not read"
        return _Chosen(None, version, reason)
    return _Chosen(model, version, "")


def resolve_tables(
    session: Session, tables: records.RecordTables, judged: pa.Table, model: Fitted | None
) -> Resolution:
    """Resolve records under the rules of ``cdp.yaml``, with a model or (None) a new one."""
    from identity.resolution import resolve as resolve_records

    rules = policy(session.settings.identity)
    return resolve_records(tables.records, tables.identifiers, judged, rules, model=model)


def _update(
    session: Session,
    base: Generation,
    made_from: Mapping[str, str],
    tables: records.RecordTables,
    judged: pa.Table,
    chosen: _Chosen,
) -> Resolution | None:
    """Resolve only what changed since a generation; None where its state does not serve.

    What comes out is what resolving all records would give.
    """
    from identity.incremental import update
    from identity.resolution import describe

    same = all(base.inputs.get(name) == made_from.get(name) for name in ("rules", "code"))
    if not same or chosen.model is None or chosen.model.version != base.model_version:
        return None
    folder = session.lake.path(base.path)
    state = identity_state.read(folder)
    if state is None:
        return None
    batch = identity_state.changes(folder, tables, session.lake.path(SPILL))
    durable.remove(session.lake.path(SPILL))
    return None if batch is None else describe(update(state, batch, judged))


def _resolve(
    session: Session,
    base: Generation | None,
    known: Generation | None,
    *,
    advance: Callable[[], None],
) -> ResolveReport:
    """Resolve into a new generation; ``base``: the one to go on from, ``known``: the newest."""
    lake, ledger = session.lake, session.ledger
    made_from = generations.current_inputs(session)
    tables = _records(session)
    advance()
    judged = inputs.judgements(ledger)
    chosen = _choose_model(session, tables)
    resolution = _update(session, base, made_from, tables, judged, chosen) if base is not None else None
    updated = resolution is not None
    if resolution is None:
        resolution = resolve_tables(session, tables, judged, chosen.model)
    version = resolution.version.version
    is_new = chosen.version is None or chosen.version.version != version
    advance()
    assignment, before = assign_ids(ledger, resolution.clusters)
    made_from["model"] = version
    digest = digests.digest({name: made for name, made in made_from.items() if name != "model"})
    number = int(ledger.value("SELECT coalesce(max(generation), 0) FROM generations")) + 1
    generation = Generation(
        number,
        f"identity/{number:06d}-{digests.digest(made_from)[:8]}",
        digest,
        version,
        tables.records.num_rows,
        pc.count_distinct(assignment.id_map["customer_id"]).as_py(),
        made_from,
        before,
        assignment.moved_records,
    )
    _write(session, generation, tables, resolution, assignment, judged)
    if chosen.model is None:
        models.write(lake, resolution.version)
    cause = generations.cause(known, made_from)
    changed = _commit(
        session, generation, assignment, cause, (resolution.version, chosen.reason) if is_new else None
    )
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
        cause=cause,
        new_model=chosen.reason if is_new else None,
        updated=updated,
    )


def _records(session: Session) -> records.RecordTables:
    lake = session.lake
    events = inputs.events(lake, session.ledger)
    tables = records.build(
        events.files,
        events.excluded,
        grouped_sources=grouped_sources(session.settings),
        temp_directory=lake.path(SPILL),
    )
    durable.remove(lake.path(SPILL))
    return tables


def assign_ids(ledger: Ledger, clusters: pa.Table) -> tuple[IdAssignment, int]:
    """Give clusters their ids over those that the ledger holds; also return how many records had one."""
    from identity.ids import assign

    previous = _previous(ledger, clusters["record_key"])
    redirects = "SELECT previous_customer_id, customer_id FROM redirects ORDER BY 1"
    assignment = assign(
        clusters.select(["record_key", "cluster_id"]),
        previous,
        ledger.next_number(SEQUENCE),
        inputs.table(ledger, redirects, REDIRECTS),
    )
    return assignment, previous.num_rows


def _previous(ledger: Ledger, keys: pa.ChunkedArray) -> pa.Table:
    """Return the id map of the records that are there now.

    A customer all of whose records are gone (a mapping lost them) is not retired but rests: when the
    records come back, so does its id.
    """
    known = inputs.table(ledger, "SELECT record_key, customer_id FROM id_map ORDER BY record_key", ID_MAP)
    return known.filter(pc.is_in(known["record_key"], value_set=keys.combine_chunks()))


def _write(
    session: Session,
    generation: Generation,
    tables: records.RecordTables,
    resolution: Resolution,
    assignment: IdAssignment,
    judged: pa.Table,
) -> None:
    files: Mapping[str, pa.Table] = {
        "records": tables.records,
        "identifiers": tables.identifiers,
        "values": tables.values,
        "clusters": resolution.clusters,
        "evidence": resolution.evidence,
        "uncertain": uncertain.rank(resolution.uncertain, resolution.clusters),
        "held_back": resolution.held_back,
        "judgements": judged,
        "id_map": assignment.id_map,
    }
    generations.write(session.lake.path(generation.path), files, resolution.model, resolution.state)


def _commit(
    session: Session,
    generation: Generation,
    assignment: IdAssignment,
    cause: str,
    new_model: tuple[Fitted, str] | None,
) -> dict[str, int]:
    """Commit ids, generation and model in one transaction; return how many ids changed in which way."""
    ledger, now = session.ledger, timestamp(session.now)
    changes = assignment.changes.to_pylist()
    with ledger.transaction("identity"):
        if new_model is not None:
            model, reason = new_model
            models.record(session, model, records=generation.records, state="current", reason=reason)
        generations.record(session, generation)
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
                    f"{change['reason']} ({cause})",
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
