"""How much a key may ask for: requests a minute, rows a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from warehouse.serve.problems import TooManyError
from warehouse.serve.scopes import Caller
from warehouse.serve.store import Store

ROWS_PER_DAY: Final = 50_000_000


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
            "INSERT INTO spent_rows VALUES (?, ?, ?) "
            "ON CONFLICT (key_id, day) DO UPDATE SET rows = rows + excluded.rows",
            (caller.key_id, day, rows),
        )


def _seconds_to_midnight(now: datetime) -> int:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today + timedelta(days=1) - now).total_seconds()) + 1
