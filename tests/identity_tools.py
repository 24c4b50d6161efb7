"""Small tables of people for the tests of identity, and readers of the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from identity import IdentityPolicy, Resolution, resolve

START = datetime(2024, 1, 1, tzinfo=UTC)
TIMESTAMP = pa.timestamp("us", "UTC")
IDENTIFIERS = pa.schema(
    [
        ("record_key", pa.string()),
        ("type", pa.string()),
        ("namespace", pa.string()),
        ("value", pa.string()),
        ("first_seen_at", TIMESTAMP),
        ("last_seen_at", TIMESTAMP),
    ]
)


def day(number: int) -> datetime:
    """The start of the story plus some days."""
    return START + timedelta(days=number)


def records(people: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """Records by key; the source is what stands before the colon; columns are those that anybody has."""
    names = sorted({name for fields in people.values() for name in fields})
    columns = {
        name: pa.array([fields.get(name) for fields in people.values()], pa.string()) for name in names
    }
    sources = [key.partition(":")[0] for key in people]
    return pa.table({"record_key": pa.array(people.keys(), pa.string()), "source": sources, **columns})


def identifiers(rows: Iterable[Sequence[str]], seen: Mapping[tuple[str, str], int] | None = None) -> pa.Table:
    """Rows of (record_key, type, value) or (record_key, type, namespace, value)."""
    full = [row if len(row) == 4 else (row[0], row[1], "", row[2]) for row in rows]
    times = [day((seen or {}).get((row[0], row[3]), 0)) for row in full]
    columns = [*([row[i] for row in full] for i in range(4)), times, times]
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, IDENTIFIERS, strict=True)], schema=IDENTIFIERS
    )


def judgements(*rows: tuple[str, str, str]) -> pa.Table:
    """Rows of (left_record, right_record, kind), decided one day after the other."""
    return pa.table(
        {
            "left_record": [row[0] for row in rows],
            "right_record": [row[1] for row in rows],
            "kind": [row[2] for row in rows],
            "decided_at": pa.array([day(i) for i in range(len(rows))], TIMESTAMP),
            "decided_by": ["ann"] * len(rows),
            "reason": ["spoke to them"] * len(rows),
        }
    )


def groups(resolution: Resolution) -> set[frozenset[str]]:
    """The clusters as sets of record keys."""
    found: dict[str, set[str]] = {}
    for row in resolution.clusters.to_pylist():
        found.setdefault(row["cluster_id"], set()).add(row["record_key"])
    return {frozenset(keys) for keys in found.values()}


def together(resolution: Resolution, *keys: str) -> bool:
    """Whether all the records are one customer."""
    return any(set(keys) <= group for group in groups(resolution))


def settle(
    people: Mapping[str, Mapping[str, str]],
    rows: Iterable[Sequence[str]] = (),
    judged: Sequence[tuple[str, str, str]] = (),
    policy: IdentityPolicy | None = None,
) -> Resolution:
    """Resolve a story."""
    return resolve(records(people), identifiers(rows), judgements(*judged) if judged else None, policy)
