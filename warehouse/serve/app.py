"""The application: API, pages and static files over one workspace."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from warehouse import api, pages
from warehouse.serve import failures
from warehouse.serve.context import Serving
from warehouse.serve.problems import ProblemDetails

STATIC: Final = Path(__file__).parent.parent / "static"


def create_app(serving: Serving) -> FastAPI:
    """Return the application that serves a workspace."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        serving.close()

    app = FastAPI(title="cdp", version="1", lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url="/api/v1/openapi.json")  # fmt: skip
    app.state.serving = serving
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(api.router)
    app.include_router(pages.router)
    failures.add_handlers(app)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's manual has it
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with the errors that every endpoint may answer."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        components = made.setdefault("components", {}).setdefault("schemas", {})
        components |= {**schema.pop("$defs", {}), ProblemDetails.__name__: schema}
    return app.openapi_schema or {}
