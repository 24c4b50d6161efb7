"""Rows read by Polars are the rows that Python's csv module reads, byte for byte."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from connectors.csv_items import chunks
from connectors.protocol import SplitContext

_cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\r\n"\x00'), max_size=8)
_quoted = st.text(st.sampled_from('ab,;"\n '), max_size=6)
_table = st.integers(2, 4).flatmap(
    lambda width: st.lists(
        st.one_of(
            st.lists(_cell, min_size=width, max_size=width),
            st.lists(st.one_of(_cell, _quoted), min_size=width, max_size=width),
        ),
        min_size=1,
        max_size=6,
    )
)


@given(rows=_table, ending=st.sampled_from(["\n", "\r\n"]))
def test_every_cell_of_every_row(rows: list[list[str]], ending: str) -> None:
    names = [f"c{number}" for number in range(len(rows[0]))]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=ending)
    writer.writerow(names)
    writer.writerows(rows)
    got = list(chunks(out.getvalue().encode(), SplitContext(delimiter=",")))
    expected = [
        dict(zip(names, row, strict=True))
        for row in list(csv.reader(io.StringIO(out.getvalue(), newline="")))[1:]
        if any(cell.strip() for cell in row) or len(row) > 1
    ]
    assert [json.loads(payload) for chunk in got for payload in chunk.payloads] == expected
    assert not any(chunk.rejected for chunk in got)
