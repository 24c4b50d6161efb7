"""Where generated items go: files by date, counts per source, and the truth about the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from cdp.demo.people import Person, World

DAY: Final = 86_400.0


@dataclass
class Truth:
    """Which person a record belongs to; a record key met with two persons belongs to nobody."""

    shared: frozenset[str]
    owners: dict[str, int] = field(default_factory=dict)

    def add(self, source: str, key: str, person: int) -> None:
        """Note that a record of ``source`` is about a person (index; visitors count downwards)."""
        if key in self.shared:
            return
        record_key = f"{source}:{key}"
        if self.owners.setdefault(record_key, person) != person:
            self.owners[record_key] = _NOBODY

    def rows(self) -> list[tuple[str, str]]:
        """Return (record_key, person_id), ordered; ambiguous records are left out."""
        return sorted(
            (key, f"p{owner:06d}" if owner >= 0 else f"v{-owner:06d}")
            for key, owner in self.owners.items()
            if owner != _NOBODY
        )


_NOBODY: Final = -(10**9)


@dataclass
class Tally:
    """What was written for one source, in items as they are after splitting files and batches."""

    files: int = 0
    items: int = 0
    duplicates: int = 0
    revisions: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    unattributed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str, number: int = 1) -> None:
        """Count items of a kind."""
        self.items += number
        self.kinds[kind] += number

    def reject(self, reason: str, number: int = 1) -> None:
        """Count items that nobody can read or map."""
        self.count("malformed", number)
        self.malformed[reason] += number


@dataclass
class Channel:
    """What the writer of one source needs: the world, a folder, dice of its own, the tallies."""

    source: str
    world: World
    folder: Path
    target: int
    rng: Random
    truth: Truth
    tally: Tally = field(default_factory=Tally)

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the source."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        self.tally.files += 1

    def seen(self, key: str, person: Person) -> None:
        """Note that the source holds a record of the person under this key."""
        self.truth.add(self.source, key, person.index)

    def date(self, day: int) -> str:
        """Return the date of a day of the window, as it stands in file names."""
        return f"{datetime.fromtimestamp(self.world.start, UTC) + timedelta(days=day):%Y-%m-%d}"


def lines(items: list[bytes]) -> bytes:
    """Render a file of lines."""
    return b"\n".join(items) + b"\n"


def array(items: list[bytes]) -> bytes:
    """Render a JSON array of documents."""
    return b"[\n" + b",\n".join(items) + b"\n]\n"


class Spool:
    """Collects the items of a source into files of ``every`` days, in order of arrival.

    A file is named after its last day, so that landing files by the date in their names gives
    each day what had arrived by then. ``flush`` writes the files whose time is over; only what
    arrives later is held in memory.
    """

    def __init__(
        self, channel: Channel, pattern: str, every: int, render: Callable[[list[bytes]], bytes] = lines
    ) -> None:
        self._channel = channel
        self._pattern = pattern
        self._every = every
        self._render = render
        self._files: dict[int, list[tuple[float, int, bytes]]] = {}
        self._added = 0
        self._written = 0

    def add(self, arrival: float, item: bytes) -> None:
        """Add an item that arrived at a time (epoch seconds, inside the window)."""
        world = self._channel.world
        day = min(max(int((arrival - world.start) // DAY), 0), world.days - 1)
        if day // self._every < self._written:
            raise ValueError(f"{self._channel.source}: the file of day {day} is written already")
        self._added += 1
        self._files.setdefault(day // self._every, []).append((arrival, self._added, item))

    def flush(self, before: float) -> None:
        """Write the files that end before a time; no item may be added to them afterwards."""
        world = self._channel.world
        period = int((before - world.start) // (DAY * self._every))
        for number in sorted(n for n in self._files if n < period):
            self._write(number)
        self._written = max(self._written, period)

    def close(self) -> None:
        """Write all that is left."""
        for number in sorted(self._files):
            self._write(number)

    def _write(self, number: int) -> None:
        items = self._files.pop(number)
        items.sort()
        last = min((number + 1) * self._every, self._channel.world.days) - 1
        name = self._pattern.format(date=self._channel.date(last))
        self._channel.write(name, self._render([item for _, _, item in items]))
