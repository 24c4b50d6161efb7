"""The measures for marketing, slowly: loops over one customer's events, as docs/explanation/measures.md says them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from cdp.events import UNATTENDED_OUTCOMES
from warehouse.measures import roles

Row = dict[str, Any]


def counts(row: Row) -> bool:
    """Whether somebody did it, at a time that can be."""
    return row.get("time_flag") in (None, "ambiguous") and row.get("outcome") not in UNATTENDED_OUTCOMES


class History:
    """The events of one customer, and which sources tell only of arrival."""

    def __init__(self, events: Sequence[Row], arrival_sources: set[tuple[str, str]]) -> None:
        self.events = [row for row in events if counts(row)]
        self.arrival_sources = arrival_sources

    def has(self, row: Row, bit: int) -> bool:
        bits = roles.ROLES[row["event_type"]]
        arrives = bits & roles.DELIVERY and (row["source"], row["channel"]) in self.arrival_sources
        return bool(bits & bit or (arrives and bit in (roles.TOUCH, roles.REPLY)))

    def conversation(self, row: Row) -> str:
        thread = row.get("reference")
        if thread is None:
            return ""
        same = [e for e in self.events if e["channel"] == row["channel"] and e.get("reference") == thread]
        spoke = any(self.has(e, roles.RESPONSE) or self.has(e, roles.AWAITS) for e in same)
        spoken_to = any(self.has(e, roles.TOUCH) or self.has(e, roles.REPLY) for e in same)
        return thread if spoke and spoken_to else ""

    def conversations(self) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.events:
            found[row["channel"], self.conversation(row)].append(row)
        return found

    def answered(self, window: timedelta) -> dict[tuple[str, str, datetime, str], datetime]:
        """(channel, conversation, time and campaign of the touch) -> time of the first response."""
        found: dict[tuple[str, str, datetime, str], datetime] = {}
        for (channel, thread), rows in self.conversations().items():
            touches = [(r["occurred_at"], r.get("campaign") or "") for r in rows if self.has(r, roles.TOUCH)]
            for row in rows:
                at = row["occurred_at"]
                before = [touch for touch in touches if touch[0] <= at]
                if self.has(row, roles.RESPONSE) and before and at - max(before)[0] <= window:
                    key = (channel, thread, *max(before))
                    found[key] = min(found.get(key, at), at)
        return found

    def waits(self, window: timedelta) -> list[tuple[str, datetime, datetime | None]]:
        """(channel, first message, our reply or None) of each time that the person waited."""
        found: list[list[Any]] = []
        for (channel, _), rows in self.conversations().items():
            acts = {(r["occurred_at"], True) for r in rows if self.has(r, roles.AWAITS)}
            acts |= {
                (r["occurred_at"], False) for r in rows if self.has(r, roles.REPLY) and not r.get("campaign")
            }
            last: datetime | None = None
            replied = False
            open_waits: list[list[Any]] = []
            for at, is_message in sorted(acts):
                if is_message:
                    if last is None or replied or at - last > window:
                        open_waits.append([channel, at, None])
                    last, replied = at, False
                else:
                    for wait in open_waits:
                        if wait[2] is None and wait[1] < at <= wait[1] + window:
                            wait[2] = at
                    replied = last is not None and at > last
            found += open_waits
        return [(channel, first, reply) for channel, first, reply in found]

    def purchases(self) -> list[datetime]:
        rows = [e for e in self.events if e["event_type"] == "order_placed"]
        rows = rows or [e for e in self.events if e["event_type"] == "donation_made"]
        return sorted({row["occurred_at"] for row in rows})

    def credited(self, window: timedelta) -> list[tuple[str, str, str]]:
        """(order, campaign, channel) of each order or donation that some act of the person earns a campaign."""
        bits = roles.CLICK | roles.VISIT | roles.RESPONSE
        acts = [
            (e["occurred_at"], e["campaign"], e["channel"])
            for e in self.events
            if e.get("campaign") and roles.ROLES[e["event_type"]] & bits
        ]
        found = []
        for row in self.events:
            if row["event_type"] in ("order_placed", "donation_made"):
                before = [act for act in acts if act[0] <= row["occurred_at"]]
                if before and row["occurred_at"] - max(before)[0] <= window:
                    found.append((row["event_id"], *max(before)[1:]))
        return found


def lifecycle(
    moments: Sequence[datetime], today: datetime, lapsing: timedelta, lapsed: timedelta
) -> list[tuple[datetime, str]]:
    """Entries of a buyer, by walking through time."""
    found: list[tuple[datetime, str]] = []
    for number, moment in enumerate(moments):
        state = found[-1][1] if found else None
        if state != "customer":
            found.append((moment, "won_back" if state == "lapsed" else "customer"))
        following = moments[number + 1] if number + 1 < len(moments) else None
        for threshold, stage in ((lapsing, "lapsing"), (lapsed, "lapsed")):
            end = moment + threshold
            if (following is not None and end < following) or (following is None and end <= today):
                found.append((end, stage))
    return found


def quintile(value: Any, values: Iterable[Any]) -> int:
    """Score of a value among all: equal values score alike."""
    everybody = list(values)
    return 1 + 5 * sum(other < value for other in everybody) // len(everybody)
