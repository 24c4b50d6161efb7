"""What changed since a release: for systems that keep a copy and follow along."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Final, Literal
from weakref import WeakKeyDictionary

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cdp.ledger import Ledger
from warehouse.api.answers import CUSTOMER_ID, answer
from warehouse.differences import differences, earlier
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep
from warehouse.serve.context import Serving
from warehouse.serve.problems import ProblemDetails
from warehouse.serve.releases import Reader

if TYPE_CHECKING:
    import pyarrow as pa

router = APIRouter(tags=["changes"])
_KEPT: Final = 2


class Change(BaseModel):
    """What became of a profile. The columns of `customers` decide; `changed_fields` names those of an update."""

    customer_id: str
    op: Literal["insert", "update", "merge", "delete"]
    merged_into: str | None = Field(description="Of a merge: who holds the records now.")
    split_from: str | None = Field(description="Of an insert: whom it was split off.")
    changed_fields: list[str]


class ChangesAnswer(BaseModel):
    """A page of changes, by customer id. The next time, ask since the `release` of the first page."""

    release: str
    since: str
    total: int
    changes: list[Change]
    next: str | None


class ChangesQuery(BaseModel):
    """Since when, and how many at once."""

    model_config = ConfigDict(extra="forbid")
    since: str = Field(
        max_length=64, pattern=r"^[0-9A-Za-z-]+$", description="A release: `release` of an earlier answer.",
        examples=["20260302T120000-000007"],
    )  # fmt: skip
    limit: int = Field(1_000, ge=1, le=10_000)
    cursor: str | None = Field(None, pattern=CUSTOMER_ID, description="`next` of the page before.")


class _Compared:
    """The comparisons of a release that were asked for last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: OrderedDict[str, pa.Table] = OrderedDict()


_compared: WeakKeyDictionary[Reader, _Compared] = WeakKeyDictionary()
_comparing = threading.Lock()


@router.get(
    "/changes",
    response_model=None,
    responses={
        200: {"model": ChangesAnswer, "description": "A page of changes."},
        410: {
            "description": "The release is gone, and so are its exports: read everything again.",
            "content": {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}},
        },
    },
)
def changes(
    query: Annotated[ChangesQuery, Query()], caller: ApiReads, serving: ServingDep, reader: ReaderDep
) -> Response:
    """Return which profiles were added, changed, merged or removed since a release.

    The first question after a publication compares the two releases, which takes seconds for a million profiles.
    """
    table = _differences(serving, reader, query.since)
    first = _after(table, query.cursor)
    page = table.slice(first, query.limit)
    serving.spend_rows(caller, page.num_rows)
    serving.audit(caller, "changes.read", reader=reader, rows=page.num_rows)
    last = first + page.num_rows
    following = table["customer_id"][last - 1].as_py() if last < table.num_rows else None
    return answer(
        reader,
        caller,
        {
            "release": reader.version,
            "since": query.since,
            "total": table.num_rows,
            "changes": page.to_pylist(),
            "next": following,
        },
    )


def _differences(serving: Serving, reader: Reader, since: str) -> pa.Table:
    with _comparing:
        compared = _compared.setdefault(reader, _Compared())
    with compared.lock:
        if since not in compared.found:
            before = _before(serving, since)
            with reader.connection() as connection:
                compared.found[since] = differences(connection, serving.lake, since, before)
            if len(compared.found) > _KEPT:
                compared.found.popitem(last=False)
        compared.found.move_to_end(since)
        return compared.found[since]


def _before(serving: Serving, since: str) -> str:
    """Return SQL of the customers of an earlier release. Raises 404 for one that never was, 410 for one that is gone."""
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        if ledger.value("SELECT 1 FROM releases WHERE version = ?", (since,)) is None:
            raise HTTPException(404, f"There never was a release {since!r}.")
        before = earlier(serving.lake, ledger, since)
    if before is None:
        raise HTTPException(
            410,
            f"The release {since!r} is gone. Read /api/v1/exports/customers once, and go on from its release; "
            "release.keep in cdp.yaml says how many are kept.",
        )
    return before


def _after(table: pa.Table, cursor: str | None) -> int:
    """Return the place of the first change after a cursor, which is the last customer of the page before."""
    if cursor is None:
        return 0
    import numpy as np

    return int(np.searchsorted(table["customer_id"].to_numpy(), cursor, side="right"))
