"""What every connector must hold to: laws that a test runs over a connector and its items.

``stand`` takes an item all the way from bytes to events, without a workspace. A ``Trial`` is a connector
before an item; each law takes one and raises ``AssertionError`` with what broke it. ``LAWS`` lists them
all. A new connector's tests run every law over its samples, over damaged samples and arbitrary bytes.
"""

# ruff: noqa: S101 - laws are assertions
from __future__ import annotations

import functools
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from cdp.duck import connect, identifier
from cdp.events import CHANNELS, DIRECTIONS, EVENT_TYPES
from cdp.identifiers import IDENTIFIER_TYPES, normalise
from cdp.schemas import EVENTS, QUARANTINE, RAW, TRAITS
from connectors.compile import COLUMNS, SourceContext
from connectors.envelopes import EnvelopeContext, seal
from connectors.mapping import Mapping
from connectors.protocol import CHUNK_ROWS, Chunk, Connector, SplitContext
from connectors.reading import Gathered, Item
from connectors.standardise import StandardisedBatch, standardise

if TYPE_CHECKING:
    import duckdb

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REASON = re.compile(r"[a-z][a-z0-9_]{2,39}")

# What the expressions of a mapping may use besides the fields that it declares.
ENVELOPE_NAMES = ("payload", "type", "event_id", "channel", "event_type")
ENVELOPE_TIMES = ("sent_at", "received_at")


@dataclass(frozen=True)
class Stood:
    """What became of an item: its raw rows, its rejected pieces, events and outcomes."""

    raw: pa.Table
    quarantine: pa.Table
    batch: StandardisedBatch

    @property
    def events(self) -> pa.Table:
        """The standardised events (``cdp.schemas.EVENTS``)."""
        return self.batch.events

    @property
    def envelopes(self) -> int:
        """How many envelopes the item had, readable or not."""
        return int(self.raw.num_rows + self.quarantine.num_rows)

    def reasons(self) -> dict[str, int]:
        """Return how many envelopes are no event, by ``outcome:reason``."""
        found = Counter(f"{row['outcome']}:{row['reason']}" for row in self.batch.outcomes.to_pylist())
        found.update(f"quarantined:{reason}" for reason in self.quarantine["reason"].to_pylist())
        return dict(sorted(found.items()))


def split(connector: Connector, data: bytes, origin: str = "item") -> list[Chunk]:
    """Return the chunks of an item."""
    return list(connector.split(data, SplitContext(origin)))


def default_context(connector: Connector) -> SourceContext:
    """Return the context of a source called like its connector, without addresses of our own."""
    return SourceContext(connector.name, connector.name, region="GB")


def stand(
    connector: Connector,
    data: bytes,
    context: SourceContext | None = None,
    *,
    origin: str = "item",
    now: datetime = NOW,
) -> Stood:
    """Return what becomes of an item, from its bytes to its events."""
    context = context or default_context(connector)
    item, gathered = Item(hashlib.sha256(data).hexdigest()), Gathered()
    for chunk in split(connector, data, origin):
        gathered.add(chunk, item)
    if not gathered:
        raw, quarantine = RAW.empty_table(), QUARANTINE.empty_table()
    else:
        envelope = EnvelopeContext(context.source, "b1", now, context.timezone, context.region)
        with connect() as connection:
            raw, quarantine = seal(connection, connector, gathered, envelope)
    return Stood(raw, quarantine, standardise(raw, connector, context, file_id=1))


@dataclass(frozen=True)
class Trial:
    """A connector before an item."""

    connector: Connector
    data: bytes

    @functools.cached_property
    def chunks(self) -> list[Chunk]:
        """What the connector splits the item into."""
        return split(self.connector, self.data)

    @functools.cached_property
    def payloads(self) -> list[bytes]:
        """The payloads of all chunks."""
        return [payload for chunk in self.chunks for payload in chunk.payloads]

    @functools.cached_property
    def stood(self) -> Stood:
        """What becomes of the item."""
        return stand(self.connector, self.data)


def pieces_are_numbered(trial: Trial) -> None:
    """Rows are positive, unique in the item and in its order; a chunk is no longer than allowed."""
    last = 0
    for chunk in trial.chunks:
        assert len(chunk.payloads) == len(chunk.rows), "a payload without its row"
        assert not chunk.sent or len(chunk.sent) == len(chunk.rows), "sent is for all payloads or for none"
        assert 0 < len(chunk) <= CHUNK_ROWS, f"a chunk of {len(chunk)} pieces"
        assert chunk.rows == sorted(set(chunk.rows)), "rows out of order, or twice"
        rows = sorted([*chunk.rows, *(piece.row for piece in chunk.rejected)])
        assert len(set(rows)) == len(rows), "a row twice"
        assert rows[0] > last, "a row of an earlier chunk again"
        last = rows[-1]


def nothing_is_lost(trial: Trial) -> None:
    """Every piece lands verbatim, once: as an envelope or in quarantine with a reason."""
    stood, given = trial.stood, Counter(trial.payloads)
    given.update(piece.payload for chunk in trial.chunks for piece in chunk.rejected)
    assert Counter([*stood.raw["payload"].to_pylist(), *stood.quarantine["payload"].to_pylist()]) == given
    for reason in stood.quarantine["reason"].to_pylist():
        assert REASON.fullmatch(reason), f"{reason!r} is no word for a reason"
    if not trial.chunks:  # nothing but blanks, an empty array, or a header without rows
        rest = trial.data.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\f\v,[]\x1e")
        assert rest.count(b"\n") == 0, "bytes that became nothing"


def every_envelope_has_one_fate(trial: Trial) -> None:
    """Each raw row is part of an event or has one outcome with a reason, never both, never neither."""
    stood = trial.stood
    members = set(stood.batch.members["raw_row"].to_pylist())
    fates = [row["raw_row"] for row in stood.batch.outcomes.to_pylist()]
    assert len(set(fates)) == len(fates), "two outcomes for one envelope"
    assert members.isdisjoint(fates), "an envelope is an event and has an outcome"
    assert members | set(fates) == set(range(stood.raw.num_rows)), "an envelope without a fate"
    for row in stood.batch.outcomes.to_pylist():
        assert row["outcome"] in ("ignored", "quarantined"), row["outcome"]
        assert row["reason"] is not None, "an outcome without a reason"
        assert REASON.fullmatch(row["reason"]), f"{row['reason']!r} is no word for a reason"


def events_keep_to_the_schema(trial: Trial) -> None:
    """Events have the schema, the vocabulary's words, times with their flags, and distinct ids."""
    stood = trial.stood
    assert stood.events.schema.equals(EVENTS), "not the events schema"
    ids = stood.events["event_id"].to_pylist()
    envelope_ids = stood.raw["event_id"].to_pylist()
    if len(set(envelope_ids)) == len(envelope_ids):
        assert len(set(ids)) == len(ids), "one event id twice"
    for event in stood.events.to_pylist():
        assert event["event_type"] in EVENT_TYPES, event["event_type"]
        assert event["channel"] in CHANNELS, event["channel"]
        assert event["direction"] in (None, *DIRECTIONS), event["direction"]
        assert (event["time_flag"] == "missing") == (event["occurred_text"] is None), event["time_flag"]
        assert event["consent_state"] in (None, "granted", "denied"), event["consent_state"]
        assert (event["consent_state"] is None) == (event["consent_purpose"] is None), "half a consent"


def identifiers_are_normalised(trial: Trial) -> None:
    """Identifiers are in canonical form, each once, and one of them gives the record key."""
    for event in trial.stood.events.to_pylist():
        found = [(one["type"], one["namespace"], one["value"]) for one in event["identifiers"]]
        assert len(set(found)) == len(found), "an identifier twice"
        for kind, namespace, value in found:
            assert kind in IDENTIFIER_TYPES, kind
            assert namespace is not None, "an identifier without a namespace"
            assert normalise(kind, value) == value, f"{kind} is not in canonical form"
        keys = [f"{event['source']}:{value}" for _, _, value in found]
        assert event["record_key"] in keys if keys else event["record_key"] is None, (
            "a record key that no identifier gives"
        )


def splitting_repeats(trial: Trial) -> None:
    """The same bytes give the same pieces, and the same events, again."""
    assert split(trial.connector, trial.data) == trial.chunks
    one, two = trial.stood, stand(trial.connector, trial.data)
    assert one.raw.equals(two.raw)
    assert one.events.equals(two.events)
    assert one.batch.outcomes.equals(two.batch.outcomes)


def replay_gives_the_same(trial: Trial) -> None:
    """Standardising envelopes apart and in another order gives the events of doing it at once."""
    stood = trial.stood
    count = stood.raw.num_rows
    if trial.connector.mapping.grouped or count < 2:
        return
    order = random.Random(count).sample(range(count), count)  # noqa: S311 - any order will do
    halves = [order[: count // 2], order[count // 2 :]]
    batches = [
        standardise(
            stood.raw.take(pa.array(half, pa.int64())),
            trial.connector,
            default_context(trial.connector),
            file_id=1,
            rows=pa.array(half, pa.int64()),
        )
        for half in halves
    ]
    again = pa.concat_tables([batch.events for batch in batches])
    keys = [("raw_row", "ascending"), ("event_id", "ascending")]
    assert again.sort_by(keys).equals(stood.events.sort_by(keys)), "another slicing, other events"
    assert sum(batch.outcomes.num_rows for batch in batches) == stood.batch.outcomes.num_rows


def a_cut_loses_only_the_tail(trial: Trial) -> None:
    """Of an item that was cut off, all pieces but the last are those of the whole item."""
    whole = trial.payloads
    for cut in _cuts(trial.data):
        part = Trial(trial.connector, trial.data[:cut]).payloads
        assert part[:-1] == whole[: max(0, len(part) - 1)], f"cut at {cut}: other pieces than the whole has"
        kept = _pieces_before(whole, trial.data, cut)
        if kept is not None:
            assert len(part) >= kept, f"cut at {cut}: {kept} pieces are whole, {len(part)} were found"


def _cuts(data: bytes) -> Sequence[int]:
    some = random.Random(len(data)).sample(range(len(data)), min(len(data), 24))  # noqa: S311
    return sorted({*some, max(0, len(data) - 1)})


def _pieces_before(whole: Sequence[bytes], data: bytes, cut: int) -> int | None:
    """Return how many pieces end before ``cut``; None where pieces are no parts of the bytes."""
    at = count = 0
    for payload in whole:
        start = data.find(payload.rstrip(b"\n"), at)
        if start < 0:
            return None
        at = start + len(payload.rstrip(b"\n"))
        count += at <= cut
    # A single document (a webhook body, a mail) is a piece only as a whole, so its end must be in.
    return count if len(whole) > 1 else None


LAWS: tuple[Callable[[Trial], None], ...] = (
    pieces_are_numbered,
    nothing_is_lost,
    every_envelope_has_one_fate,
    events_keep_to_the_schema,
    identifiers_are_normalised,
    splitting_repeats,
    replay_gives_the_same,
    a_cut_loses_only_the_tail,
)
"""Laws over a connector and an item."""

SAFETY_LAWS: tuple[Callable[[Trial], None], ...] = LAWS[:5]
"""The laws that hold for any bytes whatever, which is where arbitrary ones are tried."""


def mapping_is_sound(mapping: Mapping) -> None:
    """Every expression reads only what is declared, and every declared field is read."""
    expressions = dict(_expressions(mapping))
    columns = [f"NULL::VARCHAR AS {identifier(name)}" for name in (*mapping.fields, *ENVELOPE_NAMES)]
    columns += [f"NULL::TIMESTAMPTZ AS {name}" for name in ENVELOPE_TIMES]
    clash = set(mapping.fields) & {*ENVELOPE_NAMES, *ENVELOPE_TIMES, "doc", "raw_row", "f"}
    assert not clash, f"fields named like the envelope's: {sorted(clash)}"
    with connect() as connection:
        for name, sql in expressions.items():
            _binds(connection, name, f"SELECT ({sql})::VARCHAR FROM (SELECT {', '.join(columns)})")
    text = " ".join(expressions.values())
    unread = [name for name in mapping.fields if not re.search(rf"\b{re.escape(name)}\b", text)]
    assert not unread, f"declared and never read: {unread}"
    assert set(mapping.columns) <= set(COLUMNS), f"no such columns: {set(mapping.columns) - set(COLUMNS)}"
    assert set(mapping.traits) <= set(TRAITS), f"no such traits: {set(mapping.traits) - set(TRAITS)}"
    for kind in [*(rule.type for rule in mapping.identifiers), *(rule.type for rule in mapping.parties)]:
        assert kind in IDENTIFIER_TYPES, kind


def _binds(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    import duckdb

    try:
        connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        raise AssertionError(f"{name}: {error}") from error


def _expressions(mapping: Mapping) -> Iterator[tuple[str, str]]:
    for name in ("event_type", "occurred_at", "properties", "ignore", "quarantine", "received_field"):
        yield name, getattr(mapping, name)
    yield "event_id", mapping.event_id or "NULL"
    yield from ((f"columns.{name}", sql) for name, sql in mapping.columns.items())
    yield from ((f"traits.{name}", sql) for name, sql in mapping.traits.items())
    for n, rule in enumerate(mapping.identifiers):
        yield f"identifiers.{n}", rule.value
        yield f"identifiers.{n}.namespace", rule.namespace or "NULL"
    for n, party in enumerate(mapping.parties):
        for name in ("sender", "receiver", "direction", "sender_name", "receiver_name"):
            yield f"parties.{n}.{name}", getattr(party, name)
        yield f"parties.{n}.namespace", party.namespace or "NULL"
