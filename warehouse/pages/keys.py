"""Keys as a page: who may use the server."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cdp.errors import UsageError
from warehouse.pages.templating import page
from warehouse.serve import keys
from warehouse.serve.access import PageAdmin, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.scopes import SCOPES, Caller

router = APIRouter()
ENDS = (("30d", "30 days"), ("90d", "90 days"), ("365d", "a year"), ("", "never"))


@router.get("/keys")
def listed(request: Request, caller: PageAdmin, serving: ServingDep) -> HTMLResponse:
    """Show all keys."""
    return _page(request, caller, serving)


@router.post("/keys")
def create(
    request: Request,
    caller: PageAdmin,
    serving: ServingDep,
    name: Annotated[str, Form()] = "",
    scope: Annotated[list[str] | None, Form()] = None,
    expires: Annotated[str, Form()] = "90d",
    requests_per_minute: Annotated[str, Form()] = "",
    rows_per_day: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Make a key and show it, once."""
    now = serving.now()
    try:
        end = keys.end_after(expires, now) if expires else None
        limits = keys.Limits(_number(requests_per_minute), _number(rows_per_day))
        key_id, text = keys.create(serving.store, name, scope or (), now=now, expires_at=end, limits=limits)
    except UsageError as error:
        return _page(request, caller, serving, status=422, problem=str(error), name=name)
    serving.audit(caller, "key.create", key_id)
    return _page(request, caller, serving, made=text, made_name=name)


@router.post("/keys/{key_id}/revoke")
def revoke(caller: PageAdmin, serving: ServingDep, key_id: str) -> Response:
    """End a key at once."""
    keys.revoke(serving.store, key_id, serving.now())
    serving.audit(caller, "key.revoke", key_id)
    return RedirectResponse("/keys", 303)


def _number(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or len(text.strip()) > 15:
        raise UsageError("A limit is a whole number.")
    return int(text)


def _page(
    request: Request,
    caller: Caller,
    serving: Serving,
    *,
    status: int = 200,
    problem: str | None = None,
    made: str | None = None,
    made_name: str = "",
    name: str = "",
) -> HTMLResponse:
    now = serving.now()
    found = [(key, key.state(now)) for key in keys.listed(serving.store) if key.key_id != keys.OWNER]
    found.sort(key=lambda entry: entry[1] != "active")
    return page(
        request, "keys.html", caller, status=status, keys=found, problem=problem, made=made,
        made_name=made_name, name=name, scopes=SCOPES, ends=ENDS, serve=serving.settings.serve,
    )  # fmt: skip
