"""The JSON Schema of `cdp.yaml` for editors, and its reference page, both made from the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from cdp.settings.model import Settings

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"  # a name, never fetched

_HEAD: Final = """# Reference: `cdp.yaml`

<!-- Made from cdp/settings/model.py by `cdp config schema --page`; a test keeps the two equal. -->

Every key of the configuration. `cdp config check` reads the file and names the line of anything wrong;
editors complete and check it with [cdp.schema.json](cdp.schema.json), for example by this first line:

```yaml
# yaml-language-server: $schema=../docs/reference/cdp.schema.json
```

- A **column** is a column name; a dotted path (`customer.id`) reaches into nested objects. In full it is
  `{column: name}`; a constant is `{value: text}`; an identifier may add `namespace:`.
- A **duration** is a number and `m`, `h`, `d` or `w`: `36h`, `365d`.
- `yes` and `no` are text (`NO` is Norway); only `true` and `false` are truth values. A telephone number with
  its plus, or with a zero in front, stays text without quotes.
- Nothing is filled in from the environment: keys that end in `_env` *name* a variable that holds a secret.
"""


def json_schema() -> str:
    """Return the JSON Schema as text."""
    schema: dict[str, Any] = {"$schema": _DIALECT, **Settings.model_json_schema()}
    schema["title"] = "cdp.yaml"
    source = schema["$defs"]["SourceSettings"]
    del source["properties"]["name"]
    schema["properties"]["sources"]["propertyNames"] = {"pattern": "^[a-z][a-z0-9_]*$"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """Return the reference page (Markdown)."""
    schema = json.loads(json_schema())
    sections = [("", "The whole file", schema), *_sections(schema)]
    return _HEAD + "".join(
        f"\n{_section(path, title, section, schema['$defs'])}" for path, title, section in sections
    )


def _sections(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, title and schema of each section, in the order of the file."""
    definitions = schema["$defs"]
    for path, name in (
        ("workspace", "WorkspaceSettings"),
        ("own", "OwnSettings"),
        ("sources.<name>", "SourceSettings"),
        ("sources.<name>.event", "EventMapping"),
        ("sources.<name>.event.type", "TypeRule"),
        ("identity", "IdentitySettings"),
        ("identity.limits.<type>", "LimitSettings"),
        ("survivorship", "SurvivorshipSettings"),
        ("exports.<name>", "ExportSettings"),
        ("exports.<name>.destination", "DestinationSettings"),
        ("release", "ReleaseSettings"),
        ("alerts", "AlertSettings"),
        ("collect", "CollectSettings"),
        ("serve", "ServeSettings"),
        ("sources.<name>.signature", "SignatureSettings"),
        ("lifecycle", "LifecycleSettings"),
        ("measures", "MeasureSettings"),
        ("costs", "CostSettings"),
    ):
        yield path, f"`{path}`", definitions[name]


def _section(path: str, title: str, section: dict[str, Any], definitions: dict[str, Any]) -> str:
    required = set(section.get("required", ()))
    about = section["description"].split("\n")[0] if path else "The sections, each described below."
    lines = [f"## {title}\n", f"{about}\n", "| key | value | default | |", "|---|---|---|---|"]
    for name, field in section["properties"].items():
        default = "**required**" if name in required else _default(field)
        lines.append(f"| `{name}` | {_kind(field)} | {default} | {_about(field, definitions)} |")
    return "\n".join(lines) + "\n"


def _about(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the description of a field, else that of the section that it refers to."""
    section = definitions.get(str(field.get("$ref", "")).rsplit("/", 1)[-1], {})
    return str(field.get("description") or section.get("description", ""))


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}) or "$ref" in field:
        return ""
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def _kind(field: dict[str, Any]) -> str:
    """Say in words what a value looks like."""
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[-1]
        return {"ColumnRef": "column", "TypeRule": "rule"}.get(name, "section")
    if "anyOf" in field:
        words = dict.fromkeys(_kind(option) for option in field["anyOf"] if option.get("type") != "null")
        return _columns([word for word in words if word])
    if "title" in field and field["title"][0].islower():
        return str(field["title"])
    values = field.get("enum") or ([field["const"]] if "const" in field else [])
    if values:
        return "one of " * (len(values) > 1) + ", ".join(f"`{value}`" for value in values)
    return _plain(field)


def _plain(field: dict[str, Any]) -> str:
    match field.get("type"):
        case "array":
            return f"list of: {_kind(field['items'])}"
        case "object":
            keys, values = field.get("propertyNames", {}), field.get("additionalProperties")
            return f"{_kind(keys) or 'name'} → {_kind(values)}" if isinstance(values, dict) else "section"
        case "integer" | "number":
            return _bounds(field)
        case kind:
            return {"string": "text", "boolean": "`true` or `false`"}.get(str(kind), "")


def _columns(words: list[str]) -> str:
    """Join alternatives; a column's name as text is a column."""
    if "column" in words:
        words = [word for word in words if word != "text"]
    return " or ".join(words)


def _bounds(field: dict[str, Any]) -> str:
    kind = "whole number" if field["type"] == "integer" else "number"
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return f"{kind}, at least {low:g}" if low is not None else kind
