"""Rows - CSV, JSON, Parquet, workbooks, forms - with the mapping that ``cdp.yaml`` gives.

One connector for the long tail: orders, tickets, contacts, donations, anything tabular, as files or as what
a webhook delivers. The format is told from the content first and the name second.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from cdp.duck import quote
from cdp.errors import ConfigError
from cdp.events import EVENT_TYPES
from connectors import csv_items, expressions, form_items, json_items, tabular
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping
from connectors.protocol import Chunk, Connector, Rejected, SplitContext

if TYPE_CHECKING:
    from cdp.settings import ColumnRef, EventMapping, SourceSettings, TypeRule

VERSION = "2"

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_TEXT_COLUMNS = (
    "campaign",
    "product",
    "agent",
    "department",
    "outcome",
    "escalation_level",
    "self_service",
    "latitude",
    "longitude",
    "reference",
    "subject",
    "direction",
    "consent_purpose",
    "consent_channel",
    "consent_state",
)


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the rows of a file of any of the formats."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            yield Chunk(rejected=[Rejected(1, data, "unreadable_gzip", type(error).__name__)])
            return
    name = context.origin.lower().removesuffix(".gz")
    if data.startswith(b"PAR1") or name.endswith(".parquet"):
        yield from tabular.parquet_chunks(data)
    elif data.startswith(_WORKBOOKS) or name.endswith((".xlsx", ".xls", ".ods")):
        yield from tabular.workbook_chunks(data, context.sheet)
    elif name.endswith((".json", ".jsonl", ".ndjson")) or _looks_like_json(data):
        yield from json_items.chunks(data)
    elif not name.endswith((".csv", ".tsv")) and (form := form_items.fields(data)) is not None:
        yield from _form_chunks(data, form)
    else:
        yield from _told(csv_items.chunks(data, context), data, context)


def _form_chunks(data: bytes, form: Sequence[form_items.Field]) -> Iterator[Chunk]:
    """Yield a form as the row of its fields; of several of one name the row has the list."""
    cells: dict[str, list[object]] = {}
    try:
        for field in form:
            cells.setdefault(field.name, []).append(_cell(field))
    except UnicodeDecodeError:
        yield Chunk(rejected=[Rejected(1, data, "not_utf8", "a field of the form is not UTF-8")])
        return
    if cells:
        row = {name: values if len(values) > 1 else values[0] for name, values in cells.items()}
        yield Chunk([msgspec.json.encode(row)], [1])


def _cell(field: form_items.Field) -> object:
    """Return the text of a field; of a file its name and its content in base64."""
    if field.filename is None:
        return field.value.decode()
    return {"filename": field.filename, "base64": base64.b64encode(field.value).decode()}


def _told(chunks: Iterable[Chunk], data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the chunks of rows; a delivery (which has no name) that holds none is told, not passed over."""
    found = 0
    for chunk in chunks:
        found += len(chunk)
        yield chunk
    if not found and not context.origin and context.header is None and data.strip():
        detail = "neither JSON, nor a form, nor rows below a header"
        yield Chunk(rejected=[Rejected(1, data, "no_rows", detail)])


def _looks_like_json(data: bytes) -> bool:
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def pointer(column: str) -> str:
    """Return the JSON pointer of a column, whatever characters its name has.

    >>> pointer("unit/price")
    '/unit~1price'
    """
    return "/" + column.replace("~", "~0").replace("/", "~1")


class _Fields:
    """Columns that the mapping reads, each extracted once under a name of its own."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    def _name(self, path: str) -> str:
        for name, known in self.paths.items():
            if known == path:
                return name
        name = f"col_{len(self.paths)}"
        self.paths[name] = path
        return name

    def column(self, column: str) -> str:
        """Return the SQL of a column: its own name first, then as a path into nested objects."""
        whole = self._name(pointer(column))
        if "." not in column:
            return whole
        nested = self._name("".join(pointer(part) for part in column.split(".")))
        return f"coalesce({whole}, {nested})"

    def ref(self, ref: ColumnRef) -> str:
        """Return the SQL of a column or of a constant."""
        if ref.value is not None:
            return quote(ref.value)
        return self.column(ref.column or "")


def _paths(column: str) -> tuple[str, ...]:
    nested = "".join(pointer(part) for part in column.split("."))
    return tuple(dict.fromkeys([pointer(column), nested]))


def _event_type(rule: TypeRule, field_of: Callable[[str], str]) -> str:
    """Return SQL of the event type: a constant, or decided by a column's value or its prefix."""
    if rule.column is None:
        return quote(rule.default or "")
    field = field_of(rule.column)
    cases = [f"WHEN {field} = {quote(value)} THEN {quote(word)}" for value, word in rule.values.items()]
    cases += [
        f"WHEN starts_with({field}, {quote(text)}) THEN {quote(word)}" for text, word in rule.prefixes.items()
    ]
    otherwise = (
        quote(rule.default)
        if rule.default
        else f"coalesce('unmapped value of {rule.column.replace(chr(39), '')}')"
    )
    return f"CASE {' '.join(cases)} ELSE {otherwise} END" if cases else otherwise


def _channel() -> str:
    by_channel: dict[str, list[str]] = {}
    for name, kind in EVENT_TYPES.items():
        by_channel.setdefault(kind.channel, []).append(name)
    cases = " ".join(
        f"WHEN event_type IN ({', '.join(map(quote, names))}) THEN {quote(channel)}"
        for channel, names in by_channel.items()
    )
    return f"CASE {cases} END"


def _event(settings: SourceSettings) -> EventMapping:
    if settings.event is None:
        raise ConfigError(
            f"Source {settings.name!r} reads files, and cdp.yaml does not say what a row means.",
            hint="Add `event: {type: ..., time: ...}` to the source.",
        )
    return settings.event


def mapping_of(settings: SourceSettings) -> Mapping:
    """Return the mapping that a source's ``event``, ``identifiers``, ``traits``, ``properties`` declare."""
    fields, event = _Fields(), _event(settings)
    columns = {"channel": quote(settings.channel) if settings.channel else _channel()}
    for name in _TEXT_COLUMNS:
        ref = getattr(event, name)
        if ref is not None:
            columns[name] = fields.ref(ref)
    if event.duration is not None:
        columns["duration_seconds"] = fields.ref(event.duration)
    if event.amount is not None:
        columns["amount"] = expressions.compile_amount(event.amount, fields.column)
    if event.currency is not None:
        columns["currency"] = fields.ref(event.currency)
    return Mapping(
        version=1,
        event_type=_event_type(event.type, fields.column),
        occurred_at=fields.ref(event.time) if event.time is not None else "NULL",
        columns=columns,
        identifiers=tuple(
            IdentifierRule(type_, fields.ref(ref), quote(ref.namespace) if ref.namespace else None)
            for type_, refs in settings.identifiers.items()
            for ref in refs
        ),
        traits={name: fields.ref(ref) for name, ref in settings.traits.items()},
        properties=_properties(settings, fields),
        event_id=fields.column(event.group_by) if event.group_by else None,
        grouped=event.group_by is not None,
        fields=fields.paths,
    )


def _properties(settings: SourceSettings, fields: _Fields) -> str:
    """Return SQL of the properties: the whole row, unless the source says which columns."""
    if settings.properties is None:
        return "payload"
    if not settings.properties:
        return "NULL"
    members = ", ".join(f"{quote(name)}, {fields.ref(ref)}" for name, ref in settings.properties.items())
    return f"json_object({members})"


def connector(settings: SourceSettings) -> Connector:
    """Return the connector of a source of files, made from its settings."""
    event = _event(settings)
    return Connector(
        name="files",
        channel=settings.channel or "files",
        version=VERSION,
        split=split,
        envelope=EnvelopeFields(
            event_id=_paths(event.id) if event.id is not None and event.group_by is None else (),
            occurred_at=_paths(event.time.column) if event.time is not None and event.time.column else (),
        ),
        mapping=mapping_of(settings),
        suffixes=(".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".ods"),
    )
