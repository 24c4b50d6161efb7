"""What a destination has, as the ledger knows it: acknowledged, on its way, refused.

Before a batch leaves, its keys are marked as pending; when it is acknowledged, they are settled. So
a run after one that died sends what may have been lost again, under the same idempotency key where the
batch is still the same, and takes back what may have arrived of those who must not be there any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cdp.ledger import Ledger, timestamp
from warehouse.audiences.wire import Change

if TYPE_CHECKING:
    import pyarrow as pa


def destination_id(export: str, url: str) -> str:
    """Return the name of a destination: another address is another destination, that has nothing yet."""
    return f"{export}@{hashlib.sha256(url.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Outbox:
    """The ledger's rows of one destination."""

    ledger: Ledger
    destination: str
    export: str

    def done(self) -> str | None:
        """Return what the destination has been given whole: release and definition."""
        found = self.ledger.value("SELECT done FROM destinations WHERE destination = ?", (self.destination,))
        return None if found is None else str(found)

    def size(self) -> int:
        """Return how many keys the destination has, as far as it said so."""
        query = "SELECT count(*) FROM delivered WHERE destination = ? AND digest IS NOT NULL"
        return int(self.ledger.value(query, (self.destination,)))

    def delivered(self) -> pa.Table:
        """Return columns key, digest, pending."""
        import pyarrow as pa

        rows = self.ledger.rows(
            "SELECT key, digest, pending FROM delivered WHERE destination = ?", (self.destination,)
        )
        keys, digests, pending = zip(*rows, strict=True) if rows else ((), (), ())
        text = pa.string()
        return pa.table(
            {
                "key": pa.array(keys, text),
                "digest": pa.array(digests, text),
                "pending": pa.array([bool(one) for one in pending], pa.bool_()),
            }
        )

    def rejected(self) -> pa.Table:
        """Return columns key, digest of the rows that were refused; removals are not among them: tried always."""
        import pyarrow as pa

        rows = self.ledger.rows(
            "SELECT key, digest FROM rejected WHERE destination = ? AND op <> 'removed'", (self.destination,)
        )
        keys, digests = zip(*rows, strict=True) if rows else ((), ())
        return pa.table({"key": pa.array(keys, pa.string()), "digest": pa.array(digests, pa.string())})

    def begin(self, changes: Sequence[Change], body: bytes) -> int:
        """Mark a batch as on its way, inside a transaction; return its number.

        A batch that was on its way when a run died keeps its number where it is still the same.
        """
        digest = hashlib.sha256(body).hexdigest()
        self.ledger.execute(
            "INSERT INTO destinations (destination, export, next_batch, in_flight) VALUES (?, ?, 1, ?) "
            "ON CONFLICT (destination) DO UPDATE SET in_flight = excluded.in_flight, done = NULL, "
            "next_batch = next_batch + (coalesce(in_flight, excluded.in_flight) <> excluded.in_flight)",
            (self.destination, self.export, digest),
        )
        self.ledger.execute_many(
            "INSERT INTO delivered VALUES (?, ?, NULL, 1) ON CONFLICT (destination, key) DO UPDATE SET pending = 1",
            [(self.destination, change.key) for change in changes],
        )
        query = "SELECT next_batch FROM destinations WHERE destination = ?"
        return int(self.ledger.value(query, (self.destination,)))

    def accept(self, changes: Iterable[Change]) -> None:
        """Settle what the destination has acknowledged, inside a transaction."""
        for change in changes:
            if change.op == "removed":
                sql = "DELETE FROM delivered WHERE destination = ? AND key = ?"
                self.ledger.execute(sql, (self.destination, change.key))
            else:
                sql = "UPDATE delivered SET digest = ?, pending = 0 WHERE destination = ? AND key = ?"
                self.ledger.execute(sql, (change.digest, self.destination, change.key))
            sql = "DELETE FROM rejected WHERE destination = ? AND key = ?"
            self.ledger.execute(sql, (self.destination, change.key))

    def reject(self, changes: Iterable[Change], status: int, now: datetime) -> None:
        """Keep what the destination has refused, inside a transaction.

        Its keys stay pending: an earlier batch whose answer was lost may have brought them there.
        """
        self.ledger.execute_many(
            "INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?, ?)",
            [(self.destination, c.key, c.op, c.digest, timestamp(now), status) for c in changes],
        )

    def next(self) -> None:
        """Move on to the next number: this batch has been answered for good, inside a transaction."""
        self.ledger.execute(
            "UPDATE destinations SET next_batch = next_batch + 1, in_flight = NULL WHERE destination = ?",
            (self.destination,),
        )

    def finish(self, done: str) -> None:
        """Say what the destination has been given whole, inside a transaction."""
        self.ledger.execute(
            "INSERT INTO destinations (destination, export, next_batch, done) VALUES (?, ?, 1, ?) "
            "ON CONFLICT (destination) DO UPDATE SET done = excluded.done",
            (self.destination, self.export, done),
        )

    def forget_rejections(self) -> int:
        """Let refused rows be tried again, inside a transaction; return how many."""
        self.ledger.execute("UPDATE destinations SET done = NULL WHERE destination = ?", (self.destination,))
        sql = "DELETE FROM rejected WHERE destination = ?"
        return self.ledger.execute(sql, (self.destination,)).rowcount
