"""Small files that are standardised together give what each gives alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.schemas import RAW
from cdp.settings.model import SourceSettings
from connectors import together
from connectors.compile import SourceContext
from connectors.protocol import Connector
from connectors.registry import connector_for
from connectors.standardise import standardise
from connectors.testing import stand
from connectors.together import RawFile, standardise_together
from tests.channel_tools import OWN, connector, payload_files
from tests.conftest import examples, thinned

# Of each channel the payload with most in it.
LARGEST = {path.parent.name: path for path in sorted(payload_files(), key=lambda path: path.stat().st_size)}


def pieces(raw: pa.Table, cuts: list[int], *, collected: bool = False) -> list[RawFile]:
    """Cut a raw table into files, of each of which every fifth row is left out."""
    bounds = [0, *sorted(cut % (raw.num_rows + 1) for cut in cuts), raw.num_rows]
    files = []
    for number, (begin, end) in enumerate(itertools.pairwise(bounds)):
        part = raw.slice(begin, end - begin)
        skip = pa.array(range(3, part.num_rows, 5), pa.int64())
        files.append(RawFile(100 + 7 * number, part, skip, collected=collected and number % 3 == 0))
    return files


def check(files: list[RawFile], source: Connector, context: SourceContext) -> None:
    found = list(standardise_together(iter(files), source, context))
    assert len(found) == len(files)
    for file, batch in zip(files, found, strict=True):
        alone = standardise(
            file.raw, source, context, file_id=file.file_id, skip=file.skip, collected=file.collected
        )
        assert batch.events.equals(alone.events, check_metadata=True)
        assert batch.members.sort_by("raw_row").equals(alone.members.sort_by("raw_row"))
        assert batch.outcomes.sort_by("raw_row").equals(alone.outcomes.sort_by("raw_row"))


@pytest.mark.parametrize(
    "path", thinned(LARGEST.values(), set(list(LARGEST.values())[::3]).__contains__), ids=LARGEST
)
def test_every_channel_gives_the_same_alone_and_together(path: Path) -> None:
    name = path.parent.name
    context = SourceContext(name, name, "Europe/London", "GB", own=OWN)
    raw = stand(connector(name), path.read_bytes(), context, origin=path.name).raw
    check(pieces(raw, [1, 2, 5], collected=True), connector(name), context)


LINES = st.lists(
    st.sampled_from(
        [
            '{"type":"track","event":"a","messageId":"m%d","userId":"u1","timestamp":"2026-10-01T00:00:00Z"}',
            '{"type":"identify","messageId":"m%d","userId":"u2","traits":{"email":"ann@mail.example"}}',
            '{"type":"dance","messageId":"m%d"}',
            '{"type":"track","messageId":"m%d","anonymousId":"d"}',
        ]
    ),
    min_size=1,
    max_size=30,
)
ORDERS = connector_for(
    SourceSettings.model_validate(
        {
            "connector": "files",
            "name": "orders",
            "path": "*.csv",
            "event": {
                "type": "order_placed",
                "group_by": "no",
                "time": "at",
                "amount": "price",
                "currency": "GBP",
            },
            "identifiers": {"email": "mail"},
        }
    )
)
HERE = SourceContext("web", "web", region="GB")


@given(lines=LINES, cuts=st.lists(st.integers(0, 30), max_size=8))
@examples(6)
def test_however_rows_are_spread_over_files(lines: list[str], cuts: list[int]) -> None:
    data = "\n".join(line % number for number, line in enumerate(lines)).encode()
    web = connector("segment")
    check(pieces(stand(web, data, HERE).raw, cuts, collected=True), web, HERE)


@given(
    numbers=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
)
@examples(6)
def test_lines_of_one_event_fold_within_their_file(numbers: list[int], cuts: list[int]) -> None:
    rows = [
        f"A{number},2026-02-03,{price}.50,p{price % 2}@mail.example" for price, number in enumerate(numbers)
    ]
    data = "\n".join(["no,at,price,mail", *rows]).encode()
    check(pieces(stand(ORDERS, data, HERE).raw, cuts), ORDERS, HERE)


def test_no_more_is_held_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    web = connector("segment")
    raw = stand(web, b'{"type":"page","messageId":"m1"}\n' * 3, HERE).raw.cast(RAW)

    def files() -> Iterator[RawFile]:
        nonlocal taken
        for number in range(9):
            taken += 1
            yield RawFile(number, raw, pa.array([], pa.int64()))

    monkeypatch.setattr(together, "TOGETHER_BYTES", 2 * raw.nbytes)
    batches = standardise_together(files(), web, HERE)
    seen = [taken for _ in batches]
    assert len(seen) == 9
    assert seen[:4] == [3, 3, 5, 5]


def test_files_without_rows_have_empty_batches() -> None:
    empty = RawFile(1, RAW.empty_table(), pa.array([], pa.int64()))
    batches = list(standardise_together([empty, empty], connector("segment"), HERE))
    assert [(batch.events.num_rows, batch.outcomes.num_rows) for batch in batches] == [(0, 0), (0, 0)]
    assert list(standardise_together([], connector("segment"), HERE)) == []
