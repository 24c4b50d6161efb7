"""Stage: landed files of a source become standardised events; checks decide rows before they commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import RunFailedError
from cdp.stored import RowReader
from connectors import outcomes, replay
from connectors.outcomes import PendingFile
from connectors.standardise import StandardisedBatch, mapping_hash, reject
from connectors.together import RawFile, standardise_together
from pipelines import quality
from pipelines.checks.model import CheckResult, merge
from pipelines.session import Session
from pipelines.sources import connector_of, context_of
from pipelines.stages import check as check_stage

if TYPE_CHECKING:
    from connectors.compile import SourceContext
    from connectors.protocol import Connector

# Files are checked together up to here: Great Expectations costs the same for one row as for thousands.
GROUP_ROWS = 262_144
QUARANTINE_ZONE = "landing/quarantine/"

Check = Callable[[pa.Table, str], Sequence[CheckResult]]
"""Judges the events of one source before they commit."""


@dataclass(frozen=True)
class StandardiseReport:
    """What standardising a source did. ``days``: rows of events by ingest date; ``sample``: a few events."""

    source: str
    files: int = 0
    envelopes: int = 0
    events: int = 0
    rejected: int = 0
    revisions: int = 0
    checks: list[CheckResult] = field(default_factory=list)
    days: dict[str, int] = field(default_factory=dict)
    sample: pa.Table | None = None


def check_events(events: pa.Table, source: str) -> Sequence[CheckResult]:
    """Judge events by the expectations of :mod:`pipelines.checks.expectations`."""
    from pipelines.checks.expectations import events_expectations
    from pipelines.checks.gx import check_table

    return check_table(events, events_expectations(source), source=source)


def pending_files(
    session: Session, name: str, *, days: Collection[str] = (), again: bool = False, quarantined: bool = False
) -> list[PendingFile]:
    """Return the files of source ``name`` that have no events under the mapping in use.

    Besides them: those of ``days`` (ingest dates), with ``again`` all of them, and with
    ``quarantined`` those that hold quarantined envelopes.
    """
    ledger, source = session.ledger, session.settings.sources[name]
    in_use = mapping_hash(connector_of(source), context_of(session.settings, name))
    found = [
        *outcomes.pending(ledger, name, in_use, again=again),
        *replay.files(ledger, name, in_use, again=again),
    ]
    for day in days:
        found += outcomes.pending(ledger, name, in_use, ingest_date=day, again=True)
    if quarantined:
        held = {row[0] for row in ledger.rows(_QUARANTINED, (name,))}
        found += [file for file in outcomes.pending(ledger, name, in_use, again=True) if file.file_id in held]
        found += replay.files(ledger, name)
    return sorted({file.file_id: file for file in found}.values(), key=lambda file: file.file_id)


_QUARANTINED = """
SELECT DISTINCT file_id FROM current_outcomes JOIN files USING (file_id)
WHERE source = ? AND outcome = 'quarantined'
"""


def standardise_source(
    session: Session,
    name: str,
    *,
    days: Collection[str] = (),
    again: bool = False,
    quarantined: bool = False,
    check: Check = check_events,
) -> StandardiseReport:
    """Standardise what is pending of source ``name`` (see :func:`pending_files`), and settle revisions.

    Raises :class:`RunFailedError` where a structural check fails (nothing of those files commits)
    or where envelopes do not add up.
    """
    landed = outcomes.landed_batches(session.ledger, name)
    files = pending_files(session, name, days=days, again=again, quarantined=quarantined)
    with session.stage("standardise", name) as counts:
        work = _Work(session, name, check)
        rows = sum(file.rows for file in files)
        if files:
            with session.progress.step(f"Standardise {name}", rows) as advance:
                for group in _groups(files):
                    work.run(group)
                    advance(sum(file.rows for file in group))
        settled = _settle(session, name, [file.file_id for file in files])
        accounted = check_stage.account(session, name, settled=landed)
        report = work.report(len(files), settled, accounted)
        if files:
            quality.record(session, report.checks)
        counts |= {
            "files": report.files,
            "envelopes": report.envelopes,
            "events": report.events,
            "rejected": report.rejected,
            "revisions": report.revisions,
        }
    return report


def _groups(files: Sequence[PendingFile]) -> Iterator[list[PendingFile]]:
    group: list[PendingFile] = []
    rows = 0
    for file in files:
        if group and rows + file.rows > GROUP_ROWS:
            yield group
            group, rows = [], 0
        group.append(file)
        rows += file.rows
    if group:
        yield group


class _Work:
    """Standardises files group by group and adds up what happened."""

    def __init__(self, session: Session, name: str, check: Check) -> None:
        self.session, self.name, self.check = session, name, check
        source = session.settings.sources[name]
        self.connector: Connector = connector_of(source)
        self.context: SourceContext = context_of(session.settings, name)
        self.mapping = mapping_hash(self.connector, self.context)
        self.reader, self.piece_reader = RowReader(outcomes.READ_COLUMNS), RowReader(outcomes.READ_COLUMNS)
        self.envelopes = self.events = self.rejected = 0
        self.checks: list[CheckResult] = []
        self.days: dict[str, int] = {}
        self.sample: pa.Table | None = None

    def run(self, files: Sequence[PendingFile]) -> None:
        skipped = [outcomes.duplicates(self.session.ledger, file.file_id) for file in files]
        batches = self._standardised(files, skipped)
        for file, skip, batch in zip(files, skipped, self._checked(batches), strict=True):
            _verify(file, len(skip), batch)
            outcomes.commit(
                self.session.lake,
                self.session.ledger,
                file,
                batch,
                mapping_hash=self.mapping,
                run_id=self.session.run_id,
            )
            self.envelopes += file.rows
            self.events += batch.events.num_rows
            self.days[file.ingest_date] = self.days.get(file.ingest_date, 0) + batch.events.num_rows
            self.sample = batch.events.slice(0, 5)

    def _standardised(
        self, files: Sequence[PendingFile], skipped: Sequence[pa.Array]
    ) -> list[StandardisedBatch]:
        """Return what becomes of each file; only some files' rows are held at a time."""
        is_piece = [file.path.startswith(QUARANTINE_ZONE) for file in files]
        made = standardise_together(
            (
                RawFile(file.file_id, self._read(file), skip, file.collected)
                for file, skip, piece in zip(files, skipped, is_piece, strict=True)
                if not piece
            ),
            self.connector,
            self.context,
        )
        return [
            self._read_again(file, skip) if piece else next(made)
            for file, skip, piece in zip(files, skipped, is_piece, strict=True)
        ]

    def _read(self, file: PendingFile) -> pa.Table:
        return outcomes.read_raw(self.session.lake, file, self.reader)

    def _read_again(self, file: PendingFile, skip: pa.Array) -> StandardisedBatch:
        """Read the pieces of a quarantine file as they are read today."""
        return replay.reread(
            outcomes.read_raw(self.session.lake, file, self.piece_reader),
            self.session.settings.sources[self.name],
            self.connector,
            self.context,
            self.session.lake,
            self.session.ledger,
            file=file,
            skip=skip,
        )

    def _checked(self, batches: Sequence[StandardisedBatch]) -> list[StandardisedBatch]:
        """Return the batches without the events that failed a check of rows."""
        events = pa.concat_tables([batch.events for batch in batches])
        if not events.num_rows:
            return list(batches)
        results = self.check(events, self.name)
        self.checks += results
        blocked = [result for result in results if result.blocks]
        if blocked:
            quality.record(self.session, merge(self.checks))
            raise RunFailedError(
                f"The events of source {self.name!r} fail {blocked[0].check_name}: {blocked[0].observed}.",
                hint=f"Expected: {blocked[0].expected}. Nothing of these files was committed.",
            )
        failing = [result for result in results if result.severity == "row" and result.failing]
        return [self._reject(batch, start, failing) for batch, start in _offsets(batches)]

    def _reject(
        self, batch: StandardisedBatch, start: int, failing: Sequence[CheckResult]
    ) -> StandardisedBatch:
        before = batch.outcomes.num_rows
        places = batch.events.append_column(
            "place", pa.array(range(start, start + batch.events.num_rows), pa.int64())
        )
        for result in failing:
            left = pc.is_in(places["place"], value_set=pa.array(result.failing, pa.int64()))
            if not pc.any(left).as_py():
                continue
            batch = reject(batch, pc.indices_nonzero(left), f"check:{result.check_name}")
            places = places.filter(
                pc.is_in(places["raw_row"], value_set=batch.events["raw_row"].combine_chunks())
            )
        self.rejected += batch.outcomes.num_rows - before
        return batch

    def report(self, files: int, revisions: int, accounted: CheckResult) -> StandardiseReport:
        return StandardiseReport(
            self.name,
            files,
            self.envelopes,
            self.events,
            self.rejected,
            revisions,
            [*merge(self.checks), accounted],
            self.days,
            self.sample,
        )


def _offsets(batches: Sequence[StandardisedBatch]) -> Iterator[tuple[StandardisedBatch, int]]:
    start = 0
    for batch in batches:
        yield batch, start
        start += batch.events.num_rows


def _verify(file: PendingFile, skipped: int, batch: StandardisedBatch) -> None:
    """Count every row of a file once more, by what became of it: in an event, with an outcome, or skipped."""
    inside = pc.count_distinct(batch.members["raw_row"]).as_py()
    outside = pc.count_distinct(batch.outcomes["raw_row"]).as_py()
    lines = pc.sum(batch.events["line_count"]).as_py() or 0
    if inside + outside + skipped != file.rows or outside != batch.outcomes.num_rows or lines < inside:
        raise RunFailedError(
            f"The envelopes of {file.path} do not add up: {file.rows} landed, {inside} in events "
            f"({lines} lines), {outside} with another outcome, {skipped} duplicates.",
            hint="Nothing of this file was committed. This is a fault of cdp: please report it.",
        )


def _settle(session: Session, name: str, touched: Sequence[int]) -> int:
    """Decide between revisions in the touched files, or in all where an earlier run died before it did."""
    policy = session.settings.sources[name].on_revision
    left_over = unsettled(session, name)
    if not touched and not left_over:
        return 0
    return outcomes.settle_revisions(
        session.lake,
        session.ledger,
        name,
        policy,
        run_id=session.run_id,
        files=None if left_over else set(touched),
    )


_LOST = {"latest": "newer_revision", "first": "older_revision", "quarantine": outcomes.CONFLICT}


def unsettled(session: Session, name: str) -> bool:
    """Say whether an id of source ``name`` has two standing versions, or lost ones by another policy."""
    ledger, policy = session.ledger, session.settings.sources[name].on_revision
    two = ledger.value(
        """
        SELECT 1 FROM revisions AS r
        JOIN event_files AS e ON e.file_id = r.file_id AND e.current
        LEFT JOIN current_outcomes AS c ON c.file_id = r.file_id AND c.raw_row = r.raw_row
        WHERE r.source = ? AND coalesce(c.outcome, 'standardised') = 'standardised'
        GROUP BY r.event_id HAVING count(*) > 1 LIMIT 1
        """,
        (name,),
    )
    if two is not None:
        return True
    reasons = ledger.rows(
        "SELECT DISTINCT c.reason FROM revisions AS r JOIN current_outcomes AS c USING (file_id, raw_row) "
        "WHERE r.source = ? AND c.reason IN (?, ?, ?)",
        (name, *_LOST.values()),
    )
    return bool(reasons) and _LOST[policy] not in {row[0] for row in reasons}
