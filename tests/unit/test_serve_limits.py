"""How much a key may ask for, and what is written down of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.errors import CorruptError
from cdp.lake import Lake
from tests.serve_tools import START, Served, copy_of, lake_with_release
from warehouse.serve import audit, keys
from warehouse.serve.access import ApiReads, ReaderDep, ServingDep
from warehouse.serve.limits import Buckets
from warehouse.serve.problems import TooManyError
from warehouse.serve.scopes import Caller
from warehouse.serve.store import MIGRATIONS, Store


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Lake:
    return lake_with_release(tmp_path_factory.mktemp("published"))


@pytest.fixture
def served(published: Lake, tmp_path: Path) -> Iterator[Served]:
    made = Served(copy_of(published, tmp_path), serve={"requests_per_minute": 60, "rows_per_day": 1_000})
    yield made
    made.close()


def read_profile(caller: ApiReads, reader: ReaderDep, serving: ServingDep) -> str:
    serving.spend_rows(caller, 1)
    serving.audit(caller, "profile.read", "C1", reader=reader)
    return "C1"


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=200))
@settings(max_examples=60)
def test_in_no_minute_are_there_more_than_two_buckets_full(steps):
    """What a token bucket promises: at most ``at_once`` and what a minute refills, in any minute."""
    clock = Seconds()
    buckets, taken = Buckets(clock), []
    for wait, is_short in steps:
        clock.now += wait / 100 if is_short else wait
        if not buckets.take("key", per_minute=10):
            taken.append(clock.now)
    for begin in taken:
        assert sum(begin <= moment < begin + 60 for moment in taken) <= 20


def test_a_bucket_says_when_there_will_be_one():
    clock = Seconds()
    buckets = Buckets(clock)
    assert [buckets.take("key", per_minute=2) for _ in range(3)] == [0, 0, 30]
    clock.now = 29.9
    assert buckets.take("key", per_minute=2) > 0
    clock.now = 30
    assert buckets.wait("key", per_minute=2) == 0
    assert buckets.take("key", per_minute=2) == 0
    assert buckets.take("other", per_minute=2) == 0


def test_requests_of_a_key_are_counted_and_those_of_another_are_not(served):
    served.app.add_api_route("/api/v1/read", read_profile)
    served.serving.buckets = Buckets(Seconds())
    client, other = served.with_key("read"), served.with_key("read")
    assert [client.get("/api/v1/read").status_code for _ in range(61)] == [200] * 60 + [429]
    refused = client.get("/api/v1/read")
    assert (refused.headers["retry-after"], refused.json()["status"]) == ("1", 429)
    assert other.get("/api/v1/read").status_code == 200


def test_a_key_may_have_limits_of_its_own(served):
    served.app.add_api_route("/api/v1/read", read_profile)
    served.serving.buckets = Buckets(Seconds())
    client = served.client()
    text = served.key("read", limits=keys.Limits(requests_per_minute=3, rows_per_day=2))
    client.headers["authorization"] = f"Bearer {text}"
    assert [client.get("/api/v1/read").status_code for _ in range(4)] == [200, 200, 429, 429]
    served.clock.forward(days=1)
    served.serving.buckets = Buckets(Seconds())
    assert client.get("/api/v1/read").status_code == 200


def test_rows_are_counted_by_day_over_threads_and_processes(served):
    caller = Caller("k", "k", frozenset())
    refused = []

    def spend() -> None:
        for _ in range(60):
            try:
                served.serving.spend_rows(caller, 5)
            except TooManyError as error:
                refused.append(error)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 240 - 200
    assert served.serving.store.rows("SELECT rows FROM spent_rows")[0][0] == 1_000
    assert refused[0].seconds == 15 * 3_600 + 1
    again = Store(served.serving.store.path)
    assert again.rows("SELECT rows FROM spent_rows")[0][0] == 1_000
    again.close()
    served.clock.forward(hours=15)
    served.serving.spend_rows(caller, 1_000)
    served.clock.forward(days=40)
    served.serving.keep_up()
    assert served.serving.store.rows("SELECT * FROM spent_rows") == []


def test_a_line_stands_in_the_log_before_the_answer_leaves(served):
    seen: list[int] = []

    async def app(scope, receive, send):
        async def watched(message):
            if message["type"] == "http.response.start" and scope["path"] == "/api/v1/read":
                seen.append(served.serving.store.rows("SELECT count(*) FROM audit")[0][0])
            await send(message)

        await served.app(scope, receive, watched)

    from starlette.testclient import TestClient

    served.app.add_api_route("/api/v1/read", read_profile)
    client = TestClient(app, base_url="http://localhost")
    headers = {"authorization": f"Bearer {served.key('read', name='bot')}"}
    assert client.get("/api/v1/read", headers=headers).status_code == 200
    assert seen == [1]
    (line,) = audit.lines(served.serving.store, audit.Wanted(), limit=10)
    assert (line.caller, line.action, line.subject) == ("bot", "profile.read", "C1")
    assert line.release is not None


def write_lines(served: Served, number: int) -> None:
    caller = Caller("k1", "ann", frozenset())
    other = Caller("k2", "bob", frozenset())
    for index in range(number):
        who, action = (caller, "profile.read") if index % 2 else (other, "segment.save")
        served.serving.audit(who, action, f"C{index % 10}")
        served.clock.forward(minutes=1)


def test_the_log_is_read_in_pages_the_newest_first(served):
    write_lines(served, 25)
    client = served.with_key("admin")
    ids, before = [], None
    while True:
        asked = {"limit": 10} | ({"before": before} if before else {})
        page = client.get("/api/v1/audit", params=asked).json()
        ids += [line["audit_id"] for line in page["lines"]]
        before = page["next_before"]
        if before is None:
            break
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 25


@pytest.mark.parametrize(
    ("asked", "number"),
    [({"action": "profile.read"}, 10), ({"action": "segment.*"}, 10), ({"action": "segment"}, 0), ({"subject": "C3"}, 2),
     ({"key_id": "k1"}, 10), ({"key_id": "k1", "subject": "C2"}, 0), ({"since": "2026-03-02T09:10:00Z"}, 10),
     ({"until": "2026-03-02T09:05:00Z"}, 5), ({"action": "seg.*"}, 0)],
)  # fmt: skip
def test_the_log_is_filtered(served, asked, number):
    write_lines(served, 20)
    lines = served.with_key("admin").get("/api/v1/audit", params=asked).json()["lines"]
    assert len(lines) == number


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": 5_000},
        {"before": 0},
        {"since": "yesterday"},
        {"since": "2026-03-02"},
        {"who": "x"},
    ],
)
def test_what_makes_no_sense_of_the_log_is_refused(served, asked):
    assert served.with_key("admin").get("/api/v1/audit", params=asked).status_code == 422


def test_the_page_of_the_log_filters_and_goes_on(served):
    write_lines(served, 120)
    client = served.signed_in("admin")
    page = client.get(
        "/audit", params={"action": "profile.*", "key_id": "", "since": "2026-03-02", "until": "2026-03-02"}
    )
    assert page.text.count("<tr>") == 1 + 60
    first = client.get("/audit")
    assert first.text.count("<tr>") == 1 + 100
    address = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    rest = client.get(address, headers={"hx-request": "true"})
    assert "<html" not in rest.text
    assert rest.text.count("<tr>") == 21
    assert "Nothing of this kind" in client.get("/audit", params={"subject": "C99"}).text
    assert client.get("/audit", params={"since": "soon"}).status_code == 200


def test_old_lines_are_dropped_and_newer_ones_stay(served):
    write_lines(served, 10)
    served.clock.now = START + timedelta(days=400, minutes=5)
    served.serving.audit(Caller("k1", "ann", frozenset()), "profile.read", "C1")
    served.serving.keep_up()
    left = audit.lines(served.serving.store, audit.Wanted(), limit=100)
    assert len(left) == 6
    assert min(datetime.fromisoformat(line.at) for line in left) == START + timedelta(minutes=5)


def test_the_file_is_its_owners_and_a_newer_ones_is_refused(tmp_path):
    path = tmp_path / "serve.sqlite"
    store = Store(path)
    store.execute("INSERT INTO audit (at, key_id, caller, action) VALUES ('', '', '', '')")
    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600] * 3
    store.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    store.close()
    with pytest.raises(CorruptError, match="newer cdp"):
        Store(path)
    path.write_bytes(b"no database at all, but long enough to be read" * 100)
    with pytest.raises(CorruptError, match="cannot be used"):
        Store(path)


def test_a_file_of_the_first_version_is_taken_along(tmp_path):
    import sqlite3

    path = tmp_path / "serve.sqlite"
    with sqlite3.connect(path) as connection:
        for statement in MIGRATIONS[0].split(";\n"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    store = Store(path)
    assert store.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
    assert store.rows("SELECT * FROM spent_rows") == []
    store.close()
