"""SQL over HTTP: who may ask what, limits, what is written down, and that a long query is nobody else's business."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
import time
from urllib.parse import urlencode

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from cdp.lake import Lake
from tests.serve_tools import EMAIL, NAME, PHONE, Served, lake_with_release, texts
from tests.warehouse_tools import event, identifier, publish_into, value, world
from warehouse import asking
from warehouse.pages.sql_examples import EXAMPLES
from warehouse.sandbox import Stop

ASK = "/api/v1/sql"
WHO = "SELECT full_name, email, phone FROM customers WHERE full_name IS NOT NULL ORDER BY customer_id"


def masked_lake(folder):
    lake = Lake(folder / "workspace")
    inputs = world(
        folder / "inputs",
        [[event(f"e{n}", "web:1", at=n) for n in range(4)]],
        {"web:1": "C1"},
        identifiers=[identifier("web:1", "email", EMAIL)],
        values=[
            value("web:1", "email", EMAIL),
            value("web:1", "phone", PHONE),
            value("web:1", "full_name", NAME),
        ],
    )
    publish_into(lake, inputs, masked=True)
    return lake


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    found = Served(masked_lake(tmp_path_factory.mktemp("sql")))
    yield found
    found.close()


@pytest.fixture(scope="module")
def unmasked(tmp_path_factory):
    found = Served(lake_with_release(tmp_path_factory.mktemp("plain")))
    yield found
    found.close()


def ask(client, query, **more):
    return client.post(ASK, json={"query": query, **more})


def audit(served):
    rows = served.serving.store.rows("SELECT action, subject, rows FROM audit ORDER BY audit_id")
    return [tuple(row) for row in rows if row[0].startswith("sql.")]


def test_with_read_pii_the_release_answers_and_without_its_masked_copy(served):
    assert ask(served.with_key("read-pii"), WHO).json() == [
        {"full_name": NAME, "email": EMAIL, "phone": PHONE}
    ]
    masked = [{"full_name": "J. D.", "email": "j***@m***.example", "phone": "***50"}]
    assert ask(served.with_key("read"), WHO).json() == masked
    assert ask(served.with_key("read-pii"), WHO, masked=True).json() == masked


def test_without_a_masked_copy_a_key_that_may_not_see_personal_data_is_told_how_to_have_one(unmasked):
    answer = ask(unmasked.with_key("read"), "SELECT 1 AS one")
    assert answer.status_code == 404
    assert "no masked copy" in answer.json()["detail"]
    assert "masked: true" in answer.json()["hint"]
    assert "masked: true" in unmasked.signed_in("read").get("/sql").text
    assert ask(unmasked.with_key("read-pii"), "SELECT 1 AS one").json() == [{"one": 1}]


def test_every_format_holds_the_rows(served):
    client = served.with_key("read-pii")
    query = "SELECT i AS n, 'é=' || i AS t FROM range(3) t(i)"
    expected = [{"n": n, "t": f"é={n}"} for n in range(3)]
    found = {form: ask(client, query, format=form) for form in ("json", "ndjson", "csv", "arrow", "parquet")}
    assert {answer.status_code for answer in found.values()} == {200}
    assert found["json"].json() == expected
    assert [json.loads(line) for line in found["ndjson"].text.splitlines()] == expected
    assert found["csv"].text.splitlines() == ["n,t", "0,é=0", "1,é=1", "2,é=2"]
    assert pa.ipc.open_stream(found["arrow"].content).read_all().to_pylist() == expected
    assert pq.read_table(io.BytesIO(found["parquet"].content)).to_pylist() == expected
    assert found["csv"].headers["content-type"].startswith("text/csv")
    assert found["json"].headers["cdp-release"] == served.serving.releases.pin().version


def test_the_limit_holds_to_the_row_and_an_answer_without_rows_is_one(served):
    client = served.with_key("read")
    assert len(ask(client, "FROM range(100000)", limit=12345).json()) == 12345
    assert ask(client, "SELECT 1 AS a WHERE false").json() == []
    assert ask(client, "SELECT 1 AS a WHERE false", format="csv").text == "a\n"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT 1; SELECT 2", "Exactly one query"),
        ("DROP TABLE customers", "Only SELECT reads"),
        ("SELEC 1", "syntax error"),
        ("SELECT emial FROM customers", "emial"),
        ("FROM read_text('/etc/passwd')", "disabled by configuration"),
        ("SELECT error('no luck')", "no luck"),
        ("SELECT 'a'::INTEGER", "Could not convert"),
        ("   ", "Exactly one query"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(served, query, says):
    answer = ask(served.with_key("read"), query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert says in answer.json()["detail"]


def test_requests_that_are_none_are_refused(served):
    client = served.with_key("read")
    for given in (
        {"query": ""},
        {"query": "x" * 20_001},
        {"query": "SELECT 1", "limit": 0},
        {"query": "SELECT 1", "seconds": 61},
        {},
    ):
        assert client.post(ASK, json=given).status_code == 422
    assert ask(served.client(), "SELECT 1").status_code == 401
    assert client.get(ASK).status_code == 405


def test_columns_of_one_name_do_not_break_the_server(served):
    for form in ("json", "csv", "arrow", "parquet"):
        assert ask(served.with_key("read"), "SELECT 1 AS a, 2 AS a", format=form).status_code in (200, 422)


def test_rows_count_against_the_day_s_and_an_answer_beyond_them_is_refused(tmp_path):
    served = Served(masked_lake(tmp_path), serve={"rows_per_day": 30})
    client = served.with_key("read")
    assert len(ask(client, "FROM range(25)").json()) == 25
    answer = ask(client, "FROM range(10)")
    assert answer.status_code == 429
    assert "30 rows a day" in answer.json()["detail"]
    assert len(ask(client, "FROM range(5)").json()) == 5
    served.close()


def test_the_audit_log_keeps_a_digest_and_the_rows_and_not_the_query(served):
    query = f"SELECT count(*) AS n FROM customers WHERE email = '{EMAIL}' OR true"
    before = len(audit(served))
    assert ask(served.with_key("read"), query).json() == [{"n": 1}]
    (asked, sent) = audit(served)[before:]
    assert (asked[0], sent[0], sent[2]) == ("sql.run", "sql.sent", 1)
    assert asked[1] == sent[1] == asking.Question(None, None, None, query).digest
    assert EMAIL not in texts(served.serving.store.rows("SELECT * FROM audit"))


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT error(string_agg(email, ',')) FROM customers", "Invalid Input Error"),
        ("SELECT email::INTEGER FROM customers WHERE email IS NOT NULL", "Conversion Error"),
    ],
)
def test_a_query_that_fails_is_written_down_and_quotes_no_values(served, query, kind):
    before = len(audit(served))
    told = ask(served.with_key("read-pii"), query).text
    client = served.signed_in("read-pii")
    given = {"query": query, "csrf_token": served.csrf(client)}
    shown = client.post("/sql", data=given, headers={"hx-request": "true"}).text
    assert [EMAIL in told, EMAIL in shown] == [False, False]
    assert [kind in told, kind in shown] == [True, True]
    assert [line[0] for line in audit(served)[before:]] == ["sql.run", "sql.run"]


def test_a_long_query_keeps_nobody_waiting(served):
    client, other = served.with_key("read"), served.with_key("read")
    began = time.monotonic()
    slow = threading.Thread(target=lambda: ask(client, "SELECT sleep_ms(2500)", seconds=10))
    slow.start()
    time.sleep(0.6)
    times = []
    while slow.is_alive():
        start = time.monotonic()
        assert other.get("/api/v1/health").status_code == 200
        times.append(time.monotonic() - start)
    slow.join()
    assert time.monotonic() - began > 2
    assert sorted(times)[len(times) // 2] < 0.2
    assert len(times) > 10


def test_a_query_is_ended_at_its_seconds(served):
    began = time.monotonic()
    answer = ask(served.with_key("read"), "SELECT sleep_ms(30000)", seconds=1)
    assert answer.status_code == 422
    assert "longer than 1 s" in answer.json()["detail"]
    assert time.monotonic() - began < 6


class _Gone:
    """A client that goes away after a while."""

    def __init__(self, seconds):
        self.until = time.monotonic() + seconds

    async def is_disconnected(self):
        return time.monotonic() > self.until


@pytest.mark.parametrize(
    "query", ["SELECT sleep_ms(20000)", "SELECT max(i * j) FROM range(1000000000) a(i), range(99999) b(j)"]
)
def test_a_client_that_goes_away_ends_its_query(served, query):
    question = _question(served, query)
    began = time.monotonic()
    with pytest.raises(asking.UsageError):
        asyncio.run(asking.in_thread(_Gone(0.6), lambda stop: asking.first_rows(question, 5, stop)))
    assert time.monotonic() - began < 4
    began = time.monotonic()
    with pytest.raises(asking.UsageError):
        asyncio.run(asking.Pieces(question, "csv", 5).begin(_Gone(0.6)))
    assert time.monotonic() - began < 4
    assert _children_gone()


def _children_gone():
    return asking.SLOTS._running.total() == 0


def _question(served, query):
    from warehouse.serve.scopes import Caller, scopes

    reader = served.serving.releases.pin()
    return asking.Question(served.serving, reader, Caller("k", "k", scopes(["read"])), query)


@contextlib.contextmanager
def _over_a_socket(served):
    config = uvicorn.Config(served.app, "127.0.0.1", 0, log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait_until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def _wait_until(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_a_browser_or_program_that_hangs_up_ends_its_query(served):
    query = "SELECT sleep_ms(20000)"
    browser = served.signed_in("read")
    cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    given = urlencode({"query": query, "csrf_token": served.csrf(browser)})
    form = f"Cookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded"
    key = f"Authorization: Bearer {served.key('read')}\r\nContent-Type: application/json"
    asked = (
        (ASK, key, json.dumps({"query": query, "seconds": 30})),
        ("/sql", form, given),
        ("/sql/download", form, given),
    )
    with _over_a_socket(served) as port:
        for path, headers, body in asked:
            with socket.create_connection(("127.0.0.1", port)) as line:
                head = f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}\r\nContent-Length: {len(body)}"
                line.sendall(f"{head}\r\n\r\n{body}".encode())
                _wait_until(lambda: asking.SLOTS._running.total() == 1)
            began = time.monotonic()
            _wait_until(_children_gone)
            assert time.monotonic() - began < 3, path


def test_a_reader_of_half_a_stream_ends_its_query(served):
    async def half():
        question = _question(served, "SELECT repeat('x', 1000) FROM range(1000000000)")
        pieces = await asking.Pieces(question, "csv", 10**6).begin(_Gone(60))
        first = await anext(pieces)
        await pieces.aclose()
        return first

    began = time.monotonic()
    assert b"repeat" in asyncio.run(half())
    assert time.monotonic() - began < 4
    _wait_until(_children_gone)


def test_so_many_run_at_once_and_the_rest_waits_or_is_sent_away():
    slots = asking.Slots(running=2, per_caller=1, waiting=1)
    stop = Stop()
    with slots.taken("a", stop):
        with pytest.raises(asking.TooManyError), slots.taken("a", stop, seconds=0.3):
            pass
        with slots.taken("b", stop), pytest.raises(asking.TooManyError), slots.taken("c", stop, seconds=0.3):
            pass
        waiter = threading.Thread(target=_hold, args=(slots, "a", 2.0))
        waiter.start()
        time.sleep(0.1)
        with pytest.raises(asking.TooManyError), slots.taken("a", stop):
            raise AssertionError("one waits already")
    waiter.join(5)
    assert slots._running.total() == slots._waiting == 0


def _hold(slots, key, seconds):
    with slots.taken(key, Stop(), seconds):
        pass


def test_twenty_at_once_all_get_an_answer(served):
    key = f"Bearer {served.key('read')}"

    async def one(client):
        given = {"query": "SELECT count(*) AS n FROM contact_history"}
        answer = await client.post(ASK, json=given, headers={"authorization": key})
        return answer.status_code

    async def all_of_them():
        transport = httpx.ASGITransport(served.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            return await asyncio.gather(*(one(client) for _ in range(20)))

    found = asyncio.run(all_of_them())
    assert set(found) <= {200, 429}
    assert found.count(200) >= asking.RUNNING_PER_CALLER + asking.WAITING


def test_the_page_runs_a_query_and_shows_it_escaped(served):
    browser = served.signed_in("read-pii")
    given = {"query": "SELECT '<b>x</b>' AS \"<i>\", 1.50 AS n", "csrf_token": served.csrf(browser)}
    shown = browser.post("/sql", data=given)
    assert shown.status_code == 200
    assert "&lt;b&gt;x&lt;/b&gt;" in shown.text
    assert "<b>x</b>" not in shown.text
    fragment = browser.post("/sql", data=given, headers={"hx-request": "true"})
    assert "<html" not in fragment.text
    assert '<td class="num">1.5</td>' in fragment.text
    wrong = browser.post("/sql", data={**given, "query": "SELECT emial FROM customers"})
    assert wrong.status_code == 422
    assert "emial" in wrong.text
    assert browser.post("/sql", data={"query": "SELECT 1"}).status_code == 403


def test_the_page_shows_the_first_rows_and_says_that_there_are_more(served):
    browser = served.signed_in("read")
    given = {"query": "FROM range(100000)", "csrf_token": served.csrf(browser)}
    shown = browser.post("/sql", data=given, headers={"hx-request": "true"})
    assert shown.text.count("<tr>") == 201
    assert "The first 200 rows" in shown.text
    odd = browser.post(
        "/sql", data={**given, "query": "FROM test_all_types()"}, headers={"hx-request": "true"}
    )
    assert "beyond what can be shown" in odd.text


def test_a_download_starts_no_formulas_in_a_spreadsheet(served):
    browser = served.signed_in("read")
    given = {"query": "SELECT '=1+1' AS a, -5 AS b", "csrf_token": served.csrf(browser), "format": "csv"}
    answer = browser.post("/sql/download", data=given)
    assert answer.text == "a,b\n'=1+1,-5\n"
    assert answer.headers["content-disposition"].startswith('attachment; filename="answer-2026')
    given["format"] = "parquet"
    found = pq.read_table(io.BytesIO(browser.post("/sql/download", data=given).content))
    assert found.to_pylist() == [{"a": "=1+1", "b": -5}]
    assert browser.post("/sql/download", data={**given, "format": "exe"}).status_code == 422


def test_the_page_has_the_dictionary_of_its_release_and_examples_that_run(served):
    browser = served.signed_in("read")
    text = browser.get("/sql").text
    for expected in (
        "contact_history",
        "consent_marketing_email",
        "One row per profile",
        "You ask the masked copy",
    ):
        assert expected in text
    release = served.serving.releases.pin().release
    with duckdb.connect(str(release.masked_database), read_only=True) as connection:
        for name, query in EXAMPLES:
            assert connection.execute(query).description, name
