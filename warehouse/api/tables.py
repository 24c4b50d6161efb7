"""The dictionary of the release: every table, view and column, and how personal each is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from warehouse.api.answers import answer, is_known, not_modified
from warehouse.serve.access import ApiReads, ReaderDep

router = APIRouter(tags=["release"])


class DictionaryColumn(BaseModel):
    """A column: its SQL type, and how personal it is (direct, quasi or none)."""

    name: str
    type: str
    pii: str
    comment: str


class DictionaryTable(BaseModel):
    """A table or view of the release."""

    name: str
    kind: str
    comment: str
    columns: list[DictionaryColumn]


class Dictionary(BaseModel):
    """What the release holds."""

    release: str
    created_at: str
    contract_version: int
    tables: list[DictionaryTable]


@router.get(
    "/tables",
    response_model=None,
    responses={
        200: {"model": Dictionary, "description": "The dictionary."},
        304: {"description": "Unchanged."},
    },
)
def dictionary(request: Request, caller: ApiReads, reader: ReaderDep) -> Response:
    """Return the tables and columns of the release that is served."""
    if is_known(request, reader, caller):
        return not_modified(reader, caller)
    with reader.connection() as connection:
        rows = connection.execute(
            "SELECT table_name, kind, column_name, type, pii, comment FROM cdp_dictionary"
        ).fetchall()
    found: dict[str, dict[str, object]] = {}
    columns: dict[str, list[dict[str, object]]] = {}
    for table, kind, column, type_, pii, comment in rows:
        if column is None:
            columns[table] = []
            found[table] = {"name": table, "kind": kind, "comment": comment, "columns": columns[table]}
        else:
            columns[table].append({"name": column, "type": type_, "pii": pii, "comment": comment})
    manifest = reader.release.manifest
    body = {"release": reader.version, "created_at": manifest["created_at"],
            "contract_version": manifest["contract_version"], "tables": list(found.values())}  # fmt: skip
    return answer(reader, caller, body)
