"""Forms as webhooks post them: read back what was written, and take any bytes."""

from __future__ import annotations

from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import mailgun, postmark
from connectors.form_items import MAX_FIELDS, Field, fields, is_multipart, last_values
from connectors.ses_documents import documents as ses_documents

NAMES = st.text("abcdefghijklmnopqrstuvwxyzäß-_", min_size=1, max_size=12)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def multipart(given: list[Field], boundary: str = "------x1") -> bytes:
    body = b""
    for field in given:
        file = f'; filename="{field.filename}"\r\nContent-Type: text/plain' if field.filename else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field.name}"{file}\r\n\r\n'
        body += head.encode() + field.value + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


@given(st.lists(st.tuples(st.text("abcxyz-_.", min_size=1, max_size=12), VALUES), min_size=1))
def test_urlencoded_fields_are_read_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    found = fields(urlencode(pairs).encode())
    assert found is not None
    assert [(field.name, field.text) for field in found] == pairs


@given(
    st.lists(
        st.builds(Field, NAMES, VALUES.map(str.encode), st.none() | st.just("a.txt")), min_size=1, max_size=6
    )
)
def test_multipart_fields_are_read_as_they_were_written(given: list[Field]) -> None:
    body = multipart(given)
    assert is_multipart(body)
    assert fields(body) == given


def test_lines_like_a_boundary_inside_a_value_are_its_text() -> None:
    given = [Field("text", b"one\r\n------x12\r\ntwo\r\n--x1"), Field("b", b"")]
    assert fields(multipart(given)) == given


def test_of_a_form_that_was_cut_off_the_beginning_counts() -> None:
    body = multipart([Field("a", b"1"), Field("b", b"22222")])
    assert fields(body[: body.index(b"222") + 2]) == [Field("a", b"1"), Field("b", b"22")]


@pytest.mark.parametrize("body", [b"", b"{}", b"a", b"a b=c", b"From: a\n\nb=c", b"=", b"--x\r\n", b"[1]"])
def test_other_bodies_are_no_forms(body: bytes) -> None:
    assert fields(body) is None


def test_a_flood_of_fields_is_no_form() -> None:
    assert fields(b"&".join([b"a=1"] * (MAX_FIELDS + 1))) is None
    flood = multipart([Field("a", b"1")] * (MAX_FIELDS + 5))
    assert len(fields(flood) or []) <= MAX_FIELDS


def test_of_several_values_the_last_counts_and_files_do_not() -> None:
    assert last_values([Field("a", b"1"), Field("a", b"\xff"), Field("b", b"", "b.txt")]) == {"a": "\ufffd"}


FORMS = st.builds(
    lambda names, tail: b"&".join(name + b"=" + tail for name in names),
    st.lists(
        st.sampled_from([b"event", b"body-plain", b"body-mime", b"message-headers", b"from", b"sender"])
    ),
    st.binary(max_size=60),
)
PARTS = st.binary(max_size=80).map(
    lambda tail: b'--x\r\nContent-Disposition: form-data; name="body-mime"' + tail
)
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "mail", "receipt", "content", "headers", "Headers", "FromFull", "ToFull", "TextBody", "event",
                "event-data", "message", "eventType", "notificationType", "Message", "TopicArn", "Type", "Records",
                "destination", "commonHeaders", "subscription", "newTopicPreferences", "bounce", "name", "value",
            ]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("decode", [mailgun.documents, postmark.documents, ses_documents])
@given(data=st.data())
def test_decoders_take_anything_or_say_why_in_a_word(decode, data: st.DataObject) -> None:
    bodies = st.binary(max_size=200) | FORMS | PARTS | OBJECTS.map(orjson.dumps)
    payload = data.draw(bodies)
    found, reason = [], "none"
    try:
        found = decode(payload)
    except ValueError as error:
        reason = str(error)
    assert reason.replace("_", "").isalnum()
    assert all(orjson.loads(document) is not None for document in found if document is not payload)
