"""The REST API, version 1: a module per subject, each with its ``router``."""

from __future__ import annotations

from fastapi import APIRouter

from warehouse.api import (
    audiences,
    audit,
    changes,
    exports,
    health,
    history,
    measures,
    profiles,
    quality,
    search,
    segments,
    sql,
    tables,
)
from warehouse.serve.problems import RESPONSES

router = APIRouter(prefix="/api/v1", responses=RESPONSES)
for part in (
    audiences,
    audit,
    health,
    profiles,
    quality,
    history,
    exports,
    changes,
    tables,
    segments,
    measures,
    sql,
    search,
):
    router.include_router(part.router)
