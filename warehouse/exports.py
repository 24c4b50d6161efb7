"""Versioned exports of a release: data files, a change feed, a manifest, and ``LATEST``.

``exports/<name>/schema=v1/release=<version>/`` appears whole; then the ledger lists it, then ``LATEST``
moves. Calling again for the same release and definition does nothing but finish what was left undone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp import duck, durable
from cdp.errors import RunFailedError, UsageError, nearest
from cdp.ledger import Ledger, timestamp
from cdp.suppression import Suppressed, load
from warehouse import feed, suppression
from warehouse.formats import FORMATS, Format, write
from warehouse.release import MANIFEST, Release, file_entry
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake

SCHEMA: Final = "v1"
LATEST: Final = "LATEST"
STATE: Final = ".state.parquet"
INTERNAL: Final = "internal"
KEEP: Final = 7
MEMORY_LIMIT: Final = "800MB"
_SEQUENCE: Final = "export_change"


@dataclass(frozen=True)
class Dataset:
    """A table that can be exported. With a ``key`` it has a change feed."""

    table: str
    order: tuple[str, ...]
    key: str | None = None


DATASETS: Final[Mapping[str, Dataset]] = {
    "customers": Dataset("customers", ("customer_id",), "customer_id"),
    "id_map": Dataset("customer_records", ("record_key",), "record_key"),
    "identifiers": Dataset("customer_identifiers", ("customer_id", "type", "namespace", "value", "source")),
    "consents": Dataset("customer_consents", ("customer_id", "purpose", "channel")),
    "contact_history": Dataset(
        "contact_history", ("customer_id", "occurred_at", "source", "event_id", "event_type")
    ),
}


@dataclass(frozen=True)
class Export:
    """What is exported under a name.

    ``purpose`` other than ``internal`` leaves out everybody who is on the suppression list or has not consented
    to it (on ``channel`` where one is named; else: granted on some channel, and denied on none).
    ``min_probability`` leaves out customers whose weakest record matched with less.
    """

    name: str
    dataset: str = "customers"
    formats: tuple[Format, ...] = FORMATS
    purpose: str = INTERNAL
    channel: str | None = None
    min_probability: float = 0.0


@dataclass(frozen=True)
class ExportReport:
    """What an export holds. ``repeated``: it was there already."""

    export: Export
    release: str
    folder: Path
    rows: int
    changes: Mapping[str, int] | None
    repeated: bool


def built_in() -> dict[str, Export]:
    """Return the exports that need no configuration: every dataset, for internal use."""
    return {name: Export(name, name) for name in DATASETS}


def choose(name: str, configured: Mapping[str, Export]) -> Export:
    """Return the export called ``name``. Raises :class:`UsageError` with the nearest known name."""
    known = built_in() | dict(configured)
    if name not in known:
        close = nearest(name, known)
        hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(sorted(known))}."
        raise UsageError(f"There is no export {name!r}.", hint=hint)
    return known[name]


def export(
    lake: Lake,
    ledger: Ledger,
    release: Release,
    wanted: Export,
    *,
    now: datetime,
    run_id: str,
    keep: int = KEEP,
) -> ExportReport:
    """Export ``release`` under ``wanted``; the caller holds the writer lock."""
    dataset = _dataset(wanted)
    root = lake.exports / wanted.name / f"schema={SCHEMA}"
    folder = root / f"release={release.version}"
    done = ledger.value(
        "SELECT 1 FROM exports WHERE dataset = ? AND release = ?", (wanted.name, release.version)
    )
    manifest = _manifest(folder)
    repeated = bool(done) and manifest is not None and manifest["definition"] == definition(ledger, wanted)
    if manifest is None or not repeated:
        previous = _previous(lake, ledger, wanted.name, release.version)
        manifest = _write(folder, ledger, release, wanted, dataset, previous, now)
        _commit(ledger, wanted, release, folder.relative_to(lake.root), manifest, now, run_id)
    pointer = lake.exports / wanted.name / LATEST
    target = folder.relative_to(pointer.parent).as_posix()
    if not pointer.is_file() or pointer.read_text(encoding="utf-8").strip() != target:
        durable.write_bytes(pointer, f"{target}\n".encode())
    _retire(lake, ledger, wanted.name, root, max(keep, 2))
    return ExportReport(wanted, release.version, folder, manifest["rows"], manifest["changes"], repeated)


def _written(lake: Lake, ledger: Ledger, release: Release, wanted: Export) -> dict[str, Any] | None:
    """Return the manifest of this export of this release, if it is there as it is defined now."""
    path = ledger.value(
        "SELECT path FROM exports WHERE dataset = ? AND release = ?", (wanted.name, release.version)
    )
    manifest = _manifest(lake.path(path)) if path else None
    return manifest if manifest is not None and manifest["definition"] == definition(ledger, wanted) else None


def is_done(lake: Lake, ledger: Ledger, release: Release, wanted: Export) -> bool:
    """Tell whether :func:`export` would have nothing to do."""
    manifest = _written(lake, ledger, release, wanted)
    pointer = lake.exports / wanted.name / LATEST
    return (
        manifest is not None
        and pointer.is_file()
        and pointer.read_text(encoding="utf-8").strip().endswith(f"release={release.version}")
    )


def _dataset(wanted: Export) -> Dataset:
    if wanted.dataset not in DATASETS:
        close = nearest(wanted.dataset, DATASETS)
        hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(DATASETS)}."
        raise UsageError(f"The export {wanted.name!r} names no dataset: {wanted.dataset!r}.", hint=hint)
    return DATASETS[wanted.dataset]


def definition(ledger: Ledger, wanted: Export) -> dict[str, Any]:
    """Return what decides what an export of one release holds, as its manifest keeps it."""
    listed = suppression.digest(ledger) if wanted.purpose != INTERNAL else None
    return {
        **asdict(wanted),
        "formats": list(wanted.formats),
        **({"suppression": listed} if listed is not None else {}),
    }


def _manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _previous(lake: Lake, ledger: Ledger, name: str, release: str) -> tuple[str, Path] | None:
    """Return version and folder of the newest earlier export of this name that is still there."""
    rows = ledger.rows(
        "SELECT release, path FROM exports WHERE dataset = ? AND release < ? ORDER BY release DESC",
        (name, release),
    )
    for row in rows:
        folder = lake.path(row["path"])
        if (folder / MANIFEST).is_file():
            return str(row["release"]), folder
    return None


def _write(
    folder: Path,
    ledger: Ledger,
    release: Release,
    wanted: Export,
    dataset: Dataset,
    previous: tuple[str, Path] | None,
    now: datetime,
) -> dict[str, Any]:
    """Write the folder of an export and return its manifest."""
    with durable.atomic_directory(folder) as target, _spilling(release, target) as connection:
        rows = _select(connection, wanted, dataset, load(ledger))
        data = [target / f"{wanted.dataset}.{into}" for into in wanted.formats]
        for path, into in zip(data, wanted.formats, strict=True):
            write(connection, "exported", path, into)
        changes: dict[str, int] | None = None
        first = ledger.next_number(_SEQUENCE)
        if dataset.key is not None:
            if "parquet" not in wanted.formats:
                write(connection, "exported", target / STATE, "parquet")
            old = _state(previous[1]) if previous else None
            changes = feed.compute(
                connection,
                "exported",
                dataset.key,
                old,
                release=release.version,
                first_change=first,
                replaced=_state(folder),
            )
            for into in wanted.formats:
                path = target / f"{feed.CHANGES}.{into}"
                write(connection, feed.CHANGES, path, into)
                data.append(path)
        manifest = {
            "export": wanted.name,
            "dataset": wanted.dataset,
            "definition": definition(ledger, wanted),
            "schema_version": SCHEMA,
            "release": release.version,
            "previous_release": previous[0] if previous else None,
            "created_at": timestamp(now),
            "rows": rows,
            "changes": changes,
            "first_change_seq": first if changes and sum(changes.values()) else None,
            "files": [file_entry(path) for path in data],
            "state": f"{wanted.dataset}.parquet" if "parquet" in wanted.formats else STATE,
        }
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


@contextlib.contextmanager
def _spilling(release: Release, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a release for work that may exceed memory; what it spills is gone before ``target`` appears."""
    import duckdb

    spill = target / "spill"
    try:
        with release.open(threads=2, memory_limit=MEMORY_LIMIT, temp_directory=spill) as connection:
            yield connection
    except (duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException) as error:
        reason = str(error).splitlines()[0]
        raise RunFailedError(f"The export failed: {reason}", hint="Look for free disk space.") from None
    finally:
        durable.remove(spill)


def _state(folder: Path) -> Path | None:
    manifest = _manifest(folder)
    path = folder / str(manifest["state"]) if manifest else None
    return path if path is not None and path.is_file() else None


def _select(
    connection: duckdb.DuckDBPyConnection, wanted: Export, dataset: Dataset, suppressed: Suppressed
) -> int:
    """Create the temp table ``exported``: the stable columns of the rows that may leave; return its rows."""
    columns = ", ".join(f"t.{duck.identifier(name)}" for name in tables()[dataset.table].stable_columns)
    parameters: dict[str, Any] = {"least": wanted.min_probability}
    condition = "coalesce(c.match_probability, 1) >= $least"
    if wanted.purpose != INTERNAL:
        parameters |= {"purpose": wanted.purpose.lower()}
        connection.register("suppressed", suppression.customers(connection, suppressed))
        condition += " AND c.customer_id NOT IN (SELECT customer_id FROM suppressed)"
        condition += f" AND c.customer_id IN ({_CONSENTED_ON if wanted.channel else _CONSENTED})"
        if wanted.channel:
            parameters |= {"channel": wanted.channel.lower()}
    connection.execute(
        f"CREATE TEMP TABLE exported AS SELECT {columns} FROM {dataset.table} AS t "
        f"SEMI JOIN (SELECT customer_id FROM customers AS c WHERE {condition}) AS a USING (customer_id) "
        f"ORDER BY {', '.join(dataset.order)}",
        parameters,
    )
    row = connection.execute("SELECT count(*) FROM exported").fetchone()
    return int(row[0]) if row else 0


# The newest word counts, of two at once the denial; one without a time is older than all others.
_NEWEST: Final = (
    "arg_max(w.state, {moment: coalesce(w.decided_at, '-infinity'::TIMESTAMPTZ), denied: w.state = 'denied'})"
)

_CONSENTED_ON: Final = f"""
    SELECT w.customer_id FROM customer_consents AS w
    WHERE (w.purpose IS NULL OR w.purpose = $purpose) AND (w.channel IS NULL OR w.channel = $channel)
    GROUP BY w.customer_id HAVING {_NEWEST} = 'granted'
"""

_CONSENTED: Final = f"""
    WITH words AS (SELECT * FROM customer_consents WHERE purpose IS NULL OR purpose = $purpose),
    states AS (
        SELECT asked.customer_id, asked.channel, {_NEWEST} AS state
        FROM (SELECT DISTINCT customer_id, channel FROM words) AS asked
        JOIN words AS w
            ON w.customer_id = asked.customer_id AND (w.channel IS NULL OR w.channel = asked.channel)
        GROUP BY asked.customer_id, asked.channel
    )
    SELECT customer_id FROM states GROUP BY customer_id
    HAVING bool_or(state = 'granted') AND NOT bool_or(state = 'denied')
"""


def _commit(
    ledger: Ledger,
    wanted: Export,
    release: Release,
    path: Path,
    manifest: Mapping[str, Any],
    now: datetime,
    run_id: str,
) -> None:
    row = (
        wanted.name,
        release.version,
        path.as_posix(),
        manifest["previous_release"],
        manifest["rows"],
        timestamp(now),
        run_id,
    )
    with ledger.transaction("export"):
        ledger.execute("INSERT OR REPLACE INTO exports VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        ledger.advance(_SEQUENCE, ledger.next_number(_SEQUENCE) + sum((manifest["changes"] or {}).values()))


def _retire(lake: Lake, ledger: Ledger, name: str, root: Path, keep: int) -> None:
    """Remove all folders but those of the newest ``keep`` exports, and what a run that died left behind.

    The ledger keeps that they were made.
    """
    rows = ledger.rows(
        "SELECT path FROM exports WHERE dataset = ? ORDER BY release DESC LIMIT ?", (name, keep)
    )
    kept = {lake.path(row["path"]) for row in rows}
    for folder in sorted(root.iterdir()):
        if folder not in kept:
            durable.step(f"remove export {folder.name}")
            durable.remove(folder)
