"""The files that `cdp dedupe` writes: checked before the work begins, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp.errors import UsageError, nearest

if TYPE_CHECKING:
    import pyarrow as pa


def check_outputs(source: Path, outputs: Mapping[str, Path | None]) -> None:
    """Raise :class:`UsageError` for the first output that could not be written, or would overwrite.

    ``outputs``: option -> file (None: not wanted).
    """
    taken: dict[Path, str] = {source.resolve(): "FILE"}
    for option, path in outputs.items():
        if path is None:
            continue
        _check(path, option)
        other = taken.setdefault(path.resolve(), option)
        same = path.exists() and source.exists() and path.samefile(source)
        if other != option or same:
            raise UsageError(
                f"{option} {path} is the same file as {'FILE' if same else other}.", hint="Name another file."
            )


def _check(path: Path, option: str) -> None:
    suffix = path.suffix.lower()
    formats = PAGES if option == "--report" else tuple(WRITERS)
    if suffix not in formats:
        close = nearest(suffix, formats)
        near = f" Did you mean {close}?" if close else ""
        raise UsageError(
            f"{option} {path} says no format: expected {', '.join(formats)}.{near}",
            hint=f"For example {path.with_suffix(formats[0])}.",
        )
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder.", hint="Name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}.", hint="Make it first.")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"{option} {path} cannot be written.", hint="Name a file where you may write.")


def write(table: pa.Table, path: Path) -> None:
    """Write a table in the format of the file's name; it appears when it is whole and on disk."""
    from cdp import durable

    with durable.atomic_file(path) as temporary:
        WRITERS[path.suffix.lower()](table, temporary)


def write_report(model: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Write the report of a model as a page."""
    from cdp import durable
    from identity.evaluation.modelreport_html import html

    durable.write_bytes(path, html(model, title).encode())


def _write_csv(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    nested = {field.name for field in table.schema if pa.types.is_nested(field.type)}
    picked = (f"to_json({_name(n)}) AS {_name(n)}" if n in nested else _name(n) for n in table.column_names)
    _copy(table, path, f"SELECT {', '.join(picked)} FROM given", "FORMAT csv, HEADER")


def _write_json(table: pa.Table, path: Path) -> None:
    _copy(table, path, "FROM given", "FORMAT json")


def _copy(table: pa.Table, path: Path, query: str, options: str) -> None:
    from cdp.duck import connect, quote

    with connect(memory_limit="8GB") as connection:
        connection.register("given", table)
        connection.execute(f"COPY ({query}) TO {quote(str(path))} ({options})")


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    # Ids hardly repeat: a dictionary of them would be given up half-way.
    ids = {"record_id", "cluster_id"}
    repeating = [name for name in table.column_names if name not in ids]
    pq.write_table(table, path, compression="zstd", use_dictionary=repeating)


PAGES: Final = (".html",)
WRITERS: Final[Mapping[str, Callable[[pa.Table, Path], None]]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json,
    ".parquet": _write_parquet,
}
