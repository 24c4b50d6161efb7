"""The audit log, for who administers: who read or changed what."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from warehouse.serve import audit
from warehouse.serve.access import ApiAdmin, ServingDep

router = APIRouter(tags=["audit"])
MOST_LINES = 1_000
_Word = Annotated[str | None, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class AuditQuery(BaseModel):
    """Which lines of the log; what is not given wants all."""

    model_config = ConfigDict(extra="forbid")

    action: _Word = Field(None, description="What was done; `segment.*` stands for all of its kind.")
    subject: _Word = Field(None, description="The customer id, segment, key … that it was done to.")
    key_id: _Word = Field(None, description="Who did it.")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(None, ge=1, le=2**62, description="Lines older than this one.")
    limit: int = Field(100, ge=1, le=MOST_LINES)


class AuditLine(BaseModel):
    """Who did what, and when."""

    audit_id: int
    at: datetime
    key_id: str
    caller: str
    action: str
    subject: str | None
    release: str | None
    rows: int | None


class AuditPage(BaseModel):
    """Lines of the log, the newest first; ``next_before`` asks for older ones, null where there are none."""

    lines: list[AuditLine]
    next_before: int | None


@router.get("/audit")
def audit_log(caller: ApiAdmin, serving: ServingDep, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """Return who read or changed what."""
    wanted = audit.Wanted(query.action, query.subject, query.key_id, query.since, query.until)
    found = audit.lines(serving.store, wanted, limit=query.limit, before=query.before)
    serving.spend_rows(caller, len(found))
    lines = [AuditLine(**dataclasses.asdict(line)) for line in found]
    return AuditPage(lines=lines, next_before=found[-1].audit_id if len(found) == query.limit else None)
