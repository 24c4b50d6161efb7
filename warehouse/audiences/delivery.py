"""Delivering an audience over HTTP: only what changed, in order, and so that it can die anywhere.

The law: whenever a delivery is complete, the destination has the audience of the release under today's
suppression list, whatever was lost or cut off before, if it takes each idempotency key once and the last
word on each key counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cdp import durable, suppression
from cdp.errors import UsageError
from cdp.ledger import Ledger
from cdp.settings.exporting import DestinationSettings
from warehouse.audiences import shares, wire
from warehouse.audiences.outbox import Outbox, destination_id
from warehouse.audiences.wire import Answer, Batch, Change, Sender, UnreachableError
from warehouse.exports import Export, columns_of, dataset_of, definition, select_rows, spilling
from warehouse.formats import as_json

if TYPE_CHECKING:
    import duckdb

    from cdp.lake import Lake
    from cdp.suppression import Suppressed
    from warehouse.release import Release

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 60.0
_DIGITS: Final = 32

_PLAN: Final = """
CREATE OR REPLACE TEMP TABLE changes_to_send AS
WITH wanted AS (SELECT key, row, left(sha256(row), {digits}) AS digest FROM wanted_rows),
decided AS (
    SELECT coalesce(w.key, h.key) AS key, w.row, coalesce(w.digest, '') AS digest,
        CASE WHEN w.key IS NULL THEN 'removed' WHEN h.digest IS NULL THEN 'added' ELSE 'changed' END AS op
    FROM wanted AS w FULL JOIN had AS h ON h.key = w.key
    WHERE w.key IS NULL OR h.key IS NULL OR h.pending OR h.digest IS DISTINCT FROM w.digest
)
SELECT d.op, d.key, d.row, d.digest, CASE WHEN d.op = 'removed' THEN s.customer_id END AS merged_into
FROM decided AS d
LEFT JOIN (
    SELECT r.previous_customer_id, r.customer_id FROM customer_redirects AS r
    SEMI JOIN wanted AS w ON w.key = r.customer_id
) AS s ON s.previous_customer_id = d.key
ANTI JOIN refused AS f ON f.key = d.key AND f.digest = d.digest
ORDER BY d.op <> 'removed', d.key
"""


@dataclass(frozen=True)
class Clock:
    """Time as a delivery takes it: what it is, how much has passed, and waiting."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK: Final = Clock()


@dataclass(frozen=True)
class DeliveryReport:
    """What a run delivered. ``rows``: what the destination has now; ``problem``: why it is not complete."""

    export: Export
    release: str
    added: int
    changed: int
    removed: int
    rejected: int
    rows: int
    problem: str | None
    repeated: bool = False

    @property
    def complete(self) -> bool:
        """Whether the destination has all of the audience, but for rows that it refuses."""
        return self.problem is None


class _StoppedError(Exception):
    """The delivery ends for now; the text says why."""


def target(wanted: Export) -> DestinationSettings:
    """Return where an export is delivered to. Raises :class:`UsageError` where it is written as files."""
    if wanted.destination is None:
        raise UsageError(
            f"The export {wanted.name!r} has no destination.",
            hint="Give it one in cdp.yaml: destination: {url: ...}.",
        )
    return wanted.destination


def outbox_of(ledger: Ledger, wanted: Export) -> Outbox:
    """Return what the ledger knows of an export's destination."""
    return Outbox(ledger, destination_id(wanted.name, target(wanted).url), wanted.name)


def mark(ledger: Ledger, release: Release, wanted: Export, suppressed: Suppressed | None = None) -> str:
    """Return what stands for having delivered this release, as the export is defined now.

    ``suppressed``: the suppression list that was asked; None: as it stands now.
    """
    text = json.dumps([definition(ledger, wanted, suppressed), target(wanted).body], sort_keys=True)
    return f"{release.version} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def is_done(ledger: Ledger, release: Release, wanted: Export) -> bool:
    """Tell whether :func:`deliver` would have nothing to do."""
    return outbox_of(ledger, wanted).done() == mark(ledger, release, wanted)


def deliver(  # noqa: PLR0913 - a delivery's parts, by name
    lake: Lake,
    ledger: Ledger,
    release: Release,
    wanted: Export,
    *,
    now: datetime,
    caller: str,
    environment: Mapping[str, str] | None = None,
    clock: Clock = CLOCK,
    withdraw: bool = False,
) -> DeliveryReport:
    """Send a destination what changed since it last acknowledged something; the caller holds the writer lock.

    ``withdraw`` takes everybody back. What stopped it is in the report; what was acknowledged by then stays.
    Raises :class:`UsageError` where the settings cannot work: a secret that is not set, an address that is
    not allowed, a segment that is not there.
    """
    if not withdraw and is_done(ledger, release, wanted):
        size = outbox_of(ledger, wanted).size()
        return DeliveryReport(wanted, release.version, 0, 0, 0, 0, size, None, repeated=True)
    given = os.environ if environment is None else environment
    sender = Sender(target(wanted), given)
    run = _Delivery(lake, ledger, release, wanted, sender, clock, caller, now)
    try:
        return run.complete(withdraw=withdraw)
    finally:
        sender.close()


class _ListChangedError(Exception):
    """The suppression list is another one now: nothing more may leave by this plan."""


class _Delivery:
    """One run of one destination."""

    def __init__(
        self,
        lake: Lake,
        ledger: Ledger,
        release: Release,
        wanted: Export,
        sender: Sender,
        clock: Clock,
        caller: str,
        now: datetime,
    ) -> None:
        self.lake, self.ledger, self.release, self.wanted = lake, ledger, release, wanted
        self.sender, self.clock, self.caller, self.now = sender, clock, caller, now
        self.settings = target(wanted)
        self.outbox = outbox_of(ledger, wanted)
        self.counts = {"added": 0, "changed": 0, "removed": 0}
        self.rejected = self.kept = 0
        self.share: int | None = None
        self.listed: tuple[int, int] | None = None
        self.delivered = ""
        self.until = clock.seconds() + self.settings.run_seconds

    def complete(self, *, withdraw: bool) -> DeliveryReport:
        problem: str | None = None
        try:
            self._everything(withdraw=withdraw)
        except _StoppedError as stopped:
            problem = str(stopped)
        rows = self.outbox.size()
        with self.ledger.transaction("end delivery"):
            if problem is None and not withdraw:
                self.outbox.finish(self.delivered)
            if self.share is not None:
                told = problem or (f"{self.rejected} rows were refused" if self.rejected else None)
                shares.end(self.ledger, self.share, rows=rows, complete=problem is None, detail=told)
        added, changed, removed = self.counts["added"], self.counts["changed"], self.counts["removed"]
        return DeliveryReport(
            self.wanted, self.release.version, added, changed, removed, self.rejected, rows, problem
        )

    def _everything(self, *, withdraw: bool) -> None:
        """Send all changes; the suppression list is read again whenever somebody has changed it meanwhile."""
        with spilling(self.release, self.lake.exports / f".{self.wanted.name}.spill") as connection:
            while self.listed != (standing := suppression.revision(self.ledger)):
                self.listed = standing
                suppressed = suppression.load(self.ledger)
                self.delivered = mark(self.ledger, self.release, self.wanted, suppressed)
                _plan(connection, suppressed, self.wanted, self.outbox, withdraw=withdraw)
                with contextlib.suppress(_ListChangedError):
                    for changes in _batches(connection, self.settings.batch_rows):
                        self._settle(changes)
        if self.kept:
            raise _StoppedError(f"it refused to remove {self.kept}")

    def _check_list(self) -> None:
        if suppression.revision(self.ledger) != self.listed:
            raise _ListChangedError

    def _settle(self, changes: Sequence[Change]) -> None:
        """Have a batch accepted; one that is refused is halved until the rows that are wrong are alone."""
        waiting = deque([changes])
        while waiting:
            if self.clock.seconds() > self.until:
                raise _StoppedError("the time of this run is up")
            self._check_list()
            part = waiting.popleft()
            answer = self._answered(part)
            if answer.status // 100 == 2:
                self._accept(part, answer)
            elif len(part) > 1:
                half = len(part) // 2
                waiting.extendleft([part[half:], part[:half]])
                self._commit("refused", [], [], answer.status)
            else:
                self._commit("refused", [], part, answer.status)

    def _accept(self, part: Sequence[Change], answer: Answer) -> None:
        taken = [change for change in part if change.key not in answer.rejected]
        left = [change for change in part if change.key in answer.rejected]
        self._commit("accepted", taken, left, answer.status)

    def _commit(self, name: str, taken: Sequence[Change], left: Sequence[Change], status: int) -> None:
        counted = {op: sum(change.op == op for change in taken) for op in self.counts}
        with self.ledger.transaction(f"delivery {name}"):
            self.outbox.accept(taken)
            self.outbox.reject(left, status, self.clock.now())
            self.outbox.next()
            if self.share is not None:
                shares.add(self.ledger, self.share, counted)
        self.counts = {op: self.counts[op] + counted[op] for op in self.counts}
        self.rejected += len(left)
        self.kept += sum(change.op == "removed" for change in left)
        if self.rejected >= self.settings.max_rejected:
            raise _StoppedError(f"it refused {self.rejected} rows, the last with status {status}")

    def _answered(self, part: Sequence[Change]) -> Answer:
        """Return the answer to a batch that needs no further try."""
        body = wire.body_of(part, self.settings.body)
        with self.ledger.transaction("delivery begins"):
            number = self.outbox.begin(part, body)
            if self.share is None:
                self.share = self._share()
        batch = Batch(
            self.wanted.name, self.release.version, number, body, wire.content_type(self.settings.body)
        )
        why = ""
        for attempt in range(self.settings.attempts):
            wait: float | None = None
            try:
                durable.step("send batch")
                answer = self.sender.send(batch, self.clock.now())
                durable.step("sent batch")
            except UnreachableError as error:
                why = f"it could not be reached ({error})"
            else:
                if answer.status // 100 == 2 or answer.status in wire.REFUSED:
                    return answer
                if answer.status < 500 and answer.status not in wire.RETRIED:
                    raise _StoppedError(f"it answered with status {answer.status}")
                why, wait = f"it answered with status {answer.status}", answer.wait
            if attempt + 1 < self.settings.attempts:
                self._wait(wait, attempt, why)
                self._check_list()
        raise _StoppedError(f"{why}, {self.settings.attempts} times")

    def _wait(self, asked: float | None, attempt: int, why: str) -> None:
        wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) if asked is None else asked
        if self.clock.seconds() + wait > self.until:
            raise _StoppedError(f"{why}, and the time of this run is up")
        self.clock.sleep(wait)

    def _share(self) -> int:
        wanted, url = self.wanted, urlsplit(self.settings.url)
        place = f"{url.scheme}://{url.netloc}"  # paths and queries of web hooks are secrets
        sent = shares.Sent(
            wanted.name,
            place,
            "http",
            wanted.purpose,
            wanted.channel,
            wanted.segment,
            self.release.version,
            self.caller,
        )
        return shares.begin(self.ledger, sent, now=self.now)


def _plan(
    connection: duckdb.DuckDBPyConnection,
    suppressed: Suppressed,
    wanted: Export,
    outbox: Outbox,
    *,
    withdraw: bool,
) -> None:
    """Fill the temp table ``changes_to_send``."""
    columns_of(wanted)
    select_rows(connection, wanted, suppressed)
    key = dataset_of(wanted).key
    if key is None:
        raise UsageError(f"The dataset {wanted.dataset!r} has no key by which a change could be told.")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE wanted_rows AS SELECT r.{key} AS key, "
        f"to_json({as_json(connection, 'exported')})::VARCHAR AS row FROM exported AS r "
        f"{'LIMIT 0' if withdraw else ''}"
    )
    for name, table in (("had", outbox.delivered()), ("refused", outbox.rejected())):
        connection.register(name, table)
    connection.execute(_PLAN.format(digits=_DIGITS))
    for name in ("had", "refused"):
        connection.unregister(name)


def _batches(connection: duckdb.DuckDBPyConnection, rows: int) -> Iterator[list[Change]]:
    cursor = connection.execute("SELECT op, key, row, digest, merged_into FROM changes_to_send")
    while found := cursor.fetchmany(rows):
        yield [Change(*row) for row in found]
