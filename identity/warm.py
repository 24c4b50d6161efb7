"""Compile every kernel once: what set-up runs, so that no user's first run waits for it.

A small resolution and an update of it call each kernel with the very types that production uses; numba keeps the
compiled code beside the sources (or in ``NUMBA_CACHE_DIR``) for this CPU.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from identity.incremental import Batch, update
from identity.keys import Limits
from identity.policy import IdentityPolicy
from identity.resolution import describe, start

_GIVEN = ("anna", "ben", "carla", "dmitri", "eve", "frank maria", "gül", "h")
_FAMILY = ("smith", "smyth", "van dyk", "o'neill", "müller", "jones-brown")


def _people(count: int) -> tuple[pa.Table, pa.Table]:
    """Invented people who collide in every column."""
    seen = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows, ids = [], []
    for i in range(count):
        given, family = _GIVEN[i % 8], _FAMILY[i // 2 % 6]
        person = None if i % 11 == 5 else given
        rows.append(
            {
                "record_key": f"warm:{i}",
                "source": "warm",
                "last_seen_at": seen,
                "given_name": person,
                "surname": person and family,
                "middle_name": "q" if i % 3 else "quentin",
                "suffix": "jr" if i % 9 == 0 else None,
                "gender": "f" if i % 2 else "m",
                "birth_date": person and f"19{70 + i % 9}-0{1 + i % 8}-1{i % 7}",
                "street": f"{1 + i % 4} High Street Apt {i % 2}",
                "city": "York" if i % 2 else "Leeds",
                "postcode": f"YO1 {i % 5}AB",
                "region": "North",
                "company": person and f"Acme {family} Ltd {i % 3}",
                "hobby": f"chess {i % 30}",
            }
        )
        contact = (
            ("email", f"{given[:3]}.{family[:3]}{i % 6}@mail{i % 4}.org"),
            ("phone", f"+44 20 7946 {100 + i % 40:04}"),
        )
        ids += [(f"warm:{i}", kind, "", value, seen) for kind, value in contact]
        ids += [(f"warm:{i}", "user_id", "warm", f"u{i % 50}", seen)] if i % 3 == 0 else []
        ids += [(f"warm:{i}", "email", "", f"second{i % 20}@mail.org", seen)] if i % 4 == 0 else []
    names = ("record_key", "type", "namespace", "value", "last_seen_at")
    return pa.Table.from_pylist(rows), pa.table(dict(zip(names, zip(*ids, strict=True), strict=True)))


def warm() -> Iterator[str]:
    """Call every kernel; says what it does next."""
    policy = IdentityPolicy(max_cluster=20)
    records, identifiers = _people(240)
    first, later = records.slice(0, 200), records.slice(180)
    yield "blocks, measures and clusters"
    few = Limits(all_pairs=0, star=2, largest_star=50)
    state = start(first, _of(first, identifiers), None, policy, limits=few)
    describe(state)
    yield "updates"
    update(state, Batch(later, _of(later, identifiers)), None)
    yield "small files"
    describe(start(first, _of(first, identifiers)))


def _of(records: pa.Table, identifiers: pa.Table) -> pa.Table:
    keys = records["record_key"].combine_chunks()
    return identifiers.filter(pc.is_in(identifiers["record_key"], value_set=keys))


if __name__ == "__main__":
    for _ in warm():
        pass
