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
from cdp.settings.exporting import INTERNAL, DestinationSettings, FileFormat
from cdp.suppression import Suppressed, load
from warehouse import feed, suppression
from warehouse.audiences import platforms, shares
from warehouse.audiences.platforms import PLATFORMS, Identifiers
from warehouse.audiences.selection import Audience, select
from warehouse.formats import FORMATS, Format, write
from warehouse.release import MANIFEST, Release, file_entry
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake
    from cdp.settings import ExportSettings, Settings

SCHEMA: Final = "v1"
LATEST: Final = "LATEST"
STATE: Final = ".state.parquet"
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
    """What is exported under a name; who is in it, :class:`warehouse.audiences.selection.Audience` says.

    ``columns`` of the dataset, () for all; its key is always there. ``identifiers`` is for the hashed lists.
    With a ``destination`` there are no files: :mod:`warehouse.audiences.delivery` sends what changed.
    """

    name: str
    dataset: str = "customers"
    formats: tuple[FileFormat, ...] = FORMATS
    purpose: str = INTERNAL
    channel: str | None = None
    min_probability: float = 0.0
    segment: str | None = None
    columns: tuple[str, ...] = ()
    identifiers: Identifiers = "all"
    schedule: str = "each_run"
    destination: DestinationSettings | None = None

    @property
    def audience(self) -> Audience:
        """Who is asked for."""
        return Audience(self.purpose, self.channel, self.min_probability, self.segment)

    @property
    def tables(self) -> tuple[Format, ...]:
        """Formats that hold the rows as they are."""
        return tuple(into for into in FORMATS if into in self.formats)


@dataclass(frozen=True)
class ExportReport:
    """What an export holds. ``repeated``: it was there already."""

    export: Export
    release: str
    folder: Path
    rows: int
    changes: Mapping[str, int] | None
    repeated: bool


def configured(settings: Settings) -> dict[str, Export]:
    """Return the exports of ``cdp.yaml`` by name."""
    return {name: of_settings(name, given) for name, given in settings.exports.items()}


def of_settings(name: str, given: ExportSettings) -> Export:
    """Return an export as ``cdp.yaml`` describes it."""
    return Export(
        name,
        dataset=given.dataset,
        formats=given.files,
        purpose=given.purpose,
        channel=given.channel,
        min_probability=given.min_probability,
        segment=given.segment,
        columns=given.columns,
        identifiers=given.identifiers,
        schedule=given.schedule,
        destination=given.destination,
    )


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
    caller: str | None = None,
) -> ExportReport:
    """Export ``release`` under ``wanted``; the caller holds the writer lock. ``caller``: who asked (None: the run)."""
    dataset = dataset_of(wanted)
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
        with ledger.transaction("export"):
            path = folder.relative_to(lake.root)
            _commit(ledger, wanted, release, path, manifest, now, run_id)
            _share(ledger, wanted, release, path, manifest, now, caller or run_id)
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


def dataset_of(wanted: Export) -> Dataset:
    """Return the dataset of an export. Raises :class:`UsageError` where there is none of that name."""
    if wanted.dataset not in DATASETS:
        close = nearest(wanted.dataset, DATASETS)
        hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(DATASETS)}."
        raise UsageError(f"The export {wanted.name!r} names no dataset: {wanted.dataset!r}.", hint=hint)
    return DATASETS[wanted.dataset]


# When it is written and where it goes decides nothing of what a release's files hold.
_NOT_DEFINING: Final = ("schedule", "destination")


def definition(ledger: Ledger, wanted: Export, suppressed: Suppressed | None = None) -> dict[str, Any]:
    """Return what decides what an export of one release holds, as its manifest keeps it.

    ``suppressed``: the suppression list that was asked; None: as it stands now.
    """
    asked = load(ledger) if suppressed is None else suppressed
    listed = suppression.digest(asked) if wanted.purpose != INTERNAL else None
    given = {name: value for name, value in asdict(wanted).items() if name not in _NOT_DEFINING}
    return {
        **given,
        "formats": list(wanted.formats),
        "columns": list(wanted.columns),
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
    with durable.atomic_directory(folder) as target, spilling(release, target / "spill") as connection:
        # The list is read once: who comes on it while this is written makes the manifest an old one.
        suppressed = load(ledger)
        rows = select_rows(connection, wanted, suppressed)
        data = [target / f"{wanted.dataset}.{into}" for into in wanted.tables]
        for path, into in zip(data, wanted.tables, strict=True):
            write(connection, "exported", path, into)
        hashed = _write_lists(connection, wanted, target)
        data += [target / f"{platform}.csv" for platform in hashed]
        changes: dict[str, int] | None = None
        first = ledger.next_number(_SEQUENCE)
        if dataset.key is not None:
            if "parquet" not in wanted.tables:
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
            for into in wanted.tables:
                path = target / f"{feed.CHANGES}.{into}"
                write(connection, feed.CHANGES, path, into)
                data.append(path)
        manifest = {
            "export": wanted.name,
            "dataset": wanted.dataset,
            "definition": definition(ledger, wanted, suppressed),
            "schema_version": SCHEMA,
            "release": release.version,
            "previous_release": previous[0] if previous else None,
            "created_at": timestamp(now),
            "rows": rows,
            **({"hashed_rows": hashed} if hashed else {}),
            "changes": changes,
            "first_change_seq": first if changes and sum(changes.values()) else None,
            "files": [file_entry(path) for path in data],
            "state": f"{wanted.dataset}.parquet" if "parquet" in wanted.tables else STATE,
        }
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


@contextlib.contextmanager
def spilling(release: Release, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a release for work that may exceed memory; what it spills to this folder is gone afterwards."""
    import duckdb

    durable.make_directory(spill.parent)
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


def _write_lists(connection: duckdb.DuckDBPyConnection, wanted: Export, target: Path) -> dict[str, int]:
    """Write the lists for advertisers' networks; return the rows of each."""
    return {
        platform: platforms.write(
            connection, platform, "exported", {}, target / f"{platform}.csv", wanted.identifiers
        )
        for platform in PLATFORMS
        if platform in wanted.formats
    }


def columns_of(wanted: Export) -> list[str]:
    """Return the columns that leave: of a dataset the stable ones, or those that are named and its key.

    An export of hashed lists only keeps nothing but who was in it. Raises :class:`UsageError`.
    """
    dataset = dataset_of(wanted)
    known = tables()[dataset.table].stable_columns
    key = dataset.key or "customer_id"
    if not wanted.tables and wanted.destination is None:
        return [key]
    for name in wanted.columns:
        if name not in known:
            close = nearest(name, known)
            hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(known)}."
            raise UsageError(f"{dataset.table} has no column {name!r} that is exported.", hint=hint)
    asked = wanted.columns or known
    return [name for name in known if name in asked or name in (key, "customer_id")]


def select_rows(connection: duckdb.DuckDBPyConnection, wanted: Export, suppressed: Suppressed) -> int:
    """Create the temp table ``exported``: the rows that may leave, in order; return how many."""
    dataset = dataset_of(wanted)
    columns = ", ".join(f"t.{duck.identifier(name)}" for name in columns_of(wanted))
    leaving = select(connection, wanted.audience, suppressed)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE exported AS SELECT {columns} FROM {dataset.table} AS t "
        f"SEMI JOIN ({leaving.sql}) AS a ON a.customer_id = t.customer_id "
        f"ORDER BY {', '.join(f't.{name}' for name in dataset.order)}",
        dict(leaving.parameters),
    )
    ((rows,),) = connection.execute("SELECT count(*) FROM exported").fetchall()
    return int(rows)


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
    ledger.execute("INSERT OR REPLACE INTO exports VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    ledger.advance(_SEQUENCE, ledger.next_number(_SEQUENCE) + sum((manifest["changes"] or {}).values()))


def _share(
    ledger: Ledger,
    wanted: Export,
    release: Release,
    path: Path,
    manifest: Mapping[str, Any],
    now: datetime,
    caller: str,
) -> None:
    """Write what the files hold into the share log."""
    kind = ", ".join(["files"] * bool(wanted.tables) + [into for into in PLATFORMS if into in wanted.formats])
    sent = shares.Sent(
        wanted.name,
        path.as_posix(),
        kind,
        wanted.purpose,
        wanted.channel,
        wanted.segment,
        release.version,
        caller,
    )
    changes = manifest["changes"] or {}
    line = shares.begin(ledger, sent, now=now)
    counts = {
        "added": changes.get("insert", 0),
        "changed": changes.get("update", 0),
        "removed": changes.get("merge", 0) + changes.get("delete", 0),
    }
    shares.add(ledger, line, counts)
    shares.end(ledger, line, rows=manifest["rows"], complete=True)


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
