"""How sources, runs and checks do: what monitoring asks. No value of a payload is in it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel

from warehouse import overview
from warehouse.lookup import as_json
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep

router = APIRouter(tags=["quality"])
_MOST_CHECKS: Final = 5_000


class SourceDay(BaseModel):
    """Envelopes that landed on a day (UTC)."""

    day: str
    landed: int


class QuarantineReason(BaseModel):
    """Why envelopes are in quarantine."""

    reason: str
    envelopes: int
    newest_at: str


class FieldChange(BaseModel):
    """A field of the payloads, and the share of sampled payloads that have it, or had it."""

    path: str
    share: float


class SourceDrift(BaseModel):
    """New and vanished fields, lateness in seconds; of samples."""

    new: list[FieldChange]
    vanished: list[FieldChange]
    sampled: int
    median_lateness: float | None
    p95_lateness: float | None


class SourceState(BaseModel):
    """How a source does; `state`: good, late, quiet, new (nothing has landed yet) or off."""

    name: str
    connector: str
    enabled: bool
    state: str
    landed: int
    landed_day: int
    landed_week: int
    duplicates: int
    quarantined: int
    quarantined_share: float
    pending: int
    waiting: int
    last_landed_at: str | None
    limit_seconds: float | None
    usual_gap: float | None
    usual_day: float | None
    days: list[SourceDay]
    reasons: list[QuarantineReason]
    drift: SourceDrift | None
    alerts: list[str]


class SourcesAnswer(BaseModel):
    """All sources of cdp.yaml."""

    sources: list[SourceState]


class CheckResult(BaseModel):
    """A check: its newest result, and whether it passed before, newest first."""

    source: str | None
    name: str
    passed: bool
    observed: str | None
    expected: str | None
    checked_at: str | None
    history: list[bool]
    failures: int


class IdentityFigures(BaseModel):
    """What identity made of the records of this release."""

    customers: int
    anonymous: int
    records: int
    merged: int
    several_sources: int
    several_channels: int
    redirects: int
    events: int
    unattributed: int
    changes: dict[str, int]
    records_per_customer: float | None


class QualityAnswer(BaseModel):
    """A release's quality: figures of identity, checks with their history, releases before it, runs."""

    release: str
    created_at: str
    identity: IdentityFigures
    checks: list[CheckResult]
    releases: list[dict[str, Any]]
    runs: list[dict[str, Any]]


@router.get("/sources")
def sources(caller: ApiReads, serving: ServingDep) -> SourcesAnswer:
    """Say how each source does: volume, freshness, quarantine, drift. It answers before the first release, too."""
    del caller
    found = serving.facts.sources() if serving.facts else []
    return SourcesAnswer(sources=[SourceState.model_validate(as_json(one)) for one in found])


@router.get("/quality")
def quality(caller: ApiReads, serving: ServingDep, reader: ReaderDep) -> QualityAnswer:
    """Return figures of identity, checks with their history, and the releases and runs so far."""
    del caller
    with reader.connection() as connection:
        figures, found = overview.figures(connection), overview.checks(connection)
    facts = serving.facts
    told = as_json(figures)
    return QualityAnswer(
        release=reader.version,
        created_at=told["created_at"],
        identity=IdentityFigures.model_validate(
            {**told, "records_per_customer": figures.records_per_customer}
        ),
        checks=[CheckResult.model_validate(as_json(one)) for one in found[:_MOST_CHECKS]],
        releases=as_json(list(facts.releases())) if facts else [],
        runs=as_json(list(facts.runs())) if facts else [],
    )
