"""How much a caller may ask for: requests a minute, rows a day, attempts to sign in."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from cdp.ledger import timestamp
from warehouse.serve.problems import TooManyError
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store

SIGN_IN_ATTEMPTS: Final = 20
SIGN_IN_PER_MINUTE: Final = 4
_MOST_BUCKETS: Final = 20_000
_KEEP_DAYS: Final = 35


class Buckets:
    """A token bucket per name: so many at once, refilled so many a minute. Kept in memory, of this process.

    >>> buckets = Buckets(clock=lambda: 0.0)
    >>> [buckets.take("key", per_minute=2) for _ in range(3)]
    [0.0, 0.0, 30.0]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, *, per_minute: float, at_once: float | None = None) -> float:
        """Take one from a bucket; return 0, or in how many seconds there will be one."""
        with self._lock:
            wait, left, now = self._look(name, per_minute, at_once or per_minute)
            if not wait:
                self._left[name] = left - 1, now
                self._left.move_to_end(name)
                if len(self._left) > _MOST_BUCKETS:
                    self._left.popitem(last=False)
        return wait

    def wait(self, name: str, *, per_minute: float, at_once: float | None = None) -> float:
        """Return in how many seconds there will be one to take; 0 where there is."""
        with self._lock:
            return self._look(name, per_minute, at_once or per_minute)[0]

    def _look(self, name: str, per_minute: float, most: float) -> tuple[float, float, float]:
        now, rate = self._clock(), per_minute / 60
        left, then = self._left.get(name, (most, now))
        left = min(most, left + (now - then) * rate)
        return max(0.0, (1 - left) / rate), left, now


def spend_request(buckets: Buckets, caller: Caller, default: int) -> None:
    """Count a request. Raises :class:`TooManyError` where the minute's are used up."""
    limit = caller.requests_per_minute or default
    wait = buckets.take(caller.key_id, per_minute=limit)
    if wait:
        raise TooManyError(f"This key may ask {limit:,} times a minute.", seconds=math.ceil(wait))


def check_sign_in(buckets: Buckets, address: str) -> None:
    """Refuse to look at an attempt to sign in where too many have failed. Raises :class:`TooManyError`.

    They count by the client's network address.
    """
    wait = buckets.wait(f"sign-in {address}", per_minute=SIGN_IN_PER_MINUTE, at_once=SIGN_IN_ATTEMPTS)
    if wait:
        raise TooManyError("Too many attempts to sign in.", seconds=math.ceil(wait))


def count_failed_sign_in(buckets: Buckets, address: str) -> None:
    """Count an attempt to sign in that failed."""
    buckets.take(f"sign-in {address}", per_minute=SIGN_IN_PER_MINUTE, at_once=SIGN_IN_ATTEMPTS)


def spend_rows(store: Store, caller: Caller, rows: int, *, now: datetime, default: int) -> None:
    """Count rows that leave for a caller. Raises :class:`TooManyError` where the day's are used up.

    ``default`` is the limit of keys that have none of their own. Days are UTC's.
    """
    day = f"{now.astimezone(UTC):%Y-%m-%d}"
    with store.transaction():
        found = store.rows("SELECT rows_per_day FROM keys WHERE key_id = ?", (caller.key_id,))
        limit = found[0][0] if found and found[0][0] is not None else default
        query = "SELECT rows FROM spent_rows WHERE key_id = ? AND day = ?"
        spent = next((row[0] for row in store.rows(query, (caller.key_id, day))), 0)
        if spent + rows > limit:
            raise TooManyError(
                f"This key may read {limit:,} rows a day; {max(limit - spent, 0):,} are left, {rows:,} were asked for.",
                seconds=_seconds_to_midnight(now),
            )
        store.execute(
            "INSERT INTO spent_rows (key_id, day, rows) VALUES (?, ?, ?) "
            "ON CONFLICT (key_id, day) DO UPDATE SET rows = rows + excluded.rows",
            (caller.key_id, day, rows),
        )


def drop_old(store: Store, now: datetime) -> None:
    """Forget the counts of days long gone."""
    store.execute("DELETE FROM spent_rows WHERE day < ?", (timestamp(now - timedelta(days=_KEEP_DAYS))[:10],))


def _seconds_to_midnight(now: datetime) -> int:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today + timedelta(days=1) - now).total_seconds()) + 1
