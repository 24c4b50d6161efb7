"""Which rows of a raw table must not land: those that carry an identifier of the suppression list.

Identifiers are read by the source's own mapping, whatever becomes of the row otherwise: a row that the
mapping would ignore or quarantine is held back, too. Of a contact both ends count, and of the traits
e-mail and telephone. Our own addresses never do.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cdp import suppression
from cdp.duck import connect, identifier
from cdp.ledger import Ledger
from cdp.suppression import Suppressed
from connectors.compile import Own, SourceContext
from connectors.mapping import IdentifierRule
from connectors.standardise import documents_of, evaluated

if TYPE_CHECKING:
    from connectors.mapping import Mapping as SourceMapping
    from connectors.protocol import Connector

_TRAITS = ("email", "phone")


@dataclass(frozen=True)
class HeldBack:
    """``rows``: which rows of a table are held back. ``entries``: of these, how many name which entry."""

    rows: pa.BooleanArray
    entries: Mapping[bytes, int] = field(default_factory=dict)


class Gate:
    """Holds rows of one source back, by the list as it is when a table comes."""

    def __init__(self, ledger: Ledger, connector: Connector, context: SourceContext) -> None:
        self._ledger, self._connector, self._context = ledger, connector, context
        self._revision: tuple[int, int] | None = None
        self._suppressed = Suppressed()

    def __call__(self, raw: pa.Table) -> HeldBack:
        """Return which rows of ``raw`` (``cdp.schemas.RAW``) must not land."""
        revision = suppression.revision(self._ledger)
        if revision != self._revision:
            self._suppressed = suppression.load(self._ledger)
            self._revision = revision
        return inspect(raw, self._connector, self._context, self._suppressed)


def held_back(
    raw: pa.Table, connector: Connector, context: SourceContext, suppressed: Suppressed
) -> pa.BooleanArray:
    """Return which rows of ``raw`` (``cdp.schemas.RAW``) carry an identifier that is on the list."""
    return inspect(raw, connector, context, suppressed).rows


def inspect(raw: pa.Table, connector: Connector, context: SourceContext, suppressed: Suppressed) -> HeldBack:
    """Return which rows of ``raw`` (``cdp.schemas.RAW``) are held back, and by which entries.

    Of a source whose lines fold into events (``group_by``) all lines of the event in this table are: an
    order stays whole, or away. A payload that cannot be decoded cannot be looked into; no row of ``raw``
    is one when it lands.
    """
    nothing = HeldBack(pa.repeat(pa.scalar(value=False), raw.num_rows))
    mapping = _identifying(connector.mapping, suppressed) if suppressed and raw.num_rows else None
    if mapping is None:
        return nothing
    table = raw.append_column("raw_row", pa.array(range(raw.num_rows), pa.int64()))
    documents, _ = documents_of(table, connector)
    with connect() as connection:
        found = evaluated(connection, documents, mapping, context)
    hits = set(_hits(found, mapping, suppressed, context.own))
    if not hits:
        return nothing
    rows = pa.array(sorted({row for row, _ in hits}), pa.int64())
    if mapping.grouped:
        rows = _with_their_groups(found, rows)
    return HeldBack(pc.is_in(table["raw_row"].combine_chunks(), value_set=rows), Counter(e for _, e in hits))


def _identifying(mapping: SourceMapping, suppressed: Suppressed) -> SourceMapping | None:
    """Return what of a mapping gives identifiers of the types on the list; None where nothing does."""
    rules = [rule for rule in mapping.identifiers if rule.type in suppressed.types]
    rules += [IdentifierRule(name, mapping.traits[name]) for name in _TRAITS if name in mapping.traits]
    rules = [rule for rule in rules if rule.type in suppressed.types]
    parties = tuple(party for party in mapping.parties if party.type in suppressed.types)
    if not rules and not parties:
        return None
    reduced = dataclasses.replace(
        mapping,
        identifiers=tuple(dict.fromkeys(rules)),
        parties=tuple(dataclasses.replace(p, sender_name="NULL", receiver_name="NULL") for p in parties),
        event_type="NULL",
        occurred_at="NULL",
        columns={},
        traits={},
        properties="NULL",
        ignore="NULL",
        quarantine="NULL",
        event_id=mapping.event_id if mapping.grouped else None,
        received_field="NULL",
    )
    expressions = [rule.value + (rule.namespace or "") for rule in reduced.identifiers]
    expressions += [p.sender + p.receiver + p.direction + (p.namespace or "") for p in reduced.parties]
    text = "\n".join([*expressions, reduced.event_id or ""]).lower()
    used = {
        name: path
        for name, path in mapping.fields.items()
        if name.lower() in text or identifier(name).lower() in text
    }
    return dataclasses.replace(reduced, fields=used)


def _hits(
    found: pa.Table, mapping: SourceMapping, suppressed: Suppressed, own: Own
) -> Iterator[tuple[int, bytes]]:
    """Yield (raw row, entry) for every identifier that is on the list."""
    columns = [(rule.type, f"id_{n}", f"ns_{n}") for n, rule in enumerate(mapping.identifiers)]
    for n, party in enumerate(mapping.parties):
        columns += [(party.type, f"{end}_{n}", f"party_ns_{n}") for end in ("sender", "receiver")]
    for type_, value, namespace in columns:
        pairs = found.select([namespace, value]).filter(pc.is_valid(found[value]))
        distinct = pairs.group_by([namespace, value]).aggregate([])
        entries = {
            pair: met
            for pair in zip(distinct[namespace].to_pylist(), distinct[value].to_pylist(), strict=True)
            if (met := suppressed.entries(type_, *pair)) and not _is_own(type_, pair[1], own)
        }
        if not entries:
            continue
        values = pa.array({value for _, value in entries}, pa.string())
        few = found.select(["raw_row", namespace, value]).filter(pc.is_in(found[value], value_set=values))
        for row, *pair in zip(*(few[name].to_pylist() for name in few.column_names), strict=True):
            yield from ((row, entry) for entry in entries.get((pair[0], pair[1]), ()))


def _is_own(type_: str, value: str, own: Own) -> bool:
    if type_ == "email":
        return value in own.emails or value.partition("@")[2] in own.domains
    return value in {"phone": own.phones, "handle": own.handles}.get(type_, frozenset())


def _with_their_groups(found: pa.Table, rows: pa.Array) -> pa.Array:
    """Return the rows, and the other lines of the events that they are lines of."""
    events = found["own_event_id"].filter(pc.is_in(found["raw_row"], value_set=rows))
    lines = found["raw_row"].filter(
        pc.is_in(found["own_event_id"], value_set=events.combine_chunks().drop_null())
    )
    return pc.unique(pa.concat_arrays([rows, lines.combine_chunks()]))
