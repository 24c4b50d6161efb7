"""Exports and audiences: what leaves, what left, and letting one go now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from pydantic import BaseModel

from cdp.errors import NotFoundError
from cdp.ledger import Ledger
from warehouse.audiences import desk, shares
from warehouse.audiences.desk import Standing
from warehouse.serve.access import ApiReads, ApiSegments, ServingDep
from warehouse.serve.problems import NotReadyError

router = APIRouter(tags=["audiences"])
ExportName = Annotated[str, PathParameter(min_length=1, max_length=64)]


class Shared(BaseModel):
    """A delivery of the share log. ``rows``: what the other side had after it."""

    share_id: int
    at: str
    name: str
    destination: str
    kind: str
    purpose: str
    channel: str | None
    segment: str | None
    release: str
    caller: str
    added: int
    changed: int
    removed: int
    rows: int
    complete: bool
    detail: str | None


class Shares(BaseModel):
    """The share log, newest first."""

    shares: list[Shared]


class ExportState(BaseModel):
    """An export of cdp.yaml: who is in it, where it goes, and what left last."""

    name: str
    dataset: str
    segment: str | None
    purpose: str
    channel: str | None
    min_probability: float
    formats: list[str]
    destination: str | None
    schedule: str
    next_at: str | None
    rejected: int
    last: Shared | None


class ExportStates(BaseModel):
    """All exports of cdp.yaml."""

    exports: list[ExportState]


class ExportRun(BaseModel):
    """What an export did. ``repeated``: nothing, all of it was there. ``problem``: why it is not complete."""

    name: str
    release: str
    rows: int
    added: int
    changed: int
    removed: int
    rejected: int
    complete: bool
    problem: str | None
    repeated: bool


def _state(found: Standing) -> ExportState:
    export = found.export
    return ExportState(
        name=export.name, dataset=export.dataset, segment=export.segment, purpose=export.purpose,
        channel=export.channel, min_probability=export.min_probability, formats=list(export.formats),
        destination=found.way if export.destination else None, schedule=export.schedule,
        next_at=found.next_at.isoformat() if found.next_at else None, rejected=found.rejected,
        last=Shared.model_validate(found.last, from_attributes=True) if found.last else None,
    )  # fmt: skip


@router.get("/audiences")
def listed(caller: ApiReads, serving: ServingDep) -> ExportStates:
    """List the exports of cdp.yaml with their last delivery and when they go next."""
    del caller
    found = desk.standings(serving.lake, serving.settings, serving.now(), lines=0)
    return ExportStates(exports=[_state(one) for one in found.exports])


@router.get("/shares")
def logged(
    caller: ApiSegments,
    serving: ServingDep,
    name: Annotated[str | None, Query(max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Shares:
    """Return what left for whom, newest first."""
    del caller
    if not serving.lake.ledger_path.is_file():
        return Shares(shares=[])
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        found = shares.read(ledger, name, limit=limit)
    return Shares(shares=[Shared.model_validate(one, from_attributes=True) for one in found])


@router.post("/exports/{name}/runs")
def run(name: ExportName, caller: ApiSegments, serving: ServingDep) -> ExportRun:
    """Write or deliver an export of cdp.yaml now. 409 while another run holds the workspace."""
    if name not in serving.settings.exports:
        raise NotFoundError(f"There is no export {name!r} in cdp.yaml.")
    if serving.exporter is None:
        raise NotReadyError("This server writes no exports.", hint="Start it with `cdp serve`.")
    serving.audit(caller, "export.run", name)
    done = serving.exporter(name, caller.name)
    return ExportRun.model_validate(
        {**asdict(done), "complete": done.problem is None},
    )
