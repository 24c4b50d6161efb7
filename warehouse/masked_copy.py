"""The masked copy of a release: the same tables and views, as those see them who lack ``read-pii``.

Each column is rewritten by the expression of its :class:`warehouse.masking.Treatment` into a new file, so
that no page of the file ever held what is masked. Names, addresses and texts go through the Python of
:mod:`cdp.masking`; all else is SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from cdp import duck, durable
from cdp.errors import RunFailedError
from warehouse import masking
from warehouse.masking import HIDDEN, NO_DOCUMENT, Tokens, Treatment, treatments
from warehouse.release import DEFAULT_RESOURCES, MASKED_DATABASE, Resources
from warehouse.tables import STORAGE_VERSION, Column, comments, create_table, tables
from warehouse.verify import INVARIANTS

if TYPE_CHECKING:
    import duckdb

_REMEMBERED: Final = 200_000
_SUBNAME: Final = "mask_{}"
_INDEX_OF_WORDS: Final = "search_"


def masked_select(table: str, tokens: Tokens) -> str:
    """Return the select list that masks all columns of a table; it needs :func:`register_functions`."""
    how = treatments(table)
    return ", ".join(
        f"{_expression(how[column.name], column, tokens)} AS {duck.identifier(column.name)}"
        for column in tables()[table].columns
    )


def is_left_empty(table: str) -> bool:
    """Say whether the copy has no rows of a table: an index of words tells the words by what it is.

    >>> is_left_empty("search_words"), is_left_empty("customers")
    (True, False)
    """
    how = treatments(table)
    return table.startswith(_INDEX_OF_WORDS) or any(
        how[column.name] is Treatment.DROP and not column.nullable for column in tables()[table].columns
    )


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the treatments that are Python known to a connection, as ``mask_name`` and so on."""
    from duckdb.func import PythonUDFType

    for how, function in masking.TEXT_TREATMENTS.items():
        connection.create_function(
            _SUBNAME.format(how), _vectorised(function), ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW
        )


def _vectorised(function: Callable[[str], Any]) -> Callable[[pa.ChunkedArray], pa.Array]:
    remembered = lru_cache(_REMEMBERED)(function)

    def apply(texts: Any) -> pa.Array:
        return pa.array([None if t is None else remembered(t) for t in texts.to_pylist()], pa.string())

    return apply


def _expression(how: Treatment, column: Column, tokens: Tokens) -> str:
    name = duck.identifier(column.name)
    if how is Treatment.DROP:
        return f"CAST(NULL AS {column.type})"
    if how in _CONSTANTS:
        return f"CASE WHEN {name} IS NOT NULL THEN {duck.quote(_CONSTANTS[how])} END"
    if how in masking.TEXT_TREATMENTS:
        return f"{_SUBNAME.format(how)}({name})"
    return _BY_SQL[how](name, tokens)


_CONSTANTS: Final = {Treatment.HIDE: HIDDEN, Treatment.EMPTY: NO_DOCUMENT}


def _keep(value: str, tokens: Tokens) -> str:
    del tokens
    return value


def _evidence(value: str, tokens: Tokens) -> str:
    del tokens
    is_ours = f'"kind" <> {duck.quote(masking.JUDGEMENT)}'
    return f"CASE WHEN {value} IS NULL OR {is_ours} THEN {value} ELSE {duck.quote(HIDDEN)} END"


def _golden(value: str, tokens: Tokens) -> str:
    del tokens
    cases: dict[Treatment, list[str]] = {}
    for attribute, how in treatments("customers").items():
        if how in masking.TEXT_TREATMENTS or how is Treatment.YEAR:
            cases.setdefault(how, []).append(duck.quote(attribute))
    whens = []
    for how, attributes in cases.items():
        shown = (
            f"CASE WHEN regexp_full_match({value}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') "
            f"THEN {value}[1:4] || '-01-01' ELSE {duck.quote(HIDDEN)} END"
            if how is Treatment.YEAR
            else f"{_SUBNAME.format(how)}({value})"
        )
        whens.append(f'WHEN "attribute" IN ({", ".join(attributes)}) THEN {shown}')
    return f"CASE WHEN {value} IS NULL THEN NULL {' '.join(whens)} ELSE {duck.quote(HIDDEN)} END"


def _token(value: str, tokens: Tokens) -> str:
    key = "".join(f"\\x{byte:02X}" for byte in tokens.key)
    return f"sha256('{key}'::BLOB || encode({value}))[1:{masking.TOKEN_DIGITS}]"


def _record(value: str, tokens: Tokens) -> str:
    token = _token(value, tokens)
    return f"CASE WHEN contains({value}, ':') THEN split_part({value}, ':', 1) || ':' || {token} ELSE {token} END"


def _records(value: str, tokens: Tokens) -> str:
    return f"list_transform({value}, lambda one: {_record('one', tokens)})"


def _identifiers(value: str, tokens: Tokens) -> str:
    fields = f'"type" := one."type", namespace := one.namespace, "value" := {_token("one.value", tokens)}'
    return f"list_transform({value}, lambda one: struct_pack({fields}))"


def _year(value: str, tokens: Tokens) -> str:
    del tokens
    return f"CAST(date_trunc('year', {value}) AS DATE)"


def _degrees(value: str, tokens: Tokens) -> str:
    del tokens
    steps = masking.DEGREE_STEPS
    return (
        f"CASE WHEN abs({value}) <= {masking.MOST_DEGREES} THEN floor({value} * {steps} + 0.5) / {steps} END"
    )


_BY_SQL: Final[dict[Treatment, Callable[[str, Tokens], str]]] = {
    Treatment.KEEP: _keep,
    Treatment.EVIDENCE: _evidence,
    Treatment.GOLDEN: _golden,
    Treatment.TOKEN: _token,
    Treatment.RECORD: _record,
    Treatment.RECORDS: _records,
    Treatment.IDENTIFIERS: _identifiers,
    Treatment.YEAR: _year,
    Treatment.DEGREES: _degrees,
}


def build_masked(
    full: Path, folder: Path, tokens: Tokens, *, resources: Resources = DEFAULT_RESOURCES
) -> Path:
    """Build ``folder/cdp.masked.duckdb`` from the file of a release, and return its path.

    The copy has the tables, rows, row order, views, comments and indexes of ``full``. Raises
    :class:`RunFailedError` where disk or memory are full, or where the copy has other row counts.
    """
    import duckdb

    path = folder / MASKED_DATABASE
    spill = folder / "spill"
    connection = duck.connect(
        threads=resources.threads, memory_limit=resources.memory_limit, temp_directory=spill
    )
    try:
        register_functions(connection)
        storage = duck.quote(STORAGE_VERSION)
        connection.execute(f"ATTACH {duck.quote(str(full))} AS unmasked (READ_ONLY)")
        connection.execute(f"ATTACH {duck.quote(str(path))} AS release (STORAGE_VERSION {storage})")
        connection.execute("USE release")
        _copy(connection, tokens)
        _verify(connection)
        connection.execute("CHECKPOINT release")
        connection.execute("USE memory")
        connection.execute("DETACH release")
    except (duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException) as error:
        raise RunFailedError(
            f"The masked copy could not be built: {str(error).splitlines()[0]}",
            hint="Look for free disk space (it needs as much as the release) and memory.",
        ) from None
    except duckdb.ConstraintException:
        # Its message may hold values.
        raise RunFailedError(
            "The masked copy could not be built: a row would be in it twice, or without its key."
        ) from None
    finally:
        connection.close()
        durable.remove(spill)
    return path


def _copy(connection: duckdb.DuckDBPyConnection, tokens: Tokens) -> None:
    for name, table in tables().items():
        if table.kind == "table":
            place = duck.identifier(name)
            connection.execute(create_table(table))
            if not is_left_empty(name):
                select = masked_select(name, tokens)
                connection.execute(f"INSERT INTO {place} SELECT {select} FROM unmasked.{place}")
                _check_rows(connection, place)
    for definition in _definitions(connection):
        connection.execute(definition)
    texts = [statement for table in tables().values() for statement in comments(table)]
    connection.execute(";\n".join(["BEGIN", *texts, "COMMIT"]))


def _check_rows(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    query = f"SELECT (SELECT count(*) FROM {place}) = (SELECT count(*) FROM unmasked.{place})"
    row = connection.execute(query).fetchone()
    if row is None or row[0] is not True:
        raise RunFailedError(f"The masked copy does not add up: {place} has other rows than the release.")


def _verify(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise where an invariant of the release does not hold in the copy: two values became one token."""
    left_empty = [name for name in tables() if is_left_empty(name)]
    for promise, query in INVARIANTS.items():
        if not any(name in query for name in left_empty):
            row = connection.execute(query).fetchone()
            if row is None or row[0] != 0:
                raise RunFailedError(f"The masked copy does not add up: it is not so that {promise}.")


def _definitions(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield the statements that made the views, in the order of the dictionary, and the indexes."""
    query = "SELECT view_name, sql FROM duckdb_views() WHERE database_name = 'unmasked' AND NOT internal"
    views = dict(connection.execute(query).fetchall())
    yield from (str(views[name]) for name, table in tables().items() if table.kind == "view")
    query = (
        "SELECT sql FROM duckdb_indexes() WHERE database_name = 'unmasked' ORDER BY table_name, index_name"
    )
    yield from (str(row[0]) for row in connection.execute(query).fetchall())
