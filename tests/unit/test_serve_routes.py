"""Laws of all endpoints, whoever wrote them: nobody without a key, nothing without a scope, no personal data in
logs, nothing from outside in SQL.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi.routing import iter_route_contexts

from cdp.lake import Lake
from tests.serve_tools import EMAIL, NAME, PHONE, Served, lake_with_release, settings_of
from warehouse.serve import keys, sessions
from warehouse.serve.app import create_app
from warehouse.serve.context import Serving
from warehouse.serve.scopes import SCOPES

# Open to everybody: whether the server works, what it offers, the way in.
OPEN = {"/api/v1/health", "/api/v1/openapi.json", "/sign-in", "/sign-in/{code}"}
_PARAMETER = re.compile(r"\{([^}:]+)(:[^}]+)?\}")
INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    '" OR 1=1 --',
    "1) UNION SELECT * FROM keys --",
    "%",
    "\\",
    "\x00",
    "a" * 3_000,
]


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    query: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def address(self, value: str = "1") -> str:
        return _PARAMETER.sub(value, self.path)

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


def endpoints() -> list[Endpoint]:
    """Every endpoint of the application, with the names of its query parameters."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        serving = Serving.open(Lake(Path(folder)), settings_of())
        contexts = list(iter_route_contexts(create_app(serving).routes))
        serving.close()
    found = []
    for context in contexts:
        dependant = getattr(context, "dependant", None) if context.methods else None
        names = tuple(_query_names(dependant)) if dependant else ()
        found += [
            Endpoint(method, context.path or "", names)
            for method in sorted(context.methods or ())
            if method not in ("HEAD", "OPTIONS")
        ]
    return found


def _query_names(dependant) -> Iterator[str]:
    for field in dependant.query_params:
        model = field.field_info.annotation
        yield from getattr(model, "model_fields", {field.alias: None})


ALL = endpoints()
GUARDED = [endpoint for endpoint in ALL if endpoint.path not in OPEN]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    made = Served(lake_with_release(tmp_path_factory.mktemp("published")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def powerless(served) -> str:
    """A key that may do nothing: no such key can be made, so that one loses its scopes."""
    key_id, text = keys.create(served.serving.store, "powerless", ["read"], now=served.clock())
    served.serving.store.execute("UPDATE keys SET scopes = '' WHERE key_id = ?", (key_id,))
    return text


def browser(served: Served, text: str):
    client = served.client()
    caller = keys.check(served.serving.store, text, served.clock())
    assert caller is not None
    client.cookies.set(sessions.COOKIE, sessions.begin(served.serving.store, caller.key_id, served.clock()))
    client.headers["x-csrf-token"] = served.csrf(client)
    return client


def test_there_are_endpoints():
    assert {"/api/v1/audit", "/keys", "/audit", "/sign-out"} <= {endpoint.path for endpoint in ALL}
    assert {endpoint.path for endpoint in ALL} >= OPEN


@pytest.mark.parametrize("endpoint", GUARDED, ids=str)
def test_nobody_without_a_key_gets_an_answer(served, endpoint):
    for headers in (
        {},
        {"authorization": "Bearer cdp_a_b"},
        {"authorization": "Basic YTpi"},
        {"cookie": "cdp_session=x"},
    ):
        answer = served.client().request(endpoint.method, endpoint.address(), headers=headers)
        if endpoint.is_api:
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        else:
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("endpoint", [e for e in GUARDED if e.path != "/sign-out"], ids=str)
def test_a_key_without_a_scope_gets_nothing(served, powerless, endpoint):
    if endpoint.is_api:
        client = served.client()
        client.headers["authorization"] = f"Bearer {powerless}"
    else:
        client = browser(served, powerless)
    answer = client.request(endpoint.method, endpoint.address())
    assert answer.status_code == 403
    assert "scope" in answer.text


@pytest.mark.parametrize("endpoint", [e for e in GUARDED if not e.is_api], ids=str)
def test_a_key_of_the_api_is_no_session_of_the_pages(served, endpoint):
    answer = served.with_key("admin").request(endpoint.method, endpoint.address())
    assert answer.status_code == 303


@pytest.mark.parametrize("endpoint", [e for e in GUARDED if e.method != "GET"], ids=str)
def test_nothing_changes_without_the_token_of_the_session(served, endpoint):
    client = browser(served, served.key("admin"))
    del client.headers["x-csrf-token"]
    assert client.request(endpoint.method, endpoint.address()).status_code == 403


@pytest.mark.parametrize(
    "endpoint",
    [e for e in GUARDED if e.path in ("/api/v1/audit", "/audit", "/keys", "/keys/{key_id}/revoke")],
    ids=str,
)
def test_keys_and_audit_are_for_admins_only(served, endpoint):
    text = served.key(*(set(SCOPES) - {"admin"}))
    client = browser(served, text)
    assert client.request(endpoint.method, endpoint.address()).status_code == 403


@pytest.mark.parametrize("endpoint", [e for e in ALL if e.method == "GET"], ids=str)
def test_nothing_from_outside_becomes_sql(served, endpoint):
    client = browser(served, served.key("admin"))
    for value in INJECTIONS:
        for name in endpoint.query:
            answer = client.get(endpoint.address(), params={name: value})
            assert answer.status_code < 500, (name, value[:40])
        if "{" in endpoint.path and value.isprintable():
            quoted = value.replace("%", "%25").replace("\\", "%5C").replace('"', "%22").replace(";", "%3B")
            assert client.get(endpoint.address(quoted)).status_code < 500, value[:40]
    assert keys.listed(served.serving.store)


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_personal_data_never_stand_in_the_log(served, endpoint, caplog):
    client = browser(served, served.key("admin"))
    given = dict.fromkeys(endpoint.query, EMAIL)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("cdp.access").setLevel(logging.INFO)
        client.request(
            endpoint.method,
            endpoint.address(EMAIL),
            params=given,
            json={"value": PHONE, "query": NAME, "text": EMAIL},
        )
        client.request(
            endpoint.method,
            endpoint.address(NAME),
            params=given,
            headers={"user-agent": EMAIL, "referer": EMAIL},
        )
        client.get(f"/{EMAIL}")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("cdp")]
    assert len([line for line in ours if endpoint.path in line]) >= 2
    for private in (EMAIL, PHONE, NAME, "Jane", EMAIL.replace("@", "%40")):
        assert private not in "\n".join(ours)


def test_addresses_of_links_and_forms_hold_no_personal_data(served):
    client = browser(served, served.key("admin"))
    for endpoint in ALL:
        if endpoint.method == "GET" and not endpoint.is_api:
            page = client.get(endpoint.address("C1")).text
            addresses = re.findall(r'(?:href|action|src|hx-get|hx-post)="([^"]*)"', page)
            for private in (EMAIL, PHONE, NAME, "Jane", PHONE.removeprefix("+"), EMAIL.replace("@", "%40")):
                assert [a for a in addresses if private in a and not a.startswith(("mailto:", "tel:"))] == []


# Reading what an address must not hold: what is asked for stands in the body.
READS_BY_POST = {
    "/api/v1/profiles/lookup",
    "/api/v1/search",
    "/api/v1/segments/preview",
    "/api/v1/sql",
    "/customers",
    "/customers/{customer_id}/history",
    "/sql",
    "/sql/download",
    "/sign-out",
}
CHANGES = [e for e in GUARDED if e.method != "GET" and e.path not in READS_BY_POST]


@pytest.mark.parametrize("endpoint", CHANGES, ids=str)
def test_who_may_only_read_changes_nothing(served, endpoint):
    text = served.key("read", "read-pii")
    client = served.client() if endpoint.is_api else browser(served, text)
    client.headers["authorization"] = f"Bearer {text}"
    assert client.request(endpoint.method, endpoint.address("C1")).status_code == 403


PARTS = {
    "dataset": ["customers", "id_map", "identifiers", "consents", "contact_history"],
    "table": ["customers", "customer_identifiers", "rfm", "lifecycle"],
    "customer_id": ["C1"],
}


def _addresses(endpoint: Endpoint) -> list[str]:
    found = [endpoint.path]
    for name, values in PARTS.items():
        found = [address.replace(f"{{{name}}}", value) for address in found for value in values]
    return sorted({_PARAMETER.sub("C1", address) for address in found})


def _bodies() -> list[tuple[str, dict[str, object], dict[str, str]]]:
    """What reads by POST: the address, as JSON for the API, as a form for pages."""
    ask = "SELECT * FROM customers"
    return [
        ("/api/v1/profiles/lookup", {"identifier": EMAIL}, {}),
        ("/api/v1/profiles/lookup", {"type": "email", "value": EMAIL}, {}),
        ("/api/v1/search", {"text": "C1"}, {}),
        ("/api/v1/sql", {"query": ask}, {}),
        ("/customers", {}, {"text": "C1"}),
        ("/customers/C1/history", {}, {}),
        ("/sql", {}, {"query": ask}),
    ]


def test_who_may_not_see_personal_data_finds_none_in_any_answer(served):
    """The law of masking, over all endpoints; whoever may see them does find them, so that it can fail."""
    api, unmasked = served.with_key("read"), served.with_key("read-pii")
    pages = browser(served, served.key("read"))
    answered, seen = 0, 0
    for endpoint in GUARDED:
        for address in _addresses(endpoint) if endpoint.method == "GET" else ():
            answer = (api if endpoint.is_api else pages).get(address)
            answered += answer.status_code == 200
            assert _private(answer.text) == [], address
            if endpoint.is_api:
                seen += bool(_private(unmasked.get(address).text))
    for address, document, form in _bodies():
        answer = api.post(address, json=document) if document else pages.post(address, data=form)
        answered += answer.status_code == 200
        assert [found for found in _private(answer.text) if found != EMAIL or not document] == [], address
        if document:
            assert EMAIL not in answer.text, address
    assert answered > 20
    assert seen >= 3


def _private(text: str) -> list[str]:
    return [private for private in (EMAIL, PHONE, NAME, PHONE.removeprefix("+44")) if private in text]
