"""The overview and the page about data quality: sources, freshness, checks, identity, releases, runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from warehouse import overview
from warehouse.overview import Check, Figures
from warehouse.pages.templating import page
from warehouse.serve.access import PageReads, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.facts import PastRelease, Source
from warehouse.serve.problems import NotReadyError
from warehouse.serve.releases import Reader

router = APIRouter()
_WIDTH: Final = 100
_HEIGHT: Final = 24
STATES: Final = {
    "good": ("on time", "good"),
    "late": ("late", "bad"),
    "quiet": ("unusually silent", "warn"),
    "new": ("nothing yet", "neutral"),
    "off": ("off", "neutral"),
}


async def maybe_reader(serving: ServingDep) -> AsyncIterator[Reader | None]:
    """Pin the current release until the answer has left; None before the first one."""
    releases = serving.releases
    try:
        found = releases.pin() if releases.is_open() else await run_in_threadpool(releases.pin)
    except NotReadyError:
        yield None
        return
    try:
        yield found
    finally:
        releases.unpin(found)


MaybeReader = Annotated[Reader | None, Depends(maybe_reader)]


@dataclass(frozen=True)
class Told:
    """What both pages tell."""

    figures: Figures | None
    checks: Sequence[Check]
    sources: Sequence[Source]
    releases: Sequence[PastRelease]


def _told(serving: Serving, reader: Reader | None) -> Told:
    facts = serving.facts
    figures, checks = None, list[Check]()
    if reader is not None:
        with reader.connection() as connection:
            figures, checks = overview.figures(connection), overview.checks(connection)
    sources = facts.sources() if facts else ()
    return Told(figures, checks, sources, facts.releases() if facts else ())


def spark(source: Source) -> str:
    """Return the path of a source's last days, in a box of 100 by 24."""
    highest = max((one.landed for one in source.days), default=0)
    if not highest or len(source.days) < 2:
        return ""
    step = _WIDTH / (len(source.days) - 1)
    points = [
        f"{step * at:.1f} {_HEIGHT - 2 - (_HEIGHT - 4) * one.landed / highest:.1f}"
        for at, one in enumerate(source.days)
    ]
    return "M" + "L".join(points)


def _alerts(told: Told) -> list[tuple[str, str]]:
    """Return what needs attention: about what, and what it is."""
    found = [(source.name, text) for source in told.sources for text in source.alerts]
    for source in told.sources:
        changes = [f"{len(list(part))} {word}" for part, word in _changed(source) if part]
        if changes:
            found.append((source.name, f"fields of its payloads changed: {' and '.join(changes)}"))
    failing = [check for check in told.checks if not check.passed]
    found += [(check.source or "all sources", f"the check {check.name} fails") for check in failing]
    return found


def _changed(source: Source) -> list[tuple[Sequence[Any], str]]:
    drift = source.drift
    return [(drift.new, "new"), (drift.vanished, "vanished")] if drift else []


def _common(serving: Serving, told: Told) -> dict[str, Any]:
    return {
        "told": told,
        "figures": told.figures,
        "states": STATES,
        "sparks": {source.name: spark(source) for source in told.sources},
        "runs": serving.facts.runs() if serving.facts else (),
        "dagster": (serving.settings.serve.dagster_url or "").rstrip("/"),
        "collector": serving.settings.serve.collector_url,
        "alerts": _alerts(told),
    }


@router.get("/")
def start(request: Request, caller: PageReads, serving: ServingDep, reader: MaybeReader) -> HTMLResponse:
    """Show how it all does; before the first release, what to do next."""
    told = _told(serving, reader)
    return page(request, "overview.html", caller, **_common(serving, told))


@router.get("/quality")
def quality(request: Request, caller: PageReads, serving: ServingDep, reader: MaybeReader) -> HTMLResponse:
    """Show sources, drift, quarantine, checks with their history, and identity over releases."""
    told = _told(serving, reader)
    return page(request, "quality.html", caller, chart=_chart(told.releases), **_common(serving, told))


def _chart(releases: Sequence[PastRelease]) -> dict[str, Any] | None:
    if len(releases) < 2:
        return None
    shown = list(reversed(releases))
    return {
        "type": "line",
        "labels": [f"{one.created_at:%d %b %Y %H:%M}" for one in shown],
        "series": [
            {"name": "Records", "values": [one.records for one in shown], "color": "neutral"},
            {"name": "Customers", "values": [one.customers for one in shown], "color": "accent"},
        ],
    }
