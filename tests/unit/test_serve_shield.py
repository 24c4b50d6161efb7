"""What stands before the application: names, other sites, headers, static files, packed answers, long bodies."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from fastapi import Form, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from cdp.settings.serving import ServeSettings
from tests.serve_tools import BASE, Served, lake_with_release
from warehouse.pages.templating import static_url
from warehouse.serve.access import ApiAdmin
from warehouse.serve.hosts import Hosts
from warehouse.serve.shield import CONTENT_SECURITY_POLICY, HEADERS


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    made = Served(
        lake_with_release(tmp_path_factory.mktemp("published")),
        serve={"public_url": "https://cdp.shop.example", "hosts": ["cdp.lan"], "max_body_bytes": 2_048},
    )
    yield made
    made.close()


ANSWERS = ["/api/v1/health", "/sign-in", "/keys", "/nothing", "/api/nothing", "/static/app.css", "/static/x"]


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "TRACE", "OPTIONS"])
def test_every_answer_carries_the_security_headers(served, path, method):
    answer = served.client().request(method, path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers
    assert "cache-control" in answer.headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert {
        value for name, value in rules.items() if name not in ("default-src", "frame-ancestors", "base-uri")
    } == {
        "'self'",
        "'self' data:",
    }
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8700",
        "127.0.0.1:80",
        "[::1]:8700",
        "192.168.1.9",
        "cdp.lan:80",
        "CDP.shop.example",
    ],
)
def test_the_server_answers_to_its_own_names(served, host):
    assert served.client().get("/api/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8700",
        "",
        "127.0.0.1.evil.example",
        "a b",
        "[::1",
        "localhost@evil.example",
    ],
)
def test_a_name_that_is_not_ours_is_refused(served, host):
    for path in ("/api/v1/health", "/sign-in", "/static/app.css"):
        answer = served.client().get(path, headers={"host": host})
        assert answer.status_code == 421
        assert host == "" or host not in answer.text


def test_two_hosts_are_refused(served):
    answer = served.client().get("/api/v1/health", headers=[("host", "localhost"), ("host", "evil.example")])
    assert answer.status_code == 421


def test_only_the_public_name_is_taken_for_https(served):
    hosts = Hosts.of(ServeSettings(public_url="https://cdp.shop.example"))
    assert hosts.is_https("cdp.shop.example")
    assert not hosts.is_https("localhost:8700")
    assert not Hosts.of(ServeSettings(public_url="http://cdp.shop.example")).is_https("cdp.shop.example")
    plain = served.client().get(
        "/sign-in", headers={"x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    )
    assert "strict-transport-security" not in plain.headers


CROSS = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:9999"},
    {"origin": "http://localhost.evil.example"},
    {"sec-fetch-site": "cross-site", "origin": BASE},
]


@pytest.mark.parametrize("headers", CROSS)
def test_another_site_may_not_change_anything_even_with_the_right_token(served, headers):
    client = served.signed_in("admin")
    form = {"csrf_token": served.csrf(client), "name": "bot", "scope": "read", "expires": "30d"}
    answer = client.post("/keys", data=form, headers=headers)
    assert (answer.status_code, "Another site" in answer.text) == (403, True)
    assert (
        served.client().post("/sign-in", data={"key": served.key("read")}, headers=headers).status_code == 403
    )


@pytest.mark.parametrize(
    "headers", [{}, {"origin": BASE}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]
)
def test_our_own_forms_pass(served, headers):
    client = served.signed_in("admin")
    form = {"csrf_token": served.csrf(client), "name": "bot", "scope": "read", "expires": "30d"}
    assert client.post("/keys", data=form, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [
        ("navigate", "document", 200),
        ("navigate", "iframe", 403),
        ("no-cors", "image", 403),
        ("cors", "empty", 403),
    ],
)
def test_another_site_may_lead_here_but_not_embed_or_read(served, mode, dest, status):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert served.client().get("/sign-in", headers=headers).status_code == status


@pytest.mark.parametrize("token", [None, "", "x", "a" * 64, "é", "A" * 64 + "="])
@pytest.mark.parametrize("as_header", [False, True])
def test_a_form_without_its_token_changes_nothing(served, token, as_header):
    client = served.signed_in("admin")
    form = {"name": "forged", "scope": "read", "expires": "30d"}
    given = {} if token is None else {"csrf_token": token}
    if as_header:
        answer = client.post("/keys", data=form, headers={"x-csrf-token": (token or "").encode()})
    else:
        answer = client.post("/keys", data=form | given)
    assert answer.status_code == 403
    assert served.serving.store.rows("SELECT * FROM keys WHERE name = 'forged'") == []


def test_a_token_of_another_session_changes_nothing(served):
    first, second = served.signed_in("admin"), served.signed_in("admin")
    form = {"csrf_token": served.csrf(second), "name": "bot", "scope": "read", "expires": "30d"}
    assert first.post("/keys", data=form).status_code == 403
    assert second.post("/keys", data=form).status_code == 200


def test_tokens_differ_on_each_page_and_each_of_them_holds(served):
    client = served.signed_in("admin")
    tokens = {served.csrf(client) for _ in range(5)}
    assert len(tokens) == 5
    for token in tokens:
        form = {"csrf_token": token, "name": "bot", "scope": "read", "expires": "30d"}
        assert client.post("/keys", data=form).status_code == 200


def test_a_key_needs_no_token_but_a_cookie_does_in_the_api_too(served):
    client = served.signed_in("admin")
    served.app.add_api_route("/api/v1/change", change, methods=["POST"])
    assert client.post("/api/v1/change").status_code == 403
    assert client.post("/api/v1/change", headers={"x-csrf-token": served.csrf(client)}).status_code == 200
    assert served.with_key("admin").post("/api/v1/change").status_code == 200


def change(caller: ApiAdmin) -> str:
    return caller.name


def test_head_answers_as_get_without_the_body(served):
    for path in ("/api/v1/health", "/sign-in", "/static/app.css"):
        got, headed = served.client().get(path), served.client().head(path)
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["content-length"] == got.headers["content-length"]


def test_line_breaks_in_a_header_never_begin_another(served):
    evil = "a.csv\r\nset-cookie: a=b\r\n\r\n<script>"

    def download() -> Response:
        return Response("x", headers={"content-disposition": f"attachment; filename={evil}"})

    served.app.add_api_route("/download", download)
    answer = served.client().get("/download")
    assert "set-cookie" not in answer.headers
    assert "\r" not in answer.headers["content-disposition"]
    assert "\n" not in answer.headers["content-disposition"]


OUT = """/static/../serve/app.py /static/..%2fserve/app.py /static/%2e%2e/serve/app.py /static//etc/passwd
/static/..%5capp.py /static/vendor/../../pages/keys.py /static/ /static /static/vendor /static/%252e%252e/app.py"""


@pytest.mark.parametrize("path", OUT.split())
def test_no_path_leads_out_of_the_static_folder(served, path):
    for asked in (path, path.replace("%2f", "/").replace("%2e", ".").replace("%5c", "\\")):
        answer = served.client().get(BASE + asked)
        assert answer.status_code in (404, 307)
        assert "import" not in answer.text
        assert "root:" not in answer.text


def test_static_files_are_kept_for_ever_under_their_version_only(served):
    client = served.client()
    versioned = client.get(static_url("vendor/htmx.min.js"))
    plain = client.get("/static/app.css")
    wrong = client.get("/static/app.css?v=000000000000")
    assert versioned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == wrong.headers["cache-control"] == "no-cache"
    again = client.get("/static/app.css", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert client.get("/static/app.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_static_files_and_pages_leave_packed_where_the_client_unpacks(served):
    for path in ("/static/vendor/bootstrap.min.css", "/sign-in"):
        packed = served.client().get(path, headers={"accept-encoding": "br;q=0.9, gzip"})
        plain = served.client().get(path, headers={"accept-encoding": "gzip;q=0"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) * 0.6
        assert "Accept-Encoding" in packed.headers["vary"]


def test_a_tag_of_a_packed_text_is_weak_and_streams_are_not_held_back(served):
    def tagged() -> HTMLResponse:
        return HTMLResponse("x" * 5_000, headers={"etag": '"1"'})

    def streamed() -> StreamingResponse:
        return StreamingResponse((b"y" * 2_000 for _ in range(3)), media_type="text/csv")

    served.app.add_api_route("/tagged", tagged)
    served.app.add_api_route("/streamed", streamed)
    accepts = {"accept-encoding": "gzip"}
    answer = served.client().get("/tagged", headers=accepts)
    assert (answer.headers["etag"], answer.text) == ('W/"1"', "x" * 5_000)
    assert "Cookie" in answer.headers["vary"]
    stream = served.client().get("/streamed", headers=accepts)
    assert ("content-encoding" in stream.headers, len(stream.content)) == (False, 6_000)


def test_a_body_that_is_too_long_is_refused_wherever_it_goes(served):
    def take(name: str = Form()) -> str:
        return name

    served.app.add_api_route("/api/v1/take", take, methods=["POST"])
    for path in ("/api/v1/take", "/sign-in"):
        answer = served.client().post(path, data={"name": "x" * 3_000, "key": "k"})
        assert answer.status_code == 413
        pieces = served.client().post(
            path, content=(b"name=" + b"x" * 1_000 for _ in range(4)),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert pieces.status_code == 413
    assert served.client().post("/api/v1/take", data={"name": "x" * 3_000}).json()["status"] == 413


def test_gzip_in_the_other_direction_is_not_unpacked(served):
    body = gzip.compress(b"key=" + b"x" * 1_000_000)
    answer = served.client().post(
        "/sign-in",
        content=body[:2_000],
        headers={"content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code in (422, 403)
