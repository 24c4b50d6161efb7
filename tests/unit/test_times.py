"""Times as sources write them become instants in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from cdp.duck import connect
from connectors.times import parse


def instant(text: str | None, timezone: str = "UTC", region: str = "GB") -> tuple[str | None, bool]:
    sql = parse("x", timezone=timezone, region=region)
    with connect() as connection:
        connection.register("given", pa.table({"x": pa.array([text], pa.string())}))
        ((moment, ambiguous),) = connection.sql(
            f"SELECT {sql.instant}, {sql.ambiguous} FROM given"
        ).fetchall()
    assert moment is None or isinstance(moment, datetime)
    return (moment.astimezone(UTC).isoformat() if moment else None), ambiguous


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T05:06:07Z", "2026-03-04T05:06:07+00:00"),
        ("2026-03-04T05:06:07.123+02:00", "2026-03-04T03:06:07.123000+00:00"),
        ("2026-03-04T05:06:07.123456789Z", "2026-03-04T05:06:07.123456+00:00"),
        ("2026-03-04 05:06", "2026-03-04T05:06:00+00:00"),
        ("2026-03-04", "2026-03-04T00:00:00+00:00"),
        ("20260304", "2026-03-04T00:00:00+00:00"),
        ("2021-09-08T06:34:04+0000", "2021-09-08T06:34:04+00:00"),
        ("2024-09-10T14:38:57.5Z[GMT]", "2024-09-10T14:38:57.500000+00:00"),
        ("Tue, 31 Aug 2010 20:36:28 +0200", "2010-08-31T18:36:28+00:00"),
        ("Tue, 31 Aug 2010 20:36:28 GMT", "2010-08-31T20:36:28+00:00"),
        ("Fri, 1 Jan 2016 10:00:00 +0200 (EET)", "2016-01-01T08:00:00+00:00"),
        ("Wed Sep 05 12:00:00 +0000 2018", "2018-09-05T12:00:00+00:00"),
        ("1461095250", "2016-04-19T19:47:30+00:00"),
        ("1461095250.25", "2016-04-19T19:47:30.250000+00:00"),
        ("1461095250123", "2016-04-19T19:47:30.123000+00:00"),
        ("31.12.2025 23:59", "2025-12-31T23:59:00+00:00"),
        ("0000-00-00", None),
        ("soon", None),
        ("99999999999999999999", None),
        (None, None),
    ],
)
def test_formats(text: str | None, expected: str | None) -> None:
    assert instant(text) == (expected, False)


def test_slashes_are_day_first_except_where_the_region_writes_the_month_first() -> None:
    assert instant("03/04/2026", region="GB")[0] == "2026-04-03T00:00:00+00:00"
    assert instant("03/04/2026", region="US")[0] == "2026-03-04T00:00:00+00:00"
    assert instant("04/13/2026", region="GB")[0] == "2026-04-13T00:00:00+00:00", "only one reading is a date"


def test_a_time_without_zone_takes_the_sources() -> None:
    assert instant("2026-07-01 10:00", "Europe/London")[0] == "2026-07-01T09:00:00+00:00"
    assert instant("2026-07-01T10:00Z", "Europe/London")[0] == "2026-07-01T10:00:00+00:00"


def test_of_two_instants_with_one_local_time_the_earlier_is_taken_and_flagged() -> None:
    assert instant("2026-10-25 01:30", "Europe/London") == ("2026-10-25T00:30:00+00:00", True)
    assert instant("2026-10-25 02:30", "Europe/London") == ("2026-10-25T02:30:00+00:00", False)
    assert instant("2026-11-01 01:30", "America/New_York") == ("2026-11-01T05:30:00+00:00", True)
