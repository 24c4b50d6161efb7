"""The reference page of the API, made from its own description: ``python -m warehouse.api.reference``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_COMMON: Final = frozenset({"400", "401", "403", "404", "409", "413", "422", "429", "500", "503"})
_HEAD: Final = """\
# API

Version 1, under `/api/v1`. Made from the description that the server gives at `/api/v1/openapi.json`; how it is
used: [use the API](../how-to/use-the-api.md).

Every request but `/health` needs a key (`Authorization: Bearer …`). Every answer may also be an error as
`application/problem+json` (RFC 9457): 401 without a key, 403 without its scope, 404 where there is no such thing,
422 where the request is not as expected, 429 with `Retry-After` where too much was asked for.
"""


def description() -> dict[str, Any]:
    """Return the OpenAPI description of the API."""
    from fastapi import FastAPI

    from warehouse import api

    app = FastAPI(title="cdp", version="1")
    app.include_router(api.router)
    return app.openapi()


def reference_page() -> str:
    """Return ``docs/reference/api.md``.

    >>> print(reference_page().splitlines()[0])
    # API
    """
    made = description()
    lines = [_HEAD]
    for path, operations in sorted(made["paths"].items()):
        for method, operation in operations.items():
            lines += _operation(method, path, operation)
    lines += ["## Bodies and answers", ""]
    for name, schema in sorted(made["components"]["schemas"].items()):
        lines += _schema(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`"
    yield ""
    yield operation.get("description") or operation["summary"]
    yield ""
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | what it is |"
        yield "|---|---|---|---|"
        for one in parameters:
            name = f"`{one['name']}`" + (", required" if one.get("required") else "")
            yield f"| {name} | {one['in']} | {_type(one['schema'])} | {_cell(one.get('description', ''))} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"Body: {_content(body)}."
        yield ""
    for status, answer in operation["responses"].items():
        if status not in _COMMON:
            text = _cell(answer["description"]).rstrip(".")
            content = _content(answer)
            yield f"- **{status}** {text}{f': {content}' if content else ''}."
    yield ""


def _content(part: Mapping[str, Any]) -> str:
    kinds = {kind: _type(one.get("schema", {})) for kind, one in part.get("content", {}).items()}
    return "; ".join(
        what if kind == "application/json" else f"`{kind}`" for kind, what in kinds.items() if what
    )


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if about := schema.get("description"):
        yield f"{about}\n"
    if "properties" in schema:
        yield "| member | type | what it is |"
        yield "|---|---|---|"
        for member, one in schema["properties"].items():
            yield f"| `{member}` | {_type(one)} | {_cell(one.get('description', ''))} |"
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema
    ]
    default = [f"default `{schema['default']}`"] if schema.get("default") not in (None, [], "") else []
    return " ".join([kind, *limits]) + (f", {default[0]}" if default else "")


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference_page())
