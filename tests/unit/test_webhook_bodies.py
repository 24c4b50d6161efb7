"""What a webhook delivers to a source of rows: JSON in each of its forms, and forms, read by `event:` of cdp.yaml."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.settings.model import Settings
from connectors.protocol import Connector, SplitContext
from connectors.registry import connector_for
from connectors.testing import Stood, stand

LEADS = {
    "connector": "files",
    "event": {
        "type": "lead_submitted",
        "id": "lead_id",
        "time": "at",
        "campaign": "utm[campaign]",
        "subject": "form",
    },
    "identifiers": {"email": "email", "phone": "contact.phone"},
    "traits": {"full_name": "name"},
}
ROW = {
    "lead_id": "7",
    "at": "2026-03-02T10:00:00Z",
    "email": "ann@c.example",
    "name": "Zoë & Ann",
    "form": "50% off+",
}


def leads() -> Connector:
    whole = Settings.model_validate(
        {"workspace": {"name": "test", "region": "GB"}, "sources": {"leads": LEADS}}
    )
    return connector_for(whole.sources["leads"])


def delivered(body: bytes) -> Stood:
    return stand(leads(), body, origin="")


def multipart(fields: dict[str, str], file: bytes | None = None) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
        for n, v in fields.items()
    ]
    if file is not None:
        head = b'--x\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\n'
        parts.append(head + b"Content-Type: application/pdf\r\n\r\n" + file + b"\r\n")
    return b"".join(parts) + b"--x--\r\n"


BODIES = {
    "an object": json.dumps(ROW).encode(),
    "an object over many lines": json.dumps(ROW, indent=2).encode(),
    "an array": json.dumps([ROW]).encode(),
    "a line": json.dumps(ROW).encode() + b"\n",
    "behind a byte order mark": b"\xef\xbb\xbf" + json.dumps(ROW).encode(),
    "a form": urlencode(ROW).encode(),
    "a form with its end of line": urlencode(ROW).encode() + b"\r\n",
    "a form in parts": multipart(ROW),
    "a row below its header": f"{','.join(ROW)}\n{','.join(ROW.values())}\n".encode(),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_every_body_gives_the_same_event(body: bytes) -> None:
    stood = delivered(body)
    (event,) = stood.events.to_pylist()
    assert (event["event_id"], event["event_type"], event["subject"]) == ("7", "lead_submitted", "50% off+")
    assert event["occurred_at"].isoformat() == "2026-03-02T10:00:00+00:00"
    assert event["record_key"] == "files:ann@c.example"
    assert event["traits"]["full_name"] == "Zoë & Ann"
    assert json.loads(event["properties"]) == ROW
    assert stood.reasons() == {}


@pytest.mark.parametrize("body", [
    "\n".join(json.dumps(ROW | {"lead_id": str(n)}) for n in range(3)).encode(),
    json.dumps([ROW | {"lead_id": str(n)} for n in range(3)]).encode(),
])  # fmt: skip
def test_a_body_may_hold_several_rows(body: bytes) -> None:
    assert delivered(body).events["event_id"].to_pylist() == ["0", "1", "2"]


def properties(body: bytes) -> dict[str, Any]:
    (event,) = delivered(body).events.to_pylist()
    found: dict[str, Any] = json.loads(event["properties"])
    return found


def test_a_field_that_comes_several_times_is_a_list() -> None:
    assert properties(b"lead_id=1&tag=a&tag=b&tag=&empty=") == {
        "lead_id": "1",
        "tag": ["a", "b", ""],
        "empty": "",
    }


def test_a_field_is_named_as_the_form_names_it() -> None:
    body = urlencode({"lead_id": "1", "utm[campaign]": "spring", "contact.phone": "+442079460958"}).encode()
    (event,) = delivered(body).events.to_pylist()
    assert (event["campaign"], event["record_key"]) == ("spring", "files:+442079460958")


def test_a_file_in_a_form_is_kept_with_its_name() -> None:
    found = properties(multipart({"lead_id": "1"}, file=b"%PDF-1.7 \xff\x00"))
    assert found == {"lead_id": "1", "cv": {"filename": "cv.pdf", "base64": "JVBERi0xLjcg/wA="}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"lead_id=1&name=%FF%FE", "not_utf8"),
        (b"hello", "no_rows"),
        (b"lead_id,at,email", "no_rows"),
        (b'"text"', "no_rows"),
        (b'{"lead_id": "1"', "truncated"),
        (b"[1]", "not_an_object"),
    ],
)
def test_what_cannot_be_read_is_told_and_not_passed_over(body: bytes, reason: str) -> None:
    stood = delivered(body)
    assert stood.reasons() == {f"quarantined:{reason}": 1}
    assert stood.envelopes == 1


def test_a_body_without_anything_is_nothing() -> None:
    assert delivered(b" \r\n").envelopes == 0


def test_a_file_of_a_header_only_has_no_rows_and_that_is_no_mistake() -> None:
    assert list(leads().split(b"lead_id,at,email\n", SplitContext("leads.csv"))) == []
    assert list(leads().split(b"lead_id=1&at=2", SplitContext("leads.csv"))) == []


@given(
    fields=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_.\[\]-]{0,10}", fullmatch=True), st.text(max_size=20), min_size=1
    )
)
def test_any_form_comes_back_as_its_fields(fields: dict[str, str]) -> None:
    (chunk,) = leads().split(urlencode(fields).encode("utf-8", "surrogatepass"), SplitContext(""))
    if chunk.payloads:
        assert json.loads(chunk.payloads[0]) == fields
    else:
        assert any(not text.isprintable() for text in fields.values()), "a surrogate is no UTF-8"


@given(body=st.binary(max_size=300))
def test_no_delivery_disappears(body: bytes) -> None:
    stood = delivered(body)
    assert stood.envelopes > 0 or not body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\f\v,[]\x1e")
