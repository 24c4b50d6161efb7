"""The REST API, version 1: a module per subject, each with its ``router``."""

from __future__ import annotations

from fastapi import APIRouter

from warehouse.api import audit, exports, health, history, profiles, segments, sql, tables
from warehouse.serve.problems import RESPONSES

router = APIRouter(prefix="/api/v1", responses=RESPONSES)
for part in (audit, health, profiles, history, tables, segments, exports, sql):
    router.include_router(part.router)
