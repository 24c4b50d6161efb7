"""One flat list of routes: FastAPI asks nested routers twice at each level, which costs more than to answer."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

# What a route is made of; a context has it with what its routers add.
_PARTS: Final = (
    "response_model", "status_code", "tags", "dependencies", "summary", "description", "response_description",
    "responses", "deprecated", "methods", "operation_id", "response_model_include", "response_model_exclude",
    "response_model_by_alias", "response_model_exclude_unset", "response_model_exclude_defaults",
    "response_model_exclude_none", "include_in_schema", "response_class", "name", "callbacks", "openapi_extra",
    "generate_unique_id_function", "strict_content_type",
)  # fmt: skip


def include(app: FastAPI, *routers: APIRouter) -> None:
    """Add the routes of routers to an application, each with its whole path."""
    holder = APIRouter()
    for router in routers:
        holder.include_router(router)
    for context in iter_route_contexts(holder.routes):
        if type(context.original_route) is not APIRoute:
            raise TypeError(f"{context.path} is no plain route: it cannot stand in a flat list.")
        parts = {name: getattr(context, name) for name in _PARTS}
        app.router.add_api_route(str(context.path), context.endpoint, **parts)  # type: ignore[arg-type]  # it is one
