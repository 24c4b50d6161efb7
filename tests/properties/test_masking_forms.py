"""Masking has two forms, Python for rows that are shown and SQL for the masked copy: they agree on every value."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cdp import duck
from tests.conftest import examples
from warehouse import lookup, masking
from warehouse.masked_copy import is_left_empty, masked_select, register_functions
from warehouse.masking import Tokens, Treatment, treatments
from warehouse.tables import create_table, tables

TOKENS = Tokens(bytes(range(32)))

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "Ann-Marie O'Neil",
            "王小明",
            "Łukasz Żółć",
            "أحمد",
            "ＡＮＮ＠mail.example",
            "ann@mail.example",
            "+44 20 7946 0018",
            "٠٢٠٧٩٤٦٠٠١٨",
            "SW1A 1AA",
            "1980-02-03",
            "１９８０-02-03",
            "1980-02-03\n",
            "web:u1",
            ":",
            "a:b:c",
            "judgement",
            "email",
            "birth_date",
            "👩‍👩‍👧 family",
            "e\u0301te\u0301",
            "ß",
            "ǆ",
            "x" * 70,
            "***",
            "{}",
            "'\";--",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)
VALUES = {
    "VARCHAR": TEXTS,
    "BOOLEAN": st.booleans(),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "UTINYINT": st.integers(0, 255),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": st.floats(allow_nan=False) | st.sampled_from([0.05, -0.05, 51.25, 51.35, -0.15, 1e300]),
    "DATE": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "TIMESTAMPTZ": st.datetimes(datetime(1, 1, 2), datetime(9998, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "DECIMAL(18,4)": st.integers(-(10**17), 10**17).map(lambda n: Decimal(n).scaleb(-4)),
    "DECIMAL(38,4)": st.integers(-(10**30), 10**30).map(lambda n: Decimal(n).scaleb(-4)),
    "VARCHAR[]": st.lists(TEXTS, max_size=3),
    "STRUCT(type VARCHAR, namespace VARCHAR, value VARCHAR)[]": st.lists(
        st.fixed_dictionaries({"type": TEXTS, "namespace": TEXTS | st.none(), "value": TEXTS | st.none()}), max_size=3
    ),
}  # fmt: skip


def _column(column):
    values = VALUES.get(column.type, st.none())
    return values | st.none() if column.nullable or column.type not in VALUES else values


def _rows(name):
    return st.lists(
        st.fixed_dictionaries({column.name: _column(column) for column in tables()[name].columns}),
        min_size=1,
        max_size=4,
    )


TREATED = [
    name
    for name in tables()
    if set(treatments(name).values()) != {Treatment.KEEP} and not is_left_empty(name)
]


@pytest.fixture(scope="module")
def connection():
    with duck.connect(threads=1) as found:
        register_functions(found)
        for name in TREATED:
            found.execute(create_table(dataclasses.replace(tables()[name], kind="table")))
        yield found


@pytest.mark.parametrize("table", TREATED)
def test_both_forms_of_masking_agree(connection, table):
    masked = masked_select(table, TOKENS)
    names = [column.name for column in tables()[table].columns]
    places = ", ".join(f"CAST(? AS {column.type})" for column in tables()[table].columns)

    @settings(examples(6), deadline=None, phases=[Phase.explicit, Phase.generate])  # rows shrink slowly
    @given(_rows(table))
    def agree(rows):
        connection.execute(f"DELETE FROM {table}")
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({places})", [row[name] for name in names])
        kept = connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
        found = connection.execute(f"SELECT {masked} FROM {table} ORDER BY rowid").fetchall()
        for given_row, in_sql in zip(kept, found, strict=True):
            in_python = masking.row(table, dict(zip(names, given_row, strict=True)), TOKENS)
            assert dict(zip(names, in_sql, strict=True)) == in_python

    agree()


def test_no_direct_column_and_no_free_text_stays_as_it_is():
    for table in tables().values():
        how = treatments(table.name)
        for column in table.columns:
            if column.pii != "none" and not is_left_empty(table.name):
                assert how[column.name] is not Treatment.KEEP, f"{table.name}.{column.name}"
                assert column.name not in masking.open_columns(table.name)


def test_a_column_that_nobody_thought_of_is_safe():
    column = dataclasses.replace(tables()["customers"].columns[2], name="nickname")
    assert masking._by_class(column) is Treatment.HIDE
    assert masking._by_class(dataclasses.replace(column, type="INTEGER")) is Treatment.DROP


def test_a_token_needs_the_key_and_joins_across_tables():
    other = Tokens(bytes(32))
    record = masking.row("customer_records", {"record_key": "web:u1"}, TOKENS)["record_key"]
    edge = masking.row("match_evidence", {"left_record": "web:u1", "reason": "Ann told us"}, TOKENS)
    assert record == edge["left_record"] == TOKENS.record("web:u1") != other.record("web:u1")
    assert record.startswith("web:")
    assert edge["reason"] == "***", "without the kind nobody knows whose words these are"


def test_a_whole_profile_is_masked():
    contact = lookup.Contact(
        datetime(2026, 1, 1, tzinfo=UTC), None, "web", "web", "inbound", "form_submitted", "I am Ann Archer",
        None, "Lamp", "INV-77", 1, Decimal(3), "GBP", None,
    )  # fmt: skip
    edge = lookup.Edge("crm:ann", "web:ann", "judgement", None, None, "Ann Archer phoned", None)
    found = masking.profile(
        lookup.Profile(
            customer_id="C1", release="r", columns={"full_name": "Ann Archer", "revenue": Decimal(9), "city": "York"},
            golden=[lookup.Golden("email", "ann.archer@mail.example", "crm", None, "most_recent")],
            identifiers=[lookup.Identifier("email", "", "ann.archer@mail.example", ("crm",), None, None)],
            records=[lookup.Record("crm:ann", "crm", 0.9, 3)], evidence=lookup.Evidence({"judgement": 1}, edge),
            contacts=[contact],
        ), TOKENS,
    )  # fmt: skip
    assert "ann" not in str(found).lower().replace("channel", "")
    assert "archer" not in str(found).lower()
    assert found.columns == {"full_name": "A. A.", "revenue": Decimal(9), "city": "York"}
    assert found.golden[0].value == "a***@m***.example"
    assert found.records[0].record_key == TOKENS.record("crm:ann") == found.evidence.weakest.left_record
    assert (found.contacts[0].product, found.contacts[0].subject) == ("Lamp", "***")
