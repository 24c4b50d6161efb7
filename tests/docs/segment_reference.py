"""``python -m tests.docs.segment_reference`` writes docs/reference/segments.md from the fields and operators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from warehouse.segments import parse
from warehouse.segments.fields import OPERATORS, Field, known_fields
from warehouse.segments.schema import schema

REFERENCE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE: Final = REFERENCE / "segments.md"
SCHEMA: Final = REFERENCE / "segment.schema.json"
_TAKES: Final = {
    "nothing": "–",
    "one": "a value",
    "two": "a list of two values, the smaller one first",
    "many": f"a list of up to {parse.MOST_VALUES} values",
    "days": "a number of days",
}
_HEAD: Final = f"""# Segments: rules, fields, operators

<!-- Made by `python -m tests.docs.segment_reference`; a test keeps it equal to the code. -->

How to build one: [Build segments](../how-to/build-segments.md). The JSON Schema of a segment's file is
[segment.schema.json](segment.schema.json), also by `cdp segment schema`.

## A rule

An object with exactly one of these:

| member | holds for a customer when |
|---|---|
| `{{"all": [RULE, …]}}` | every part holds; with no part, for everybody |
| `{{"any": [RULE, …]}}` | at least one part holds |
| `{{"not": RULE}}` | the part does not hold |
| `{{"field": …, "op": …, "value": …}}` | the field is as the operator says; of money also `"currency"` |
| `{{"did": …}}` | they did something so many times (below) |
| `{{"segment": "id"}}` | they meet the rule of another segment in use |
| `{{"near": {{"latitude": …, "longitude": …, "km": …}}}}` | their last known position is at most so many km away |

At most {parse.MOST_NODES} conditions, {parse.MOST_DEPTH} levels deep.

**Absent values**: a condition on a value that is not known is false, also `is_not`; `not` of it is true. "Does not
live in York, or nobody knows" is `{{"not": {{"field": "city", "op": "is", "value": "York"}}}}`.
**Texts** are compared without regard to case; lists are compared exactly. **Days** count back from the time of the
release; a day such as `2026-01-31` begins at midnight UTC. **Money** is compared in one currency: the named one, else
the base currency of the release. An event's `amount` is compared as converted to the base currency, unless one is named.
Where a workspace has no base currency, every condition on money names one.
**Personal** fields and `near` need the scope `read-pii`: a count would tell what masking hides.

## What they did

`did` is an event type of the [vocabulary](events.md), a list of some, or `"any"`. `at_least` (1 where nothing is
said) and `at_most` say how often; `"at_most": 0` means never. `within_days` and `before_days` say when: within the last
90 days, more than 30 days ago, or both. `where` is a list of conditions on the event. What a bot or a machine did
counts for nobody; an event without a sound time counts for no number of days.

```json
{{"did": "order_placed", "at_least": 2, "within_days": 90,
 "where": [{{"field": "amount", "op": "at_least", "value": 50}}]}}
```
"""


def _operators() -> Iterator[str]:
    yield "## Operators\n"
    yield "| kind of field | operator | in words | value |\n|---|---|---|---|"
    for kind, operators in OPERATORS.items():
        for one in operators:
            yield f"| {kind} | `{one.name}` | {one.words} | {_TAKES[one.takes]} |"


def _fields(title: str, fields: Iterator[Field]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| field | kind | personal | what it is |\n|---|---|---|---|"
    for one in fields:
        yield f"| `{one.name}` | {one.kind} | {'yes' if one.is_personal else ''} | {one.comment} |"


def page() -> str:
    """Return the reference page."""
    known = known_fields()
    lines = [
        _HEAD,
        *_operators(),
        *_fields("Fields of customers", iter(known.customers.values())),
        *_fields("Fields of events, for `where`", iter(known.events.values())),
    ]
    return "\n".join(lines) + "\n"


def schema_text() -> str:
    """Return the JSON Schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
