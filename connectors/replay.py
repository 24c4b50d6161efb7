"""Replay: read quarantined pieces again, with the connector and the settings of today.

Nothing moves: the pieces stay in their quarantine files, their events go to an event file of that
file, and each gets a new outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp import suppression
from cdp.duck import connect
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.schemas import OUTCOMES, RAW
from connectors.compile import SourceContext
from connectors.duplicates import Known, landed_files
from connectors.envelopes import EnvelopeContext, seal
from connectors.outcomes import PendingFile
from connectors.protocol import Connector, SplitContext
from connectors.reading import Gathered, Item
from connectors.standardise import StandardisedBatch, standardise
from connectors.suppression import held_back

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

SUPPRESSED = "suppressed"


def files(
    ledger: Ledger, source: str, mapping_hash: str | None = None, *, again: bool = False
) -> list[PendingFile]:
    """Return quarantine files to read again: all that still hold something.

    With ``mapping_hash`` only those that a replay has read under another mapping, so that a change
    of mapping reaches what had been replayed; ``again`` returns all that a replay has read.
    """
    found = ledger.rows(
        """
        SELECT f.file_id, f.source, f.path, f.sha16, f.ingest_date, f.rows, f.first_row, b.collected
        FROM stored_files AS f JOIN batches AS b USING (batch_id)
        WHERE f.source = :source AND f.zone = 'quarantine' AND CASE WHEN :mapping IS NULL
          THEN EXISTS (SELECT 1 FROM current_outcomes AS c WHERE c.file_id = f.file_id AND c.outcome = 'quarantined')
          ELSE EXISTS (SELECT 1 FROM event_files AS e WHERE e.file_id = f.file_id)
            AND (:again OR NOT EXISTS (SELECT 1 FROM event_files AS e
              WHERE e.file_id = f.file_id AND e.mapping_hash = :mapping AND e.current)) END
        ORDER BY f.file_id
        """,
        {"source": source, "mapping": mapping_hash, "again": again},
    )
    return [PendingFile(**{**dict(row), "collected": bool(row["collected"])}) for row in found]


def reread(
    quarantined: pa.Table,
    source: SourceSettings,
    connector: Connector,
    context: SourceContext,
    lake: Lake,
    ledger: Ledger,
    *,
    file: PendingFile,
    skip: pa.Array,
) -> StandardisedBatch:
    """Return what the pieces of a quarantine file (``cdp.schemas.QUARANTINE``) are read as today.

    When they landed nobody could see whom they are about: what is now found to be about somebody on the
    suppression list becomes no event.
    """
    wanted = pa.array(
        [row for row in range(quarantined.num_rows) if row not in set(skip.to_pylist())], pa.int64()
    )
    pieces = quarantined.take(wanted).append_column("raw_row", wanted).to_pylist()
    raw, rows, fates = _sealed(pieces, source, connector)
    held = held_back(raw, connector, context, suppression.load(ledger))
    fates |= dict.fromkeys(rows.filter(held).to_pylist(), ("ignored", SUPPRESSED))
    raw, rows = raw.filter(pc.invert(held)), rows.filter(pc.invert(held))
    with connect() as connection:
        known = Known(lake, landed_files(ledger, source.name), connection)
        repeated = known.check(raw, file.file_id).duplicates if raw.num_rows else pa.array([], pa.bool_())
    fates |= dict.fromkeys(rows.filter(repeated).to_pylist(), ("duplicate", "landed_since"))
    fresh = pc.invert(repeated) if len(repeated) else repeated
    batch = standardise(
        raw.filter(fresh),
        connector,
        context,
        file_id=file.file_id,
        rows=rows.filter(fresh),
        collected=file.collected,
    )
    done = {*batch.events["raw_row"].to_pylist(), *batch.outcomes["raw_row"].to_pylist()}
    rest = [
        {"raw_row": piece["raw_row"], "event_id": piece["event_id"], "outcome": fate[0], "reason": fate[1]}
        for piece in pieces
        if (fate := fates.get(piece["raw_row"])) is not None and piece["raw_row"] not in done
    ]
    outcomes = pa.concat_tables([batch.outcomes, pa.Table.from_pylist(rest, schema=OUTCOMES)])
    return StandardisedBatch(batch.events, outcomes, batch.members)


def _sealed(
    pieces: list[dict[str, Any]], source: SourceSettings, connector: Connector
) -> tuple[pa.Table, pa.Array, dict[int, tuple[str, str]]]:
    """Return raw rows made of the pieces, the piece of each, and the fate of those still unreadable."""
    tables: list[pa.Table] = [RAW.empty_table()]
    rows: list[int] = []
    fates: dict[int, tuple[str, str]] = {}
    with connect() as connection:
        for piece in pieces:
            row, payload, received_at = piece["raw_row"], piece["payload"], piece["received_at"]
            context = EnvelopeContext(
                source.name, str(piece["batch_id"]), received_at, source.timezone, source.region or None
            )
            header = piece.get("context")
            split = SplitContext("", source.encoding, source.delimiter, source.sheet, header)
            for chunk in connector.split(payload, split):
                if piece["type"] is not None:
                    chunk.kinds = [piece["type"]] * len(chunk.payloads)
                gathered = Gathered()
                gathered.add(chunk, Item(str(piece["origin_file_sha"])))
                good, bad = seal(connection, connector, gathered, context)
                tables.append(good)
                rows += [row] * good.num_rows
                if bad.num_rows:
                    fates[row] = ("quarantined", bad["reason"][0].as_py())
            if row not in rows and row not in fates:
                fates[row] = ("ignored", "nothing_inside")
    return pa.concat_tables(tables), pa.array(rows, pa.int64()), fates
