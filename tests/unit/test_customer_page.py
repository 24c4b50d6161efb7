"""The endpoints of one customer's page without a browser: scopes, CSRF, audit, masking, what is refused and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cdp import judgements
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import load
from connectors.registry import names
from tests.pages_tools import make_workspace
from tests.pages_world import ADA, BUSY, TWIN
from tests.warehouse_tools import NOW
from warehouse.serve import keys, sessions
from warehouse.serve.app import create_app
from warehouse.serve.context import Serving


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp("page")
    make_workspace(folder)
    made = Serving.open(Lake(folder), load(folder, names()))
    made.now = lambda: NOW
    yield made
    made.close()


def _client(serving: Serving, *scopes: str) -> TestClient:
    key_id, _ = keys.create(serving.store, "tester", scopes, now=NOW)
    client = TestClient(create_app(serving), base_url="http://127.0.0.1", follow_redirects=False)
    client.cookies.set(sessions.COOKIE, sessions.begin(serving.store, key_id, NOW))
    return client


def _token(client: TestClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(f"/customers/{ADA}").text)
    assert found is not None
    return found[1]


def _judged(serving: Serving) -> int:
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        return len(judgements.read(ledger))


DECIDE = {"act": "join", "other": BUSY}
CHANGES = (
    ("check", DECIDE),
    ("decide", DECIDE),
    ("undo/check", {"judgements": "1"}),
    ("undo", {"judgements": "1"}),
)


@pytest.mark.parametrize(("what", "form"), CHANGES)
def test_only_those_with_the_scope_may_judge(serving: Serving, what: str, form: dict[str, str]) -> None:
    client = _client(serving, "read-pii", "segments")
    answer = client.post(f"/customers/{ADA}/identity/{what}", data={**form, "csrf_token": _token(client)})
    assert answer.status_code == 403
    assert _judged(serving) == 0


@pytest.mark.parametrize(("what", "form"), CHANGES)
@pytest.mark.parametrize("token", [None, "", "guess"])
def test_a_form_of_another_site_changes_nothing(
    serving: Serving, what: str, form: dict[str, str], token: str | None
) -> None:
    client = _client(serving, "identity")
    given = form if token is None else {**form, "csrf_token": token}
    assert client.post(f"/customers/{ADA}/identity/{what}", data=given).status_code == 403
    assert _judged(serving) == 0


def test_nobody_reads_without_signing_in(serving: Serving) -> None:
    client = TestClient(create_app(serving), base_url="http://127.0.0.1", follow_redirects=False)
    answer = client.get(f"/customers/{ADA}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_every_reading_is_audited_also_of_a_part(serving: Serving) -> None:
    client = _client(serving, "read")
    token = _token(client)
    query = "SELECT count(*) FROM audit WHERE action = 'profile.read' AND subject = ?"
    (before,) = serving.store.rows(query, (ADA,))[0]
    answer = client.post(
        f"/customers/{ADA}/history",
        data={"csrf_token": token, "channel": "email"},
        headers={"hx-request": "true"},
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    (after,) = serving.store.rows(query, (ADA,))[0]
    assert after == before + 1


def test_filters_work_without_scripts_too(serving: Serving) -> None:
    client = _client(serving, "read-pii")
    answer = client.post(
        f"/customers/{ADA}/history", data={"csrf_token": _token(client), "channel": "social"}
    )
    assert answer.status_code == 200
    assert "<html" in answer.text
    assert answer.text.count('class="event"') == 2


@pytest.mark.parametrize(
    "form",
    [
        {"channel": "x"},
        {"since": "tomorrow"},
        {"after": "x"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
    ],
)
def test_odd_filters_are_answered_and_never_an_error_of_the_server(
    serving: Serving, form: dict[str, str]
) -> None:
    client = _client(serving, "read-pii")
    answer = client.post(f"/customers/{ADA}/history", data={**form, "csrf_token": _token(client)})
    assert answer.status_code in {200, 400, 422}


@pytest.mark.parametrize("customer_id", ["C404", "nobody@mail.example", "%00", "a" * 5000, "C00000001'--"])
def test_an_unknown_customer_is_not_found(serving: Serving, customer_id: str) -> None:
    answer = _client(serving, "read-pii").get(f"/customers/{customer_id}")
    assert answer.status_code in {400, 404, 414}


def test_who_sees_nothing_personal_joins_by_id_alone(serving: Serving) -> None:
    client = _client(serving, "identity")
    token = _token(client)

    def check(other: str) -> int:
        form = {"act": "join", "other": other, "csrf_token": token}
        answer = client.post(f"/customers/{BUSY}/identity/check", data=form)
        assert "ada.okafor" not in answer.text.replace(other, "")
        return answer.status_code

    assert check("ada.okafor@mail.example") == 422
    assert check(ADA) == 200


def test_a_decision_is_written_once_with_its_maker(serving: Serving) -> None:
    client = _client(serving, "identity", "read-pii")
    form = {"act": "join", "other": TWIN, "note": "same laptop", "csrf_token": _token(client)}
    answer = client.post(f"/customers/{BUSY}/identity/decide", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/customers/{BUSY}?done=join")
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        (made,) = judgements.read(ledger)
    assert (made.pair, made.kind, made.decided_by, made.reason) == (
        ("web:u-2000", "web:u-3000"),
        "must_link",
        "tester",
        "same laptop",
    )


def test_what_differs_is_marked_before_two_are_joined(serving: Serving) -> None:
    client = _client(serving, "identity", "read-pii")
    form = {"act": "join", "other": TWIN, "csrf_token": _token(client)}
    text = client.post(f"/customers/{ADA}/identity/check", data=form).text
    names = ("full_name", "email", "phone", "birth_date", "street", "city", "postcode", "country", "company")
    with serving.releases.reading() as reader, reader.connection() as connection:
        query = f"SELECT {', '.join(names)} FROM customers WHERE customer_id = ?"
        one, other = (connection.execute(query, [key]).fetchone() for key in (ADA, TWIN))
    assert one is not None
    assert other is not None
    known = [pair for pair in zip(one, other, strict=True) if None not in pair]
    differing = [pair for pair in known if len({str(value).casefold() for value in pair}) == 2]
    assert differing
    assert text.count(">differs<") == 2 * len(differing)


def test_taking_back_what_holds_two_customers_apart_does_not_join_them(serving: Serving) -> None:
    with Ledger(serving.lake.ledger_path) as ledger:
        said = [judgements.Decision("web:u-2000", "calls:+447700900142", "cannot_link")]
        (made,) = judgements.append(ledger, said, by="bob", now=NOW)
    client = _client(serving, "identity", "read-pii")
    form = {"judgements": str(made.judgement_id), "csrf_token": _token(client)}
    asked = client.post(f"/customers/{TWIN}/identity/undo/check", data=form)
    assert asked.status_code == 200
    assert "may become one customer again" in asked.text
    assert "join them</a> instead" in asked.text
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        before = judgements.read(ledger)
    assert before[-1] == made
    answer = client.post(f"/customers/{TWIN}/identity/undo", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/customers/{TWIN}?done=undo")
    with Ledger(serving.lake.ledger_path, read_only=True) as ledger:
        after = judgements.read(ledger)
    assert after[:-1] == before[:-1]
    assert (after[-1].kind, after[-1].withdrawn_by) == ("cannot_link", "tester")
    for what in ("undo/check", "undo"):
        assert client.post(f"/customers/{TWIN}/identity/{what}", data=form).status_code == 404
    subjects = {
        row["subject"]
        for row in serving.store.rows("SELECT subject FROM audit WHERE action = 'identity.undo'")
    }
    assert subjects == {ADA, TWIN}
