"""Stage: checks of whole tables, before they are published."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.parquet as pq

from cdp.errors import RunFailedError
from cdp.schemas import ID_MAP
from connectors import outcomes
from pipelines import inputs, quality
from pipelines.checks.model import CheckResult
from pipelines.checks.stability import ids_stay
from pipelines.checks.tables import blocking, check_generation
from pipelines.generations import Generation, newest
from pipelines.session import Session
from warehouse.inputs import REDIRECTS


def account(session: Session, name: str, *, settled: Collection[str] = ()) -> CheckResult:
    """Check that every envelope of every batch of source ``name`` is accounted for exactly once.

    None of the batches ``settled`` may be without an outcome; the others still wait for theirs, such as
    those that a collector lands right now. Raises :class:`RunFailedError` for the first
    batch that does not add up, after the ledger has it among the checks.
    """
    batches = outcomes.counts(session.ledger, name)
    wrong = [batch for batch in batches if not batch.holds or (batch.pending and batch.batch_id in settled)]
    result = CheckResult(
        "envelopes_add_up",
        "structure",
        not wrong,
        "received = landed + suppressed; landed = the sum of the outcomes",
        sum(batch.landed for batch in batches),
        len(wrong),
        _sums(wrong[0]) if wrong else None,
        name,
    )
    if wrong:
        quality.record(session, [result])
        raise RunFailedError(
            f"The envelopes of source {name!r} do not add up: {result.observed}.",
            hint="`cdp doctor` looks at every file. This is a fault of cdp: please report it.",
        )
    return result


def _sums(batch: outcomes.BatchCounts) -> str:
    words = (
        "received",
        "suppressed",
        "landed",
        "standardised",
        "ignored",
        "duplicate",
        "superseded",
        "quarantined",
    )
    counted = ", ".join(f"{getattr(batch, word)} {word}" for word in (*words, "pending"))
    return f"batch {batch.batch_id}: {counted}"


def identity(session: Session) -> list[CheckResult]:
    """Check the newest generation; results are recorded once per run."""
    generation = newest(session.ledger)
    if generation is None:
        return []
    with session.stage("check"):
        ledger = session.ledger
        results = check_generation(
            session.lake.path(generation.path),
            inputs.table(ledger, "SELECT record_key, customer_id FROM id_map", ID_MAP),
            inputs.table(ledger, "SELECT previous_customer_id, customer_id FROM redirects", REDIRECTS),
            _judged(session, generation),
        )
        results.append(ids_stay(generation, session.settings.identity.changed_alert))
        quality.record(session, results)
    return results


def _judged(session: Session, generation: Generation) -> pa.Table:
    """Return the judgements that the generation was made with: others may have been made since."""
    path = session.lake.path(generation.path) / "judgements.parquet"
    return pq.read_table(path) if path.is_file() else inputs.judgements(session.ledger)


def verify_identity(session: Session) -> list[CheckResult]:
    """Run :func:`identity`; raise :class:`RunFailedError` where a structural check fails."""
    results = identity(session)
    failed = blocking(results)
    if failed:
        raise RunFailedError(
            f"The identity tables fail {failed[0].check_name}: {failed[0].observed}.",
            hint=f"Expected: {failed[0].expected}. Nothing was published.",
        )
    return results
