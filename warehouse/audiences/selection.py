"""Who of a release may leave, and why others may not: segment, suppression, consent, addresses, match probability.

Every exporter asks here, and nowhere else: what is decided here holds for files, for lists of
advertisers' networks, for HTTP destinations, for the API's streams and for downloads from the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cdp.errors import NotFoundError, UsageError, nearest
from cdp.events import CHANNELS
from cdp.settings.exporting import INTERNAL
from warehouse import suppression

if TYPE_CHECKING:
    import duckdb

    from cdp.suppression import Suppressed


@dataclass(frozen=True)
class Audience:
    """Who is asked for, and what for.

    ``purpose`` other than ``internal`` leaves out everybody who is on the suppression list or has not consented
    to it (on ``channel`` where one is named; else: granted on some channel, and denied on none), or who has an
    e-mail address or telephone number with somebody who has denied it: nobody is reached there.
    ``min_probability`` leaves out customers whose weakest record matched with less. ``segment``: its members
    in this release, None: all customers. Raises :class:`UsageError` where ``channel`` is none of
    :data:`cdp.events.CHANNELS`: nobody could have denied it there.
    """

    purpose: str
    channel: str | None = None
    min_probability: float = 0.0
    segment: str | None = None

    def __post_init__(self) -> None:
        if self.channel and self.channel.lower() not in CHANNELS:
            close = nearest(self.channel, CHANNELS)
            hint = f"Did you mean {close!r}?" if close else f"Expected one of {', '.join(CHANNELS)}."
            raise UsageError(f"{self.channel!r} is no known channel.", hint=hint)

    @property
    def internal(self) -> bool:
        """Whether neither consent nor the suppression list is asked."""
        return self.purpose == INTERNAL


@dataclass(frozen=True)
class Selection:
    """A query for the ids of the customers who may leave (column ``customer_id``), with its parameters."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Funnel:
    """How many of an audience may leave, and why others may not: each is counted at the first reason."""

    members: int
    suppressed: int
    no_consent: int
    denied_address: int
    low_probability: int

    @property
    def allowed(self) -> int:
        """How many may leave."""
        return self.members - self.suppressed - self.no_consent - self.denied_address - self.low_probability


# The newest word counts, of two at once the denial; one without a time is older than all others.
_NEWEST: Final = (
    "arg_max(w.state, {moment: coalesce(w.decided_at, '-infinity'::TIMESTAMPTZ), denied: w.state = 'denied'})"
)

_CONSENT_ON: Final = f"""
    SELECT w.customer_id FROM customer_consents AS w
    WHERE (w.purpose IS NULL OR w.purpose = $purpose) AND (w.channel IS NULL OR w.channel = $channel)
    GROUP BY w.customer_id HAVING {_NEWEST} =
"""

_CONSENT: Final = f"""
    WITH words AS (SELECT * FROM customer_consents WHERE purpose IS NULL OR purpose = $purpose),
    states AS (
        SELECT asked.customer_id, asked.channel, {_NEWEST} AS state
        FROM (SELECT DISTINCT customer_id, channel FROM words) AS asked
        JOIN words AS w
            ON w.customer_id = asked.customer_id AND (w.channel IS NULL OR w.channel = asked.channel)
        GROUP BY asked.customer_id, asked.channel
    )
    SELECT customer_id FROM states GROUP BY customer_id HAVING
"""
_SOME_GRANTED: Final = "bool_or(state = 'granted') AND NOT bool_or(state = 'denied')"
_SOME_DENIED: Final = "bool_or(state = 'denied')"

_SHARED_WITH: Final = """
    SELECT s.customer_id FROM shared_addresses AS s
    JOIN (SELECT * FROM shared_addresses SEMI JOIN ({}) USING (customer_id)) AS d
        ON d.type = s.type AND d.value = s.value AND d.customer_id <> s.customer_id
"""

_MEMBERS: Final = (
    "SELECT customer_id FROM segment_members WHERE segment_id = $segment AND exited_release IS NULL"
)
_REASONS: Final = ("suppressed", "no_consent", "denied_address", "low_probability")


def select(
    connection: duckdb.DuckDBPyConnection,
    audience: Audience,
    suppressed: Suppressed,
    members: Sequence[str] | None = None,
) -> Selection:
    """Return the query for those who may leave. Raises :class:`NotFoundError` for an unknown segment.

    ``suppressed`` is the suppression list as it stands now, not as it was when the release was made.
    ``members``: ids of who is in the segment, where its rule is newer than the release.
    """
    marked, parameters = _marked(connection, audience, suppressed, members)
    nobody = " OR ".join(_REASONS)
    return Selection(f"SELECT customer_id FROM ({marked}) WHERE NOT ({nobody})", parameters)


def funnel(
    connection: duckdb.DuckDBPyConnection,
    audience: Audience,
    suppressed: Suppressed,
    members: Sequence[str] | None = None,
) -> Funnel:
    """Return how many may leave, and why others may not; see :func:`select`."""
    marked, parameters = _marked(connection, audience, suppressed, members)
    (counts,) = connection.execute(
        f"""
        SELECT count(*), count_if(suppressed), count_if(no_consent AND NOT suppressed),
            count_if(denied_address AND NOT no_consent AND NOT suppressed),
            count_if(low_probability AND NOT denied_address AND NOT no_consent AND NOT suppressed)
        FROM ({marked})
        """,
        parameters,
    ).fetchall()
    return Funnel(*(int(count) for count in counts))


def _marked(
    connection: duckdb.DuckDBPyConnection,
    audience: Audience,
    suppressed: Suppressed,
    members: Sequence[str] | None,
) -> tuple[str, dict[str, Any]]:
    """Return a query of everybody in the audience with the reasons why each may not leave."""
    parameters: dict[str, Any] = {"least": audience.min_probability}
    listed = consented = shared = "false"
    if not audience.internal:
        parameters |= {"purpose": audience.purpose.lower()}
        if audience.channel:
            parameters |= {"channel": audience.channel.lower()}
        granted, denied = _words(audience)
        consented = f"c.customer_id NOT IN ({granted})"
        shared = f"c.customer_id IN ({_SHARED_WITH.format(denied)})"
        ids = suppression.customers(connection, suppressed)["customer_id"].to_pylist()
        if ids:
            parameters |= {"listed": ids}
            listed = "c.customer_id IN (SELECT unnest($listed::VARCHAR[]))"
    where = ""
    if members is not None:
        parameters |= {"members": list(members)}
        where = "WHERE c.customer_id IN (SELECT unnest($members::VARCHAR[]))"
    elif audience.segment is not None:
        _check_segment(connection, audience.segment)
        parameters |= {"segment": audience.segment}
        where = f"WHERE c.customer_id IN ({_MEMBERS})"
    marked = f"""
        SELECT c.customer_id, {listed} AS suppressed, {consented} AS no_consent,
            {shared} AS denied_address, coalesce(c.match_probability, 1) < $least AS low_probability
        FROM customers AS c {where}
    """
    return marked, parameters


def _words(audience: Audience) -> tuple[str, str]:
    """Return queries of those who have granted what an audience is for, and of those who have denied it."""
    if audience.channel:
        return f"{_CONSENT_ON} 'granted'", f"{_CONSENT_ON} 'denied'"
    return f"{_CONSENT} {_SOME_GRANTED}", f"{_CONSENT} {_SOME_DENIED}"


def _check_segment(connection: duckdb.DuckDBPyConnection, segment: str) -> None:
    """Raise where the release has no such segment: nobody in it would read as `remove everybody`."""
    known = [str(row[0]) for row in connection.execute("SELECT DISTINCT segment_id FROM segments").fetchall()]
    if segment in known:
        return
    close = nearest(segment, known)
    hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(sorted(known)) or 'none'}."
    raise NotFoundError(f"The release has no segment {segment!r}.", hint=hint)
