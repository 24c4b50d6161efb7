"""Payloads of shops with anything in their members: outcomes with reasons, never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.settings.model import SourceSettings
from connectors.registry import connector_for
from connectors.testing import SAFETY_LAWS, Trial
from tests.channel_tools import payload_files
from tests.conftest import examples

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "59.90",
            "gbp",
            "GBP",
            "jpy",
            "succeeded",
            "refund",
            "2026-03-02T10:00:00Z",
            "a@b.example",
            "\ud800",
        ]
    ),
    st.just([]),
    st.just({}),
    st.just([None, 5, "x", {}]),
    st.just({"id": {"id": []}, "email": [1]}),
)


def wholes(name: str) -> list[Any]:
    """Return the payloads of the tests, as objects."""
    found = []
    for path in payload_files():
        if path.parent.name == name:
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines() if path.suffix == ".ndjson" else [text]
            found += [json.loads(line) for line in lines]
    return found


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of each member of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in [(*path, key), *places(item, (*path, key))]]


def changed(value: Any, path: tuple[str | int, ...], put: Any) -> Any:
    if not path:
        return put
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], put)
    return copy


@pytest.mark.parametrize("name", ["shopify", "stripe"])
@examples(5)
@given(data=st.data())
def test_a_member_may_be_anything(name: str, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(wholes(name)))
    for _ in range(data.draw(st.integers(1, 3))):
        if not (found := places(whole)):
            break
        whole = changed(whole, data.draw(st.sampled_from(found)), data.draw(ODD))
    connector = connector_for(SourceSettings(connector=name, name=name))
    item = json.dumps(whole).encode("utf-8", "surrogatepass")
    for law in SAFETY_LAWS:
        law(Trial(connector, item))
