"""Whether the server can answer, and from which release."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from warehouse.serve.access import ReaderDep

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The server answers."""

    status: str
    release: str


@router.get("/health")
async def health(reader: ReaderDep) -> Health:
    """Say which release is served."""
    return Health(status="ok", release=reader.version)
