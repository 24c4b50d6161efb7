"""UCI Online Retail, daily files as increments: lines, invoices and revenue are the files' own.

`make test` lands every fifth of the 95 days, `make soak` all of them.
"""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from cdp.settings.model import Settings
from pipelines.runner import run
from tests.landing_tools import Landing
from warehouse.release import current

ORDERS = {
    "name": "orders",
    "connector": "files",
    "path": "inbox/orders/*.csv",
    "event": {
        "type": {"column": "InvoiceNo", "prefixes": {"C": "order_refunded"}, "default": "order_placed"},
        "id": "InvoiceNo",
        "group_by": "InvoiceNo",
        "time": "InvoiceDate",
        "amount": "Quantity * UnitPrice",
        "currency": "GBP",
    },
    "identifiers": {"external_id": {"column": "CustomerID", "namespace": "shop"}},
}


@pytest.mark.parametrize(
    ("every", "totals"),
    [(5, (27_203, 1_273, 9_363)), pytest.param(1, (142_083, 6_877, 45_136), marks=pytest.mark.soak)],
)
@pytest.mark.soak
def test_lines_invoices_and_revenue_add_up_day_by_day(
    tmp_path: Path, shared: Path, every: int, totals: tuple[int, int, int]
) -> None:
    all_days = sorted((shared / "samples/datasets/uci_online_retail_by_day").glob("*.csv"))
    assert len(all_days) == 95
    days = all_days[::every]
    orders = Landing.of(tmp_path, **ORDERS)
    lines, revenue, anonymous = 0, Decimal(0), 0
    invoices: set[str] = set()
    known: set[str] = set()
    for day in days:
        shutil.copy(day, tmp_path / "inbox/orders" / day.name)
        orders.run()
        with day.open(newline="") as handle:
            for row in csv.DictReader(handle):
                lines += 1
                revenue += Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
                invoices.add(row["InvoiceNo"])
                anonymous += not row["CustomerID"]
                known |= {row["CustomerID"]} - {""}
    counts = orders.counts()
    assert len(counts) == len(days)
    assert all(batch.holds for batch in counts)
    assert (lines, len(invoices), anonymous) == totals
    assert orders.total("standardised") == lines
    events = orders.events()
    assert pc.sum(events["line_count"]).as_py() == lines
    assert pc.sum(events["amount"]).as_py() == revenue
    assert sorted(events["event_id"].to_pylist()) == sorted(invoices)

    settings = Settings.model_validate(
        {
            "workspace": {"name": "retail", "currency": "GBP"},
            "sources": {"orders": orders.settings_of(ORDERS)},
        }
    )
    run(tmp_path, settings, engine="plain")
    with duckdb.connect(str(current(orders.lake).database), read_only=True) as release:
        found = release.sql(
            """
            SELECT count(*), sum(amount), sum(line_count) FROM (
              SELECT amount, line_count FROM contact_history UNION ALL SELECT amount, line_count FROM unattributed)
            """
        ).fetchall()
        customers = release.sql("SELECT count(*) FROM customers").fetchall()
    assert found == [(len(invoices), revenue, lines)]
    assert customers == [(len(known),)], "nothing but the customer number: one customer each"
