"""Times as sources write them become instants in UTC."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.duck import connect
from connectors import segment
from connectors.compile import SourceContext
from connectors.testing import Stood, stand
from connectors.times import parse
from tests.conftest import examples


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
        ("0001-01-01", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999+00:00"),
        ("9999999999999999", "2286-11-20T17:46:39.999999+00:00"),
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


ZONES = ("UTC", "Europe/London")
BEYOND = (
    "infinity",
    "-infinity",
    "294247-01-10",
    "294247-01-10T04:00:54.775806Z",
    "290309-12-22 (BC) 00:00:00",
    "290309-12-22 (BC) 00:00:00+00",
    "0044-03-15 (BC)",
    "10000-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "99999999999999999999",
)
EDGES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01", "9999-12-31 23:59:59", "epoch")


@pytest.mark.parametrize("timezone", [*ZONES, "Asia/Kolkata"])
@pytest.mark.parametrize("text", BEYOND)
def test_what_lies_outside_of_the_years_1_to_9999_is_no_time(text: str, timezone: str) -> None:
    assert instant(text, timezone) == (None, False)


USUAL = "2026-01-01T00:00:00Z"


def stood(timezone: str, *times: tuple[str, str, str]) -> Stood:
    """What becomes of calls with these times (own, sent, received), and of a usual one: odd ones must not harm it."""
    calls = [
        {"type": "page", "anonymousId": "a", "messageId": f"m{n}", "timestamp": own, "originalTimestamp": own}
        | {"sentAt": sent, "receivedAt": received}
        for n, (own, sent, received) in enumerate([(USUAL, USUAL, USUAL), *times])
    ]
    context = SourceContext("web", "web", timezone=timezone, region="GB")
    return stand(segment.CONNECTOR, b"\n".join(map(orjson.dumps, calls)), context)


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("text", BEYOND)
def test_an_event_with_such_times_lands_and_is_flagged(text: str, timezone: str) -> None:
    usual, odd, sent = stood(timezone, (text, text, text), (USUAL, text, USUAL)).events.to_pylist()
    assert odd["time_flag"] == "unreadable"
    assert usual["time_flag"] is None
    assert sent["occurred_at"] == datetime(2026, 1, 1, tzinfo=UTC), "its own time needs no other"


def test_correcting_a_clock_never_leaves_the_calendar() -> None:
    """Python's datetime, which the times become here, ends where the calendar does."""
    times = list(itertools.product(EDGES, repeat=3))
    events = stood("UTC", *times).events.to_pylist()
    assert len(events) == 1 + len(times)
    found = {given: event["occurred_at"] for given, event in zip(times, events[1:], strict=True)}
    first, last = EDGES[:2]
    assert found[last, first, last] == datetime.max.replace(tzinfo=UTC), "its own, not 9,999 years later"
    assert found[first, last, first] == datetime.min.replace(tzinfo=UTC), "its own, not 9,999 years before"


_NUMBERS = st.integers(-(10**22), 10**22).map(str)
_DATES = st.builds(
    "{}{}{}{:02}{}{:02}{}{}{}".format,
    st.sampled_from(["", " ", "-", "+"]),
    st.sampled_from(["0", "1", "0000", "0001", "2026", "9999", "10000", "290309", "294247", "99999999"]),
    st.shared(st.sampled_from(["-", "/", ".", ""]), key="separator"),
    st.integers(0, 13),
    st.shared(st.sampled_from(["-", "/", ".", ""]), key="separator"),
    st.integers(0, 32),
    st.sampled_from(["", " (BC)"]),
    st.sampled_from(["", " 00:00:00", "T23:59:59.999999", " 04:00:54.775807", " 24:00:00"]),
    st.sampled_from(
        ["", "Z", "+14:00", "-14:00", "+00", " UTC", " GMT", " Europe/London", " (CET)", "[GMT]"]
    ),
)
_NAMED = st.builds(
    "{}, {} Jan {} 20:36:28 {}".format,
    st.sampled_from(["Tue", "Mon"]),
    st.integers(0, 32),
    st.sampled_from(["0", "0000", "0001", "9999", "2010", "294247"]),
    st.sampled_from(["+0200", "-9999", "GMT", "", "(CET)"]),
)
ODD = st.one_of(st.sampled_from([*BEYOND, *EDGES]), _NUMBERS, _DATES, _NAMED, st.text(max_size=24))


@pytest.mark.parametrize("timezone", ZONES)
@examples(15)
@given(own=ODD, sent=ODD, received=ODD)
def test_no_text_stops_an_event_from_landing(timezone: str, own: str, sent: str, received: str) -> None:
    there = stood(timezone, (own, sent, received))
    assert there.envelopes == 2
    usual, *_ = there.events.to_pylist()
    assert (usual["event_id"], usual["time_flag"]) == ("m0", None)
