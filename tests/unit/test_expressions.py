"""Arithmetic over columns: what is allowed, and that nothing else gets through."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from cdp.duck import quote
from cdp.errors import ConfigError
from connectors.expressions import columns, compile_amount


def amount(text: str, **cells: str | None) -> str | None:
    sql = compile_amount(
        text, lambda name: "NULL::VARCHAR" if cells[name] is None else quote(cells[name] or "")
    )
    with duckdb.connect() as connection:
        ((value,),) = connection.sql(f"SELECT {sql}").fetchall()
    return None if value is None else str(value)


def test_money_is_exact() -> None:
    assert amount("n * price", n="3", price="0.1") == "0.3000"
    assert amount("(n - back) * price", n="10", back="4", price="1.25") == "7.5000"
    assert amount("-gift + 1", gift="2.5") == "-1.5000"
    assert amount("round(price / 3, 2)", price="10") == "3.3300"
    assert amount("coalesce(a, b)", a=None, b="7") == "7.0000"


def test_a_missing_cell_gives_nothing_and_a_wrong_one_says_so() -> None:
    assert amount("n * price", n=None, price="2") is None
    assert amount("n * price", n="two", price="2") == "not a number"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("25,00", "25.00"),
        ("-0,500", "-0.500"),
        ("1.234,50", "1234.50"),
        ("1\u00a0234,5", "1234.5"),
        ("1,234", "1234"),
        ("1,234,567.8", "1234567.8"),
        ("12 000", "12000"),
        ("19.90", "19.90"),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, meant: str) -> None:
    assert amount("price", price=written) == meant
    assert Decimal(amount("2 * price", price=written) or "0") == 2 * Decimal(meant)


@pytest.mark.parametrize("written", ["1,23,456", "1.23.4", "1,234,5", "EUR 5", "5-"])
def test_what_is_no_number_stays_as_it_is(written: str) -> None:
    assert amount("price", price=written) == written
    assert amount("2 * price", price=written) == "not a number"


def test_columns_are_found_in_order() -> None:
    assert columns('Quantity * "Unit Price" - Quantity') == ["Quantity", "Unit Price"]
    assert columns("Total Amount") == ["Total Amount"]


@pytest.mark.parametrize(
    "text",
    ["read_csv('x') * 2", "(SELECT 1) * 2", "a * 'x'", "a *", "pg_sleep(9) + 1", "a * (b; DROP TABLE c)"],
)
def test_anything_but_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        compile_amount(text, lambda name: name)
