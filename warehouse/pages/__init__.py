"""The pages: a module per subject, each with its ``router``; templates stand in ``warehouse/templates``."""

from __future__ import annotations

from fastapi import APIRouter

from warehouse.pages import (
    audiences,
    audit,
    customer,
    customer_identity,
    customers,
    keys,
    marketing,
    overview,
    segments,
    sign_in,
    sql,
)

router = APIRouter(include_in_schema=False)
for part in (
    audiences,
    audit,
    keys,
    sign_in,
    customer_identity,
    customer,
    marketing,
    overview,
    sql,
    segments,
    customers,
):
    router.include_router(part.router)
