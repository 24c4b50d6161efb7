"""Duplicates across everything that a source has landed, found without reading old payloads.

New ids are looked up by a 64-bit hash among all landed ones; the few that hit are confirmed on the
whole id. The same id with the same fingerprint is a duplicate; with another one, a revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp.duck import quote
from cdp.lake import Lake
from cdp.ledger import Ledger

if TYPE_CHECKING:
    import duckdb

_KEYS = ["event_hash", "event_id", "fingerprint"]


@dataclass(frozen=True)
class LandedFile:
    """A file of the source as the ledger lists it (or is about to): the rows of ``path`` from ``first_row`` on."""

    file_id: int
    path: str
    first_row: int = 0


def landed_files(ledger: Ledger, source: str, *, after: int = 0) -> list[LandedFile]:
    """Return the landed files of a source with a ``file_id`` above ``after``, oldest first."""
    # Without the plus signs SQLite goes through all files of the source to find the few new ones.
    where = "+source = ? AND file_id > ?" if after else "source = ? AND +file_id > ?"
    rows = ledger.rows(
        f"SELECT file_id, path, first_row FROM stored_files WHERE {where} ORDER BY file_id", (source, after)
    )
    return [LandedFile(row["file_id"], row["path"], row["first_row"]) for row in rows]


def packs_revision(ledger: Ledger) -> int:
    """Return a number that rises whenever rows of landed files move into a pack."""
    return int(ledger.value("SELECT seq FROM sqlite_sequence WHERE name = 'packs'") or 0)


@dataclass(frozen=True)
class Verdict:
    """``duplicates``: row -> whether it repeats an older one; ``revisions``: (event_id, file_id, raw_row)."""

    duplicates: pa.Array
    revisions: list[tuple[str, int, int]]


class Known:
    """Hashes of all ids that a source has landed, oldest file first."""

    def __init__(
        self, lake: Lake, landed: Sequence[LandedFile], connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._lake = lake
        self._connection = connection
        self._files: list[LandedFile] = []
        self._listed = 0  # the first of _files, as the ledger lists them; the others were added here
        self._hashes: dict[str, pa.ChunkedArray] = {}
        self.follow(landed)

    def follow(self, landed: Sequence[LandedFile]) -> None:
        """Know exactly these files: read those that are new, forget those that are gone.

        Many files may lie in one pack, which is read as one.
        """
        known = self._hashes
        paths = dict.fromkeys(file.path for file in landed)
        self._hashes = {path: known[path] if path in known else self._read(path) for path in paths}
        self._files, self._listed = list(landed), len(landed)

    def follow_on(self, newer: Sequence[LandedFile]) -> None:
        """Know what :meth:`follow` was given last and these files, which have landed since.

        Files that were added here and are not among them never landed: they are forgotten.
        """
        added = self._files[self._listed :]
        if added != list(newer[: len(added)]):
            self.follow([*self._files[: self._listed], *newer])
            return
        for file in newer[len(added) :]:
            if file.path not in self._hashes:
                self._hashes[file.path] = self._read(file.path)
            self._files.append(file)
        self._listed = len(self._files)

    @property
    def newest(self) -> int:
        """The ``file_id`` of the newest file that the ledger lists, or 0."""
        return self._files[self._listed - 1].file_id if self._listed else 0

    def _read(self, path: str) -> pa.ChunkedArray:
        return pq.ParquetFile(self._lake.path(path)).read(columns=["event_hash"])["event_hash"]

    def add(self, file: LandedFile, table: pa.Table) -> None:
        """Take in a file that has just been written."""
        self._files.append(file)
        self._hashes[file.path] = table["event_hash"]

    def check(self, table: pa.Table, file_id: int) -> Verdict:
        """Judge the rows of a new raw table that will be file ``file_id``."""
        new = table["event_hash"]
        wanted = new.combine_chunks()
        found = {path: pc.filter(old, pc.is_in(old, value_set=wanted)) for path, old in self._hashes.items()}
        touched = [path for path, hit in found.items() if len(hit)]
        hits = [found[path] for path in touched]
        counts = pc.value_counts(new.combine_chunks())
        repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        suspects = pc.unique(pa.concat_arrays([repeated, *(hit.combine_chunks() for hit in hits)]))
        if not len(suspects):
            return Verdict(pa.repeat(pa.scalar(value=False), len(new)), [])
        return self._confirm(table, pc.is_in(new, value_set=suspects), file_id, touched)

    def _confirm(
        self, table: pa.Table, suspect: pa.ChunkedArray, file_id: int, touched: Sequence[str]
    ) -> Verdict:
        """Compare the whole ids and fingerprints of the rows whose hash is not new."""
        connection = self._connection
        keys = table.select(_KEYS).append_column("n", pa.array(range(len(table)), pa.int64())).filter(suspect)
        connection.register("numbered", keys)
        connection.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM numbered")
        olds = "SELECT 0 AS place, 0 AS stored_row, '' AS event_id, ''::BLOB AS fingerprint WHERE false"
        olds += "".join(
            f" UNION ALL SELECT {place} AS place, file_row_number AS stored_row, event_id, fingerprint "
            f"FROM read_parquet({quote(str(self._lake.path(path)))}, file_row_number = true) "
            "WHERE event_hash IN (SELECT event_hash FROM fresh)"
            for place, path in enumerate(touched)
        )
        connection.register("members", self._members(touched))
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE versions AS
            WITH old AS (SELECT * FROM ({olds}) WHERE event_id IN (SELECT event_id FROM fresh))
            SELECT {file_id} AS file_id, n AS raw_row, event_id, fingerprint, true AS is_new FROM fresh
            UNION ALL
            SELECT m.file_id, o.stored_row - m.first_row, o.event_id, o.fingerprint, false
            FROM old AS o ASOF JOIN members AS m ON o.place = m.place AND o.stored_row >= m.first_row
            """
        )
        duplicates = connection.sql(
            """
            SELECT raw_row FROM (
              SELECT raw_row, is_new,
                row_number() OVER (PARTITION BY event_id, fingerprint ORDER BY is_new, file_id, raw_row) AS k
              FROM versions)
            WHERE is_new AND k > 1
            """
        ).to_arrow_table()["raw_row"]
        revisions = connection.sql(
            """
            SELECT event_id, file_id, raw_row FROM versions
            WHERE event_id IN (
              SELECT event_id FROM versions GROUP BY event_id HAVING count(DISTINCT fingerprint) > 1)
            QUALIFY row_number() OVER (PARTITION BY event_id, fingerprint ORDER BY is_new, file_id, raw_row) = 1
            ORDER BY ALL
            """
        ).fetchall()
        repeated = pc.is_in(pa.array(range(len(table)), pa.int64()), value_set=duplicates.combine_chunks())
        return Verdict(repeated, revisions)

    def _members(self, touched: Sequence[str]) -> pa.Table:
        """Return (place, first_row, file_id) of the files that lie in ``touched``, by their place there."""
        places = {path: place for place, path in enumerate(touched)}
        inside = [file for file in self._files if file.path in places]
        return pa.table(
            {
                "place": pa.array([places[file.path] for file in inside], pa.int64()),
                "first_row": pa.array([file.first_row for file in inside], pa.int64()),
                "file_id": pa.array([file.file_id for file in inside], pa.int64()),
            }
        )
