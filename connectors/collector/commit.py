"""Group commit: requests of many connections become durable with one sync.

One thread takes all requests that wait, appends them to the segment, and tells those who wait for them.
While it waits for the disk the next group gathers, so the number of syncs adapts itself to the load.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdp.settings.collecting import CollectSettings
from connectors.collector.wal import SUFFIX, Request, Segment

SEGMENT_EVENTS: Final = 250_000
"""A segment is closed at so many events, however short they are: they are landed together."""


class NotDurableError(Exception):
    """A request could not be written: the client must send it again."""


class FullError(Exception):
    """So much waits, or the disk is so full, that no more is taken for now."""


@dataclass
class Totals:
    """What has been committed since the start."""

    requests: int = 0
    bytes: int = 0
    syncs: int = 0
    failures: int = 0
    last_error: str = ""


@dataclass(slots=True)
class _Waiting:
    request: Request
    events: int
    future: asyncio.Future[None]


class Committer:
    """Appends requests to segments below ``folder``.

    ``commit`` is called on the event loop; everything else happens in a thread of its own, ``room`` too:
    it says what stands against taking more (the disk is full), or nothing.
    """

    def __init__(
        self,
        folder: Path,
        sources: Sequence[str],
        *,
        settings: CollectSettings,
        room: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self.sources = folder, list(sources)
        self._settings, self._room, self._clock = settings, room, clock
        self.no_room = room()
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._segment: Segment | None = None
        self._events = 0
        self._left_open: list[Segment] = []
        self._opened = 0.0
        self.totals = Totals()
        self.healthy = True
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the disk."""
        return self._bytes

    async def commit(self, request: Request, events: int = 1) -> None:
        """Return when the request, of so many events, is on disk; raises FullError or NotDurableError where it is not."""
        size = len(request.body)
        if self.no_room or (self._bytes and self._bytes + size > self._settings.max_waiting_bytes):
            raise FullError
        future: asyncio.Future[None] = self._loop.create_future()
        with self._changed:
            if self._stopping:
                raise NotDurableError("the collector stops")
            self._waiting.append(_Waiting(request, events, future))
            self._bytes += size
            self._changed.notify()
        await future

    def stop(self) -> None:
        """Commit what waits, close the segment and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            self.healthy = False
            self.totals.last_error = "the writer has ended"
            raise
        finally:  # whatever ended the thread: nobody waits for ever, and nothing more is taken
            with self._changed:
                self._stopping, group, self._waiting = True, self._waiting, []
            if group:
                self._loop.call_soon_threadsafe(_tell, group, "the collector stops")

    def _work(self) -> None:
        """Commit group after group; look once a second whether there is room."""
        while True:
            with self._changed:
                if not self._waiting and not self._stopping:
                    self._changed.wait(self._pause())
                group, self._waiting = self._waiting, []
                done = self._stopping and not group
            if group:
                self._commit(group)
            elif not self.healthy:
                self._try_again()
            if done or self._is_due():
                self._rotate()
            if done:
                return
            if self._left_open:
                self._name()
                self.healthy = self.healthy or not (group or self._left_open)
            self.no_room = self._room()

    def _pause(self) -> float:
        """Return how long nothing is to be done: until the segment is due, or a second."""
        if self._segment is None:
            return 1.0
        return min(1.0, max(self._opened + self._settings.segment_seconds - self._clock(), 0.01))

    def _is_due(self) -> bool:
        segment = self._segment
        if segment is None or not segment.requests:
            return False
        age = self._clock() - self._opened
        # A clock that was set back must not keep a segment open for ever.
        full = segment.size >= self._settings.segment_bytes or self._events >= SEGMENT_EVENTS
        return full or not 0 <= age < self._settings.segment_seconds

    def _commit(self, group: list[_Waiting]) -> None:
        problem: str | None = None
        size = sum(len(one.request.body) for one in group)
        try:
            segment = self._segment or self._open()
            segment.append([one.request for one in group])
        except OSError as error:
            problem = error.strerror or type(error).__name__
            self.totals.failures += 1
            self.totals.last_error = problem
            self._rotate()
        else:
            self._events += sum(one.events for one in group)
            self.totals.requests += len(group)
            self.totals.bytes += size
            self.totals.syncs += 1
        self.healthy = problem is None
        with self._changed:
            self._bytes -= size
        self._loop.call_soon_threadsafe(_tell, group, problem)

    def _try_again(self) -> None:
        """Find out whether the disk is well again, so that whoever asks if we are ready hears of it."""
        if self._left_open:
            return  # what is to be named says it
        with contextlib.suppress(OSError):
            if self._segment is None:
                self._open()
            self._rotate()
            self.healthy = not self._left_open

    def _open(self) -> Segment:
        self._opened, self._events = self._clock(), 0
        name = f"{int(self._opened * 1_000_000):017d}-{secrets.token_hex(4)}{SUFFIX}"
        self._segment = Segment(self.folder / name, self.sources)
        return self._segment

    def _rotate(self) -> None:
        """Close the segment: it is complete, and can land."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()
            self._left_open.append(segment)
            self._name()

    def _name(self) -> None:
        """Give closed segments their final names; one that the disk refuses is tried again each second."""
        for segment in list(self._left_open):
            try:
                segment.complete()
            except OSError as error:
                self.healthy = False
                self.totals.last_error = error.strerror or type(error).__name__
            else:
                self._left_open.remove(segment)


def _tell(group: Sequence[_Waiting], problem: str | None) -> None:
    for one in group:
        if one.future.done():
            continue  # the client has gone; what it sent is kept all the same
        if problem is None:
            one.future.set_result(None)
        else:
            one.future.set_exception(NotDurableError(problem))
