"""Versions of the identity model: kept as files below ``identity/models/``, listed in the ledger.

A version freezes what was estimated from the records: match weights, frequencies, thresholds. Runs use the
*current* one, so that a customer does not change because others came in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cdp import durable
from cdp.errors import CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp

if TYPE_CHECKING:
    from identity.version import ModelVersion as Fitted
    from pipelines.session import Session

FOLDER = "identity/models"
GROWTH = 2
"""A model serves until there are this many times the records that it was estimated from."""
FILE = "model.arrow"

State = Literal["current", "candidate", "retired"]


@dataclass(frozen=True)
class ModelVersion:
    """A version as the ledger lists it; ``records`` is how many it was estimated from."""

    version: str
    created_at: str
    run_id: str
    records: int
    path: str
    state: State
    reason: str


def estimated(model: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the precision and recall that a model (or its description) expects of its own resolution."""
    precision, recall = model.get("estimated_precision"), model.get("estimated_recall")
    return (
        None if precision is None else float(precision),
        None if recall is None else float(recall),
    )


def versions(ledger: Ledger) -> list[ModelVersion]:
    """Return all versions, oldest first."""
    columns = "version, created_at, run_id, records, path, state, reason"
    rows = ledger.rows(f"SELECT {columns} FROM models ORDER BY created_at, version")
    return [ModelVersion(*row) for row in rows]


def current(ledger: Ledger) -> ModelVersion | None:
    """Return the version that runs use, or None before the first."""
    return next((one for one in versions(ledger) if one.state == "current"), None)


def load(lake: Lake, version: ModelVersion) -> Fitted | None:
    """Return the model of a version, or None where its file is gone (it can be estimated again).

    Raises a :class:`CdpError` for a file that is damaged, or that another version of cdp wrote.
    """
    from identity.version import ModelVersion as Engine

    path = lake.path(version.path)
    if not path.is_file():
        return None
    data = path.read_bytes()
    model = Engine.from_bytes(data)
    if hashlib.sha256(data).hexdigest()[: len(version.version)] != version.version:
        raise CorruptError(
            f"the file of model {version.version} is not what was written",
            hint="The next `cdp run` estimates a new one.",
        )
    return model


def write(lake: Lake, model: Fitted) -> str:
    """Write the file of a model durably and return its path; the ledger lists it with :func:`record`."""
    relative = f"{FOLDER}/{model.version}/{FILE}"
    durable.write_bytes(lake.path(relative), model.to_bytes())
    return relative


def record(session: Session, model: Fitted, *, records: int, state: State, reason: str) -> None:
    """List a model whose file has been written, inside the caller's transaction.

    A new current version retires the one before, and so does a new candidate with its like.
    """
    ledger, version = session.ledger, model.version
    ledger.execute("UPDATE models SET state = 'retired' WHERE state = ? AND version <> ?", (state, version))
    path = f"{FOLDER}/{version}/{FILE}"
    ledger.execute(
        "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (version) DO UPDATE SET "
        "state = excluded.state, records = excluded.records, reason = excluded.reason",
        (version, timestamp(session.now), session.run_id, records, path, state, reason),
    )


def listed(ledger: Ledger) -> list[str]:
    """Return the paths of the files that are still needed: those of current and candidate versions."""
    return [one.path for one in versions(ledger) if one.state != "retired"]
