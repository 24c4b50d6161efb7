"""The application: API, pages and static files over one workspace."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from warehouse import api, pages
from warehouse.serve.access import NotSignedInError
from warehouse.serve.context import Serving

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
    app.add_exception_handler(NotSignedInError, _to_sign_in)
    return app


async def _to_sign_in(request: Request, error: Exception) -> RedirectResponse:
    del request, error
    return RedirectResponse("/sign-in", 303)
