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

if TYPE_CHECKING:
    import duckdb

_KEYS = ["event_hash", "event_id", "fingerprint"]


@dataclass(frozen=True)
class LandedFile:
    """A file of the source as the ledger lists it (or as it is about to)."""

    file_id: int
    path: str


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
        self._hashes: list[pa.ChunkedArray] = []
        self.follow(landed)

    def follow(self, landed: Sequence[LandedFile]) -> None:
        """Know exactly these files: read those that are new, forget those that are gone."""
        known = dict(zip(self._files, self._hashes, strict=True))
        if landed == self._files:
            return
        self._files = list(landed)
        self._hashes = [known[file] if file in known else self._read(file) for file in landed]

    def _read(self, file: LandedFile) -> pa.ChunkedArray:
        return pq.ParquetFile(self._lake.path(file.path)).read(columns=["event_hash"])["event_hash"]

    def add(self, file: LandedFile, table: pa.Table) -> None:
        """Take in a file that has just been written."""
        self._files.append(file)
        self._hashes.append(table["event_hash"])

    def check(self, table: pa.Table, file_id: int) -> Verdict:
        """Judge the rows of a new raw table that will be file ``file_id``."""
        new = table["event_hash"]
        hits = [pc.filter(old, pc.is_in(old, value_set=new.combine_chunks())) for old in self._hashes]
        touched = [file for file, hit in zip(self._files, hits, strict=True) if len(hit)]
        counts = pc.value_counts(new.combine_chunks())
        repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        suspects = pc.unique(
            pa.concat_arrays([repeated, *(hit.combine_chunks() for hit in hits if len(hit))])
        )
        if not len(suspects):
            return Verdict(pa.repeat(pa.scalar(value=False), len(new)), [])
        return self._confirm(table, pc.is_in(new, value_set=suspects), file_id, touched)

    def _confirm(
        self, table: pa.Table, suspect: pa.ChunkedArray, file_id: int, touched: Sequence[LandedFile]
    ) -> Verdict:
        """Compare the whole ids and fingerprints of the rows whose hash is not new."""
        connection = self._connection
        keys = table.select(_KEYS).append_column("n", pa.array(range(len(table)), pa.int64())).filter(suspect)
        connection.register("numbered", keys)
        connection.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM numbered")
        olds = "".join(
            f" UNION ALL SELECT {file.file_id} AS file_id, file_row_number AS raw_row, event_id, fingerprint "
            f"FROM read_parquet({quote(str(self._lake.path(file.path)))}, file_row_number = true) "
            "WHERE event_hash IN (SELECT event_hash FROM fresh)"
            for file in touched
        )
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE versions AS
            SELECT {file_id} AS file_id, n AS raw_row, event_id, fingerprint, true AS is_new FROM fresh
            UNION ALL
            SELECT *, false FROM (SELECT 0 AS file_id, 0 AS raw_row, '' AS event_id, ''::BLOB AS fingerprint
              WHERE false{olds})
            WHERE event_id IN (SELECT event_id FROM fresh)
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
