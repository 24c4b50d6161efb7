"""Marketing: what the measures of the release say, a page per subject."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from warehouse.measures import summaries
from warehouse.measures.summaries import Row
from warehouse.pages import shown
from warehouse.pages.templating import page
from warehouse.serve.access import PageReads, ReaderDep
from warehouse.serve.releases import Reader

router = APIRouter()
SECTIONS: Final = (
    ("/marketing", "Overview"),
    ("/marketing/rfm", "RFM"),
    ("/marketing/lifecycle", "Lifecycle"),
    ("/marketing/campaigns", "Campaigns"),
    ("/marketing/channels", "Channels"),
    ("/marketing/escalations", "Escalations"),
    ("/marketing/profitability", "Profitability"),
)
_MONTHS_SHOWN: Final = 24
_BARS: Final = 12
_ROWS_SHOWN: Final = 300
STAGE_COLOURS: Final = {
    "lead": "neutral", "customer": "good", "won_back": "info", "lapsing": "warn", "lapsed": "bad",
}  # fmt: skip
CampaignOrder = Literal[
    "campaign", "channel", "sends", "delivered", "opens", "clicks", "responses", "bounces", "unsubscribes",
    "complaints", "people", "visitors", "orders", "revenue", "revenue_after_send", "last_sent_at",
]  # fmt: skip


def _page(request: Request, name: str, caller: PageReads, reader: Reader, **values: Any) -> HTMLResponse:
    return page(
        request, f"marketing_{name}.html", caller, sections=SECTIONS, release=reader.version, **values
    )


def _about(connection: Any) -> Row:
    (found,) = summaries.rows(connection, "SELECT created_at, base_currency FROM cdp_release")
    return found


@router.get("/marketing")
def overview(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show the measures at a glance."""
    with reader.connection() as connection:
        about, cells = _about(connection), summaries.read(connection, "rfm_cells")
        currency = summaries.main_currency(cells, about["base_currency"])
        values = {
            "stages": summaries.stages(connection),
            "months": _lifecycle_chart(summaries.read(connection, "lifecycle_months"), "standing"),
            "campaigns": _ordered(summaries.read(connection, "campaigns"), "revenue", down=True)[:6],
            "channels": [r for r in summaries.read(connection, "channel_responses") if r["month"] is None],
            "profit": summaries.rows(connection, "SELECT * FROM profitability WHERE dimension = 'all'"),
        }
    segments = _segments(cells, currency)
    return _page(
        request, "overview", caller, reader, about=about, currency=currency, segments=segments,
        buyers=sum(group.customers for _, _, group in segments), all_stages=summaries.STAGES, **values,
    )  # fmt: skip


def _segments(cells: list[Row], currency: str | None) -> list[tuple[str, str, summaries.Group]]:
    groups = summaries.grouped(cells, currency, "rfm_segment")
    return [(name, text, groups.get((name,), summaries.Group())) for name, text in summaries.SEGMENTS.items()]


@router.get("/marketing/rfm")
def rfm(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show recency by frequency, and the named segments."""
    with reader.connection() as connection:
        about, cells = _about(connection), summaries.read(connection, "rfm_cells")
    currency = summaries.main_currency(cells, about["base_currency"])
    segments = _segments(cells, currency)
    grid = summaries.grouped(cells, currency, "rfm_recency", "rfm_frequency")
    most = max((group.customers for group in grid.values()), default=0)
    chart = {
        "type": "bar",
        "horizontal": True,
        "labels": [shown.words(name) for name, _, _ in segments],
        "series": [{"name": "Customers", "values": [g.customers for _, _, g in segments], "color": "accent"}],
    }
    return _page(
        request, "rfm", caller, reader, about=about, currency=currency, segments=segments, grid=grid, most=most,
        buyers=sum(group.customers for _, _, group in segments), chart=chart,
    )  # fmt: skip


def _lifecycle_chart(months: list[Row], what: str) -> Row:
    names = sorted({row["month"] for row in months})[-_MONTHS_SHOWN:]
    counted = {(row["month"], row["stage"]): int(row[what]) for row in months}
    return {
        "type": "bar" if what == "entered" else "line",
        "stacked": what == "entered",
        "labels": [f"{month:%b %Y}" for month in names],
        "series": [
            {
                "name": shown.words(stage),
                "values": [counted.get((month, stage), 0) for month in names],
                "color": STAGE_COLOURS[stage],
            }
            for stage in summaries.STAGES
        ],
    }


@router.get("/marketing/lifecycle")
def lifecycle(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show the stages, and who entered them when."""
    with reader.connection() as connection:
        about, stages = _about(connection), summaries.stages(connection)
        months = summaries.read(connection, "lifecycle_months")
    newest = months[-1]["month"] if months else None
    lately = {row["stage"]: row for row in months if row["month"] == newest}
    given = request.app.state.serving.settings.lifecycle
    return _page(
        request, "lifecycle", caller, reader, about=about, stages=stages, lately=lately, newest=newest,
        given=given, all_stages=summaries.STAGES, colours=STAGE_COLOURS,
        entered=_lifecycle_chart(months, "entered"), standing=_lifecycle_chart(months, "standing"),
    )  # fmt: skip


def _ordered(found: list[Row], by: str, *, down: bool) -> list[Row]:
    """Return rows by a column; those that have no value come last."""
    known = [row for row in found if row[by] is not None]
    return sorted(known, key=lambda row: row[by], reverse=down) + [row for row in found if row[by] is None]


@router.get("/marketing/campaigns")
def campaigns(
    request: Request,
    caller: PageReads,
    reader: ReaderDep,
    sort: CampaignOrder = "last_sent_at",
    direction: Literal["down", "up"] = "down",
    channel: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show what each campaign met with, from send to revenue."""
    with reader.connection() as connection:
        about, found = _about(connection), summaries.read(connection, "campaigns")
    channels = sorted({row["channel"] for row in found})
    chosen = _ordered(
        [row for row in found if channel in ("", row["channel"])], sort, down=direction == "down"
    )
    totals = {
        name: sum(row[name] for row in chosen)
        for name in ("sends", "delivered", "opens", "machine_opens", "clicks", "responses", "orders")
    }
    return _page(
        request, "campaigns", caller, reader, about=about, rows=chosen[:_ROWS_SHOWN], hidden=len(chosen[_ROWS_SHOWN:]),
        channels=channels, channel=channel, sort=sort, direction=direction, totals=totals, funnel=_funnel(totals),
        windows=request.app.state.serving.settings.measures, revenue=_revenue_chart(chosen),
    )  # fmt: skip


def _funnel(totals: Row) -> Row:
    names = ("sends", "delivered", "opens", "clicks", "orders")
    values = [totals[name] for name in names]
    labels = ["Sent", "Delivered", "Opened", "Clicked", "Ordered"]
    return {
        "type": "bar",
        "horizontal": True,
        "labels": labels,
        "series": [{"name": "Messages", "values": values, "color": "email"}],
    }


def _revenue_chart(found: list[Row]) -> Row:
    paid = [row for row in found if row["revenue"]]
    currency = paid[0]["currency"] if paid else None
    best = [row for row in _ordered(paid, "revenue", down=True) if row["currency"] == currency][:_BARS]
    labels = [f"{row['campaign']} ({shown.channel_words(row['channel'])})" for row in best]
    values = [float(row["revenue"]) for row in best]
    return {
        "type": "bar",
        "horizontal": True,
        "money": currency,
        "labels": labels,
        "series": [{"name": "Revenue", "values": values, "color": "good"}],
    }


@router.get("/marketing/channels")
def channels(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show how people answer us, and how soon we answer them."""
    with reader.connection() as connection:
        about, found = _about(connection), summaries.read(connection, "channel_responses")
    total = [row for row in found if row["month"] is None]
    return _page(
        request, "channels", caller, reader, about=about, rows=total,
        windows=request.app.state.serving.settings.measures,
        rates=_channel_chart(found, "response_rate", 100),
        replies=_channel_chart(found, "median_reply_seconds", 1 / 3600),
    )  # fmt: skip


def _channel_chart(found: list[Row], what: str, factor: float) -> Row:
    months = sorted({row["month"] for row in found if row["month"] is not None})[-_MONTHS_SHOWN:]
    by_place = {(row["channel"], row["month"]): row[what] for row in found}
    names = sorted({row["channel"] for row in found if row[what] is not None})
    return {
        "type": "line",
        "labels": [f"{month:%b %Y}" for month in months],
        "series": [
            {
                "name": shown.channel_words(name),
                "color": name,
                "values": [_rounded(by_place.get((name, month)), factor) for month in months],
            }
            for name in names
        ],
    }


def _rounded(value: float | None, factor: float) -> float | None:
    return None if value is None else round(value * factor, 1)


@router.get("/marketing/escalations")
def escalations(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show tickets and escalations by product."""
    with reader.connection() as connection:
        about, found = _about(connection), summaries.read(connection, "product_escalations")
    products = _ordered([row for row in found if row["all_departments"]], "escalated", down=True)
    departments: dict[str | None, list[Row]] = {}
    for row in found:
        if not row["all_departments"]:
            departments.setdefault(row["product"], []).append(row)
    top = products[:_BARS]
    chart = {
        "type": "bar",
        "horizontal": True,
        "stacked": True,
        "labels": [row["product"] or "No product" for row in top],
        "series": [
            {"name": "Level 1", "values": [row["level_1"] for row in top], "color": "info"},
            {"name": "Level 2", "values": [row["level_2"] for row in top], "color": "warn"},
            {
                "name": "Level 3 and above",
                "values": [row["level_3_and_above"] for row in top],
                "color": "bad",
            },
        ],
    }
    totals = {name: sum(row[name] for row in products) for name in ("tickets", "escalated", "open_tickets")}
    return _page(
        request, "escalations", caller, reader, about=about, rows=products[:_ROWS_SHOWN], departments=departments,
        hidden=len(products[_ROWS_SHOWN:]), chart=chart, totals=totals,
    )  # fmt: skip


@router.get("/marketing/profitability")
def profitability(request: Request, caller: PageReads, reader: ReaderDep) -> HTMLResponse:
    """Show what customers bring and cost."""
    with reader.connection() as connection:
        about, found = _about(connection), summaries.read(connection, "profitability")
        everybody = sum(summaries.stages(connection).values())
    parts: dict[str, list[Row]] = {}
    for row in found:
        parts.setdefault(row["dimension"], []).append(row)
    deciles = parts.get("profit_decile", [])
    chart = {
        "type": "bar",
        "money": about["base_currency"],
        "labels": [row["bucket"] for row in deciles],
        "series": [
            {
                "name": "Gross margin",
                "values": [float(row["gross_margin"]) for row in deciles],
                "color": "good",
            },
            {
                "name": "Cost to serve",
                "values": [float(row["cost_to_serve"]) for row in deciles],
                "color": "warn",
            },
        ],
    }
    return _page(
        request, "profitability", caller, reader, about=about, parts_of=parts, chart=chart,
        everybody=everybody, costs=request.app.state.serving.settings.costs,
    )  # fmt: skip
