"""A :class:`connectors.mapping.Mapping` compiled to DuckDB SQL.

Two queries with Python between them. ``mapped_query`` reads payloads and evaluates every expression
of the mapping as text. Then identifiers are normalised, distinct value by distinct value, and
``events_query`` casts, decides direction, record key and outcome, and shapes the events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdp.duck import identifier, quote
from cdp.events import EVENT_TYPES, INBOUND, OUTBOUND
from cdp.identifiers import default_namespace
from cdp.schemas import EVENTS, TRAITS
from connectors import times
from connectors.mapping import Mapping, PartyRule

if TYPE_CHECKING:
    import pyarrow as pa

# The order in which a record takes its key from the identifiers of an event (docs: records).
KEY_ORDER = ("user_id", "external_id", "anonymous_id", "email", "phone", "handle")

TEXT_COLUMNS = (
    "subject",
    "reference",
    "campaign",
    "product",
    "agent",
    "department",
    "outcome",
    "consent_purpose",
    "consent_channel",
    "consent_state",
)
NUMBER_COLUMNS = {
    "duration_seconds": "DOUBLE",
    "escalation_level": "INTEGER",
    "self_service": "BOOLEAN",
    "latitude": "DOUBLE",
    "longitude": "DOUBLE",
}
COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS, "amount", "currency", "direction", "channel")
MAX_TEXT = 1_000
BY_DIRECTION = "|"


@dataclass(frozen=True)
class Own:
    """Our own addresses, normalised: they set the direction and never become customers."""

    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    handles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceContext:
    """What standardising needs to know of a source besides its mapping."""

    source: str
    namespace: str
    timezone: str = "UTC"
    region: str | None = None
    brand: str | None = None
    own: Own = field(default_factory=Own)


@dataclass(frozen=True)
class IdentifierColumn:
    """A column of the mapped table that holds raw values of one identifier type."""

    name: str
    type: str


def identifier_columns(mapping: Mapping) -> list[IdentifierColumn]:
    """Return the columns of raw identifier values that ``mapped_query`` gives."""
    columns = [IdentifierColumn(f"id_{n}", rule.type) for n, rule in enumerate(mapping.identifiers)]
    for n, party in enumerate(mapping.parties):
        columns += [
            IdentifierColumn(f"sender_{n}", party.type),
            IdentifierColumn(f"receiver_{n}", party.type),
        ]
    return columns


def _namespace(type_: str, sql: str | None, context: SourceContext) -> str:
    return f"coalesce({sql}, '')" if sql is not None else quote(default_namespace(type_, context.namespace))


def _namespaces(mapping: Mapping, context: SourceContext) -> dict[str, str]:
    found = {f"ns_{n}": (rule.type, rule.namespace) for n, rule in enumerate(mapping.identifiers)}
    found |= {f"party_ns_{n}": (party.type, party.namespace) for n, party in enumerate(mapping.parties)}
    return {name: _namespace(type_, sql, context) for name, (type_, sql) in found.items()}


def mapped_query(mapping: Mapping, context: SourceContext) -> str:
    """Return the query over table ``documents`` (raw_row, document, doc, envelope columns)."""
    names = list(mapping.fields)
    paths = ", ".join(quote(mapping.fields[name]) for name in names)
    extracted = f"json_extract_string(document, [{paths}])" if names else "[]::VARCHAR[]"
    fields = "".join(f", nullif(f[{n}], '') AS {identifier(name)}" for n, name in enumerate(names, 1))
    outputs = {
        "event_type": mapping.event_type,
        "occurred_text": mapping.occurred_at,
        "properties": mapping.properties,
        "ignore_reason": mapping.ignore,
        "quarantine_reason": mapping.quarantine,
        "received_text": mapping.received_field,
        "own_event_id": mapping.event_id or "NULL",
    }
    outputs |= {f"c_{name}": sql for name, sql in mapping.columns.items()}
    outputs |= {f"t_{name}": sql for name, sql in mapping.traits.items()}
    for n, rule in enumerate(mapping.identifiers):
        outputs[f"id_{n}"] = rule.value
    for n, party in enumerate(mapping.parties):
        outputs |= {f"sender_{n}": party.sender, f"receiver_{n}": party.receiver}
        outputs[f"party_direction_{n}"] = party.direction
        if party.has_names:
            outputs |= {f"sender_name_{n}": party.sender_name, f"receiver_name_{n}": party.receiver_name}
    expressions = ", ".join(f"nullif(({sql})::VARCHAR, '') AS {name}" for name, sql in outputs.items())
    expressions += "".join(f", {sql} AS {name}" for name, sql in _namespaces(mapping, context).items())
    return f"""
        WITH extracted AS (
          SELECT raw_row, doc, event_id, type, channel, sent_at, received_at, document AS payload,
            {extracted} AS f
          FROM documents),
        named AS (SELECT * EXCLUDE (f){fields} FROM extracted)
        SELECT raw_row, doc, event_id AS envelope_event_id, channel AS envelope_channel,
          sent_at AS envelope_sent_at, received_at AS envelope_received_at, {expressions}
        FROM named
    """


def _is_own(type_: str, column: str, own: Own) -> str:
    def member(values: frozenset[str], sql: str) -> str:
        return f"{sql} IN ({', '.join(map(quote, sorted(values)))})" if values else "false"

    if type_ == "phone":
        return f"coalesce({member(own.phones, column)}, false)"
    if type_ == "email":
        by_domain = member(own.domains, f"split_part({column}, '@', 2)")
        return f"coalesce({member(own.emails, column)} OR {by_domain}, false)"
    if type_ == "handle":
        return f"coalesce({member(own.handles, column)}, false)"
    return "false"


def _ownership(n: int, party: PartyRule, context: SourceContext) -> tuple[str, str]:
    """Return SQL of whether the sender and whether the receiver is ours."""
    return _is_own(party.type, f"sender_{n}", context.own), _is_own(party.type, f"receiver_{n}", context.own)


def _party_direction(n: int, party: PartyRule, context: SourceContext) -> str:
    from_us, to_us = _ownership(n, party, context)
    return (
        f"CASE WHEN {from_us} AND NOT {to_us} THEN 'outbound' WHEN {to_us} AND NOT {from_us} THEN 'inbound' "
        f"ELSE party_direction_{n} END"
    )


def _other_end(n: int, party: PartyRule, context: SourceContext, part: str = "") -> str:
    """Return SQL of the end that is not ours, or with ``part`` of what goes with it (its ``_name``)."""
    from_us, to_us = _ownership(n, party, context)
    sender, receiver = f"sender{part}_{n}", f"receiver{part}_{n}"
    return (
        f"CASE WHEN {from_us} AND {to_us} THEN NULL WHEN {from_us} THEN {receiver} WHEN {to_us} THEN {sender} "
        f"WHEN party_direction_{n} = 'outbound' THEN {receiver} ELSE {sender} END"
    )


def _identifier_values(mapping: Mapping, context: SourceContext) -> list[tuple[str, str, str]]:
    """Return (type, SQL of the namespace, SQL of the value) of every identifier, ours left out."""
    values = [
        (rule.type, f"ns_{n}", f"CASE WHEN NOT {_is_own(rule.type, f'id_{n}', context.own)} THEN id_{n} END")
        for n, rule in enumerate(mapping.identifiers)
    ]
    values += [
        (party.type, f"party_ns_{n}", _other_end(n, party, context))
        for n, party in enumerate(mapping.parties)
    ]
    return values


def events_query(mapping: Mapping, context: SourceContext, file_id: int, *, collected: bool = False) -> str:
    """Return the query over table ``mapped`` (of ``mapped_query``, identifiers normalised).

    Its rows have every column of ``cdp.schemas.EVENTS`` and besides ``doc``, ``envelope_event_id``
    and ``outcome``, ``reason`` (``standardised`` where the row is an event).
    """
    values = _identifier_values(mapping, context)
    value_columns = "".join(f", {sql} AS v_{n}" for n, (_, _, sql) in enumerate(values))
    directions = [_party_direction(n, party, context) for n, party in enumerate(mapping.parties)]
    given = [*directions, *(["c_direction"] if "direction" in mapping.columns else [])]
    direction = f"coalesce({', '.join([*given, _default_direction()])})"
    by_direction = BY_DIRECTION in mapping.event_type
    channel = "coalesce(c_channel, envelope_channel)" if "channel" in mapping.columns else "envelope_channel"
    instant = times.parse("occurred_text", timezone=context.timezone, region=context.region)
    return f"""
        WITH timed AS (
          SELECT *, {instant.instant} AS own_time, {instant.ambiguous} AS is_ambiguous,
            {_received(mapping, collected=collected)} AS skew_received_at
          FROM mapped),
        {_worded(given) if by_direction else ""}
        placed AS (
          SELECT *, coalesce({_unskewed()}, own_time, envelope_received_at) AS event_time,
            {direction} AS event_direction{value_columns}
          FROM {"worded" if by_direction else "timed"})
        SELECT {quote(context.source)} AS source, {_event_id(mapping)} AS event_id, {file_id}::BIGINT AS file_id,
          raw_row, 1::INTEGER AS line_count, {_record_key(context, values)} AS record_key,
          {channel} AS channel, event_type, event_direction AS direction, event_time AS occurred_at,
          occurred_text, {_time_flag(collected=collected)} AS time_flag, envelope_received_at AS received_at,
          {_identifier_list(values)} AS identifiers, {_traits(mapping, context)} AS traits, properties,
          {_typed_columns(mapping)}, {quote(context.brand) if context.brand else "NULL::VARCHAR"} AS brand,
          doc, envelope_event_id, {_fate(mapping)} AS fate
        FROM placed
    """


def _received(mapping: Mapping, *, collected: bool) -> str:
    """Return SQL of when somebody trusted received the event: we ourselves, or the server that exported it."""
    if mapping.skew == "none":
        return "NULL::TIMESTAMPTZ"
    if collected:
        return "envelope_received_at"
    return times.parse("received_text", timezone="UTC", region=None).instant


def _unskewed() -> str:
    """Return SQL of the event's time by the clock of who received it; NULL where no calendar has that.

    What landed earlier may have been sent at any time, infinity included.
    """
    sent = times.within("envelope_sent_at")
    return times.within(f"(skew_received_at - ({sent} - own_time))")


def _default_direction() -> str:
    def types(direction: str) -> str:
        return ", ".join(quote(name) for name, kind in EVENT_TYPES.items() if kind.direction == direction)

    return (
        f"CASE WHEN event_type IN ({types(INBOUND)}) THEN 'inbound' WHEN event_type IN ({types(OUTBOUND)}) "
        "THEN 'outbound' END"
    )


def _worded(directions: list[str]) -> str:
    """Return the step that chooses between the words ``inbound|outbound|neither`` of an event type."""
    part = f"CASE coalesce({', '.join([*directions, 'NULL'])}) WHEN 'inbound' THEN 1 WHEN 'outbound' THEN 2 ELSE 3 END"
    chosen = f"split_part(event_type, '{BY_DIRECTION}', {part})"
    return f"""worded AS (
          SELECT * REPLACE (CASE WHEN contains(event_type, '{BY_DIRECTION}') THEN {chosen} ELSE event_type END
            AS event_type)
          FROM timed),"""


def _event_id(mapping: Mapping) -> str:
    own = "own_event_id" if mapping.grouped else "coalesce(own_event_id, envelope_event_id)"
    return f"CASE WHEN doc = 0 THEN {own} ELSE {own} || '#' || (doc + 1) END"


def _time_flag(*, collected: bool) -> str:
    """Return SQL of what is wrong with the time; what came over HTTP without one happened when it came."""
    missing = "NULL" if collected else "'missing'"
    return f"""CASE
        WHEN own_time IS NULL AND occurred_text IS NULL THEN {missing}
        WHEN own_time IS NULL THEN 'unreadable'
        WHEN event_time > envelope_received_at + {times.FUTURE_TOLERANCE} THEN 'future'
        WHEN event_time < {times.EARLIEST} THEN 'before_1990'
        WHEN is_ambiguous THEN 'ambiguous' END"""


def _record_key(context: SourceContext, values: list[tuple[str, str, str]]) -> str:
    ordered = [f"v_{n}" for wanted in KEY_ORDER for n, (type_, _, _) in enumerate(values) if type_ == wanted]
    return f"{quote(context.source + ':')} || coalesce({', '.join([*ordered, 'NULL::VARCHAR'])})"


def _identifier_list(values: list[tuple[str, str, str]]) -> str:
    if not values:
        return "[]::STRUCT(type VARCHAR, namespace VARCHAR, value VARCHAR)[]"
    items = []
    for n, (type_, namespace, _) in enumerate(values):
        earlier = [f"v_{m}" for m in range(n) if values[m][0] == type_]
        seen = ", ".join(f"coalesce({name}, '')" for name in earlier)
        fresh = f"AND v_{n} NOT IN ({seen})" if earlier else ""
        item = f"{{'type': {quote(type_)}, 'namespace': {namespace}, 'value': v_{n}}}"
        items.append(f"CASE WHEN v_{n} IS NOT NULL {fresh} THEN {item} END")
    return f"list_filter([{', '.join(items)}], lambda x: x IS NOT NULL)"


def _traits(mapping: Mapping, context: SourceContext) -> str:
    kind = "STRUCT(" + ", ".join(f"{name} VARCHAR" for name in TRAITS) + ")"
    given = {name: [f"t_{name}"] for name in mapping.traits}
    for n, party in enumerate(mapping.parties):
        if party.has_names:
            given.setdefault("full_name", []).append(_other_end(n, party, context, "_name"))
    if not given:
        return f"NULL::{kind}"
    values = {name: f"coalesce({', '.join([*parts, 'NULL'])})" for name, parts in given.items()}
    any_value = " OR ".join(f"{value} IS NOT NULL" for value in values.values())
    members = ", ".join(
        f"'{name}': trim({values[name]})" if name in values else f"'{name}': NULL::VARCHAR" for name in TRAITS
    )
    return f"CASE WHEN {any_value} THEN {{{members}}} END"


def _typed_columns(mapping: Mapping) -> str:
    def column(name: str) -> str:
        given = name in mapping.columns
        if name in NUMBER_COLUMNS:
            return (
                f"try_cast(c_{name} AS {NUMBER_COLUMNS[name]})" if given else f"NULL::{NUMBER_COLUMNS[name]}"
            )
        if name == "amount":
            return "try_cast(c_amount AS DECIMAL(18, 4))" if given else "NULL::DECIMAL(18, 4)"
        if name == "currency":
            return "CASE WHEN length(c_currency) = 3 THEN upper(c_currency) END" if given else "NULL::VARCHAR"
        return f"left(trim(c_{name}), {MAX_TEXT})" if given else "NULL::VARCHAR"

    names = EVENTS.names[EVENTS.names.index("subject") : EVENTS.names.index("brand")]
    return ", ".join(f"{column(name)} AS {name}" for name in names)


def _fate(mapping: Mapping) -> str:
    """Return SQL of ``outcome:reason`` for what is no event, and of NULL for what is."""
    known = ", ".join(map(quote, sorted(EVENT_TYPES)))
    bad_amount = (
        "WHEN c_amount IS NOT NULL AND try_cast(c_amount AS DECIMAL(18, 4)) IS NULL THEN 'quarantined:bad_amount'"
        if "amount" in mapping.columns
        else ""
    )
    no_group = "WHEN own_event_id IS NULL THEN 'quarantined:missing_event_id'" if mapping.grouped else ""
    return f"""CASE
        WHEN quarantine_reason IS NOT NULL THEN 'quarantined:' || quarantine_reason
        WHEN ignore_reason IS NOT NULL THEN 'ignored:' || ignore_reason
        WHEN event_type IS NULL THEN 'ignored:no_event_type'
        WHEN event_type = '' THEN 'ignored:other_direction'
        WHEN event_type NOT IN ({known}) THEN 'quarantined:unknown_event_type'
        {bad_amount} {no_group} END"""


_FOLDED_APART = frozenset(
    {
        "event_id",
        "raw_row",
        "line_count",
        "occurred_at",
        "occurred_text",
        "time_flag",
        "received_at",
        "identifiers",
    }
    | {"traits", "properties", "amount", "currency", "escalation_level", "latitude", "longitude"}
)


def fold_query(table: str) -> str:
    """Return the query that folds rows of one event_id in ``table`` into one event each.

    Amounts and lines add up within one currency (several: NULL, and the lines keep theirs); the
    earliest time stands, and of several texts the smallest. Folding in parts and folding the parts
    (``warehouse/sql/fold_events.sql``) gives the same: lines may come in any order, in any files.
    """
    smallest = ", ".join(f"min({name}) AS {name}" for name in EVENTS.names if name not in _FOLDED_APART)
    traits = ", ".join(f"{name} := min(traits.{name})" for name in TRAITS)
    columns = ", ".join(EVENTS.names)
    return f"""
        SELECT {columns} FROM (
          SELECT event_id, min(raw_row) AS raw_row, sum(line_count)::INTEGER AS line_count, {smallest},
            min(occurred_at) AS occurred_at, min(received_at) AS received_at,
            arg_min_null(occurred_text, (occurred_at, occurred_text)) AS occurred_text,
            arg_min_null(time_flag, (occurred_at, occurred_text)) AS time_flag,
            list_sort(list_distinct(flatten(list(coalesce(identifiers, []))))) AS identifiers,
            CASE WHEN bool_or(traits IS NOT NULL) THEN struct_pack({traits}) END AS traits,
            '{{"lines":[' || array_to_string(list_sort(
              json_extract('[' || string_agg(properties, ',') || ']', '$[*]')::VARCHAR[]), ',') || ']}}' AS properties,
            max(escalation_level) AS escalation_level,
            min((latitude, longitude)) FILTER (latitude IS NOT NULL) AS place,
            CASE WHEN count(DISTINCT currency) <= 1 THEN sum(amount)::DECIMAL(18, 4) END AS amount,
            CASE WHEN count(DISTINCT currency) <= 1 THEN min(currency) END AS currency,
            place[1] AS latitude, place[2] AS longitude
          FROM {table} GROUP BY event_id)
    """


def arrow_events(table: pa.Table) -> pa.Table:
    """Return ``table`` cast to the events schema."""
    return table.select(EVENTS.names).cast(EVENTS)
