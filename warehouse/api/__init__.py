"""The REST API, version 1: a module per subject, each with its ``router``."""

from __future__ import annotations

from fastapi import APIRouter

from warehouse.api import health

router = APIRouter(prefix="/api/v1")
for part in (health,):
    router.include_router(part.router)
