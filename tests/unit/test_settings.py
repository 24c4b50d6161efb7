"""Settings: what a configuration means once it is read."""

from __future__ import annotations

import sys
import typing
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from cdp.errors import ConfigError
from cdp.identifiers import IDENTIFIER_TYPES
from cdp.settings import ColumnRef, TypeRule, duration, load, parse
from cdp.settings.model import IdentifierName, TraitName

EXAMPLE = """
version: 1
workspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}
own: {phones: ["+442071234567"], domains: [shop.example]}
sources:
  web:    {connector: segment, write_key_env: CDP_WEB_KEY}
  calls:  {connector: asterisk, path: "inbox/calls/*.csv", timezone: UTC, trust: 40}
  orders:
    connector: files
    path: "inbox/orders/*.csv"
    event: {type: order_placed, id: InvoiceNo, group_by: InvoiceNo, time: InvoiceDate,
            amount: "Quantity * UnitPrice", currency: GBP}
    identifiers: {external_id: {column: CustomerID, namespace: shop}}
    on_revision: latest
identity: {limits: {phone: {max: 5, window: 365d}}, unique: [user_id], threshold: auto}
survivorship: {default: most_recent, groups: {address: [street, city, postcode]}}
exports: {ads: {dataset: customers, format: csv, purpose: marketing, min_probability: 0.95}}
release: {keep: 2, masked: false}
"""


def source(text: str) -> str:
    """Return a configuration with one source ``s``, whose keys are ``text``."""
    return f"version: 1\nworkspace: {{name: w}}\nsources:\n  s: {{connector: files, {text}}}\n"


def test_the_example_of_the_design_is_read_as_written() -> None:
    settings = parse(EXAMPLE, {"segment", "asterisk", "files"})
    orders = settings.sources["orders"]
    assert orders.event is not None
    assert orders.event.type == TypeRule(default="order_placed")
    assert (orders.event.amount, orders.event.currency) == ("Quantity * UnitPrice", ColumnRef(value="GBP"))
    assert orders.identifiers == {"external_id": (ColumnRef(column="CustomerID", namespace="shop"),)}
    assert settings.identity.limits["phone"].max == 5
    assert settings.exports["ads"].min_probability == 0.95


def test_a_source_takes_zone_region_name_and_namespace_from_where_it_stands() -> None:
    settings = parse(EXAMPLE)
    web, calls = settings.sources["web"], settings.sources["calls"]
    assert (web.name, web.namespace, web.timezone, web.region) == ("web", "web", "Europe/London", "GB")
    assert (calls.timezone, calls.region, calls.trust) == ("UTC", "GB", 40)
    assert (web.paths, calls.paths) == (("inbox/web/**/*",), ("inbox/calls/*.csv",))


def test_a_column_a_constant_and_a_list_are_told_apart() -> None:
    text = """event: {type: {column: kind, prefixes: {R: order_refunded}, default: order_placed},
                      time: a.b, currency: money, agent: {value: 7}},
              identifiers: {email: [work, home], user_id: id}, properties: [a, b], path: [x, y]"""
    s = parse(source(text)).sources["s"]
    assert s.event is not None
    assert (s.event.time, s.event.currency) == (ColumnRef(column="a.b"), ColumnRef(column="money"))
    assert s.event.agent == ColumnRef(value="7")
    assert s.event.type.prefixes == {"R": "order_refunded"}
    assert s.identifiers["email"] == (ColumnRef(column="work"), ColumnRef(column="home"))
    assert s.properties == {"a": ColumnRef(column="a"), "b": ColumnRef(column="b")}
    assert s.paths == ("x", "y")


@pytest.mark.parametrize(
    ("written", "read"),
    [("NO", "NO"), ("on", "on"), ("0123", "0123"), ("+442071234567", "+442071234567"),
     ("2024-01-02", "2024-01-02"), ("12:30:00", "12:30:00"), ('"5"', "5"), ("5_000", "5_000")],
)  # fmt: skip
def test_words_that_yaml_1_1_would_change_stay_text(written: str, read: str) -> None:
    assert parse(source(f"brand: {written}")).sources["s"].brand == read


def test_keys_of_a_rule_are_text_even_where_they_look_like_numbers() -> None:
    s = parse(source("event: {type: {column: k, values: {1: order_placed, true: page_viewed}}}")).sources["s"]
    assert s.event is not None
    assert s.event.type.values == {"1": "order_placed", "true": "page_viewed"}


def test_norway_is_a_region() -> None:
    assert parse("workspace: {name: w, region: NO}").workspace.region == "NO"


def test_settings_are_frozen() -> None:
    settings = parse(EXAMPLE)
    with pytest.raises(ValidationError):
        settings.release.keep = 3  # type: ignore[misc]


def test_durations_have_units() -> None:
    assert [duration(text) for text in ("30m", "12h", "365d", "2w")] == [
        timedelta(minutes=30), timedelta(hours=12), timedelta(days=365), timedelta(weeks=2),
    ]  # fmt: skip


def test_load_reads_the_file_of_a_workspace_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "cdp.yaml").write_text("\ufeff" + EXAMPLE, encoding="utf-8")
    assert load(tmp_path).workspace.name == "shop"


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "There is no cdp.yaml in"), (b"version: 1\nworkspace: {name: caf\xe9}", "is not UTF-8")],
)
def test_load_says_why_there_are_no_settings(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "cdp.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        load(tmp_path)


def test_names_in_the_model_are_those_of_the_tables_they_name() -> None:
    from cdp.schemas import TRAITS
    from cdp.settings.exporting import DatasetName, FileFormat
    from warehouse.audiences.platforms import PLATFORMS
    from warehouse.exports import DATASETS
    from warehouse.formats import FORMATS

    assert typing.get_args(IdentifierName) == tuple(IDENTIFIER_TYPES)
    assert typing.get_args(TraitName) == tuple(TRAITS)
    assert set(typing.get_args(DatasetName)) == set(DATASETS)
    assert set(typing.get_args(FileFormat)) == {*FORMATS, *PLATFORMS}


def test_reading_settings_imports_nothing_heavy() -> None:
    import subprocess

    code = "import sys, cdp.settings; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {
        "pyarrow",
        "numpy",
        "duckdb",
        "polars",
        "pandas",
        "dagster",
        "phonenumbers",
        "sqlglot",
    }
