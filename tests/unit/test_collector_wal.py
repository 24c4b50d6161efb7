"""Write-ahead segments: what is acknowledged is read again, whatever else happens to the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.errors import CorruptError
from connectors.collector import wal
from connectors.collector.wal import Request, Segment
from tests.collector_tools import failing

SOURCES = ["app", "web"]

_requests = st.builds(
    Request,
    st.integers(0, 2**60),
    st.sampled_from(SOURCES),
    st.booleans(),
    st.text(max_size=20),
    st.binary(max_size=80),
)
_groups = st.lists(st.lists(_requests, min_size=1, max_size=4), min_size=1, max_size=4)


def request(body: bytes = b"{}", source: str = "web") -> Request:
    return Request(1_795_000_000_000_000, source, True, "track", body)


def written(path: Path, groups: list[list[Request]]) -> tuple[Path, list[int]]:
    """Write groups of requests; return the complete segment and where each group ended."""
    segment = Segment(path, SOURCES)
    ends = [segment.size]
    for group in groups:
        segment.append(group)
        ends.append(segment.size)
    segment.complete()
    return path, ends


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wal" / "00000000000000001-aa.wal"


@given(_groups)
def test_what_was_appended_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Request]]
) -> None:
    path, _ = written(tmp_path_factory.mktemp("wal") / "1.wal", groups)
    found = wal.read(path)
    assert (found.requests, found.damaged) == ([one for group in groups for one in group], [])


@given(_groups, st.data())
def test_a_torn_end_loses_nothing_that_was_durable(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Request]], data: st.DataObject
) -> None:
    path, ends = written(tmp_path_factory.mktemp("wal") / "1.wal", groups)
    cut = data.draw(st.integers(0, ends[-1]))
    durable = max([place for place, end in enumerate(ends) if end <= cut], default=0)
    os.truncate(path, cut)
    found = wal.read(path)
    whole = [one for group in groups for one in group]
    kept = sum(map(len, groups[:durable]))
    assert found.requests[:kept] == whole[:kept]
    assert found.requests == whole[: len(found.requests)]
    assert found.damaged == []


@given(_groups, st.data())
def test_blocks_that_never_reached_the_disk_are_no_damage(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Request]], data: st.DataObject
) -> None:
    """A power cut may keep the end of the last write and lose its beginning: none of it was acknowledged."""
    path, ends = written(tmp_path_factory.mktemp("wal") / "1.wal", groups)
    start = ends[-2]
    hole = data.draw(st.integers(start + 1, ends[-1]))
    content = bytearray(path.read_bytes())
    content[start:hole] = bytes(hole - start)
    path.write_bytes(content)
    found = wal.read(path)
    assert found.damaged == []
    assert found.requests[: sum(map(len, groups[:-1]))] == [one for group in groups[:-1] for one in group]


@given(_groups, _requests, st.data())
def test_a_changed_byte_is_reported_and_costs_one_request(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Request]], last: Request, data: st.DataObject
) -> None:
    path, ends = written(tmp_path_factory.mktemp("wal") / "1.wal", [*groups, [last]])
    at = data.draw(st.integers(ends[0], ends[-2] - 1))
    content = bytearray(path.read_bytes())
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    found = wal.read(path)
    whole = [one for group in groups for one in group] + [last]
    assert len(found.damaged) == 1
    start, end = found.damaged[0]
    assert start <= at < end
    assert any(whole[:place] + whole[place + 1 :] == found.requests for place in range(len(whole)))


def test_a_damaged_beginning_is_an_error(path: Path) -> None:
    written(path, [[request()], [request()]])
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match="damaged at its beginning"):
        wal.read(path)


def test_a_crash_before_the_first_sync_leaves_nothing_to_read(path: Path) -> None:
    written(path, [[request()]])
    os.truncate(path, 7)
    assert wal.read(path).requests == []


def test_a_body_that_looks_like_a_frame_is_a_body(path: Path) -> None:
    inner, _ = written(path.with_name("inner.wal"), [[request(b"trick")]])
    body = inner.read_bytes()
    written(path, [[request(body)], [request(b"after")]])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"trick") + len(b"trick")
    content[place] ^= 1  # the mark of the last frame: torn, and the forged frame lies before it
    path.write_bytes(content)
    assert [one.body for one in wal.read(path).requests] == [body]


def test_a_segment_whose_sync_failed_takes_no_more_and_keeps_what_was_durable(path: Path) -> None:
    segment = Segment(path, SOURCES)
    segment.append([request(b"kept")])
    with (
        failing("sync", OSError(errno.EIO, "input/output error")),
        pytest.raises(OSError, match="input/output"),
    ):
        segment.append([request(b"lost")])
    with pytest.raises(OSError, match="failed before"):
        segment.append([request(b"more")])
    segment.complete()
    assert [one.body for one in wal.read(path).requests] == [b"kept"]


def test_a_segment_without_anything_acknowledged_goes(path: Path) -> None:
    segment = Segment(path, SOURCES)
    with failing("sync", OSError(errno.ENOSPC, "full")), pytest.raises(OSError, match="full"):
        segment.append([request()])
    segment.complete()
    assert list(path.parent.iterdir()) == []


def test_a_segment_has_its_name_when_it_is_complete(path: Path) -> None:
    segment = Segment(path, SOURCES)
    segment.append([request()])
    assert not path.exists()
    assert [one.body for one in wal.read(path.with_name(path.name + wal.OPEN)).requests] == [b"{}"]
    segment.complete()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_what_a_dead_collector_left_open_is_completed(path: Path) -> None:
    segment = Segment(path, SOURCES)
    segment.append([request()])
    assert wal.recover(path.parent) == 1
    assert wal.read(path).requests == [request()]


def test_a_newer_format_is_refused(path: Path) -> None:
    written(path, [[request()]])
    content = path.read_bytes().replace(b'{"format": 1', b'{"format": 2')
    length = int.from_bytes(content[4:8], "little")
    import zlib

    crc = zlib.crc32(content[12 : 12 + length])
    path.write_bytes(content[:8] + crc.to_bytes(4, "little") + content[12:])
    with pytest.raises(CorruptError, match="format 2"):
        wal.read(path)
