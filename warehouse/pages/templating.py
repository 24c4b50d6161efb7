"""Templates: Jinja with autoescape, filters for what pages show, addresses of static files by content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from warehouse.pages import shown
from warehouse.serve.scopes import ADMIN, READ, Caller

_HERE: Final = Path(__file__).parent.parent
STATIC: Final = _HERE / "static"

# Address, name and scope of what the head of each page leads to.
NAVIGATION: Final = (
    ("/", "Overview", READ),
    ("/customers", "Customers", READ),
    ("/segments", "Segments", READ),
    ("/audiences", "Audiences", READ),
    ("/marketing", "Marketing", READ),
    ("/sql", "SQL", READ),
    ("/quality", "Data quality", READ),
    ("/keys", "Keys", ADMIN),
    ("/audit", "Audit log", ADMIN),
)


@cache
def static_url(name: str) -> str:
    """Return the address of a static file; it changes with the content, so browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def environment() -> Environment:
    """Return the environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": static_url, "navigation": NAVIGATION}
    made.filters |= shown.FILTERS
    return made


def page(
    request: Request, template: str, caller: Caller | None, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page, or a part of one, made from a template.

    Every template knows ``caller`` (None before signing in; inside of ``{% call %}``, where Jinja takes that
    name for itself, it is ``user``), ``path`` (of the address) and ``workspace``.
    """
    serving = request.app.state.serving
    settings = serving.settings.workspace
    with shown.frame(settings.timezone, serving.now()):
        text = environment().get_template(template).render(
            caller=caller, user=caller, path=request.url.path, workspace=settings.name, **values
        )  # fmt: skip
    return HTMLResponse(text, status)
