"""What answers of the API about a release have in common: tags, caching, JSON as bytes."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Request, Response

from warehouse.profile_lookup import Document
from warehouse.serve.releases import Reader
from warehouse.serve.scopes import Caller

# Raised whenever the same release would be answered otherwise by a newer program.
REVISION: Final = 1
JSON: Final = "application/json"
CUSTOMER_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def tag(reader: Reader, caller: Caller) -> str:
    """Return the ETag of what a caller of this kind is answered from this release."""
    return f'"{reader.version}-{"p" if caller.sees_personal_data else "m"}{REVISION}"'


def headers(reader: Reader, caller: Caller) -> dict[str, str]:
    """Return the headers of an answer: nobody but the caller may keep it, and must ask before using it again."""
    return {
        "ETag": tag(reader, caller),
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
        "CDP-Release": reader.version,
    }


def is_known(request: Request, reader: Reader, caller: Caller) -> bool:
    """Whether the caller has this answer already (``If-None-Match``; weak tags count, packed answers have them)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    wanted = tag(reader, caller)
    return any(one.strip().removeprefix("W/") in (wanted, "*") for one in given.split(","))


def not_modified(reader: Reader, caller: Caller) -> Response:
    """Return 304."""
    return Response(status_code=304, headers=headers(reader, caller))


def answer(reader: Reader, caller: Caller, body: bytes | dict[str, Any]) -> Response:
    """Return a body as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body, default=_plain)
    return Response(content, media_type=JSON, headers=headers(reader, caller))


def _plain(value: object) -> str:
    """Money as text; times and days are orjson's."""
    return str(value)


def shown(document: Document, reader: Reader, caller: Caller) -> bytes:
    """Return a customer's document as the caller may see it."""
    if caller.sees_personal_data:
        return document.raw
    return orjson.dumps(masked(document.content, reader))


_TABLES: Final = {
    "attributions": "customer_attributions",
    "identifiers": "customer_identifiers",
    "consents": "customer_consents",
    "records": "customer_records",
}


def masked(content: dict[str, Any], reader: Reader) -> dict[str, Any]:
    """Return a document as those see it who lack ``read-pii``."""
    from warehouse import masking

    found = {**content, "customer": masking.row("customers", content["customer"], reader.tokens)}
    for name, table in _TABLES.items():
        found[name] = [masking.row(table, one, reader.tokens) for one in content[name]]
    return found
