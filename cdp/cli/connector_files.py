"""What `cdp connector new` writes; ``<NAME>``, ``<Name>`` and ``<CHANNEL>`` are filled in."""

from __future__ import annotations

from typing import Final

MODULE: Final = '''"""<Name>: say here whose payloads these are, where they come from, and what is special about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors import json_items
from connectors.mapping import EnvelopeFields, IdentifierRule, Mapping, present
from connectors.protocol import Chunk, Connector, SplitContext

if TYPE_CHECKING:
    from cdp.settings import SourceSettings

# Raise it when what comes out changes: landed files are then standardised anew.
VERSION = "1"


def split(data: bytes, context: SplitContext) -> Iterator[Chunk]:
    """Yield the payloads of an item: of a file, or of the body of a request."""
    del context
    yield from json_items.chunks(data)


# What is read of a payload, by a name for each: JSON paths.
_FIELDS = {
    "kind": "$.type",
    "moment": "$.time",
    "customer": "$.customer.id",
    "mail": "$.customer.email",
    "telephone": "$.customer.phone",
    "name": "$.customer.name",
    "text": "$.subject",
    "link": "$.url",
}

# The words of the service to those of cdp (docs/reference/events.md).
_EVENT_TYPES = {
    "form.submitted": "form_submitted",
    "message.received": "message_received",
}

# All values are DuckDB SQL over the names above; connectors/mapping.py describes each part.
MAPPING = Mapping(
    version=1,
    fields=_FIELDS,
    event_type=f"""CASE kind
        {" ".join(f"WHEN '{name}' THEN '{word}'" for name, word in _EVENT_TYPES.items())} ELSE kind END""",
    occurred_at="moment",
    quarantine="CASE WHEN kind IS NULL THEN 'missing_type' END",
    columns={"subject": "text"},
    identifiers=(
        IdentifierRule("external_id", "customer"),
        IdentifierRule("email", "mail"),
        IdentifierRule("phone", "telephone"),
    ),
    traits={"full_name": "name", "email": "mail", "phone": "telephone"},
    properties=present(url="link"),
)

CONNECTOR = Connector(
    name="<NAME>",
    channel="<CHANNEL>",
    version=VERSION,
    split=split,
    envelope=EnvelopeFields(event_id=("$.id",), type=("$.type",), occurred_at=("$.time",)),
    mapping=MAPPING,
    suffixes=(".json", ".ndjson", ".jsonl"),
)


def connector(settings: SourceSettings) -> Connector:
    """Return the connector; nothing of it depends on the source's settings."""
    del settings
    return CONNECTOR
'''

TEST: Final = '''"""<Name>: what its payloads become."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from connectors.<NAME> import CONNECTOR
from connectors.testing import LAWS, Trial, mapping_is_sound, stand

# Payloads as the service really sends them belong here.
PAYLOADS = [
    {
        "id": "e1",
        "type": "form.submitted",
        "time": "2026-03-02T10:00:00Z",
        "subject": "Ask for a call",
        "customer": {"id": "17", "email": "Ann@C.example", "name": "Ann Carter"},
    },
    {"id": "e2", "type": "message.received", "time": "2026-03-02T10:05:00Z", "customer": {"phone": "+442071234567"}},
    {"id": "e3", "type": "of another kind"},
    {"id": "e4"},
]
LINES = "\\n".join(map(json.dumps, PAYLOADS)).encode()


def test_payloads_become_events() -> None:
    first, second = stand(CONNECTOR, LINES).events.to_pylist()
    assert (first["event_id"], first["event_type"], first["subject"]) == ("e1", "form_submitted", "Ask for a call")
    assert first["occurred_at"].isoformat() == "2026-03-02T10:00:00+00:00"
    assert [(one["type"], one["value"]) for one in first["identifiers"]] == [
        ("external_id", "17"),
        ("email", "ann@c.example"),
    ]
    assert first["traits"]["full_name"] == "Ann Carter"
    assert (second["event_type"], second["identifiers"][0]["value"]) == ("message_received", "+442071234567")


def test_what_is_no_event_has_a_reason() -> None:
    assert stand(CONNECTOR, LINES).reasons() == {
        "quarantined:missing_type": 1,
        "quarantined:unknown_event_type": 1,
    }


def test_the_mapping_reads_what_it_declares() -> None:
    mapping_is_sound(CONNECTOR.mapping)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("data", [LINES, json.dumps(PAYLOADS).encode(), LINES[:-9]], ids=["lines", "array", "cut"])
def test_it_holds_every_law(law: Callable[[Trial], None], data: bytes) -> None:
    law(Trial(CONNECTOR, data))
'''

REFERENCE: Final = """
## `<NAME>`

Say what it reads, which of the service's fields become what, and what is ignored or quarantined.
"""
