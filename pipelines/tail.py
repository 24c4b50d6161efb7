"""The last events of a source, and those that come: from landed files, and from what a collector has taken.

A request is first seen in a write-ahead segment, and once more when that has landed. A row is known again by
its number in the segment and by when its request came, so none is shown twice and none is missed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from cdp.duck import connect
from cdp.lake import Lake
from cdp.ledger import Ledger
from connectors.batch import Lander
from connectors.collector.wal import OPEN
from connectors.suppression import Gate
from pipelines import segments, tail_rows
from pipelines.sources import connector_of, context_of
from pipelines.tail_entries import PENDING, SUPPRESSED, WAITING, Entry, Fate, entries, fates, ungrouped
from pipelines.tail_rows import ARRIVAL, ROWS

if TYPE_CHECKING:
    from cdp.settings import Settings

MOST_AT_ONCE: Final = 500
"""Of what comes between two looks, no more than this is shown."""
_LONGEST_COMMIT: Final = timedelta(seconds=10)
"""A request that came so long before a look is in a segment by then."""


@dataclass(frozen=True)
class News:
    """Envelopes in order of arrival, and how many came besides that are not shown."""

    entries: list[Entry]
    left_out: int = 0


@dataclass
class _Seen:
    """How far a segment has been read: its bytes, the source's requests in it, the last row, where all rows are."""

    size: int = 0
    requests: int = 0
    last: int = 0
    places: list[tail_rows.Place] = field(default_factory=list)


class Tail:
    """Looks at one source; ``payloads``: entries hold them, too. Nothing is written, no lock is taken."""

    def __init__(self, workspace: Path, settings: Settings, name: str, *, payloads: bool = False) -> None:
        self._lake, self._settings, self._payloads = Lake(workspace), settings, payloads
        self._source = settings.sources[name]
        self._connector, self._context = connector_of(self._source), context_of(settings, name)
        self._opened = ExitStack()
        self._connection = self._opened.enter_context(connect())
        self._ledger: Ledger | None = None
        self._gate: Gate | None = None
        self._file_id = -1
        self._seen: dict[str, _Seen] = {}
        self._older: set[str] = set()
        self._present: set[str] = set()
        self._since: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def last(self, rows: int) -> list[Entry]:
        """Return the newest ``rows`` envelopes, the newest last; :meth:`new` goes on from there."""
        ledger = self._find_ledger()
        if ledger is None:
            return []
        waiting, _ = self._taken(ledger, rows, first=True)
        if self._older:  # they are not new when they land
            self._since = datetime.now(UTC) - _LONGEST_COMMIT
        chosen = tail_rows.newest_files(ledger, self._lake, self._source.name, rows)
        landed, _ = self._landed(chosen, rows)
        self._file_id = max((file.file_id for file in chosen), default=-1)
        return self._entries(ledger, landed, waiting, rows) if rows else []

    def new(self) -> News:
        """Return what has come since the last look."""
        ledger = self._find_ledger()
        if ledger is None:
            return News([])
        waiting, more_waiting = self._taken(ledger, MOST_AT_ONCE)
        chosen = tail_rows.files(ledger, self._lake, self._source.name, after=self._file_id)
        landed, more_landed = self._landed(chosen, MOST_AT_ONCE)
        self._file_id = max([self._file_id, *(file.file_id for file in chosen)])
        total = len(landed) + len(waiting)
        if not total:
            return News([], more_waiting + more_landed)
        shown = self._entries(ledger, landed, waiting, MOST_AT_ONCE)
        return News(shown, more_waiting + more_landed + total - len(shown))

    def _find_ledger(self) -> Ledger | None:
        if self._ledger is None and self._lake.ledger_path.is_file():
            self._ledger = self._opened.enter_context(Ledger(self._lake.ledger_path, read_only=True))
            connector, context = self._connector, self._context
            self._gate = Gate(self._ledger, connector, context)
            self._lander = Lander(self._source, connector, self._lake, self._ledger, self._connection)
        return self._ledger

    def _landed(self, chosen: list[tail_rows.LandedFile], rows: int) -> tuple[pa.Table, int]:
        """Return the last rows of landed files that were not seen while they waited, and how many more there are."""
        seen = [place for one in self._seen.values() for place in one.places]
        near: list[tail_rows.LandedFile] = []
        for file in chosen:  # the newest first: those far behind them are only counted
            if file.collected or sum(one.rows for one in near if one.zone == file.zone) < rows:
                near.append(file)
        far = sum(file.rows for file in chosen) - sum(file.rows for file in near)
        table, left_out = tail_rows.read(self._connection, near, rows, seen, since=self._since)
        for origin in [origin for origin in self._seen if origin not in self._present]:
            del self._seen[origin]  # it had landed before the ledger was asked
        return table, left_out + far

    def _taken(self, ledger: Ledger, rows: int, *, first: bool = False) -> tuple[pa.Table, int]:
        """Return the newest of what segments hold that was not seen, and how many more there are.

        At the ``first`` look complete segments behind the newest are left alone.
        """
        paths = segments.listed(self._lake)
        self._present = {segments.origin(path) for path in paths}
        done = segments.landed(ledger, [self._source.name], paths)
        tables, left_out, room, read = [ROWS.empty_table()], 0, rows, 0
        for path in reversed(paths):
            origin = segments.origin(path)
            if (self._source.name, origin) in done or origin in self._older:
                continue
            if first and not path.name.endswith(OPEN) and (room <= 0 or read > segments.READ_BYTES):
                self._older.add(origin)
                continue
            table, more, size = self._segment(path, origin, max(room, 1))
            tables, room = [table, *tables], room - len(table)
            left_out, read = left_out + more, read + size
        return pa.concat_tables(tables), left_out

    def _segment(self, path: Path, origin: str, rows: int) -> tuple[pa.Table, int, int]:
        """Return what is new in a segment, how many rows more, and the bytes that were read."""
        seen, size = self._seen.setdefault(origin, _Seen()), segments.size(path)
        if size is None or size <= seen.size:
            return ROWS.empty_table(), 0, 0
        held = segments.requests(path)
        if held is None:
            return ROWS.empty_table(), 0, 0
        mine = [request for request in held if request.source == self._source.name]
        fresh = mine[seen.requests :]
        seen.size, seen.requests = size, len(mine)
        if not fresh:
            return ROWS.empty_table(), 0, size
        longest = self._settings.collect.max_event_bytes
        found = tail_rows.taken(self._lander, origin, fresh, before=seen.last, rows=rows, most_bytes=longest)
        seen.last = found.last
        seen.places += found.places
        return found.table, len(found.places) - len(found.table), size

    def _entries(self, ledger: Ledger, landed: pa.Table, waiting: pa.Table, rows: int) -> list[Entry]:
        """Return the last of these rows as entries, in order of arrival."""
        table = pa.concat_tables([landed, waiting]).sort_by([(name, "ascending") for name in ARRIVAL])
        table = table.slice(max(len(table) - rows, 0))
        fate_of = self._fates(ledger, table)
        return entries(table, fate_of, ungrouped(self._connector), self._context, payloads=self._payloads)

    def _fates(self, ledger: Ledger, table: pa.Table) -> list[Fate]:
        """Return what became of each row so far."""
        places = list(zip(table["file_id"].to_pylist(), table["stored_row"].to_pylist(), strict=True))
        known = fates(ledger, [place for place in places if place[0] is not None])
        held = self._held_back(table)
        found: list[Fate] = []
        kinds = zip(table["zone"].to_pylist(), table["reason"].to_pylist(), strict=True)
        for place, (zone, reason), is_held in zip(places, kinds, held, strict=True):
            if place[0] is not None:
                found.append(known.get(place, (PENDING, None)))
            elif is_held:
                found.append((SUPPRESSED, None))
            else:
                found.append((WAITING, None) if zone == "raw" else ("quarantined", reason))
        return found

    def _held_back(self, table: pa.Table) -> list[bool]:
        """Return which rows that wait will not land, since the suppression list names them."""
        found = [False] * len(table)
        numbered = table.append_column("number", pa.array(range(len(table)), pa.int64()))
        waiting = numbered.filter(pc.and_(pc.is_null(table["file_id"]), pc.equal(table["zone"], "raw")))
        if not len(waiting) or self._gate is None:
            return found
        held = self._gate(waiting.drop_columns("number")).rows
        for number in waiting["number"].filter(held).to_pylist():
            found[number] = True
        return found
