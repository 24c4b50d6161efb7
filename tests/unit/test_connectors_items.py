"""Splitting: documents out of JSON, rows out of delimited text; damage never takes the rest with it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import csv_items, json_items
from connectors.protocol import CHUNK_ROWS, Chunk, SplitContext

MARK = b"\xef\xbb\xbf"


def pieces(data: bytes) -> list[tuple[bytes, str | None]]:
    return [(piece.payload, piece.reason) for piece in json_items.documents(data)]


def good(data: bytes) -> list[bytes]:
    return [payload for payload, reason in pieces(data) if reason is None]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}\n{"a":2}\n{"a":3}\n',
        b'{"a":1}\r\n{"a":2}\r\n{"a":3}',
        b'\n{"a":1}\n\n{"a":2}\n \n{"a":3}\n\n',
        MARK + b'{"a":1}\n{"a":2}\n{"a":3}',
        b'[{"a":1},{"a":2},\n {"a":3}]',
        b'[{"a":1}]\n[{"a":2},{"a":3}]\n',
        b'{"a":1}{"a":2} {"a":3}',
        b'{"a":1}\n{"a":2}{"a":3}\n',
        b'{"a":1},\n{"a":2},\n{"a":3},\n',
        b'\x1e{"a":1}\n\x1e{"a":2}\n\x1e{"a":3}\n',
        b'{"a":1}\n[{"a":2}]\n{"a":3}',
        '{"a":1}\n{"a":2}\n{"a":3}'.encode("utf-16"),
        '[{"a":1},{"a":2},{"a":3}]'.encode("utf-32"),
    ],
)
def test_all_ways_of_writing_several_documents_give_the_same(data: bytes) -> None:
    assert pieces(data) == [(b'{"a":1}', None), (b'{"a":2}', None), (b'{"a":3}', None)]


def test_documents_over_many_lines_are_verbatim() -> None:
    one, two = b'{\n  "a": 1.0,\n  "b": [\n    {"c": "}"}\n  ]\n}', b'{\n  "a": "\\"{"\n}'
    assert good(one) == [one]
    assert good(one + b"\n" + two) == [one, two]
    assert good(b"[\n" + one + b",\n" + two + b"\n]\n") == [one, two]


@pytest.mark.parametrize("data", [b"", b"  \n\t\r\n", MARK, b"[]", b"[ ]"])
def test_nothing_gives_nothing(data: bytes) -> None:
    assert list(json_items.chunks(data)) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}\n{"b', [(b'{"a":1}', None), (b'{"b', "truncated")]),
        (b'[{"a":1},{"b":[2', [(b'{"a":1}', None), (b'{"b":[2', "truncated")]),
        (b'{"a":1}\n{broken\n{"b":2}', [(b'{"a":1}', None), (b"{broken", "truncated"), (b'{"b":2}', None)]),
        (
            b'[\n {"a":1},\n {"b":[},\n {"c":3}\n]',
            [(b'{"a":1}', None), (b'{"b":[},', "invalid_json"), (b'{"c":3}', None)],
        ),
        (
            b'{\n "a": 1\n}\n{\n "b": {\n}\n{\n "c": 3\n}',
            [(b'{\n "a": 1\n}', None), (b'{\n "b": {\n}', "truncated"), (b'{\n "c": 3\n}', None)],
        ),
        (
            b'[1,"x",null,{"a":1}]',
            [*((scalar, "not_an_object") for scalar in (b"1", b'"x"', b"null")), (b'{"a":1}', None)],
        ),
        (b'[[{"a":1}]]', [(b'[{"a":1}]', "not_an_object")]),
        (b"not json\nat all", [(b"not json\nat all", "invalid_json")]),
        (b'<html>\n{"a":1}', [(b"<html>", "invalid_json"), (b'{"a":1}', None)]),
        (b"\x00\x00\x00", [(b"\x00\x00\x00", "invalid_json")]),
        (b'\xff\xfe{"a', [(b'\xff\xfe{"a', "not_utf8")]),
    ],
)  # fmt: skip
def test_damage_is_rejected_alone(data: bytes, expected: list[tuple[bytes, str | None]]) -> None:
    assert pieces(data) == expected


def test_a_mixture_of_lines_and_a_document_over_many() -> None:
    lines = [b'{"n":%d}' % n for n in range(6)]
    document = b'{\n  "over": {\n    "many": "lines"\n  }\n}'
    data = b"\n".join([*lines[:3], document, *lines[3:]])
    assert good(data) == [*lines[:3], document, *lines[3:]]


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 2_000_000,
        b'{"a":' * 400_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'"' * 3_000_000,
        b'{"' * 1_000_000,
        b"\n{" * 400_000,
        b'[{"a":1]\n' * 50_000,
        b'{"a": "' + b"\n{" * 200_000,
        b'{"a":"' + b"x\\n" * 3_000_000,
    ],
    ids=lambda data: f"{data[:6]!r} {len(data)} bytes",
)
def test_hostile_nesting_and_damage_stay_linear(data: bytes) -> None:
    start = time.process_time()
    assert sum(len(piece.payload) for piece in json_items.documents(data)) > 0
    assert time.process_time() - start < 5


def test_a_document_of_a_hundred_megabytes_is_one_piece() -> None:
    document = b'{"a":"' + b"x" * 100_000_000 + b'"}'
    (chunk,) = json_items.chunks(document + b"\n")
    assert (len(chunk.payloads), chunk.rows) == (1, [1])
    assert len(chunk.payloads[0]) == len(document)


def test_rows_are_numbered_on_over_chunks_and_damage() -> None:
    lines = [b'{"n":%d}' % n for n in range(CHUNK_ROWS + 5)]
    lines[7] = b"{damaged"
    chunks = list(json_items.chunks(b"\n".join(lines)))
    rows = [row for chunk in chunks for row in [*chunk.rows, *(bad.row for bad in chunk.rejected)]]
    assert sorted(rows) == list(range(1, CHUNK_ROWS + 6))
    assert [bad.row for chunk in chunks for bad in chunk.rejected] == [8]
    assert max(map(len, chunks)) <= CHUNK_ROWS


def test_a_splitter_divides_documents_further() -> None:
    def halves(document: bytes) -> list[json_items.Piece] | None:
        inner = json_items.members(document) or {}
        return (
            [json_items.Piece(item, sent="now") for item in json_items.elements(inner["items"]) or []]
            if "items" in inner
            else None
        )

    (chunk,) = json_items.chunks(b'{"items":[{"a":1.0},{"b":2}]}\n{"c":3}', halves)
    assert chunk.payloads == [b'{"a":1.0}', b'{"b":2}', b'{"c":3}']
    assert (chunk.rows, chunk.sent) == ([1, 2, 3], ["now", "now", None])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON_VALUES, max_size=4)


@given(st.lists(OBJECTS, max_size=6), st.sampled_from([None, 1, 2]), st.booleans(), st.booleans())
def test_whatever_was_written_is_read(
    values: list[dict[str, object]], indent: int | None, as_array: bool, ascii_only: bool
) -> None:
    texts = [json.dumps(value, indent=indent, ensure_ascii=ascii_only) for value in values]
    data = (f"[{', '.join(texts)}]" if as_array else "\n".join(texts)).encode("utf-8", "surrogatepass")
    assert good(data) == [text.encode("utf-8", "surrogatepass") for text in texts]


@given(st.binary(max_size=300))
def test_no_bytes_vanish_from_any_input(data: bytes) -> None:
    kept = b"".join(payload for payload, _ in pieces(data))
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        blank = b" \t\r\n\f\v,[]\x1e" + MARK
        assert sorted(kept.translate(None, blank)) == sorted(data.translate(None, blank))


def rows(data: bytes, **options: object) -> list[dict[str, str]]:
    return [json.loads(payload) for chunk in csv_chunks(data, **options) for payload in chunk.payloads]


def csv_chunks(data: bytes, **options: object) -> list[Chunk]:
    context = {name: options.pop(name) for name in ("encoding", "delimiter") if name in options}
    return list(csv_items.chunks(data, SplitContext(**context), **options))  # type: ignore[arg-type]


def rejected(data: bytes, **options: object) -> list[tuple[int, bytes, str]]:
    found = [piece for chunk in csv_chunks(data, **options) for piece in chunk.rejected]
    return [(piece.row, piece.payload, piece.reason) for piece in found]


@pytest.mark.parametrize(
    "data",
    [
        b"id,name\n1,Ada\n2,Bob\n",
        b"id,name\r\n1,Ada\r\n2,Bob",
        b'"id","name"\n"1","Ada"\n"2","Bob"\n',
        b"id;name\n1;Ada\n2;Bob\n",
        b"id\tname\n1\tAda\n2\tBob\n",
        b"id|name\n1|Ada\n2|Bob\n",
        b"sep=;\nid;name\n1;Ada\n2;Bob\n",
        MARK + b"id,name\n1,Ada\n2,Bob\n",
        "id\tname\n1\tAda\n2\tBob\n".encode("utf-16"),
        b"\n\nid,name\n\n1,Ada\n2,Bob\n\n\n",
        b"id,name\n1,Ada,,\n2,Bob,\n",
        b"id , name\n1,Ada\n2,Bob",
    ],
)
def test_all_dialects_give_the_same_rows(data: bytes) -> None:
    assert rows(data) == [{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}]


def test_cells_keep_quotes_line_breaks_and_delimiters() -> None:
    assert rows(b'a,b\n"x ""y"", z","two\nlines"\n15" screen,"say"so\n') == [
        {"a": 'x "y", z', "b": "two\nlines"},
        {"a": '15" screen', "b": "sayso"},
    ]


@pytest.mark.parametrize(
    ("data", "reason", "bad"),
    [
        (b"a,b\n1,2\n3\n4,5\n", "ragged_row", b"3"),
        (b"a,b\n1,2\n3,3,3\n4,5\n", "ragged_row", b"3,3,3"),
        (b'a,b\n1,2\n3,"open\n4,5\n', "unbalanced_quote", b'3,"open'),
        (b"a,b\n1,2\n3,\xff\n4,5\n", "not_utf8", b"3,\xff"),
        (b"a,b\n1,2\n3,\x00\n4,5\n", "nul_byte", b"3,\x00"),
    ],
)
def test_a_bad_row_is_rejected_alone(data: bytes, reason: str, bad: bytes) -> None:
    assert rows(data) == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]
    assert rejected(data) == [(3, bad, reason)]


def test_a_quote_left_open_costs_one_row_however_many_follow() -> None:
    data = b'a,b\n1,"open\n' + b'2,"x"\n3,y\n' * 20_000
    assert len(rows(data)) == 40_000
    assert rejected(data) == [(2, b'1,"open', "unbalanced_quote")]


def test_another_encoding_is_named_in_the_source() -> None:
    data = "name\nLefèvre\n".encode("cp1252")
    assert rows(data, encoding="cp1252") == [{"name": "Lefèvre"}]
    assert rejected(data) == [(2, "Lefèvre".encode("cp1252"), "not_utf8")]


def test_columns_without_a_header_are_given() -> None:
    data = b"1,Ada\n2\n3,Cy,x\n"
    assert rows(data, header=["id", "name"]) == [{"id": "1", "name": "Ada"}]
    assert rows(data, header=["id", "name", "more"], min_cells=1) == [
        {"id": "1", "name": "Ada"},
        {"id": "2"},
        {"id": "3", "name": "Cy", "more": "x"},
    ]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"id,name", MARK + b"id,name\n"])
def test_no_rows_give_no_chunks(data: bytes) -> None:
    assert csv_chunks(data) == []


@pytest.mark.parametrize("data", [b"PK\x03\x04\xff\x00,\n,,\n", b'"open header\n1,2\n'])
def test_a_header_that_is_no_text_rejects_the_file(data: bytes) -> None:
    assert [reason for _, _, reason in rejected(data)] == ["bad_header"]


def test_a_cell_without_end_and_a_cell_too_long() -> None:
    data = b'a,b\n1,"' + b"x" * 20_000_000 + b'"\n2,3\n'
    assert rows(data) == [{"a": "2", "b": "3"}]
    assert [(row, reason) for row, _, reason in rejected(data)] == [(2, "cell_too_long")]


@pytest.mark.parametrize("line", [b'1,"x\n', b'"\n', b"1,2\n3\n"])
def test_hostile_quotes_stay_linear(line: bytes) -> None:
    start = time.process_time()
    chunks = csv_chunks(b"a,b\n" + line * 100_000)
    assert sum(map(len, chunks)) > 0
    assert time.process_time() - start < 5


TABLE = st.lists(
    st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), min_size=3, max_size=3),
    max_size=8,
)


@given(TABLE, st.sampled_from([",", ";", "\t", "|"]))
def test_whatever_a_csv_writer_wrote_is_read(table: list[list[str]], delimiter: str) -> None:
    import csv
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["first", "second", "third"], *table])
    assert [list(row.values()) for row in rows(out.getvalue().encode())] == table


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_rejected(data: bytes) -> None:
    chunks = csv_chunks(data, header=["a", "b"])
    numbers = [row for chunk in chunks for row in [*chunk.rows, *(piece.row for piece in chunk.rejected)]]
    assert len(set(numbers)) == len(numbers)
