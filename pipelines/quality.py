"""Results of checks, kept in the ledger: the ``quality`` table of the next release."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from cdp.ledger import timestamp
from cdp.schemas import TIMESTAMP
from pipelines.checks.model import CheckResult
from pipelines.session import Session
from warehouse.inputs import QUALITY

RUNS_SERVED = 30


def record(session: Session, results: Sequence[CheckResult]) -> None:
    """Append check results of this run."""
    if not results:
        return
    with session.ledger.transaction("quality"):
        session.ledger.execute_many(
            "INSERT INTO quality VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    session.run_id,
                    timestamp(session.now),
                    r.source,
                    r.check_name,
                    r.passed,
                    r.observed,
                    r.expected,
                )
                for r in results
            ],
        )
    for result in results:
        if not result.passed:
            session.log.write(
                "check failed",
                {"source": result.source, "check": result.check_name, "observed": result.observed},
            )


def served(session: Session) -> pa.Table:
    """Return the results of the newest runs, as a release serves them."""
    rows = session.ledger.rows(
        """
        SELECT source, check_name, passed, observed, expected, run_id, checked_at FROM quality
        WHERE run_id IN (SELECT DISTINCT run_id FROM quality ORDER BY run_id DESC LIMIT ?)
        """,
        (RUNS_SERVED,),
    )
    columns = {name: [row[name] for row in rows] for name in QUALITY.names}
    columns["passed"] = [bool(value) for value in columns["passed"]]
    checked = pa.array(columns.pop("checked_at"), pa.string()).cast(TIMESTAMP)
    return pa.table({**columns, "checked_at": checked}, schema=QUALITY)
