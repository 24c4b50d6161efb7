"""Who entered and who left, from release to release. It cannot be made again, so it outlives releases.

A stay is one time of a profile in a segment. At each release the stays of the one before are told under the
ids of today, and then held against who meets the rule now: a merge is no exit, and who stays with a split
stays a member. All stays so far lie in one Parquet file that the ledger lists; sizes lie in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cdp import duck
from cdp.errors import CorruptError
from cdp.lake import Lake
from cdp.ledger import Ledger, timestamp
from cdp.schemas import TIMESTAMP
from warehouse.segments import files
from warehouse.segments.compile import query
from warehouse.segments.evaluate import as_of
from warehouse.segments.fields import CUSTOMERS, Fields, fields_of, known_fields
from warehouse.segments.files import Catalogue, Segment
from warehouse.segments.parse import RuleError
from warehouse.segments.tree import Node

if TYPE_CHECKING:
    import duckdb

FOLDER: Final = "history/segments"
STAYS: Final = pa.schema(
    [
        ("segment_id", pa.string()),
        ("rule_version", pa.int32()),
        ("customer_id", pa.string()),
        ("entered_release", pa.string()),
        ("exited_release", pa.string()),
    ]
)
SIZES: Final = pa.schema(
    [
        ("segment_id", pa.string()),
        ("release", pa.string()),
        ("released_at", TIMESTAMP),
        ("rule_version", pa.int32()),
        ("size", pa.int64()),
        ("entered", pa.int64()),
        ("exited", pa.int64()),
        ("merged", pa.int64()),
    ]
)
# Sorts after the name of every release: the end of a stay that has not ended.
_OPEN: Final = "~"


@dataclass(frozen=True)
class SegmentInputs:
    """What a release needs of segments: their files, all stays so far (Parquet), and all sizes so far."""

    catalogue: Catalogue = field(default_factory=lambda: Catalogue({}, {}))
    stays: Path | None = None
    sizes: pa.Table = field(default_factory=SIZES.empty_table)


def inputs(lake: Lake, ledger: Ledger) -> SegmentInputs:
    """Return what there is now. Raises :class:`CorruptError` where the history is listed and not there."""
    path = stays_path(ledger)
    if path is not None and not lake.path(path).is_file():
        raise CorruptError(
            f"{path}, the history of the segments, is listed but missing.",
            hint="Restore it from a backup. `cdp doctor` says more.",
        )
    rows = [dict(row) for row in ledger.rows("SELECT * FROM segment_sizes ORDER BY segment_id, release")]
    for row in rows:
        row["released_at"] = datetime.fromisoformat(row["released_at"])
    sizes = pa.Table.from_pylist(rows, schema=SIZES)
    return SegmentInputs(files.read(lake, known_fields()), lake.path(path) if path else None, sizes)


def stays_path(ledger: Ledger) -> str | None:
    """Return where all stays so far lie below the workspace; None before the first."""
    path: str | None = ledger.value("SELECT path FROM segment_history ORDER BY release DESC LIMIT 1")
    return path


def fill(connection: duckdb.DuckDBPyConnection, given: SegmentInputs, version: str, now: datetime) -> None:
    """Fill ``segments``, ``segment_members`` and ``segment_sizes`` of the release that is being built."""
    _register(connection, given)
    problems = _evaluate(connection, given.catalogue)
    _stays(connection, version)
    _sizes(connection, given.catalogue, version, now)
    _versions(connection, given.catalogue, problems)


def _register(connection: duckdb.DuckDBPyConnection, given: SegmentInputs) -> None:
    if given.stays is None:
        connection.register("old_stays", STAYS.empty_table())
    else:
        origin = f"read_parquet({duck.quote(str(given.stays))}, hive_partitioning = false)"
        connection.execute(f"CREATE TEMP VIEW old_stays AS SELECT {', '.join(STAYS.names)} FROM {origin}")
    connection.register("old_sizes", given.sizes)
    connection.execute(
        """
        CREATE TEMP TABLE told_stays AS
        SELECT s.segment_id, s.rule_version, coalesce(r.customer_id, s.customer_id) AS customer_id,
               s.entered_release, s.exited_release, r.customer_id IS NOT NULL AS is_moved
        FROM old_stays AS s LEFT JOIN customer_redirects AS r ON r.previous_customer_id = s.customer_id;
        CREATE TEMP TABLE moved_stays AS SELECT DISTINCT segment_id, customer_id FROM told_stays WHERE is_moved;
        CREATE TEMP TABLE members_before AS
        SELECT DISTINCT segment_id, customer_id FROM told_stays WHERE exited_release IS NULL;
        CREATE TEMP TABLE members_now (segment_id VARCHAR, rule_version INTEGER, customer_id VARCHAR)
        """
    )


def _evaluate(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Mapping[str, str]:
    """Fill ``members_now``; return the problems by segment. The members of such a one stay as they were."""
    import duckdb

    problems = {one: segment.problem for one, segment in catalogue.segments.items() if segment.problem}
    known = fields_of(connection)
    for one, rule in sorted(catalogue.rules.items()):
        try:
            _insert(connection, catalogue, known, one, rule)
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.BinderException) as error:
            problems[one] = f"Its rule cannot be evaluated ({type(error).__name__})."
        except RuleError as error:  # of this workspace alone: the others are known from reading the files
            problems[one] = error.message
    if problems:
        connection.register("given_problems", pa.table({"segment_id": sorted(problems)}))
        connection.execute(
            """
            INSERT INTO members_now BY NAME
            SELECT b.segment_id, s.rule_version, b.customer_id
            FROM members_before AS b SEMI JOIN given_problems USING (segment_id)
            SEMI JOIN customers USING (customer_id)
            JOIN (SELECT segment_id, arg_max(rule_version, release) AS rule_version FROM old_sizes GROUP BY segment_id)
                AS s USING (segment_id)
            """
        )
    return problems


def _insert(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, known: Fields, segment_id: str, rule: Node
) -> None:
    from sqlglot import exp

    select = exp.select(exp.column("customer_id", table="c", quoted=True)).from_(
        exp.to_table(CUSTOMERS, alias="c")
    )
    made = query(select, rule, known, as_of(connection), catalogue.rules)
    parameters = {
        **made.parameters,
        "segment": segment_id,
        "version": _number(catalogue.segments[segment_id]),
    }
    connection.execute(
        f"INSERT INTO members_now SELECT $segment::VARCHAR, $version::INTEGER, customer_id FROM ({made.sql})",
        parameters,
    )


def _number(segment: Segment) -> int:
    return segment.versions[-1].number


def _stays(connection: duckdb.DuckDBPyConnection, version: str) -> None:
    """Prolong, end and begin stays. Those of profiles that became one are joined where they touch; others cannot."""
    connection.execute(
        f"""
        CREATE TEMP TABLE all_stays AS
        SELECT s.segment_id, s.rule_version, s.customer_id, s.entered_release,
               CASE WHEN s.exited_release IS NOT NULL THEN s.exited_release
                    WHEN n.customer_id IS NULL THEN $version ELSE '{_OPEN}' END AS ended
        FROM told_stays AS s LEFT JOIN members_now AS n USING (segment_id, customer_id)
        UNION ALL
        SELECT segment_id, rule_version, customer_id, $version, '{_OPEN}'
        FROM members_now ANTI JOIN members_before USING (segment_id, customer_id)
        """,
        {"version": version},
    )
    connection.execute(
        f"""
        INSERT INTO segment_members BY NAME
        WITH marked AS (
            SELECT *, coalesce(entered_release > max(ended) OVER (
                PARTITION BY segment_id, customer_id ORDER BY entered_release, ended, rule_version
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS is_first
            FROM all_stays SEMI JOIN moved_stays USING (segment_id, customer_id)
        ),
        numbered AS (
            SELECT *, count(*) FILTER (is_first) OVER (
                PARTITION BY segment_id, customer_id ORDER BY entered_release, ended, rule_version) AS stay
            FROM marked
        )
        SELECT segment_id, arg_min(rule_version, (entered_release, rule_version)) AS rule_version, customer_id,
               min(entered_release) AS entered_release, nullif(max(ended), '{_OPEN}') AS exited_release
        FROM numbered GROUP BY segment_id, customer_id, stay
        UNION ALL BY NAME
        SELECT * EXCLUDE (ended), nullif(ended, '{_OPEN}') AS exited_release
        FROM all_stays ANTI JOIN moved_stays USING (segment_id, customer_id)
        ORDER BY segment_id, customer_id, entered_release
        """
    )


def _sizes(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str, now: datetime) -> None:
    """Add a row for each segment in use, and for one that has just lost its members with its rule."""
    used = [one for one, s in sorted(catalogue.segments.items()) if s.versions and not s.is_archived]
    numbers = [_number(catalogue.segments[one]) for one in used]
    connection.register(
        "used_segments",
        pa.table({"segment_id": pa.array(used, pa.string()), "number": pa.array(numbers, pa.int32())}),
    )
    connection.execute(
        "INSERT INTO segment_sizes BY NAME SELECT * FROM old_sizes ORDER BY segment_id, release"
    )
    connection.execute(
        """
        INSERT INTO segment_sizes BY NAME
        WITH wanted AS (SELECT segment_id FROM used_segments UNION SELECT segment_id FROM members_before),
        size AS (
            SELECT segment_id, count(*) AS n, max(rule_version) AS rule_version FROM members_now GROUP BY segment_id
        ),
        entered AS (
            SELECT segment_id, count(*) AS n FROM members_now ANTI JOIN members_before USING (segment_id, customer_id)
            GROUP BY segment_id
        ),
        exited AS (
            SELECT segment_id, count(*) AS n FROM members_before ANTI JOIN members_now USING (segment_id, customer_id)
            GROUP BY segment_id
        ),
        before AS (SELECT segment_id, count(*) AS n FROM members_before GROUP BY segment_id),
        told AS (
            SELECT segment_id, count(DISTINCT customer_id) AS n FROM old_stays
            WHERE exited_release IS NULL GROUP BY segment_id
        ),
        last AS (
            SELECT segment_id, arg_max(rule_version, release) AS rule_version FROM old_sizes GROUP BY segment_id
        )
        SELECT w.segment_id, $version AS release, $now AS released_at,
               coalesce(size.rule_version, u.number, last.rule_version, 0) AS rule_version,
               coalesce(size.n, 0) AS size, coalesce(entered.n, 0) AS entered, coalesce(exited.n, 0) AS exited,
               coalesce(told.n, 0) - coalesce(before.n, 0) AS merged
        FROM wanted AS w
        LEFT JOIN used_segments AS u USING (segment_id)
        LEFT JOIN size USING (segment_id) LEFT JOIN entered USING (segment_id) LEFT JOIN exited USING (segment_id)
        LEFT JOIN before USING (segment_id) LEFT JOIN told USING (segment_id) LEFT JOIN last USING (segment_id)
        ORDER BY w.segment_id
        """,
        {"version": version, "now": now},
    )


def _versions(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, problems: Mapping[str, str]
) -> None:
    texts = ("segment_id", "rule", "name", "description", "author", "problem")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("rule_version", pa.int32()),
            ("created_at", TIMESTAMP),
            ("archived", pa.bool_()),
        ]
    )
    rows = [row for segment in catalogue.segments.values() for row in _rows(segment, problems)]
    connection.register("given_segments", pa.Table.from_pylist(rows, schema=schema))
    connection.execute(
        """
        INSERT INTO segments BY NAME
        SELECT g.*, CASE WHEN g.rule_version = newest.number THEN coalesce(n.size, 0) END AS size
        FROM given_segments AS g
        JOIN (SELECT segment_id, max(rule_version) AS number FROM given_segments GROUP BY segment_id) AS newest
            USING (segment_id)
        LEFT JOIN (SELECT segment_id, count(*) AS size FROM members_now GROUP BY segment_id) AS n USING (segment_id)
        ORDER BY g.segment_id, g.rule_version
        """
    )


def _rows(segment: Segment, problems: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for version in segment.versions:
        is_newest = version is segment.versions[-1]
        yield {
            "segment_id": segment.segment_id,
            "rule_version": version.number,
            "rule": json.dumps(version.rule, ensure_ascii=False, sort_keys=True),
            "created_at": version.created_at,
            "name": version.name,
            "description": version.description,
            "author": version.author,
            "archived": version.archived,
            "problem": problems.get(segment.segment_id) if is_newest else None,
        }


def keep(lake: Lake, database: Path, version: str) -> tuple[str, int, int] | None:
    """Write all stays of a built release to a file of their own; return its path, rows and size.

    It counts once :func:`list_kept` has listed it. None where there is nothing to keep.
    """
    with duck.connect(database, read_only=True) as connection:
        columns = ", ".join(STAYS.names)
        stays = connection.sql(f"SELECT {columns} FROM segment_members").to_arrow_table().cast(STAYS)
    if not stays.num_rows:
        return None
    stored = lake.write_parquet(f"{FOLDER}/{version}.parquet", stays, dictionary=STAYS.names)
    return stored.path, stored.rows, stored.size


def list_kept(
    ledger: Ledger, database: Path, version: str, kept: tuple[str, int, int] | None, now: datetime
) -> None:
    """List the history of a release and its sizes, inside the transaction that publishes it.

    The file of the release before goes once nobody can be reading it any more (``retired``).
    """
    ledger.execute("INSERT OR REPLACE INTO retired SELECT path, ? FROM segment_history", (timestamp(now),))
    ledger.execute("DELETE FROM segment_history")
    if kept is not None:
        ledger.execute(
            "INSERT INTO segment_history (release, path, rows, size) VALUES (?, ?, ?, ?)", (version, *kept)
        )
    with duck.connect(database, read_only=True) as connection:
        names = ", ".join(SIZES.names)
        rows = connection.execute(
            f"SELECT {names} FROM segment_sizes WHERE release = ?", [version]
        ).fetchall()
    ledger.execute_many(
        f"INSERT INTO segment_sizes ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(row[0], row[1], timestamp(row[2]), *row[3:]) for row in rows],
    )
