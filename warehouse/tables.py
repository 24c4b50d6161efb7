"""Tables and views of a release as values: DDL, comments and the reference page come from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import pyarrow as pa

from cdp import duck
from cdp.schemas import EVENTS, Pii
from warehouse.dictionary import BLOCKS

CONTRACT_VERSION: Final = 1
SCHEMA_VERSION: Final = 1
STORAGE_VERSION: Final = "v1.5.0"

Kind = Literal["table", "view"]

_TYPES: Final[Mapping[str, str]] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "decimal128(18, 4)": "DECIMAL(18,4)",
}
_IDENTIFIERS: Final = "STRUCT(type VARCHAR, namespace VARCHAR, value VARCHAR)[]"

# Traits of the person are served as golden values with their attribution, not once more per event.
_NOT_SERVED: Final = frozenset({"record_key", "traits"})
# Which file an envelope came from, and when, depends on the run that landed it.
_VOLATILE_EVENT_COLUMNS: Final = frozenset({"file_id", "raw_row", "received_at"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the serving contract."""

    name: str
    type: str
    pii: Pii
    volatile: bool
    comment: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the serving contract."""

    name: str
    kind: Kind
    comment: str
    columns: tuple[Column, ...]

    @property
    def stable_columns(self) -> tuple[str, ...]:
        """Names of the columns that are the same in two equal runs."""
        return tuple(column.name for column in self.columns if not column.volatile)


def _event_columns() -> Iterator[Column]:
    for field in EVENTS:
        if field.name in _NOT_SERVED:
            continue
        about = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
        kind = _IDENTIFIERS if pa.types.is_list(field.type) else _TYPES[str(field.type)]
        pii: Pii = "direct" if about["pii"] == "direct" else "quasi" if about["pii"] == "quasi" else "none"
        volatile = field.name in _VOLATILE_EVENT_COLUMNS
        yield Column(field.name, kind, pii, volatile, about["comment"], field.nullable)
        if field.name == "currency":
            text = "amount in the base currency, by the rate of the day; NULL where no rate is known"
            yield Column("amount_base", "DECIMAL(18,4)", "none", volatile=False, comment=text, nullable=True)


def _column(line: str) -> Column:
    name, kind, pii, volatile, comment = (cell.strip() for cell in line.split("|", 4))
    if pii not in ("direct", "quasi", "none") or volatile not in ("yes", "no"):
        raise ValueError(f"the dictionary's line of {name!r} is malformed")
    level: Pii = "direct" if pii == "direct" else "quasi" if pii == "quasi" else "none"
    return Column(name, kind.removesuffix("!"), level, volatile == "yes", comment, not kind.endswith("!"))


def _table(block: str) -> Table:
    head, *lines = block.strip().splitlines()
    name, kind, comment = (cell.strip() for cell in head.split("|", 2))
    columns: list[Column] = []
    for line in lines:
        columns.extend(_event_columns() if line == "@events" else [_column(line)])
    return Table(name, "view" if kind == "view" else "table", comment, tuple(columns))


@cache
def tables() -> Mapping[str, Table]:
    """Return every table and view of a release by name, in the order of the reference page.

    >>> tables()["customers"].columns[0].name
    'customer_id'
    """
    found = [_table(block) for part in BLOCKS for block in part.strip().split("\n\n")]
    return MappingProxyType({table.name: table for table in found})


def create_table(table: Table) -> str:
    """Return the CREATE TABLE statement of a table."""
    columns = ", ".join(
        f"{duck.identifier(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in table.columns
    )
    return f"CREATE TABLE {duck.identifier(table.name)} ({columns})"


def comments(table: Table) -> Iterator[str]:
    """Yield the COMMENT ON statements of a table or view and of its columns."""
    name = duck.identifier(table.name)
    yield f"COMMENT ON {table.kind.upper()} {name} IS {duck.quote(table.comment)}"
    for column in table.columns:
        yield f"COMMENT ON COLUMN {name}.{duck.identifier(column.name)} IS {duck.quote(column.comment)}"


def dictionary_rows() -> pa.Table:
    """Return the rows of ``cdp_dictionary``."""
    rows: list[dict[str, object]] = []
    for table in tables().values():
        rows.append({"table_name": table.name, "kind": table.kind, "comment": table.comment})
        rows.extend(
            {
                "table_name": table.name,
                "kind": table.kind,
                "column_name": column.name,
                "type": column.type,
                "pii": column.pii,
                "volatile": column.volatile,
                "comment": column.comment,
            }
            for column in table.columns
        )
    texts = ("table_name", "kind", "column_name", "type", "pii", "comment")
    schema = pa.schema([*((name, pa.string()) for name in texts), ("volatile", pa.bool_())])
    return pa.Table.from_pylist(rows, schema=schema)


def reference_page() -> str:
    """Return ``docs/reference/tables.md``.

    >>> print(reference_page().splitlines()[0])
    # Tables of a release
    """
    lines = [
        "# Tables of a release",
        "",
        f"Serving contract {CONTRACT_VERSION}. Within a contract version columns are only added.",
        "The same texts are in every release:",
        "as comments on the tables and columns, and as rows of `cdp_dictionary`.",
        "",
        "- **Personal**: `direct` names or reaches a person, `quasi` may in combination, `none` does not.",
        "- **Volatile** columns may differ between two runs over the same input; all others are equal.",
        "",
    ]
    for table in tables().values():
        about = f"{table.comment}." if table.kind == "table" else f"{table.comment}. A view."
        lines += [f"## {table.name}", "", about, ""]
        lines += ["| column | type | personal | volatile | what it is |", "|---|---|---|---|---|"]
        for c in table.columns:
            kind = f"`{c.type}`" + ("" if c.nullable else ", never NULL")
            lines.append(f"| `{c.name}` | {kind} | {c.pii} | {'yes' if c.volatile else ''} | {c.comment} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference_page())
