"""Landing: input files of a source to immutable raw Parquet, each envelope counted.

A batch is one input file, or several small ones; :mod:`connectors.batch` says how it is committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cdp.duck import connect
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.lock import landing_lock
from connectors import inbox
from connectors.batch import Batch, HoldBack, LandedBatch, Lander, Origin
from connectors.protocol import Connector, SplitContext
from connectors.reading import Item

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

# Small files share a batch up to here; a larger one is a batch of its own.
BATCH_BYTES = 64 * 1024 * 1024
BATCH_FILES = 2_000
# Between two batches another process that waits for the lock gets it.
_YIELD_SECONDS = 0.005

Progress = Callable[[str, int], None]


def _silent(origin: str, size: int) -> None:
    del origin, size


@dataclass
class LandingReport:
    """What landing a source did."""

    source: str
    batches: list[LandedBatch] = field(default_factory=list)
    unreadable: list[inbox.Unreadable] = field(default_factory=list)

    @property
    def landed(self) -> int:
        """Envelopes landed."""
        return sum(batch.landed for batch in self.batches)


def land(
    source: SourceSettings,
    connector: Connector,
    lake: Lake,
    ledger: Ledger,
    *,
    now: datetime,
    run_id: str,
    progress: Progress = _silent,
    held_back: HoldBack | None = None,
) -> LandingReport:
    """Land every new or changed input file of ``source``; return what it brought.

    A file that cannot be read is reported and left for the next run; bad data inside a file land in
    quarantine, each with its reason. ``held_back``: see :class:`connectors.batch.Lander`.
    """
    report = LandingReport(source.name)
    known_cursors = ledger.rows("SELECT origin, cursor FROM cursors WHERE source = ?", (source.name,))
    cursors = {row["origin"]: row["cursor"] for row in known_cursors}
    pending = inbox.files(lake.root, source.paths, cursors)
    if not pending:
        return report
    with connect() as connection:
        lander = Lander(source, connector, lake, ledger, connection, held_back)
        for number, group in enumerate(_groups(pending)):
            time.sleep(_YIELD_SECONDS if number else 0)
            with landing_lock(lake.root):
                batch = lander.open_batch(now, run_id)
                origins = list(_read(batch, group, report.unreadable, progress))
                if origins:
                    report.batches.append(batch.commit(origins))
    return report


def _groups(pending: Sequence[inbox.InboxFile]) -> Iterator[list[inbox.InboxFile]]:
    group: list[inbox.InboxFile] = []
    size = 0
    for item in pending:
        if group and (size + item.size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group


def _read(
    batch: Batch,
    group: Sequence[inbox.InboxFile],
    unreadable: list[inbox.Unreadable],
    progress: Progress,
) -> Iterator[Origin]:
    """Give the files of a group to the batch; yield each that could be read."""
    source, connector = batch.lander.source, batch.lander.connector
    for file in group:
        data = inbox.read(file)
        if isinstance(data, inbox.Unreadable):
            unreadable.append(data)
            continue
        item = Item(inbox.sha(data))
        context = SplitContext(file.origin, source.encoding, source.delimiter, source.sheet)
        for chunk in connector.split(data, context):
            batch.add(chunk, item)
        yield Origin(file.origin, file.cursor, file.size, item.sha)
        progress(file.origin, file.size)
