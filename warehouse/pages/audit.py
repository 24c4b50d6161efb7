"""The audit log as a page."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from warehouse.pages.templating import page
from warehouse.serve import audit, keys
from warehouse.serve.access import PageAdmin, ServingDep
from warehouse.serve.failures import is_fragment

router = APIRouter()
LINES = 100
# What the list of kinds offers.
KINDS = (
    ("", "Everything"),
    ("profile.*", "Profiles read"),
    ("customers.*", "Searches and lists"),
    ("changes.*", "Changes read"),
    ("export.*", "Exports and audiences"),
    ("segment.*", "Segments"),
    ("identity.*", "Joining and splitting"),
    ("sql.*", "SQL"),
    ("session.*", "Signing in and out"),
    ("key.*", "Keys"),
)


class AuditFilter(BaseModel):
    """What the form of the page asks for."""

    action: str = Field("", max_length=200)
    subject: str = Field("", max_length=200)
    key_id: str = Field("", max_length=200)
    since: str = ""
    until: str = ""
    before: int | None = Field(None, ge=1, le=2**62)

    def wanted(self) -> audit.Wanted:
        """Return the lines that it stands for."""
        return audit.Wanted(
            self.action or None,
            self.subject.strip() or None,
            self.key_id or None,
            _begin(self.since),
            _begin(self.until, timedelta(days=1)),
        )


@router.get("/audit")
def audit_log(
    request: Request, caller: PageAdmin, serving: ServingDep, given: Annotated[AuditFilter, Query()]
) -> HTMLResponse:
    """Show who read or changed what, the newest first."""
    found = audit.lines(serving.store, given.wanted(), limit=LINES, before=given.before)
    older = None
    if len(found) == LINES:
        chosen = given.model_dump(exclude_defaults=True) | {"before": found[-1].audit_id}
        older = f"/audit?{urlencode(chosen)}"
    template = "_audit_lines.html" if is_fragment(request) and given.before else "audit.html"
    names = keys.listed(serving.store)
    return page(request, template, caller, lines=found, older=older, given=given, kinds=KINDS, keys=names)


def _begin(text: str, later: timedelta = timedelta()) -> datetime | None:
    """Return when a day begins that a form gives; what is no day is none."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + later
    except (ValueError, OverflowError):
        return None
