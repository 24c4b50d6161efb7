"""Errors of the server as answers: problem+json for programs, a page for people, a fragment for htmx."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from fastapi import HTTPException
from fastapi.responses import StreamingResponse

from cdp.errors import CorruptError, LockedError, NotFoundError, UsageError
from cdp.lake import Lake
from tests.serve_tools import EMAIL, Served, copy_of, lake_with_release
from warehouse.release import CURRENT, DATABASE, MANIFEST
from warehouse.serve import logs
from warehouse.serve.access import ReaderDep
from warehouse.serve.failures import write_down

PROBLEMS = [
    (UsageError("No.", hint="Do this."), 422, "Unprocessable"),
    (NotFoundError("There is no customer 'C9'."), 404, "Not Found"),
    (LockedError("A run is at work."), 409, "Conflict"),
    (HTTPException(403, "You lack the scope."), 403, "Forbidden"),
    (HTTPException(429, "Too many.", {"Retry-After": "7"}), 429, "Too Many Requests"),
]
SECRETS = [CorruptError(f"damaged at /srv/{EMAIL}"), ValueError(f"cannot convert {EMAIL}"), KeyError(EMAIL)]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Lake:
    return lake_with_release(tmp_path_factory.mktemp("published"))


@pytest.fixture
def served(published: Lake, tmp_path: Path) -> Iterator[Served]:
    made = Served(copy_of(published, tmp_path))
    yield made
    made.close()


def fail_with(served: Served, error: Exception) -> None:
    async def failing(number: int = 0) -> None:
        del number
        raise error

    for path in ("/api/v1/failing", "/failing"):
        served.app.add_api_route(path, failing)


@pytest.mark.parametrize(("error", "status", "title"), PROBLEMS)
def test_an_error_of_the_caller_is_problem_json(served, error, status, title):
    fail_with(served, error)
    answer = served.client().get("/api/v1/failing")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"].startswith(title)
    assert body["detail"] == (getattr(error, "detail", None) or error.message)


@pytest.mark.parametrize(("error", "status", "title"), PROBLEMS)
def test_the_same_error_of_a_page_is_a_page_and_for_htmx_a_fragment(served, error, status, title):
    fail_with(served, error)
    page = served.client().get("/failing")
    fragment = served.client().get("/failing", headers={"hx-request": "true"})
    assert page.status_code == fragment.status_code == status
    assert page.text.startswith("<!doctype html>")
    assert f"<h1>{title}" in page.text
    assert "<html" not in fragment.text
    assert 'role="alert"' in fragment.text
    assert page.headers.get("retry-after") == (getattr(error, "headers", None) or {}).get("Retry-After")


@pytest.mark.parametrize("error", SECRETS)
@pytest.mark.parametrize("path", ["/api/v1/failing", "/failing"])
def test_an_error_of_the_server_says_an_id_under_which_the_log_has_the_place(served, caplog, error, path):
    fail_with(served, error)
    with caplog.at_level(logging.DEBUG):
        answer = served.client().get(path)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cdp.serve"]
    error_id = line.split()[1].rstrip(":")
    assert error_id in answer.text
    assert type(error).__name__ in line
    assert "test_serve_failures.py" in line
    assert EMAIL not in answer.text + caplog.text


def test_what_is_not_as_expected_is_named_without_its_value(served):
    fail_with(served, ValueError("never reached"))
    answer = served.client().get("/api/v1/failing", params={"number": EMAIL})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.number"
    assert EMAIL not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing", "/nothing", "/static/nothing.css"])
def test_what_is_not_there_is_404(served, path):
    answer = served.client().get(path)
    assert answer.status_code == 404
    kind = "application/problem+json" if path.startswith("/api") else "text/html"
    assert answer.headers["content-type"].startswith(kind)


def test_who_is_signed_in_keeps_the_navigation_on_an_error_page(served):
    assert "Sign out" in served.signed_in("read").get("/nothing").text
    assert "Sign out" not in served.client().get("/nothing").text


def test_before_the_first_release_it_is_503_and_later_200(tmp_path):
    served = Served(Lake(tmp_path / "workspace"))

    async def page(reader: ReaderDep) -> str:
        return reader.version

    served.app.add_api_route("/page", page)
    client = served.client()
    early = client.get("/api/v1/health")
    assert (early.status_code, early.headers["retry-after"]) == (503, "30")
    assert "cdp run" in client.get("/page").text
    lake_with_release(tmp_path)
    assert client.get("/api/v1/health").status_code == 200
    assert client.get("/page").status_code == 200
    served.close()


def test_the_description_names_the_errors(served):
    described = served.client().get("/api/v1/openapi.json").json()
    problem = described["paths"]["/api/v1/health"]["get"]["responses"]["503"]
    assert problem["content"]["application/problem+json"]["schema"] == {
        "$ref": "#/components/schemas/ProblemDetails"
    }
    assert "detail" in described["components"]["schemas"]["ProblemDetails"]["required"]


def test_the_process_writes_places_of_errors_and_no_error_twice(capsys):
    root, uvicorns = logging.getLogger(), logging.getLogger("uvicorn")
    before, level, own = root.handlers[:], root.level, (uvicorns.handlers[:], uvicorns.propagate)
    uvicorns.handlers, uvicorns.propagate = [], True  # another test may have had uvicorn set up its own
    try:
        logs.set_up(quiet=False)
        for known, error in ((True, CorruptError(EMAIL)), (False, ValueError(EMAIL))):
            if known:
                write_down(error, "id-of-the-first")
            logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        uvicorns.handlers, uvicorns.propagate = own
    said = capsys.readouterr().err
    assert EMAIL not in said
    assert said.count("CorruptError") == 1
    assert "id-of-the-first" in said
    assert "ValueError at " in said


def test_a_stream_that_breaks_is_in_the_log(served, caplog):
    async def pieces():
        yield b"first"
        raise ValueError(EMAIL)

    async def streamed() -> StreamingResponse:
        return StreamingResponse(pieces())

    served.app.add_api_route("/api/v1/streamed", streamed)
    answer = served.client().get("/api/v1/streamed")
    assert answer.status_code == 200
    assert [r.getMessage().split(":")[1].split()[0] for r in caplog.records if r.name == "cdp.serve"] == [
        "ValueError"
    ]


def test_a_release_of_an_older_cdp_says_what_to_do(served):
    folder = served.serving.lake.releases
    folder /= (folder / CURRENT).read_text().strip()
    with duckdb.connect(str(folder / DATABASE)) as connection:
        connection.execute("DROP VIEW contact_history")
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "files": []}))

    def page(reader: ReaderDep) -> str:
        with reader.connection() as connection:
            return str(connection.execute("SELECT count(*) FROM contact_history").fetchone())

    def wrong(reader: ReaderDep) -> str:
        with reader.connection() as connection:
            return str(connection.execute("SELECT 1 / FROM").fetchone())

    served.app.add_api_route("/page", page)
    served.app.add_api_route("/wrong", wrong)
    answer = served.client().get("/page")
    assert (answer.status_code, "cdp publish" in answer.text) == (503, True)
    assert served.client().get("/wrong").status_code == 500
