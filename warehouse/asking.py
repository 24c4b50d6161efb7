"""Questions in SQL to a release that is being served: who may ask which file, how many at once, and for how long.

Every query runs in a process of its own (:mod:`warehouse.sandbox`) and is waited for in threads of this
module's, so that no query keeps other requests waiting; a caller who goes away ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from cdp import duck
from cdp.errors import RunFailedError, UsageError
from warehouse import answers, sandbox
from warehouse.formats import StreamFormat, write
from warehouse.sandbox import Limits, QueryFailedError, Stop
from warehouse.serve.context import Serving
from warehouse.serve.problems import TooManyError
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

if TYPE_CHECKING:
    import pyarrow as pa
    from fastapi import Request

AskFormat = Literal["json", "ndjson", "csv", "arrow", "parquet"]
MOST_CHARACTERS: Final = 20_000
SECONDS: Final = 30
MOST_SECONDS: Final = 60
MOST_ROWS: Final = 1_000_000
RUNNING: Final = 3
RUNNING_PER_CALLER: Final = 2
WAITING: Final = 8
WAIT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2
_PIECE_BYTES: Final = 1 << 16
_MEMORY: Final = "500MB"
_T = TypeVar("_T")

_THREADS: Final = ThreadPoolExecutor(RUNNING + WAITING, thread_name_prefix="sql")


class Slots:
    """How many queries run at once, all together and of one caller; others wait a while, in no fixed order."""

    def __init__(
        self, running: int = RUNNING, per_caller: int = RUNNING_PER_CALLER, waiting: int = WAITING
    ) -> None:
        self.most, self.per_caller, self.most_waiting = running, per_caller, waiting
        self._running: Counter[str] = Counter()
        self._waiting = 0
        self._free = threading.Condition()

    def _is_free(self, key_id: str) -> bool:
        return self._running.total() < self.most and self._running[key_id] < self.per_caller

    @contextlib.contextmanager
    def taken(self, key_id: str, stop: Stop, seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Run a block in a slot. Raises :class:`TooManyError` where none is free in time."""
        self._wait(key_id, stop, time.monotonic() + seconds)
        try:
            yield
        finally:
            with self._free:
                self._running[key_id] -= 1
                self._free.notify_all()

    def _wait(self, key_id: str, stop: Stop, until: float) -> None:
        with self._free:
            if not self._is_free(key_id) and self._waiting >= self.most_waiting:
                raise _busy()
            self._waiting += 1
            try:
                while not self._is_free(key_id):
                    if stop.is_set or time.monotonic() > until:
                        raise _busy()
                    self._free.wait(_LOOK_SECONDS)
                self._running[key_id] += 1
            finally:
                self._waiting -= 1


def _busy() -> TooManyError:
    return TooManyError(
        "Too many queries are running.", seconds=5, hint="Wait for yours to end, then ask again."
    )


SLOTS: Final = Slots()


@dataclass(frozen=True)
class Question:
    """A query of a caller to a release."""

    serving: Serving
    reader: Reader
    caller: Caller
    text: str
    seconds: int = SECONDS
    masked: bool = False

    @property
    def database(self) -> Path:
        """The file that may be asked. Raises :class:`NotFoundError` where it is the masked copy and there is none."""
        release = self.reader.release
        return release.need_masked() if self.is_masked else release.database

    @property
    def is_masked(self) -> bool:
        """Whether it is the masked copy that is asked."""
        return self.masked or not self.caller.sees_personal_data

    @property
    def digest(self) -> str:
        """What the audit log keeps of the query, whose text may hold personal data."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def limits(self) -> Limits:
        """What the query may use."""
        return Limits(seconds=self.seconds, memory_limit=_MEMORY)

    def audit(self, action: str, rows: int | None = None) -> None:
        """Write down that the query was asked, or how much left."""
        self.serving.audit(self.caller, action, self.digest, reader=self.reader, rows=rows)


@dataclass(frozen=True)
class Answered:
    """The first rows of an answer, as texts. ``right``: columns of numbers; ``more``: there were more rows."""

    names: tuple[str, ...]
    right: frozenset[int]
    rows: tuple[list[str], ...]
    more: bool
    seconds: float


def first_rows(question: Question, most: int, stop: Stop) -> Answered:
    """Run a query and return its first ``most`` rows; the rest is not waited for."""
    taken: list[list[str]] = []
    database = question.database
    with _told(question), SLOTS.taken(question.caller.key_id, stop):
        # Before it runs: what a query that fails says may leave, too.
        question.audit("sql.run")
        began = time.monotonic()
        with sandbox.run(database, question.text, question.limits, stop) as answer:
            schema = answer.schema
            for batch in answer:
                taken += answers.rows(batch, most + 1 - len(taken))
                if len(taken) > most:
                    break
        seconds = time.monotonic() - began
    shown = taken[:most]
    question.serving.spend_rows(question.caller, len(shown))
    question.audit("sql.sent", len(shown))
    right = frozenset(at for at, field in enumerate(schema) if answers.is_number(field.type))
    return Answered(tuple(schema.names), right, tuple(shown), len(taken) > most, seconds)


@contextlib.contextmanager
def _told(question: Question) -> Iterator[None]:
    """A query that failed is the caller's to mend, not the server's; hints are for who has no command line."""
    try:
        yield
    except UsageError as error:
        raise UsageError(
            error.message, hint="`SHOW TABLES` and `DESCRIBE customers` list the names."
        ) from None
    except QueryFailedError as error:
        if question.is_masked:
            raise UsageError(error.message) from None
        # No more than the kind: the rest may quote values, which no limit of rows and no count would know of.
        hint = "Its values do not fit: try_cast gives NULL where a text is no number or day."
        raise UsageError(f"The query failed: {error.kind}.", hint=hint) from None
    except RunFailedError as error:
        hint = "Ask for less: fewer rows or columns, a customer_id, a span of occurred_at."
        raise UsageError(error.message, hint=hint) from None


async def in_thread(request: Request, work: Callable[[Stop], _T]) -> _T:
    """Run ``work`` in a thread; when the client goes away, its query ends."""
    stop = Stop()
    running = asyncio.get_running_loop().run_in_executor(_THREADS, work, stop)
    try:
        await _unless_gone(request, running, stop)
        return await running
    finally:
        stop()


async def _unless_gone(request: Request, waited_for: asyncio.Future[Any], stop: Stop) -> None:
    """Wait; end the query where the client goes away meanwhile."""
    while not (await asyncio.wait({waited_for}, timeout=_LOOK_SECONDS))[0]:
        if not stop.is_set and await request.is_disconnected():
            stop()


class Pieces:
    """An answer as bytes, piece by piece, while it comes in."""

    def __init__(self, question: Question, into: AskFormat, most: int, *, escape: bool = False) -> None:
        self.question, self.into, self.most, self.escape = question, into, most, escape
        self.rows = 0
        self._stop = Stop()
        self._failure: TooManyError | None = None
        self._database = question.database

    async def begin(self, request: Request) -> AsyncIterator[bytes]:
        """Return the pieces once there is a first one. Raises what is wrong with the query before that."""
        self.question.audit("sql.run")
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        pipe = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(pipe), os.fdopen(reading, "rb", 0)
        )
        made = loop.run_in_executor(_THREADS, self._produce, writing)
        try:
            first = await self._read(request, pipe)
            if not first:
                await made
        except BaseException:
            self._stop()
            transport.close()
            raise
        return self._rest(request, first, pipe, made, transport)

    async def _read(self, request: Request, pipe: asyncio.StreamReader) -> bytes:
        reading = asyncio.ensure_future(pipe.read(_PIECE_BYTES))
        try:
            await _unless_gone(request, reading, self._stop)
            return await reading
        finally:
            reading.cancel()

    async def _rest(
        self,
        request: Request,
        piece: bytes,
        pipe: asyncio.StreamReader,
        made: asyncio.Future[None],
        transport: asyncio.BaseTransport,
    ) -> AsyncIterator[bytes]:
        try:
            while piece:
                yield piece
                piece = await self._read(request, pipe)
            await made
        finally:
            self._stop()
            transport.close()
            self.question.audit("sql.sent", self.rows)

    def _produce(self, writing: int) -> None:
        """Run the query and write its answer into the pipe, in a thread."""
        try:
            asked = self.question
            with (
                _told(asked),
                SLOTS.taken(asked.caller.key_id, self._stop),
                sandbox.run(self._database, asked.text, asked.limits, self._stop) as rows,
            ):
                self._write(rows, writing)
        finally:
            os.close(writing)

    def _write(self, rows: pa.RecordBatchReader, writing: int) -> None:
        import duckdb
        import pyarrow as pa

        counted = pa.RecordBatchReader.from_batches(rows.schema, self._counted(rows))
        if self.into == "arrow":
            with os.fdopen(os.dup(writing), "wb") as out, pa.ipc.new_stream(out, rows.schema) as stream:
                for batch in counted:
                    stream.write_batch(batch)
            return
        into: StreamFormat = "jsonl" if self.into == "ndjson" else self.into
        with duck.connect(threads=1) as connection:
            connection.register("answer", counted)
            try:
                write(connection, "answer", f"/dev/fd/{writing}", into, escape=self.escape)
            except duckdb.Error as error:
                if self._failure is not None:
                    raise self._failure from None
                if not self._stop.is_set:
                    raise RunFailedError(
                        f"The answer cannot be written: {str(error).splitlines()[0]}"
                    ) from None

    def _counted(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in rows:
            part = batch.slice(0, self.most - self.rows)
            try:
                self.question.serving.spend_rows(self.question.caller, part.num_rows)
            except TooManyError as error:
                self._failure = error
                raise
            self.rows += part.num_rows
            yield part
            if self.rows >= self.most:
                return
