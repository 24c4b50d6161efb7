"""Reading known truth: which records are one entity, however the records are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
_IDENTIFIERS = ("email", "phone", "user_id", "external_id", "national_id", *_KINDS)


@dataclass(frozen=True)
class Truth:
    """``table``: record_id, entity_id, one row per record.

    ``rows`` of the file; ``named_by``: the columns that name records; ``unknown``: rows that name no record, which
    are in ``table`` all the same unless they name identifiers (``by_identifier``); ``contradicted``: records that
    belong to several entities, which are left out.
    """

    table: pa.Table
    rows: int
    named_by: str
    unknown: int
    contradicted: int
    by_identifier: bool = False


def entity_column(columns: Sequence[str], given: str | None = None, key: str | None = None) -> str:
    """Return the column that names entities: the one that is given, else one with a telling name.

    ``key``: the column that was given as the one that names records.

    >>> entity_column(["customer_id", "person"], key="customer_id")
    'person'
    """
    others = columns if given else [name for name in columns if name != key]
    return _column(others, given, _ENTITIES, "says which records are one entity", "--entity")


def key_columns(
    columns: Sequence[str], given: str | None = None, known: Sequence[str] = _KEYS
) -> tuple[str, ...]:
    """Return the columns that name a record: one, or ``source`` and ``key``.

    >>> key_columns(["source", "key", "entity_id"])
    ('source', 'key')
    """
    if given is None and {"source", "key"} <= set(columns) and not set(_KEYS[:2]) & set(columns):
        return ("source", "key")
    return (_column(columns, given, known, "names a record", "--id"),)


def named_by(table: pa.Table, columns: Sequence[str]) -> pa.Array:
    """Return what ``columns`` name, a text per row: NULL where one is empty.

    >>> named_by(pa.table({"source": ["a", "b"], "key": ["1", " "]}), ["source", "key"]).to_pylist()
    ['a:1', None]
    """
    texts = [_filled(table[column].cast(pa.string()).combine_chunks()) for column in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, ":")


def _filled(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)


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

    Records are named by ``record_key``, by ``source`` and ``key``, or by one column (``key``, or one with a telling
    name): where its values are no record keys but its name is that of an identifier (``email``, ``user_id``), the
    records that carry the identifier are meant. Without ``facts`` every name is taken to be a record. Rows without a
    name or without an entity say nothing. Raises UsageError where columns are missing, or where no record is known.
    """
    names = table.column_names
    label = entity_column(names, entity, key)
    columns = key_columns([name for name in names if name != label], key, (*_KEYS, *_IDENTIFIERS))
    entities, named = named_by(table, [label]), named_by(table, columns)
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
    return replace(
        _settled(keys, joined["entity"].combine_chunks(), rows, column, unknown), by_identifier=True
    )


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
