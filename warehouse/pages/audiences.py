"""Audiences as pages: what leaves for whom and when, the share log, and one-off downloads."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from cdp import durable
from cdp.errors import CdpError, NotFoundError, UsageError
from cdp.events import CHANNELS
from cdp.ledger import Ledger
from warehouse.audiences import desk, download, shares
from warehouse.audiences.download import FORMS, Wish
from warehouse.audiences.selection import Audience
from warehouse.pages.templating import page
from warehouse.segments.desk import Desk
from warehouse.serve.access import PageReads, PageSegments, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.failures import is_fragment
from warehouse.serve.problems import NotReadyError
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import SEGMENTS, Caller

router = APIRouter()

_FORM_NAMES: Final = {
    "csv": ("CSV", "Names and contact details, for a spreadsheet or a mailing tool"),
    "meta": ("Meta audience", "Custom Audiences: hashed, in the columns that Ads Manager reads"),
    "google": ("Google audience", "Customer Match: hashed, in the columns that Google Ads reads"),
}
_PREFIX: Final = ".download-"
_LEFT_BEHIND_SECONDS: Final = 3600
_CHANNELS: Final = ("email", "sms", "phone", "post", "social")


@router.get("/audiences")
def overview(request: Request, caller: PageReads, serving: ServingDep, done: str = "") -> HTMLResponse:
    """Show all exports, and the share log to who may make segments. ``done``: an export that was just run."""
    notice = f"{done} is up to date: what left is below." if done in serving.settings.exports else None
    return _overview(request, caller, serving, notice=notice)


def _overview(
    request: Request, caller: Caller, serving: Serving, *, problem: str | None = None, status: int = 200,
    notice: str | None = None,
) -> HTMLResponse:  # fmt: skip
    lines = 50 if caller.may(SEGMENTS) else 0
    found = desk.standings(serving.lake, serving.settings, serving.now(), lines=lines)
    return page(
        request, "audiences.html", caller, status=status, exports=found.exports, log=found.log, problem=problem,
        may=caller.may(SEGMENTS), can_run=serving.exporter is not None, notice=notice,
    )  # fmt: skip


@router.post("/audiences/{name}/run")
def run(request: Request, name: str, caller: PageSegments, serving: ServingDep) -> Response:
    """Write or deliver an export now."""
    try:
        told = run_export(serving, caller, name)
    except CdpError as error:
        status = 404 if isinstance(error, NotFoundError) else 409
        return _overview(request, caller, serving, problem=error.message, status=status)
    if told:
        return _overview(request, caller, serving, problem=told, status=502)
    return RedirectResponse(f"/audiences?done={quote(name)}", 303)


def run_export(serving: Serving, caller: Caller, name: str) -> str | None:
    """Write or deliver an export; return why it is not complete, None where it is."""
    if name not in serving.settings.exports:
        raise NotFoundError(f"There is no export {name!r} in cdp.yaml.")
    if serving.exporter is None:
        raise NotReadyError("This server writes no exports.", hint="Start it with `cdp serve`.")
    serving.audit(caller, "export.run", name)
    return serving.exporter(name, caller.name).problem


class Asked(BaseModel):
    """The form: who, what for, and as what."""

    segment: str = Field("", max_length=128)
    purpose: str = Field("marketing", max_length=128)
    channel: str = Field("", max_length=32)
    least: str = Field("0", max_length=32)
    form: str = Field("csv", max_length=32)

    def wish(self) -> Wish:
        """Return what is asked for. Raises :class:`UsageError` where it cannot be."""
        if self.form not in FORMS:
            raise UsageError(f"Given {self.form!r}, expected one of {', '.join(FORMS)}.")
        if not self.purpose.strip():
            raise UsageError("A purpose is missing.", hint="What will the audience be used for?")
        if self.channel and self.channel not in CHANNELS:
            raise UsageError(f"Given {self.channel!r}, expected one of {', '.join(CHANNELS)}.")
        try:
            probability = float(self.least or 0)
        except ValueError:
            probability = -1.0
        if not 0 <= probability <= 1:
            raise UsageError("The least match probability is a number from 0 to 1.")
        audience = Audience(self.purpose.strip(), self.channel or None, probability, self.segment or None)
        return Wish(audience, next(one for one in FORMS if one == self.form))


@router.get("/audiences/new")
def new(
    request: Request,
    caller: PageSegments,
    serving: ServingDep,
    reader: ReaderDep,
    asked: Annotated[Asked, Query()],
) -> HTMLResponse:
    """Show who of a segment may leave, and why others may not."""
    outlook, problem = None, None
    try:
        with reader.connection() as connection:
            outlook = download.look(serving.lake, connection, asked.wish())
    except (UsageError, NotFoundError) as error:
        problem = str(error)
    values = {
        **asked.model_dump(), "outlook": outlook, "problem": problem, "forms": _FORM_NAMES,
        "personal": caller.sees_personal_data,
    }  # fmt: skip
    if is_fragment(request):
        return page(request, "_audience_outlook.html", caller, **values)
    status = 200 if problem is None else 422
    choices = _choices(serving, reader, caller)
    return page(request, "audience_new.html", caller, status=status, **values, **choices)


@router.post("/audiences/download")
def save(
    caller: PageSegments, serving: ServingDep, reader: ReaderDep, asked: Annotated[Asked, Form()]
) -> FileResponse:
    """Send the file, after it has been written into the share log."""
    if not caller.sees_personal_data:  # hashes, too: postcode, country and customer id are not hashed
        raise HTTPException(403, "You lack the scope 'read-pii'.")
    wish = asked.wish()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_exports(serving)))
    try:
        with reader.connection() as connection:
            rows = download.save(serving.lake, connection, wish, folder / "file.csv")
        serving.spend_rows(caller, rows)
        serving.audit(caller, "export.download", asked.segment or "customers", reader=reader, rows=rows)
        _log(serving, caller, reader, wish, rows)
    except BaseException:
        durable.remove(folder)
        raise
    return FileResponse(
        folder / "file.csv",
        media_type="text/csv; charset=utf-8",
        filename=f"{asked.segment or 'customers'}-{wish.form}-{reader.version}.csv",
        headers={"Cache-Control": "private, no-store"},
        background=BackgroundTask(durable.remove, folder),
    )


def _exports(serving: Serving) -> Path:
    """Return where downloads are made, without what a server that was killed left behind."""
    folder = serving.lake.exports
    durable.make_directory(folder)
    for old in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                durable.remove(old)
    return folder


def _log(serving: Serving, caller: Caller, reader: Reader, wish: Wish, rows: int) -> None:
    audience = wish.audience
    sent = shares.Sent(
        audience.segment or "customers", "download", f"download {wish.form}", audience.purpose, audience.channel,
        audience.segment, reader.version, caller.name,
    )  # fmt: skip
    with Ledger(serving.lake.ledger_path) as ledger:
        shares.once(ledger, sent, rows=rows, now=serving.now())


def _choices(serving: Serving, reader: Reader, caller: Caller) -> dict[str, Any]:
    with reader.connection() as connection:
        found = connection.execute(
            "SELECT DISTINCT purpose FROM customer_consents WHERE purpose IS NOT NULL"
        ).fetchall()
        segments = Desk.open(serving.lake, connection, personal=caller.sees_personal_data)
    names = {one: segments.names[one] for one in segments.rules}
    return {
        "segments": dict(sorted(names.items(), key=lambda item: item[1].lower())),
        "purposes": desk.purposes(serving.settings, [str(row[0]) for row in found]),
        "channels": _CHANNELS,
    }
