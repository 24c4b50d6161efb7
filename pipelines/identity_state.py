"""The engine's state beside a generation, and what has changed since: a run resolves only that.

A state serves the next run while model, rules and code are the same. It is derived: where it is gone or cannot be
read, records are resolved as a whole, which comes to the same customers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from cdp.duck import connect, quote
from cdp.errors import CdpError

if TYPE_CHECKING:
    from identity.incremental import Batch
    from identity.state import State
    from pipelines.records import RecordTables

FOLDER = "state"
MOST_CHANGED = 0.3
"""Share of records from which on a change is resolved as a whole, which is cheaper then."""

# A record is new or changed where its row, or any of its identifiers, is not as it was.
_CHANGED = """
SELECT record_key FROM (
  (SELECT record_key, hash(n) FROM new_records n EXCEPT SELECT record_key, hash(o) FROM old_records o)
  UNION ALL
  (SELECT record_key, hash(n) FROM new_identifiers n EXCEPT SELECT record_key, hash(o) FROM old_identifiers o)
  UNION ALL
  (SELECT record_key, hash(o) FROM old_identifiers o EXCEPT SELECT record_key, hash(n) FROM new_identifiers n))
SEMI JOIN new_records USING (record_key)
GROUP BY record_key ORDER BY record_key
"""
_REMOVED = "SELECT record_key FROM old_records ANTI JOIN new_records USING (record_key) ORDER BY record_key"


def write(folder: Path, state: State) -> None:
    """Write a state below ``folder`` (which its caller makes durable as a whole)."""
    from identity.incremental import save

    target = folder / FOLDER
    target.mkdir()
    for name, part in save(state).items():
        if isinstance(part, bytes):
            (target / name).write_bytes(part)
            continue
        with (
            pa.OSFile(str(target / f"{name}.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, part.schema) as out,
        ):
            out.write_table(part)


def read(folder: Path) -> State | None:
    """Return the state below ``folder``; None where there is none that this version of cdp can read."""
    from identity.incremental import load

    source = folder / FOLDER
    if not source.is_dir():
        return None
    parts: dict[str, pa.Table | bytes] = {}
    try:
        for path in sorted(source.iterdir()):
            if path.suffix != ".arrow":
                parts[path.name] = path.read_bytes()
                continue
            with pa.memory_map(str(path)) as mapped:
                parts[path.stem] = pa.ipc.open_file(mapped).read_all()
        return load(parts)
    except (CdpError, OSError, LookupError, TypeError, ValueError, AttributeError):  # Arrow's are ValueErrors
        return None


def changes(folder: Path, tables: RecordTables, temporary: Path) -> Batch | None:
    """Return what is new, changed or gone since the generation in ``folder``; None where that is too much."""
    from identity.incremental import Batch

    with connect(memory_limit="1GB", temp_directory=temporary) as connection:
        for name, table in (("records", tables.records), ("identifiers", tables.identifiers)):
            connection.register(f"new_{name}", table)
            old = quote(str(folder / f"{name}.parquet"))
            connection.execute(f"CREATE TEMP VIEW old_{name} AS SELECT * FROM read_parquet({old})")
        try:
            connection.execute(f"CREATE TEMP TABLE changed AS {_CHANGED}")
        except duckdb.Error:  # the records of that generation have other columns
            return None
        removed = connection.sql(_REMOVED).to_arrow_table()["record_key"].combine_chunks()
        (count,) = connection.sql("SELECT count(*) FROM changed").fetchall()[0]
        if count + len(removed) > MOST_CHANGED * max(tables.records.num_rows, 1):
            return None
        fresh, identifiers = (
            connection.sql(f"SELECT * FROM new_{name} SEMI JOIN changed USING (record_key)").to_arrow_table()
            for name in ("records", "identifiers")
        )
    return Batch(
        fresh.cast(tables.records.schema),
        identifiers.cast(tables.identifiers.schema),
        removed.cast(pa.string()),
    )
