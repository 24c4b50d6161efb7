"""Fields that a source's payloads have lately and had not before, and those that they have no more.

Both sides are samples: a field that one of them lacks may be only rare. It counts as new where everything
before was read, or where a field as frequent would hardly have been missed; as vanished, where chance would
hardly leave it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.standardise import documents_of
from pipelines import samples
from pipelines.field_tree import FieldTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from cdp.lake import Lake
    from cdp.ledger import Ledger
    from connectors.protocol import Connector

LATELY: Final = timedelta(hours=20)
"""What landed in this time up to the newest batch came lately; where one lands a day, it is held against older ones."""
BEFORE: Final = timedelta(days=30)
MOST_FILES: Final = 8
MOST_ROWS: Final = 2_048
MOST_DECODED: Final = 256
"""Rows of one side; fewer where each has to be decoded."""
LONGEST: Final = 256 << 10
MOST_BYTES: Final = 16 << 20
CHANCE: Final = 0.01

_COLUMNS = ("event_id", "type", "channel", "sent_at", "received_at", "payload")


@dataclass(frozen=True)
class Change:
    """A field by its path, and the share of the sampled payloads that have (or had) it. No value is in it."""

    path: str
    share: float


@dataclass(frozen=True)
class Fields:
    """How many fields there are lately, which are new, which have vanished.

    ``lately`` and ``before``: payloads that were sampled on each side; without any before there is nothing to
    compare with. ``since``: the landing from which on a payload counts as late.
    """

    known: int
    new: tuple[Change, ...]
    vanished: tuple[Change, ...]
    lately: int
    before: int
    since: datetime


def fields(
    lake: Lake, ledger: Ledger, connection: duckdb.DuckDBPyConnection, source: str, connector: Connector
) -> Fields | None:
    """Return what changed in the fields of a source; None where nothing has landed, or it cannot be read."""
    newest = samples.newest(ledger, source)
    if newest is None:
        return None
    since = newest - LATELY
    sides = [
        samples.file_ids(ledger, source, since=since),
        samples.file_ids(ledger, source, since=since - BEFORE, before=since)
        or samples.file_ids(ledger, source, before=since)[-MOST_FILES:],
    ]
    found = [_structures(lake, ledger, connection, ids, connector) for ids in sides]
    lately, before = found
    if lately is None or before is None:
        return None
    sizes = [sum(counts.values()) for counts, _ in (lately, before)]
    tree = FieldTree(sizes, headings=connector.name == "files")
    for side, (counts, _) in enumerate((lately, before)):
        for structure, documents in counts.items():
            tree.add(side, json.loads(structure), documents)
    return _compared(tree, sizes, since, all_before=before[1])


def _structures(
    lake: Lake,
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    ids: Sequence[int],
    connector: Connector,
) -> tuple[dict[str, int], bool] | None:
    """Return the structures of a sample of documents with their numbers, and whether nothing was left out."""
    chosen = samples.pieces(lake, ledger, samples.spread(ids, MOST_FILES))
    if not chosen:
        return {}, not ids
    most = MOST_ROWS if connector.decode is None else MOST_DECODED
    of_each = max(most // len(chosen), 1)
    table = samples.read(connection, samples.query(chosen, _COLUMNS, of_each))
    if table is None:
        return None
    kept = _bounded(table)
    documents, _ = documents_of(
        kept.append_column("raw_row", pa.array(range(len(kept)), pa.int64())), connector
    )
    connection.register("sampled", documents.select(["document"]))
    rows = connection.sql(
        "SELECT s, count(*) FROM (SELECT try(json_structure(document))::VARCHAR AS s FROM sampled) "
        "WHERE s IS NOT NULL GROUP BY s ORDER BY s"
    ).fetchall()
    connection.unregister("sampled")
    whole = len(chosen) == len(ids) and sum(piece.rows for piece in chosen) == len(kept)
    return dict(rows), whole


def _bounded(table: pa.Table) -> pa.Table:
    """Return what is not too long of a sample, thinned out where it is too much in all."""
    lengths = pc.binary_length(table["payload"])
    short = table.filter(pc.less_equal(lengths, LONGEST))
    total = pc.sum(pc.binary_length(short["payload"]), min_count=0).as_py() or 0
    thinning = -(-total // MOST_BYTES)
    return short if thinning <= 1 else short.take(pa.array(range(0, len(short), thinning), pa.int64()))


def _compared(tree: FieldTree, sizes: Sequence[int], since: datetime, *, all_before: bool) -> Fields:
    lately, before = sizes
    found = tree.fields()
    known = sum(1 for now, _ in found.values() if now)
    if not lately or not before:
        return Fields(known, (), (), lately, before, since)
    new = [
        Change(path, now / lately)
        for path, (now, then) in found.items()
        if now and not then and (all_before or _chance(now, lately, before) < CHANCE)
    ]
    vanished = [
        Change(path, then / before)
        for path, (now, then) in found.items()
        if then and not now and _chance(then, before, lately) < CHANCE
    ]
    return Fields(known, tuple(new), tuple(vanished), lately, before, since)


def _chance(times: int, here: int, elsewhere: int) -> float:
    """Return how likely ``times`` documents, drawn from both sides alike, would all be on one side.

    >>> round(_chance(3, 100, 100), 3)
    0.125
    """
    return float((here / (here + elsewhere)) ** times)
