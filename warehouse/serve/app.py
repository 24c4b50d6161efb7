"""The application: API, pages and static files over one workspace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp

from warehouse import api, pages
from warehouse.serve import failures, routes
from warehouse.serve.compression import Gzip
from warehouse.serve.context import Serving
from warehouse.serve.hosts import Hosts
from warehouse.serve.problems import ProblemDetails
from warehouse.serve.shield import Shield
from warehouse.serve.static import Static

STATIC: Final = Path(__file__).parent.parent / "static"
# Endpoints run in threads; more of them than this would only share the same processors and memory.
MOST_THREADS: Final = 16
UPKEEP_SECONDS: Final = 3_600.0
_OPEN: Final = ("/api/v1/health",)
# Pages of ours ask with their session's cookie, too; that is no business of other programs.
_SECURITY: Final = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `cdp key create`."}
}


class Application(FastAPI):
    """FastAPI behind the shield, which also answers where everything else fails."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with what stands before it."""
        longest = self.state.serving.settings.serve.max_body_bytes
        return Shield(Gzip(super().build_middleware_stack()), self.state.hosts, longest)


def create_app(serving: Serving, names: Iterable[str] = ()) -> FastAPI:
    """Return the application that serves a workspace; it goes by ``names``, besides those of the settings."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = MOST_THREADS
        upkeep = asyncio.create_task(_keep_up(serving))
        yield
        upkeep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upkeep
        serving.close()

    app = Application(
        title="cdp",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.serving = serving
    app.state.hosts = Hosts.of(serving.settings.serve, names)
    app.mount("/static", Static(STATIC), name="static")
    routes.include(app, api.router, pages.router)
    failures.add_handlers(app)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's manual has it
    return app


async def _keep_up(serving: Serving) -> None:
    """Now and then, drop what is kept no longer."""
    while True:
        await anyio.to_thread.run_sync(serving.keep_up)
        await asyncio.sleep(UPKEEP_SECONDS)


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with the errors that every endpoint may answer."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        components = made.setdefault("components", {})
        components.setdefault("schemas", {})
        components["schemas"] |= {**schema.pop("$defs", {}), ProblemDetails.__name__: schema}
        components["securitySchemes"] = _SECURITY
        for path, operations in made["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in _OPEN else [{name: []} for name in _SECURITY]
    return app.openapi_schema or {}
