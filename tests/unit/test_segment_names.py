"""What a segment may be called, and that nobody saves one of everybody by accident."""

from __future__ import annotations

import pytest

from cdp.errors import UsageError
from cdp.lake import Lake
from tests.warehouse_tools import NOW
from warehouse.segments import files
from warehouse.segments.fields import known_fields
from warehouse.segments.files import Draft

YORK = {"field": "city", "op": "is", "value": "York"}


def save(lake: Lake, segment_id: str, name: str, after: int = 0, *, archived: bool = False) -> None:
    draft = Draft(segment_id, name, YORK, archived=archived)
    files.save(lake, known_fields(), draft, after=after, now=NOW)


def test_a_name_in_use_is_refused_whatever_its_case_and_spaces(tmp_path):
    lake = Lake(tmp_path)
    save(lake, "best", "Best customers")
    with pytest.raises(UsageError, match="has this name"):
        save(lake, "best-2", " best  CUSTOMERS ")
    save(lake, "good", "Good customers")
    with pytest.raises(UsageError, match="has this name"):
        save(lake, "good", "Best customers", after=1)
    save(lake, "best", "Best customers", after=1)
    assert sorted(files.read(lake, known_fields()).rules) == ["best", "good"]


def test_the_name_of_an_archived_segment_is_free(tmp_path):
    lake = Lake(tmp_path)
    save(lake, "old", "Best customers")
    save(lake, "old", "Best customers", after=1, archived=True)
    save(lake, "best", "Best customers")
    with pytest.raises(UsageError, match="has this name"):
        save(lake, "old", "Best customers", after=2)
