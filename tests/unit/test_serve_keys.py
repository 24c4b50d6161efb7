"""Keys and sessions: hashed, ended, scoped, revoked; signing in, by a link that works once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.errors import NotFoundError, UsageError
from cdp.lake import Lake
from tests.serve_tools import Served, copy_of, lake_with_release, texts
from warehouse.serve import keys, sessions
from warehouse.serve.access import is_own_path
from warehouse.serve.scopes import SCOPES
from warehouse.serve.sessions import Lifetimes


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Lake:
    return lake_with_release(tmp_path_factory.mktemp("published"))


@pytest.fixture
def served(published: Lake, tmp_path: Path) -> Iterator[Served]:
    made = Served(copy_of(published, tmp_path), serve={"public_url": "https://cdp.shop.example"})
    yield made
    made.close()


def test_a_key_opens_what_its_scopes_say_and_is_kept_as_a_hash_only(served):
    text = served.key("segments", name="bot")
    caller = keys.check(served.serving.store, text, served.clock())
    assert caller is not None
    assert caller.scopes == {"read", "segments"}
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in texts(served.serving.store.rows("SELECT * FROM keys"))
    assert secret.encode() not in served.serving.store.path.read_bytes()


@pytest.mark.parametrize(
    "spoil", [str.upper, lambda t: t[:-1], lambda t: t + "x", lambda t: t[4:], lambda _: ""]
)
def test_a_key_that_is_not_quite_one_opens_nothing(served, spoil):
    assert keys.check(served.serving.store, spoil(served.key("read")), served.clock()) is None


def test_an_owner_has_no_secret_that_could_be_guessed(served):
    keys.owner(served.serving.store, served.clock())
    for text in ("cdp_owner_", "cdp_owner_None", "cdp_owner_x"):
        assert keys.check(served.serving.store, text, served.clock()) is None


def test_a_key_ends_at_its_time_and_with_it_its_sessions(served):
    text = served.key("read", expires_at=served.clock() + timedelta(minutes=30))
    client = served.client()
    assert client.post("/sign-in", data={"key": text}).status_code == 303
    served.clock.forward(minutes=29)
    assert "Sign out" in client.get("/nothing").text
    served.clock.forward(minutes=1)
    assert keys.check(served.serving.store, text, served.clock()) is None
    assert "Sign out" not in client.get("/nothing").text


def test_a_revoked_key_ends_at_once_with_its_sessions(served):
    client = served.signed_in("admin")
    (key,) = keys.listed(served.serving.store)
    assert client.get("/keys").status_code == 200
    keys.revoke(served.serving.store, key.key_id, served.clock())
    assert client.get("/keys").headers["location"] == "/sign-in?next=/keys"
    with pytest.raises(NotFoundError):
        keys.revoke(served.serving.store, key.key_id, served.clock())


def test_the_owner_cannot_be_revoked(served):
    with pytest.raises(NotFoundError):
        keys.revoke(served.serving.store, keys.owner(served.serving.store, served.clock()), served.clock())


@pytest.mark.parametrize(
    ("name", "scopes", "more"),
    [("", ["read"], {}), ("x" * 81, ["read"], {}), ("a\nb", ["read"], {}), ("a", [], {}), ("a", ["reed"], {}),
     ("a", ["read"], {"expires_at": -1}), ("a", ["read"], {"limits": keys.Limits(0)})],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_refused(served, name, scopes, more):
    if "expires_at" in more:
        more = {"expires_at": served.clock() - timedelta(seconds=1)}
    with pytest.raises(UsageError):
        keys.create(served.serving.store, name, scopes, now=served.clock(), **more)


def test_a_sessions_cookie_is_for_the_server_only_and_over_tls_bound_to_the_host(served):
    key = served.key("read")
    plain = served.client().post("/sign-in", data={"key": key}).headers["set-cookie"]
    secure = served.client(base_url="https://cdp.shop.example").post("/sign-in", data={"key": key})
    assert re.fullmatch(r"cdp_session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax", plain)
    assert re.fullmatch(
        r"__Host-cdp_session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax; Secure",
        secure.headers["set-cookie"],
    )
    assert secure.headers["strict-transport-security"] == "max-age=31536000"


def test_what_a_browser_brings_along_never_becomes_a_session(served):
    fixed = "a" * 43
    client = served.client()
    client.cookies.set(sessions.COOKIE, fixed)
    answer = client.post("/sign-in", data={"key": served.key("read")})
    assert fixed not in answer.headers["set-cookie"]
    assert sessions.find(served.serving.store, fixed, served.clock()) is None


def test_signing_in_again_ends_the_session_before(served):
    client = served.signed_in("read")
    before = client.cookies[sessions.COOKIE]
    client.post("/sign-in", data={"key": served.key("read")})
    assert sessions.find(served.serving.store, before, served.clock()) is None
    assert sessions.find(served.serving.store, client.cookies[sessions.COOKIE], served.clock()) is not None


def test_signing_out_ends_the_session(served):
    client = served.signed_in("read")
    token = client.cookies[sessions.COOKIE]
    answer = client.post("/sign-out", data={"csrf_token": served.csrf(client)})
    assert answer.headers["location"] == "/sign-in"
    assert sessions.find(served.serving.store, token, served.clock()) is None


def test_a_session_slides_until_its_longest(served):
    client = served.signed_in("admin")
    for _ in range(11):
        served.clock.forward(minutes=60)
        assert client.get("/keys").status_code == 200
    served.clock.forward(minutes=61)
    assert client.get("/keys").status_code == 303


def test_a_session_ends_when_nothing_is_asked(served):
    client = served.signed_in("admin")
    served.clock.forward(minutes=121)
    assert client.get("/keys").status_code == 303
    sessions.drop_ended(served.serving.store, served.clock())
    assert served.serving.store.rows("SELECT * FROM sessions") == []


@given(steps=st.lists(st.integers(0, 200), max_size=20))
@settings(max_examples=50)
def test_a_session_never_ends_later_than_its_longest_nor_idle(steps):
    from tests.serve_tools import START

    times, now = Lifetimes(), START
    for step in steps:
        now += timedelta(minutes=step)
        assert times.end(START, now) <= min(START + times.longest, now + times.idle)


def test_a_link_works_once_and_for_a_while(served):
    store, now = served.serving.store, served.clock
    code = sessions.new_link(store, keys.owner(store, now()), now())
    client = served.client()
    assert client.get(f"/sign-in/{code}").headers["location"] == "/"
    assert client.get("/keys").status_code == 200
    again = served.client().get(f"/sign-in/{code}")
    assert (again.status_code, "set-cookie" in again.headers) == (403, False)
    assert client.get(f"/sign-in/{code}").headers["location"] == "/"
    late = sessions.new_link(store, keys.OWNER, now())
    now.forward(minutes=16)
    assert served.client().get(f"/sign-in/{late}").status_code == 403


def test_who_was_sent_to_sign_in_comes_back_to_where_they_were(served):
    client = served.client()
    asked = client.get("/keys")
    assert asked.headers["location"] == "/sign-in?next=/keys"
    form = client.get(asked.headers["location"])
    assert '<input type="hidden" name="next" value="/keys">' in form.text
    data = {"key": served.key("admin"), "next": "/keys"}
    assert client.post("/sign-in", data=data).headers["location"] == "/keys"


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_a_sign_in_leads_to_no_other_site(served, onward):
    assert not is_own_path(onward)
    client = served.client()
    assert (
        client.post("/sign-in", data={"key": served.key("read"), "next": onward}).headers["location"] == "/"
    )
    assert "evil" not in client.get("/sign-in", params={"next": onward}).text


def test_htmx_is_told_to_leave_the_page_as_it_is(served):
    answer = served.client().get("/keys", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-reswap"], answer.text) == (401, "none", "")
    assert "hx-redirect" not in answer.headers


def test_a_sign_in_leads_on_with_the_query(served):
    client = served.client()
    door = client.get("/keys?new=a%20b&c=d").headers["location"]
    assert door == "/sign-in?next=/keys%3Fnew%3Da%2520b%26c%3Dd"
    onward = client.get(door).text.split('name="next" value="')[1].split('"')[0]
    data = {"key": served.key("admin"), "next": unescape(onward)}
    assert client.post("/sign-in", data=data).headers["location"] == "/keys?new=a%20b&c=d"
    assert served.client().get(f"/keys?x={'a' * 2_000}").headers["location"] == "/sign-in?next=/keys"


def test_attempts_to_sign_in_are_counted_by_address(served):
    client, right = served.client(), served.key("read")
    statuses = [client.post("/sign-in", data={"key": "cdp_a_b"}).status_code for _ in range(21)]
    assert statuses == [403] * 20 + [429]
    refused = client.post("/sign-in", data={"key": right})
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    elsewhere = served.client(client=("203.0.113.9", 1))
    assert elsewhere.post("/sign-in", data={"key": right}).status_code == 303


def test_keys_are_made_and_revoked_on_a_page_and_in_the_log(served):
    client = served.signed_in("admin")
    form = {
        "csrf_token": served.csrf(client),
        "name": "<b>bot</b>",
        "scope": ["read", "segments"],
        "expires": "30d",
    }
    answer = client.post("/keys", data=form)
    text = re.search(r'value="(cdp_[^"]+)"', answer.text)
    assert text is not None
    assert "<b>bot" not in answer.text
    caller = keys.check(served.serving.store, text[1], served.clock())
    assert caller is not None
    assert caller.scopes == {"read", "segments"}
    assert text[1] not in client.get("/keys").text
    client.post(f"/keys/{caller.key_id}/revoke", data={"csrf_token": served.csrf(client)})
    assert keys.check(served.serving.store, text[1], served.clock()) is None
    log = served.with_key("admin").get("/api/v1/audit").json()["lines"]
    assert [line["action"] for line in log] == ["key.revoke", "key.create", "session.begin"]
    assert [line["subject"] for line in log] == [caller.key_id, caller.key_id, None]


@pytest.mark.parametrize(
    "spoilt", [{"name": ""}, {"scope": []}, {"scope": ["root"]}, {"expires": "soon"}, {"rows_per_day": "-1"}]
)
def test_a_key_that_makes_no_sense_is_not_made_on_the_page(served, spoilt):
    client = served.signed_in("admin")
    form = {"csrf_token": served.csrf(client), "name": "bot", "scope": ["read"], "expires": "30d", **spoilt}
    answer = client.post("/keys", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(keys.listed(served.serving.store)) == 1


def test_every_scope_is_described():
    assert all(SCOPES.values())
