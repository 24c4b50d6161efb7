"""UCI Online Retail, 95 daily files as increments: lines, invoices and revenue are the files' own."""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc

from tests.landing_tools import Landing

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


def test_lines_invoices_and_revenue_add_up_day_by_day(tmp_path: Path, shared: Path) -> None:
    days = sorted((shared / "samples/datasets/uci_online_retail_by_day").glob("*.csv"))
    assert len(days) == 95
    orders = Landing.of(tmp_path, **ORDERS)
    lines, revenue, invoices, anonymous = 0, Decimal(0), set(), 0
    for day in days:
        shutil.copy(day, tmp_path / "inbox/orders" / day.name)
        orders.run()
        with day.open(newline="") as handle:
            for row in csv.DictReader(handle):
                lines += 1
                revenue += Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
                invoices.add(row["InvoiceNo"])
                anonymous += not row["CustomerID"]
    counts = orders.counts()
    assert len(counts) == 95
    assert all(batch.holds for batch in counts)
    assert (lines, len(invoices), anonymous) == (142_083, 6_877, 45_136)
    assert orders.total("standardised") == lines
    events = orders.events()
    assert pc.sum(events["line_count"]).as_py() == lines
    assert pc.sum(events["amount"]).as_py() == revenue
    assert sorted(events["event_id"].to_pylist()) == sorted(invoices)
