"""Reading known truth: which records are one entity, however the records are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError, nearest
from identity.evaluation.facts import Facts

_ENTITIES = (
    "entity_id", "person_id", "entity", "person", "truth", "label", "cluster_id", "cluster", "customer_id",
    "customer",
)  # fmt: skip
_KINDS = {"e-mail": "email", "mail": "email", "telephone": "phone", "mobile": "phone"}
_KEYS = ("record_key", "record_id", "rec_id", "record", "id")


@dataclass(frozen=True)
class Truth:
    """``table``: record_id, entity_id, one row per record.

    ``rows`` of the file; ``named_by``: the columns that name records; ``unknown``: rows that name no record;
    ``contradicted``: records that belong to several entities, which are left out.
    """

    table: pa.Table
    rows: int
    named_by: str
    unknown: int
    contradicted: int


def entity_column(columns: Sequence[str], given: str | None = None) -> str:
    """Return the column that names entities: the one that is given, else one with a telling name."""
    return _column(columns, given, _ENTITIES, "says which records are one entity", "--entity")


def key_columns(columns: Sequence[str], given: str | None = None) -> tuple[str, ...]:
    """Return the columns that name a record: one, or ``source`` and ``key``.

    >>> key_columns(["source", "key", "entity_id"])
    ('source', 'key')
    """
    if given is None and {"source", "key"} <= set(columns) and not set(_KEYS[:2]) & set(columns):
        return ("source", "key")
    return (_column(columns, given, _KEYS, "names a record", "--id"),)


def _column(columns: Sequence[str], given: str | None, known: Sequence[str], what: str, option: str) -> str:
    if given is not None:
        if given in columns:
            return given
        near = nearest(given, columns)
        raise UsageError(
            f"no column {given!r}", hint=f"nearest: {near}" if near else f"columns: {', '.join(columns)}"
        )
    for name in known:
        if name in columns:
            return name
    raise UsageError(f"no column that {what}", hint=f"name it with {option}; columns: {', '.join(columns)}")


def read_truth(
    table: pa.Table, facts: Facts | None, *, key: str | None = None, entity: str | None = None
) -> Truth:
    """Bring a truth table into the form (record_id, entity_id).

    Records are named by ``record_key``, by ``source`` and ``key``, or by one column ``key``: where its values
    are no record keys but its name is that of an identifier (``email``, ``user_id``), the records that carry the
    identifier are meant. Without ``facts`` every name is taken to be a record. Raises UsageError where columns
    are missing, or where no record is known.
    """
    entities = table[entity_column(table.column_names, entity)].cast(pa.string()).combine_chunks()
    columns = key_columns([c for c in table.column_names if c != entity], key)
    texts = [table[column].cast(pa.string()).combine_chunks() for column in columns]
    named = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, ":")
    whole = pc.and_(pc.is_valid(named), pc.is_valid(entities))
    named, entities = named.filter(whole), entities.filter(whole)
    if facts is not None:
        known = pc.is_in(named, value_set=facts.keys)
        if named and not pc.any(known).as_py():
            return _by_identifier(named, entities, facts, columns[-1], table.num_rows)
        unknown = len(named) - int(pc.sum(known).as_py() or 0)
    else:
        unknown = 0
    return _settled(named, entities, table.num_rows, " and ".join(columns), unknown)


def _by_identifier(named: pa.Array, entities: pa.Array, facts: Facts, column: str, rows: int) -> Truth:
    kind = _KINDS.get(column.lower(), column.lower())
    said = facts.table.filter(pc.equal(pc.list_element(pc.split_pattern(facts.table["field"], "/"), 0), kind))
    pairs = pa.table({"value": named, "entity": entities})
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(said["value"]))
    told = pa.table({"value": texts, "record": said["record"]})
    folded = pairs.set_column(0, "value", pc.utf8_lower(pc.utf8_trim_whitespace(pairs["value"])))
    joined = folded.join(told, "value", join_type="inner")
    if not joined.num_rows:
        raise UsageError(
            f"the values of column {column!r} are neither record keys nor identifiers of records",
            hint="expected record_key, source and key, or an identifier such as email; name the column with --id",
        )
    unknown = len(named) - int(pc.sum(pc.is_in(folded["value"], value_set=pc.unique(texts))).as_py() or 0)
    keys = facts.keys.take(joined["record"].combine_chunks())
    return _settled(keys, joined["entity"].combine_chunks(), rows, column, unknown)


def _settled(named: pa.Array, entities: pa.Array, rows: int, named_by: str, unknown: int) -> Truth:
    """One row per record; records of several entities are left out."""
    found = (
        pa.table({"record_id": named, "entity_id": entities})
        .group_by("record_id")
        .aggregate([("entity_id", "min"), ("entity_id", "max")])
    )
    clear = pc.equal(found["entity_id_min"], found["entity_id_max"])
    kept = found.filter(clear)
    table = pa.table({"record_id": kept["record_id"], "entity_id": kept["entity_id_min"]})
    return Truth(table.sort_by("record_id"), rows, named_by, unknown, found.num_rows - kept.num_rows)
