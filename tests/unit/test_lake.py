"""What is written into a workspace is read by DuckDB as it was written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp.duck import connect, quote
from cdp.lake import Lake

COLUMNS = {
    "text": pa.array(["a", None, "a"], pa.string()),
    "bytes": pa.array([b"a", None, b"a"], pa.binary()),
    "number": pa.array([1, None, 1], pa.int64()),
    "choice": pa.array(["a", None, "a"], pa.string()),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_one_value_and_nulls_is_not_taken_for_constant(tmp_path: Path, column: str) -> None:
    """DuckDB 2.0 does so where a text column has statistics and no dictionary."""
    table = pa.table(COLUMNS).append_column("n", pa.array([0, 1, 2]))
    lake = Lake(tmp_path)
    stored = lake.write_parquet("it.parquet", table, dictionary=["choice"])
    origin = f"read_parquet({quote(str(lake.path(stored.path)))})"
    with connect() as connection:
        for word, rows in (
            ("IS NULL", [(1,)]),
            ("IS NOT NULL", [(0,), (2,)]),
            ("IS DISTINCT FROM NULL", [(0,), (2,)]),
        ):
            found = connection.sql(f"SELECT n FROM {origin} WHERE {column} {word} ORDER BY n").fetchall()
            assert found == rows, word


def test_numbers_keep_their_statistics(tmp_path: Path) -> None:
    Lake(tmp_path).write_parquet("it.parquet", pa.table(COLUMNS))
    group = pq.read_metadata(tmp_path / "it.parquet").row_group(0)
    kept = {group.column(n).path_in_schema for n in range(4) if group.column(n).is_stats_set}
    assert kept == {"number"}
