"""Events as lines of a terminal or as JSON, with personal data masked unless it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cdp import masking
from cdp.cli import terminal

if TYPE_CHECKING:
    from pipelines.tail_entries import Entry

_LONGEST_NAME: Final = 60
_NAMES: Final = ("full_name", "given_name", "surname")
# On these channels a subject is the name that developers gave an event or a screen; elsewhere, and of pages, it
# is what people wrote.
_NAMED_CHANNELS: Final = frozenset({"web", "app"})
_PAGE: Final = "page_viewed"
HEADINGS: Final = ("received (UTC)", "type", "outcome", "event", "who")
_LEAST: Final = (19, 16, 12, 24, 0)


def as_json(entry: Entry, *, masked: bool) -> dict[str, Any]:
    """Return an event as JSON has it."""
    known = personal_words(entry) if masked else frozenset()
    return {
        "received_at": _moment(entry.received_at),
        "occurred_at": _moment(entry.occurred_at),
        "event_id": masking.identifier("event_id", entry.event_id) if masked else entry.event_id,
        "channel": entry.channel,
        "type": _type(entry, masked=masked),
        "event_type": entry.event_type,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "name": name(entry, masked=masked) or None,
        "identifiers": [
            {
                "type": type_,
                "namespace": namespace,
                "value": masking.identifier(type_, value) if masked else value,
            }
            for type_, namespace, value in entry.identifiers
        ],
        "traits": {
            key: masking.trait(key, value) if masked else value for key, value in entry.traits.items()
        },
        "payload": _payload(entry.payload, known, masked=masked),
    }


def cells(entry: Entry, *, masked: bool) -> tuple[str, ...]:
    """Return an event as the cells of a line (``HEADINGS``)."""
    outcome = entry.outcome + (f": {entry.reason}" if entry.outcome in ("quarantined", "ignored") else "")
    more = f" (+{entry.events - 1})" if entry.events > 1 else ""
    found = (
        f"{entry.received_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        (entry.event_type or _type(entry, masked=masked) or "·") + more,
        outcome,
        name(entry, masked=masked),
        "  ".join(_who(entry, masked=masked)),
    )
    return tuple(terminal.printable(cell) for cell in found)


def name(entry: Entry, *, masked: bool) -> str:
    """Return what the event is called or about: names that developers and systems gave, not what people wrote."""
    known = personal_words(entry) if masked else frozenset()
    subject = _subject(entry, known, masked=masked)
    rest = [part for part in (entry.product, entry.campaign, entry.reference) if part]
    # What has to be masked is no name, and tells nobody anything.
    parts = [subject, *(part for part in rest if not masked or _open(part, known, masked=True) == part)]
    return " · ".join(dict.fromkeys(part for part in parts if part))


def _subject(entry: Entry, known: frozenset[str], *, masked: bool) -> str | None:
    if entry.event_type == _PAGE and entry.page:
        place = entry.page.split("?")[0].split("#")[0] if masked else entry.page
        return masking.without(masking.document(place), known) if masked else place
    if not masked or not entry.subject:
        return entry.subject
    if entry.channel in _NAMED_CHANNELS and entry.event_type != _PAGE:
        return _open(entry.subject, known, masked=True)
    return masking.text_length(entry.subject)


def _open(text: str | None, known: frozenset[str], *, masked: bool) -> str | None:
    """Return a name that is not personal by what it is, less what looks personal in it all the same."""
    if not text or not masked:
        return text
    found = masking.without(masking.content(text[: 10 * _LONGEST_NAME]), known)
    return found if len(found) <= _LONGEST_NAME else masking.text_length(text)


def _who(entry: Entry, *, masked: bool) -> Iterator[str]:
    """Yield the person's name and identifiers."""
    traits = entry.traits
    named = traits.get("full_name") or " ".join(filter(None, (traits.get(part) for part in _NAMES[1:])))
    if named:
        yield masking.name(named) if masked else named
    for type_, _, value in entry.identifiers:
        yield f"{type_} {masking.identifier(type_, value) if masked else value}"


def personal_words(entry: Entry) -> frozenset[str]:
    """Return the words by which the person may be named anywhere else in the event."""
    named = [value for key, value in entry.traits.items() if key in (*_NAMES, "email", "street")]
    return masking.words(
        [*named, *(value for type_, _, value in entry.identifiers if type_ in ("email", "handle"))]
    )


def _type(entry: Entry, *, masked: bool) -> str | None:
    return _open(entry.type, frozenset(), masked=masked)


def _payload(payload: Any, known: frozenset[str], *, masked: bool) -> Any:
    if isinstance(payload, bytes):
        text = payload.decode(errors="replace")
        return masking.text_length(text) if masked else text
    return masking.document(payload, known) if masked else payload


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")


class Lines:
    """Lines with columns that stay where they are while more come."""

    def __init__(self, first: Sequence[Sequence[str]], columns: int) -> None:
        rows = [HEADINGS, *first]
        self._widths = [
            max(least, *(terminal.cells(row[at]) for row in rows)) for at, least in enumerate(_LEAST)
        ]
        self._columns = columns

    def heading(self) -> str:
        """Return the line of headings."""
        return self.line(HEADINGS)

    def line(self, row: Sequence[str]) -> str:
        """Return one event, cut to the width of the terminal."""
        padded = (terminal.padded(cell, width) for cell, width in zip(row, self._widths, strict=True))
        return terminal.cut("  ".join(padded).rstrip(), self._columns)
