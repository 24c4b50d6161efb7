"""Generations of identity: what each was made from, which files it has, and why it differs from the last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cdp import durable
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp
from pipelines import digests, identity_state, inputs
from pipelines.session import Session

if TYPE_CHECKING:
    from identity.state import State

MODEL_FILE = "model.json"

_CAUSES: Mapping[str, str] = {
    "events": "new data",
    "judgements": "a judgement",
    "rules": "changed rules",
    "model": "another model",
    "code": "another version of cdp",
}


@dataclass(frozen=True)
class Generation:
    """One result of the identity stage, as the ledger lists it.

    ``inputs`` are digests of what it was made from, by name. ``moved_records`` of the ``previous_records``
    that were there before have another customer; both are None where the ledger does not know it.
    """

    generation: int
    path: str
    input_digest: str
    model_version: str | None
    records: int
    customers: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    previous_records: int | None = None
    moved_records: int | None = None

    @property
    def changed_share(self) -> float | None:
        """Share of the records known before that have another customer now; None at first."""
        if not self.previous_records or self.moved_records is None:
            return None
        return self.moved_records / self.previous_records


def newest(ledger: Ledger) -> Generation | None:
    """Return the newest generation, or None before the first."""
    rows = ledger.rows(
        "SELECT generation, path, input_digest, model_version, records, customers, inputs, "
        "previous_records, moved_records FROM generations ORDER BY generation DESC LIMIT 1"
    )
    if not rows:
        return None
    found = dict(rows[0])
    return Generation(**found | {"inputs": json.loads(found["inputs"] or "{}")})


def model_description(lake: Lake, generation: Generation) -> dict[str, Any]:
    """Return what the model of a generation says about itself; empty where the file is gone."""
    path = lake.path(generation.path) / MODEL_FILE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def current_inputs(session: Session) -> dict[str, str]:
    """Return digests over everything that decides what the identity stage gives, but for the model."""
    judged = inputs.judgements(session.ledger)
    return {
        "events": inputs.events(session.lake, session.ledger).digest,
        "judgements": digests.rows_digest(list(zip(*judged.to_pydict().values(), strict=True))),
        "rules": digests.digest(session.settings.identity.deciding()),
        "code": digests.code("identity", "pipelines.records"),
    }


def cause(known: Generation | None, made_from: Mapping[str, str]) -> str:
    """Say in words what has changed since a generation.

    >>> cause(None, {})
    'the first run'
    """
    if known is None:
        return "the first run"
    if not known.inputs:
        return "another version of cdp"
    changed = [words for name, words in _CAUSES.items() if known.inputs.get(name) != made_from.get(name)]
    return " and ".join(changed) if changed else "all made again"


def write(folder: Path, tables: Mapping[str, pa.Table], model: Mapping[str, Any], state: State) -> None:
    """Write the files of a generation, whole or not at all; ``model`` describes what it was made with.

    ``state`` is what the next run goes on from.
    """
    with durable.atomic_directory(folder) as temporary:
        for name, table in tables.items():
            pq.write_table(table, temporary / f"{name}.parquet", compression="zstd")
        text = json.dumps(model, indent=1, sort_keys=True, default=float)
        (temporary / MODEL_FILE).write_text(text, encoding="utf-8")
        identity_state.write(temporary, state)


def record(session: Session, generation: Generation) -> None:
    """List a generation whose files have been written, inside the caller's transaction."""
    session.ledger.execute(
        "INSERT INTO generations (generation, path, input_digest, model_version, records, customers, "
        "created_at, run_id, inputs, previous_records, moved_records) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            generation.generation,
            generation.path,
            generation.input_digest,
            generation.model_version,
            generation.records,
            generation.customers,
            timestamp(session.now),
            session.run_id,
            json.dumps(dict(generation.inputs), sort_keys=True),
            generation.previous_records,
            generation.moved_records,
        ),
    )
