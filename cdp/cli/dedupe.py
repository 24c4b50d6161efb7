"""`cdp dedupe`: find who is whom in one file, with no workspace and no options."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from cdp.cli.table_file import TableFile
    from identity.resolution import Resolution
    from identity.roles import Prepared, Role

_PATH = click.Path(path_type=Path)
_SHAPE: Final = 22
_KEYS: Final = frozenset({"record_key", "source"})
_SAMPLE: Final = 100


@click.command("dedupe")
@click.argument("file", type=_PATH)
@click.option("--out", type=_PATH, required=True, metavar="OUT", help="Result: .csv, .jsonl or .parquet.")
@click.option("--id", "id_column", metavar="COL", help="Column that names a record; default: a unique one.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="ROLE=COLUMN",
    help="Say what a column means where it is not found: a role, a type of identifier (external_id), text; "
    "ignored=COLUMN leaves one out. May be repeated.",
)
@click.option("--evidence", type=_PATH, metavar="FILE", help="Write why: the pairs, with levels and weights.")
@click.option("--held", type=_PATH, metavar="FILE", help="Write what links nobody, with the reason.")
@click.option(
    "--report", type=_PATH, metavar="FILE.html", help="Write what the model has learned, as a page."
)
@click.option("--quiet", "-q", is_flag=True, help="No mapping and no summary.")
def command(
    file: Path,
    *,
    out: Path,
    id_column: str | None,
    mapping: tuple[str, ...],
    evidence: Path | None,
    held: Path | None,
    report: Path | None,
    quiet: bool,
) -> None:
    """Find which rows of FILE are one person (or one organisation).

    FILE is CSV, JSON lines or Parquet, also gzipped; delimiter and encoding are found. What each column
    means is told by its name and its values, and printed. OUT has record_id, cluster_id and
    match_probability, in the order of FILE: rows of one cluster_id are one person.
    """
    from cdp.cli import dedupe_files, table_file
    from cdp.memory import give_back_early, leave_pandas_out

    give_back_early()
    leave_pandas_out()
    started = time.perf_counter()
    named = _mapping(mapping, id_column)
    dedupe_files.check_outputs(
        file, {"--out": out, "--evidence": evidence, "--held": held, "--report": report}
    )
    # The engine takes half a second to load: meanwhile the file is read.
    loading = threading.Thread(target=_load_engine)
    loading.start()
    try:
        source = table_file.read(file, next(iter(named.get("record_id", [])), None))
    finally:
        loading.join()
    prepared = _prepare(file, source.table, named)
    if not quiet:
        _print_mapping(source, prepared.roles)
    del source  # memory: what is left of it is in ``prepared``
    resolution = _resolve(prepared, with_evidence=evidence is not None)
    dedupe_files.write(_result(resolution), out)
    if evidence is not None:
        by_key = [("left_record", "ascending"), ("right_record", "ascending")]
        dedupe_files.write(resolution.evidence.sort_by(by_key), evidence)
    if held is not None:
        dedupe_files.write(resolution.held_back, held)
    if report is not None:
        dedupe_files.write_report(resolution.model, report, title=f"Identity model of {file.name}")
    if not quiet:
        for line in _summary(resolution, out, time.perf_counter() - started):
            click.echo(line, err=True)


def _load_engine() -> None:
    """Import the engine, and let numba make ready what it needs for the first kernel."""
    import pyarrow as pa

    importlib.import_module("identity.resolution")
    importlib.import_module("identity.kernels.hashing").hash_texts(pa.array([""]))


def _mapping(given: Sequence[str], id_column: str | None) -> dict[str, list[str]]:
    """Return role -> columns; the column of --id is the one of ``record_id``."""
    from cdp.errors import UsageError

    named: dict[str, list[str]] = {"record_id": [id_column]} if id_column is not None else {}
    for one in given:
        role, equals, column = one.partition("=")
        if not equals or not role or not column:
            raise UsageError(
                f"--map {one!r} is no mapping.", hint="Expected role=column, as in email=contact."
            )
        columns = named.setdefault(role, [])
        if column not in columns:
            columns.append(column)
    return named


def _prepare(file: Path, table: pa.Table, named: Mapping[str, Sequence[str]]) -> Prepared:
    from cdp.errors import UsageError
    from identity.roles import prepare

    for column in (column for columns in named.values() for column in columns):
        _check_column(file, table, column)
    for column in named.get("record_id", [])[:1]:
        _check_ids(file, table, column)
    prepared = prepare(table, named)
    if not prepared.identifiers.num_rows and set(prepared.records.column_names) <= _KEYS:
        raise UsageError(
            f"No column of {file} says who somebody is: found {', '.join(map(repr, table.column_names))}.",
            hint="Say what a column means: --map full_name=COLUMN (or given_name, surname, email, phone, street).",
        )
    return prepared


def _check_column(file: Path, table: pa.Table, name: str) -> None:
    from cdp.errors import UsageError, nearest

    if name not in table.column_names:
        close = nearest(name, table.column_names)
        hint = f"Did you mean {close!r}?" if close else f"Found: {', '.join(map(repr, table.column_names))}."
        raise UsageError(f"{file} has no column {name!r}.", hint=hint)


def _check_ids(file: Path, table: pa.Table, name: str) -> None:
    """Raise where ids are empty or come twice, and say in which rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from cdp.errors import UsageError
    from identity.kernels.hashing import hash_texts

    ids = table[name].cast(pa.string())
    empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(ids, "")), "")
    missing = pc.sum(empty).as_py() or 0
    hint = "Where no column is said to be the id, rows are named by their number from 0."
    if missing:
        row = pc.index(empty, True).as_py() + 1
        raise UsageError(
            f"Column {name!r} of {file} is empty in {missing:,} rows, first in row {row:,}.", hint=hint
        )
    hashes = np.sort(hash_texts(ids))
    if (hashes[1:] != hashes[:-1]).all():
        return
    counts = pc.value_counts(ids)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        value = twice.field("values")[0]
        rows = pc.indices_nonzero(pc.equal(ids.combine_chunks(), value)).to_pylist()
        raise UsageError(
            f"Column {name!r} of {file} names {len(twice):,} ids twice, the first in rows "
            f"{rows[0] + 1:,} and {rows[1] + 1:,}.",
            hint=hint,
        )


def _resolve(prepared: Prepared, *, with_evidence: bool) -> Resolution:
    from identity.resolution import resolve

    return resolve(prepared.records, prepared.identifiers, with_evidence=with_evidence)


def _result(resolution: Resolution) -> pa.Table:
    """Return the clusters, which come in the order of the input."""
    return resolution.clusters.rename_columns(["record_id", "cluster_id", "match_probability"])


def _print_mapping(source: TableFile, roles: Mapping[str, Role]) -> None:
    from cdp.cli import terminal

    rows = [
        [terminal.printable(name), _role(role), role.why, shape(_example(source.table, name))]
        for name, role in roles.items()
    ]
    about = f"{source.format}, {source.table.num_rows:,} rows"
    click.echo("; ".join([about, *source.notes]), err=True)
    headings = ["column", "role", "by", "looks like"]
    click.echo(terminal.table(headings, rows, right=frozenset(), columns=terminal.UNLIMITED), err=True)


def _role(role: Role) -> str:
    return f"{role.role} ({role.identifier})" if role.identifier else role.role


def _example(table: pa.Table, name: str) -> str:
    """Return the first value of a column's beginning that is none of the shortest."""
    values = [str(value) for value in table[name].slice(0, _SAMPLE).to_pylist() if value]
    return sorted(values, key=len)[len(values) // 2] if values else ""


def shape(text: str) -> str:
    """Return what a value looks like, without what it says.

    >>> shape("Zoë O'Neil 1980-05-17"), shape("ann.lee@mail.example")
    ("Aaa A'Aaaa 9999-99-99", 'aaa.aaa@aaaa.aaaaaaa')
    """
    masked = "".join(
        "9"
        if c.isdigit()
        else ("A" if c.isupper() else "a")
        if c.isalpha()
        else c
        if c.isprintable()
        else " "
        for c in text[: _SHAPE + 1]
    )
    return f"{masked[: _SHAPE - 1]}…" if len(text) > _SHAPE else masked


def _summary(resolution: Resolution, out: Path, seconds: float) -> Iterator[str]:
    import pyarrow.compute as pc

    from pipelines.models import estimated

    clusters = resolution.clusters
    sizes: Any = pc.value_counts(clusters["cluster_id"]).field("counts")
    precision, _ = estimated(resolution.model)
    largest = pc.max(sizes).as_py()
    parts = [
        f"{clusters.num_rows:,} records",
        f"{len(sizes):,} clusters",
        f"the largest has {largest:,} record{'s' * (largest != 1)}",
    ]
    joined = len(sizes) < clusters.num_rows
    parts += [f"estimated precision {precision:.1%}"] if precision is not None and joined else []
    yield ""
    yield f"{parts[0]} → {', '.join(parts[1:])}"
    if held := resolution.held_back.num_rows:
        yield f"Held back: {held:,} (values, records, pairs or customers; --held FILE says which and why)"
    yield f"{out} · {seconds:.1f} s"
