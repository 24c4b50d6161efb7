"""Releases: immutable folders, one DuckDB file each, and ``CURRENT``, which says which one is served.

A release appears whole (built beside its place, verified, renamed), then the ledger lists it, then
``CURRENT`` moves. Whatever dies in between, ``CURRENT`` names a whole release, and the next
:func:`recover` brings folder, ledger and ``CURRENT`` together again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp import duck, durable
from cdp.errors import CorruptError, NotFoundError
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp

if TYPE_CHECKING:
    import duckdb

    from warehouse.inputs import BuildInputs

CURRENT: Final = "CURRENT"
MANIFEST: Final = "manifest.json"
DATABASE: Final = "cdp.duckdb"
MASKED_DATABASE: Final = "cdp.masked.duckdb"
KEEP: Final = 2
_SEQUENCE: Final = "release"


@dataclass(frozen=True)
class Resources:
    """What a build may use; beyond ``memory_limit`` it spills to disk inside the release's folder."""

    threads: int = 2
    memory_limit: str = "800MB"


DEFAULT_RESOURCES: Final = Resources()


@dataclass(frozen=True)
class Release:
    """A published release: its folder, and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Name of the release."""
        return str(self.manifest["version"])

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / DATABASE

    @property
    def masked_database(self) -> Path | None:
        """The masked copy, where ``release: masked`` had it built."""
        listed = any(entry["name"] == MASKED_DATABASE for entry in self.manifest.get("files", ()))
        return self.folder / MASKED_DATABASE if listed else None

    def need_masked(self) -> Path:
        """Return the masked copy. Raises :class:`NotFoundError` where this release has none."""
        if self.masked_database is None:
            raise NotFoundError(
                f"Release {self.version} has no masked copy, and only that may be asked without personal data.",
                hint="Set `release: {masked: true}` in cdp.yaml, then run `cdp publish`.",
            )
        return self.masked_database

    def open(
        self, *, threads: int = 1, memory_limit: str = "500MB", temp_directory: Path | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Open the release read-only, without extensions or network; it spills to ``temp_directory`` only."""
        return duck.connect(
            self.database,
            read_only=True,
            threads=threads,
            memory_limit=memory_limit,
            temp_directory=temp_directory,
        )


def load(lake: Lake, version: str) -> Release:
    """Return the release called ``version``. Raises :class:`NotFoundError` where it is not there."""
    folder = lake.releases / version
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no release {version!r}.", hint="`cdp run` publishes one.") from None
    except ValueError as error:
        raise CorruptError(f"The manifest of release {version!r} is damaged: {error}.") from None
    return Release(folder, manifest)


def find_current(lake: Lake) -> Release | None:
    """Return the release that is served, or None before the first one."""
    for attempt in (1, 2):
        try:
            version = (lake.releases / CURRENT).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        try:
            return load(lake, version)
        except NotFoundError:
            # Two releases may have come and gone between the two reads; once more sees the newest.
            if attempt == 2:
                raise
    return None


def current(lake: Lake) -> Release:
    """Return the release that is served. Raises :class:`NotFoundError` before the first one."""
    found = find_current(lake)
    if found is None:
        raise NotFoundError(
            f"The workspace {lake.root} has no release yet.",
            hint="`cdp run` makes one; check -w/--workspace if you expected another workspace.",
        )
    return found


def new_version(ledger: Ledger, now: datetime) -> str:
    """Return a name that sorts after every release so far, even if the clock went back."""
    newest = ledger.value("SELECT max(version) FROM releases") or ""
    moment = max(f"{now:%Y%m%dT%H%M%S}", newest.partition("-")[0])
    return f"{moment}-{ledger.next_number(_SEQUENCE):06d}"


def publish(
    lake: Lake,
    ledger: Ledger,
    inputs: BuildInputs,
    *,
    now: datetime,
    run_id: str,
    keep: int = KEEP,
    masked: bool = False,
    resources: Resources = DEFAULT_RESOURCES,
) -> Release:
    """Build, verify and publish a release from ``inputs``, then retire the oldest beyond ``keep``.

    ``masked`` builds the copy for those who may not see personal data, too (:mod:`warehouse.masked_copy`).
    The caller holds the writer lock. Raises :class:`cdp.errors.RunFailedError` where the build does
    not add up; the release that was served stays.
    """
    from warehouse.segments import history

    recover(lake, ledger)
    previous = find_current(lake)
    version = new_version(ledger, now)
    inputs = dataclasses.replace(inputs, segments=history.inputs(lake, ledger))
    with durable.atomic_directory(lake.releases / version) as folder:
        manifest = _build(folder, inputs, version, now, resources)
        manifest["files"] += _masking(folder, resources, masked=masked)
        manifest |= {
            "previous_release": previous.version if previous else None,
            "input_digest": inputs.digest,
            "generation": inputs.generation,
            "run_id": run_id,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    database = lake.releases / version / DATABASE
    kept = history.keep(lake, database, version)
    summary = json.dumps({"rows": manifest["rows"], "events": manifest["events"]})
    with ledger.transaction("publish release"):
        ledger.execute(
            "INSERT INTO releases (version, input_digest, generation, created_at, run_id, summary) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (version, inputs.digest, inputs.generation, timestamp(now), run_id, summary),
        )
        history.list_kept(ledger, database, version, kept, now)
        ledger.advance(_SEQUENCE, ledger.next_number(_SEQUENCE) + 1)
    durable.write_bytes(lake.releases / CURRENT, f"{version}\n".encode())
    retire(lake, ledger, keep=keep)
    return load(lake, version)


def _build(
    folder: Path, inputs: BuildInputs, version: str, now: datetime, resources: Resources
) -> dict[str, Any]:
    from warehouse import profile_index
    from warehouse.build import build
    from warehouse.tables import CONTRACT_VERSION, SCHEMA_VERSION
    from warehouse.verify import verify

    report = build(inputs, folder, now=now, version=version, resources=resources)
    spill = folder / "spill"
    with duck.connect(
        report.path,
        read_only=True,
        threads=resources.threads,
        memory_limit=resources.memory_limit,
        temp_directory=spill,
    ) as connection:
        verify(connection, report)
        profile_index.write(connection, folder / profile_index.FILE)
    durable.remove(spill)
    return {
        "version": version,
        "contract_version": CONTRACT_VERSION,
        "schema_version": SCHEMA_VERSION,
        "created_at": timestamp(now),
        "events": {
            "rows_read": report.input_rows,
            "superseded": report.superseded,
            "folded": report.folded,
            "contact_history": report.table_rows["record_events"],
            "unattributed": report.table_rows["unattributed"],
        },
        "rows": dict(report.table_rows),
        "files": [file_entry(report.path), file_entry(folder / profile_index.FILE)],
    }


def _masking(folder: Path, resources: Resources, *, masked: bool) -> list[dict[str, Any]]:
    """Write the key of the release's tokens and, where wanted, the masked copy; return its entry.

    The key is in no list: who hands on what the manifest lists shall not hand on the key.
    """
    from warehouse.masked_copy import build_masked
    from warehouse.masking import new_tokens

    tokens = new_tokens(folder)
    return (
        [file_entry(build_masked(folder / DATABASE, folder, tokens, resources=resources))] if masked else []
    )


def file_entry(path: Path) -> dict[str, Any]:
    """Return name, size and SHA-256 of a file, as manifests list them."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest}


def retire(lake: Lake, ledger: Ledger, *, keep: int = KEEP) -> list[str]:
    """Retire all but the newest ``keep`` releases (never fewer than two); return their versions.

    The ledger says so first: a folder is removed only when nothing leads to it any more.
    """
    rows = ledger.rows("SELECT version FROM releases WHERE retired = 0 ORDER BY version DESC")
    old = [str(row["version"]) for row in rows[max(keep, KEEP) :]]
    if old:
        with ledger.transaction("retire releases"):
            ledger.execute_many("UPDATE releases SET retired = 1 WHERE version = ?", [(v,) for v in old])
    for version in old:
        durable.step(f"remove release {version}")
        durable.remove(lake.releases / version)
    return old


def recover(lake: Lake, ledger: Ledger) -> None:
    """Bring folders, ledger and ``CURRENT`` together after a run that died. The caller holds the lock.

    Half-built and unlisted folders go (their run will publish again); ``CURRENT`` moves to the newest
    release that is listed.
    """
    rows = ledger.rows("SELECT version FROM releases WHERE retired = 0 ORDER BY version")
    listed = [str(row["version"]) for row in rows]
    durable.make_directory(lake.releases)
    for folder in sorted(lake.releases.iterdir()):
        if folder.name not in listed and folder.name != CURRENT:
            durable.remove(folder)
    present = [version for version in listed if (lake.releases / version / MANIFEST).is_file()]
    pointer = lake.releases / CURRENT
    if not present:
        durable.remove(pointer)
    else:
        named = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None
        if named != present[-1]:
            durable.write_bytes(pointer, f"{present[-1]}\n".encode())
