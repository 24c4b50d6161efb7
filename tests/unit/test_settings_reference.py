"""The JSON Schema and the reference page say what the model says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from cdp.settings.model import Settings
from cdp.settings.reference import json_schema, page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(("name", "made"), [("cdp.schema.json", json_schema), ("config.md", page)])
def test_the_committed_reference_equals_what_the_model_gives(name: str, made: object) -> None:
    assert callable(made)
    again = "make it again with `cdp config schema` and `cdp config schema --page`"
    assert (REFERENCE / name).read_text(encoding="utf-8") == made(), again


def test_every_key_has_a_description() -> None:
    schema = json.loads(json_schema())
    bare = [
        f"{title}.{name}"
        for title, section in schema["$defs"].items()
        for name, field in section["properties"].items()
        if not field.get("description")
    ]
    assert bare == []


def test_every_section_of_the_model_is_on_the_page() -> None:
    text = page()
    for name in Settings.model_fields:
        assert f"| `{name}` |" in text
    names = set(json.loads(json_schema())["$defs"]) - {"ColumnRef"}
    assert text.count("\n## ") == len(names) + 1


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("workspace: {name: w}", True),
        (
            "workspace: {name: w}\nsources: {s: {connector: files, event: {type: order_placed, time: at}}}",
            True,
        ),
        (
            "workspace: {name: w}\nsources: {s: {connector: files, path: [a], identifiers: {email: [a, b]}}}",
            True,
        ),
        (
            "workspace: {name: w}\nsources: {s: {connector: f, event: {type: {column: a}, time: b}}}",
            True,
        ),
        ("workspace: {name: w}\nidentity: {threshold: 0.9}", True),
        ("workspace: {name: w, nam: x}", False),
        ("workspace: {name: w}\nsources: {S: {connector: files}}", False),
        ("workspace: {name: w}\nsources: {s: {connector: files, name: x}}", False),
        ("workspace: {name: w}\nsources: {s: {connector: files, identifiers: {mail: a}}}", False),
        ("workspace: {name: w}\nrelease: {keep: 1}", False),
        ("sources: {}", False),
    ],
)
def test_editors_accept_and_refuse_what_loading_does(text: str, valid: bool) -> None:
    from cdp.errors import ConfigError
    from cdp.settings import parse

    validator = jsonschema.Draft202012Validator(json.loads(json_schema()))
    assert validator.is_valid(yaml.safe_load(text)) is valid
    if valid:
        assert parse(text).workspace.name == "w"
    else:
        with pytest.raises(ConfigError):
            parse(text)
