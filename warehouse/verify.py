"""Invariants that a built release must keep before anybody may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cdp import duck
from cdp.errors import RunFailedError
from warehouse.build import BuildReport
from warehouse.tables import tables

if TYPE_CHECKING:
    import duckdb

# Each query counts the rows that break the invariant.
INVARIANTS: Final[Mapping[str, str]] = {
    "every customer id is there once": """
        SELECT count(*) - count(DISTINCT customer_id) FROM customers""",
    "every record is in the id map once": """
        SELECT count(*) - count(DISTINCT record_key) FROM customer_records""",
    "every record number is given once": """
        SELECT count(*) - count(DISTINCT record_no) FROM customer_records""",
    "every record belongs to a customer": """
        SELECT count(*) FROM customer_records ANTI JOIN customers USING (customer_id)""",
    "every customer has a record": """
        SELECT count(*) FROM customers ANTI JOIN customer_records USING (customer_id)""",
    "every stored event belongs to a record": """
        SELECT count(*) FROM record_events ANTI JOIN customer_records USING (record_no)""",
    "every redirect leads to a customer": """
        SELECT count(*) FROM customer_redirects ANTI JOIN customers USING (customer_id)""",
    "no living customer is redirected": """
        SELECT count(*) FROM customer_redirects r
        JOIN customers c ON c.customer_id = r.previous_customer_id""",
    "every golden value is there once": """
        SELECT count(*) - count(DISTINCT (customer_id, attribute)) FROM customer_attributions""",
    "every identifier belongs to a customer": """
        SELECT count(*) FROM customer_identifiers ANTI JOIN customers USING (customer_id)""",
    "every shared address belongs to several customers": """
        SELECT count(*) FROM (
            SELECT count(c.customer_id) AS owners FROM shared_addresses LEFT JOIN customers AS c USING (customer_id)
            GROUP BY type, value HAVING owners < 2)""",
    "evidence joins different records of one customer": """
        SELECT count(*) FROM match_evidence e
        LEFT JOIN customer_records l ON l.record_key = e.left_record AND l.customer_id = e.customer_id
        LEFT JOIN customer_records r ON r.record_key = e.right_record AND r.customer_id = e.customer_id
        WHERE l.record_key IS NULL OR r.record_key IS NULL OR e.left_record = e.right_record""",
    "who is in a segment is a customer": """
        SELECT count(*) FROM segment_members AS m ANTI JOIN customers USING (customer_id)
        WHERE m.exited_release IS NULL""",
    "nobody is in a segment twice at once": """
        SELECT count(*) FROM (
            SELECT entered_release, lag(coalesce(exited_release, '~')) OVER (
                PARTITION BY segment_id, customer_id ORDER BY entered_release) AS left_before
            FROM segment_members)
        WHERE entered_release <= left_before""",
    "a segment's size is the one before with who entered, without who left or became one": """
        SELECT count(*) FROM (
            SELECT size - entered + exited + merged AS before,
                   lag(size, 1, 0) OVER (PARTITION BY segment_id ORDER BY release) AS stood
            FROM segment_sizes)
        WHERE before <> stood""",
    "the events of the customers add up": """
        SELECT abs((SELECT coalesce(sum(event_count), 0) FROM customers)
                   - (SELECT count(*) FROM record_events))""",
}


def _broken(problem: str) -> RunFailedError:
    return RunFailedError(
        f"The new release does not add up: {problem}.",
        hint="The previous release stays in use. Run `cdp run --full`; if it persists, please report it.",
    )


def verify(connection: duckdb.DuckDBPyConnection, report: BuildReport) -> None:
    """Raise :class:`RunFailedError` where the built release breaks an invariant or lost a row."""
    for promise, query in INVARIANTS.items():
        row = connection.execute(query).fetchone()
        if row is None or row[0] != 0:
            raise _broken(f"it is not so that {promise} ({row[0] if row else 'no'} rows)")
    rows = row_counts(connection)
    if rows != dict(report.table_rows):
        raise _broken("the file holds other row counts than were written")
    if rows["customer_records"] != report.records:
        raise _broken(f"{report.records} records came in, {rows['customer_records']} are in the id map")
    served = rows["record_events"] + rows["unattributed"]
    if served != report.events:
        raise _broken(f"{report.events} events came in, {served} are in contact_history and unattributed")


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the rows of every table (not view) of a release."""
    counts: dict[str, int] = {}
    for name, table in tables().items():
        if table.kind == "table":
            row = connection.execute(f"SELECT count(*) FROM {duck.identifier(name)}").fetchone()
            counts[name] = int(row[0]) if row else 0
    return counts
