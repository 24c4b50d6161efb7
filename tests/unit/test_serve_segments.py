"""Segments over the API: made, changed, counted, read; scopes, masking, conflicts."""

from __future__ import annotations

import csv
import io
import json
import threading

import jsonschema
import pytest
from starlette.testclient import TestClient

from cdp import duck
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import load
from connectors.registry import names
from tests.segment_tools import keep_segment
from tests.warehouse_tools import NOW, event, order, publish_into, value, world
from warehouse.audiences import shares
from warehouse.segments import evaluate, files
from warehouse.segments.fields import fields_of, known_fields
from warehouse.segments.parse import RuleError, parse
from warehouse.segments.schema import schema
from warehouse.serve import keys, sessions
from warehouse.serve.app import create_app
from warehouse.serve.context import Serving

YORK = {"field": "city", "op": "is", "value": "York"}
ADA = {"field": "email", "op": "is", "value": "ada@mail.example"}
SETTINGS = "version: 1\nworkspace: {name: shop, timezone: Europe/London, region: GB, currency: GBP}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "cdp.yaml").write_text(SETTINGS)
    lake = Lake(folder)
    keep_segment(folder, "yorkers", YORK)
    keep_segment(folder, "inner", YORK)
    keep_segment(folder, "outer", {"not": {"segment": "inner"}})
    values = [value("web:1", "city", "York"), value("web:2", "city", "Leeds"), value("web:3", "city", "York")]
    values += [value("web:1", "full_name", "Ada Okafor"), value("web:1", "email", "ada@mail.example")]
    values += [value("web:3", "full_name", "=cmd()")]
    events = [event(f"{n}", f"web:{n}", at=400 + n) for n in (1, 2, 3)] + [order("o", "20", "web:1", at=420)]
    publish_into(
        lake, world(folder / "made", [events], {f"web:{n}": f"C{n}" for n in (1, 2, 3)}, values=values)
    )
    serving = Serving.open(lake, load(folder, names()))
    serving.now = lambda: NOW
    with TestClient(create_app(serving), base_url="http://localhost") as client:
        yield client, serving


@pytest.fixture
def ask(served):
    """Ask the API as somebody with these scopes: ask("GET", "/segments", scopes=("read",), json=...)."""
    client, serving = served
    texts = {}

    def asked(method, path, *, scopes=("admin",), **more):
        if scopes not in texts:
            texts[scopes] = keys.create(serving.store, "tester", scopes, now=NOW)[1]
        headers = {"Authorization": f"Bearer {texts[scopes]}", "Content-Type": "application/json"}
        return client.request(method, f"/api/v1/segments{path}", headers=headers, **more)

    return asked


def test_a_segment_is_made_read_changed_archived_and_restored(ask):
    made = ask("POST", "", json={"name": "Buyers", "rule": {"did": "order_placed", "within_days": 30}})
    assert made.status_code == 201
    assert (made.json()["segment_id"], made.json()["version"]) == ("buyers", 1)
    assert made.json()["newest"]["in_words"] == "Did: order placed, at least once, within the last 30 days"
    changed = {"name": "Buyers", "rule": {"did": "order_placed"}, "version": 1}
    assert ask("PUT", "/buyers", json=changed).json()["version"] == 2
    assert ask("PUT", "/buyers", json=changed).status_code == 409
    assert ask("POST", "/buyers/archive", json={"version": 2}).json()["archived"] is True
    assert ask("GET", "/buyers/members").status_code == 422
    assert ask("POST", "/buyers/restore", json={"version": 3}).json()["version"] == 4
    assert [one["version"] for one in ask("GET", "/buyers/versions").json()["versions"]] == [4, 3, 2, 1]
    page = ask("GET", "/buyers/members").json()
    assert (page["published"], [one["customer_id"] for one in page["members"]]) == (False, ["C1"])


def test_members_and_changes_come_page_by_page(ask):
    first = ask("GET", "/yorkers/members", params={"limit": 1}).json()
    assert (first["published"], [one["customer_id"] for one in first["members"]]) == (True, ["C1"])
    second = ask("GET", "/yorkers/members", params={"limit": 1, "after": first["next_after"]}).json()
    assert [one["customer_id"] for one in second["members"]] == ["C3"]
    assert ask("GET", "/yorkers/members", params={"after": "C3"}).json()["members"] == []
    first = ask("GET", "/yorkers/changes", params={"limit": 1}).json()
    rest = ask("GET", "/yorkers/changes", params={"after": first["next_after"]}).json()
    told = first["changes"] + rest["changes"]
    assert [(one["change"], one["customer_id"]) for one in told] == [("entered", "C1"), ("entered", "C3")]
    assert ask("GET", "/yorkers/changes", params={"since": first["release"]}).json()["changes"] == []


def test_members_of_a_segment_follow_the_rules_that_it_names(ask):
    def members():
        found = ask("GET", "/outer/members").json()
        return found["published"], [one["customer_id"] for one in found["members"]]

    assert members() == (True, ["C2"])
    leeds = {"field": "city", "op": "is", "value": "Leeds"}
    assert ask("PUT", "/inner", json={"name": "Inner", "rule": leeds, "version": 1}).status_code == 200
    assert members() == (False, ["C1", "C3"])


def test_a_preview_counts_and_masks_for_who_may_not_see(ask):
    mine = ask("POST", "/preview", json={"rule": YORK}).json()
    assert mine["count"] == 2
    assert {row["full_name"] for row in mine["sample"]} == {"Ada Okafor", "=cmd()"}
    theirs = ask("POST", "/preview", json={"rule": YORK}, scopes=("segments",)).json()
    assert theirs["count"] == 2
    assert "Okafor" not in json.dumps(theirs)
    assert "ada@" not in json.dumps(theirs)


POSTCODE = {"field": "postcode", "op": "starts_with", "value": "YO"}
NEAR = {"near": {"latitude": 53.9613, "longitude": -1.0821, "km": 0.5}}


@pytest.mark.parametrize(
    "rule",
    [
        POSTCODE,
        NEAR,
        {"not": {"any": [NEAR]}},
        {"field": "latitude", "op": "at_least", "value": 53.9},
        {"field": "company", "op": "contains", "value": "a"},
    ],
)
def test_what_masking_shortens_cannot_be_felt_out_by_counting(ask, rule):
    both = {"all": [YORK, rule]}
    for scopes in (("read",), ("segments",)):
        assert ask("POST", "/preview", json={"rule": both, "sample": 0}, scopes=scopes).status_code == 403
    assert ask("POST", "/preview", json={"rule": both, "sample": 0}).status_code == 200


def test_who_only_reads_tries_no_rules(ask):
    assert ask("POST", "/preview", json={"rule": YORK}, scopes=("read",)).status_code == 403


def test_a_place_in_a_rule_is_hidden_like_a_value(ask):
    ask("POST", "", json={"name": "Near the shop", "rule": {"all": [NEAR, POSTCODE]}})
    for path in ("/near-the-shop", "/near-the-shop/versions"):
        told = ask("GET", path, scopes=("segments",)).text
        assert "53.96" not in told
        assert '"YO"' not in told
        assert "53.96" in ask("GET", path).text
    change = {"name": "Mine", "rule": YORK, "version": 1}
    assert ask("PUT", "/near-the-shop", json=change, scopes=("segments",)).status_code == 403


@pytest.mark.parametrize("rule", [ADA, {"not": ADA}, {"any": [YORK, {"all": [ADA]}]}])
def test_a_rule_about_personal_data_needs_the_scope(ask, rule):
    answer = ask("POST", "/preview", json={"rule": rule}, scopes=("segments",))
    assert answer.status_code == 403
    assert "read-pii" in answer.text
    assert ask("POST", "", json={"name": "x", "rule": rule}, scopes=("segments",)).status_code == 403
    assert ask("POST", "/preview", json={"rule": rule}).json()["count"] in (1, 2)


def test_a_rule_is_shown_without_the_personal_values_in_it(ask):
    ask("POST", "", json={"name": "Only Ada", "rule": {"all": [ADA, YORK]}})
    for path in ("/only-ada", "/only-ada/versions"):
        told = ask("GET", path, scopes=("read",)).text
        assert "ada@mail.example" not in told
        assert "York" in told
        assert "ada@mail.example" in ask("GET", path).text
    change = {"name": "Mine", "rule": YORK, "version": 1}
    assert ask("PUT", "/only-ada", json=change, scopes=("segments",)).status_code == 403


@pytest.fixture
def browse(served):
    """Return a browser in which somebody with these scopes has signed in, and what its forms send along."""
    client, serving = served

    def signed_in(*scopes):
        key_id = keys.create(serving.store, "marge", scopes, now=NOW)[0]
        cookie = sessions.begin(serving.store, key_id, NOW)
        client.cookies.set(sessions.COOKIE, cookie)
        found = sessions.find(serving.store, cookie, NOW)
        return client, {"csrf_token": found.csrf_token}

    yield signed_in
    client.cookies.clear()


def test_what_people_wrote_with_a_segment_is_masked_like_other_texts(ask, browse, served):
    given = {"name": "As ada@mail.example", "description": "or 020 7183 8750", "segment_id": "written"}
    ask("POST", "", json={**given, "rule": YORK})
    ask("POST", "", json={"name": "Naming", "rule": {"segment": "written"}})
    broken = served[1].lake.path("segments/broken/v0001.json")
    broken.parent.mkdir(parents=True, exist_ok=True)
    rule = {"all": [{"field": "email", "op": "ada@mail.example", "value": "x"}, {"filed": ["Okafor"]}]}
    broken.write_text(json.dumps({"name": "broken", "rule": rule}))
    paths = ("", "/written", "/written/versions", "/naming", "/broken", "/broken/versions", "/broken/members")
    client, _ = browse("segments")
    for path in paths:
        told = ask("GET", path, scopes=("segments",)).text
        told += client.get(f"/segments{path}", follow_redirects=False).text
        assert [word for word in ("ada@mail.example", "7183", "Okafor") if word in told] == [], path
    assert "ada@mail.example" in ask("GET", "/written").text
    assert client.get("/segments/written/edit").status_code == 403
    change = {"name": "Mine", "rule": YORK, "version": 1}
    assert ask("PUT", "/written", json=change, scopes=("segments",)).status_code == 403
    broken.unlink()


def test_the_page_keeps_rules_that_the_caller_cannot_see_as_the_api_does(ask, browse):
    ask("POST", "", json={"name": "Guarded", "rule": {"all": [ADA]}})
    client, form = browse("segments")
    form |= {"name": "hijacked", "description": "", "segment_id": "guarded", "version": "1"}
    form |= {"0.kind": "group", "0.mode": "all", "0-0.kind": "attribute", "0-0.field": "order_count"}
    form |= {"0-0.op": "at_least", "0-0.value": "0"}
    answer = client.post("/segments/save", data=form, follow_redirects=False)
    assert answer.status_code == 403
    assert ask("GET", "/guarded").json()["name"] == "Guarded"


def test_a_rule_without_a_condition_is_saved_once_somebody_says_everybody(ask, browse):
    client, form = browse("segments")
    form |= {"name": "All of them", "0.kind": "group", "0.mode": "all"}
    refused = client.post("/segments/save", data=form, follow_redirects=False)
    assert refused.status_code == 422
    assert 'name="everybody"' in refused.text
    assert ask("GET", "/all-of-them").status_code == 404
    saved = client.post("/segments/save", data={**form, "everybody": "yes"}, follow_redirects=False)
    assert saved.status_code == 303
    assert ask("GET", "/all-of-them").json()["newest"]["rule"] == {"all": []}


@pytest.mark.parametrize(
    ("rule", "path", "word"),
    [
        ({"all": [{"field": "citty", "op": "is", "value": "x"}]}, "$.all[0].field", "'city'"),
        ({"field": "city", "op": "iss", "value": "x"}, "$.op", "'is'"),
        ({"field": "city", "op": "is"}, "$.value", "text"),
        ({"field": "revenue", "op": "at_least", "value": "1"}, "$.value", "number"),
        ({"field": "revenue", "op": "at_least", "value": 1e400}, "$.value", "number"),
        ({"field": "revenue", "op": "between", "value": [2, 1]}, "$.value", "smaller"),
        ({"field": "is_anonymous", "op": "is", "value": "yes"}, "$.value", "true or false"),
        ({"field": "last_seen_at", "op": "within_days", "value": 0}, "$.value", "whole number"),
        ({"field": "last_seen_at", "op": "before", "value": "2026-02-30"}, "$.value", "day"),
        ({"field": "city", "op": "is", "value": "\ud800"}, "$.value", "text"),
        ({"field": "city", "op": "is", "value": "a\x00b"}, "$.value", "text"),
        ({"field": "customer_no", "op": "is", "value": 1}, "$.field", "no field"),
        ({"field": 'city" OR 1=1 --', "op": "is", "value": "x"}, "$.field", "no field"),
        ({"field": "city", "op": "is; DROP TABLE customers", "value": "x"}, "$.op", "no operator"),
        ({"did": "order_place"}, "$.did", "'order_placed'"),
        ({"did": "any", "at_least": 3, "at_most": 2}, "$.at_most", "3 or more"),
        ({"did": "any", "within_days": 30, "before_days": 30}, "$.before_days", "fewer"),
        ({"did": "any", "where": [{"field": "chanel", "op": "is", "value": "x"}]}, "$.where[0].field", "'channel'"),
        ({"did": "any", "wihtin_days": 3}, "$", "'within_days'"),
        ({"near": {"latitude": 91, "longitude": 0, "km": 1}}, "$.near.latitude", "-90"),
        ({"segment": "yorker"}, "$.segment", "'yorkers'"),
        ({"any": []}, "$.any", "at least one"),
        ({"al": []}, "$", "'all'"),
        ({"all": [], "any": []}, "$", "exactly one"),
        ({}, "$", "exactly one"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_place_and_what_was_expected(ask, rule, path, word):
    answer = ask("POST", "/preview", content=json.dumps({"rule": rule}), scopes=("admin",))
    assert answer.status_code == 422
    assert f"{path}: " in answer.json()["detail"]
    assert word in answer.json()["detail"]


def test_money_without_a_base_currency_is_compared_in_a_named_one(tmp_path):
    ids = {"shop:1": "C1", "shop:2": "C2"}
    orders = [order("o1", "500", currency="JPY"), order("o2", "120", "shop:2", currency="GBP")]
    inputs = world(tmp_path / "in", [orders], ids, base_currency=None)
    lake = Lake(tmp_path)
    rich = {"field": "net_revenue", "op": "at_least", "value": 100}
    spent = {"did": "order_placed", "where": [{"field": "amount", "op": "at_least", "value": 100}]}
    keep_segment(tmp_path, "rich", rich)
    keep_segment(tmp_path, "pounds", {**rich, "currency": "GBP"})
    release = publish_into(lake, inputs)
    with duck.connect(release.database, read_only=True) as connection:
        fields = fields_of(connection)
        for rule in (rich, spent):
            with pytest.raises(RuleError, match="base currency"):
                parse(rule, fields)
        pounds = {"did": "order_placed", "where": [{**spent["where"][0], "currency": "GBP"}]}
        assert evaluate.members(connection, parse(pounds, fields)) == ["C2"]
        told = dict(connection.execute("SELECT segment_id, problem FROM segments").fetchall())
        members = connection.execute("SELECT segment_id, customer_id FROM segment_members").fetchall()
    assert "base currency" in told["rich"]
    assert (told["pounds"], members) == (None, [("pounds", "C2")])


def test_rules_that_are_too_deep_or_too_large_are_refused(ask):
    deep = YORK
    for _ in range(60):
        deep = {"not": deep}
    assert "too large" in ask("POST", "/preview", json={"rule": deep}).text
    assert "too large" in ask("POST", "/preview", json={"rule": {"all": [YORK] * 300}}).text
    assert ask("POST", "/preview", json={"rule": {"all": [YORK] * 190}}).json()["count"] == 2


@pytest.mark.parametrize("taken", ["schema", "new", "builder", "preview", "save"])
def test_addresses_of_their_own_are_no_ids_of_segments(ask, taken):
    made = ask("POST", "", json={"name": taken.title(), "rule": YORK})
    assert (made.status_code, made.json().get("segment_id")) == (201, f"{taken}-2")
    refused = ask("POST", "", json={"name": "x", "segment_id": taken, "rule": YORK})
    assert (refused.status_code, "another id" in refused.text) == (422, True)


def test_segments_may_not_name_each_other_in_a_circle(ask):
    ask("POST", "", json={"name": "One", "rule": YORK})
    ask("POST", "", json={"name": "Two", "rule": {"segment": "one"}})
    again = ask("PUT", "/one", json={"name": "One", "rule": {"not": {"segment": "two"}}, "version": 1})
    assert (again.status_code, "circle" in again.text) == (422, True)
    assert ask("POST", "/one/archive", json={"version": 1}).status_code == 409


def test_who_may_only_read_changes_nothing(ask):
    for method, path, body in (
        ("POST", "", {"name": "x", "rule": YORK}),
        ("PUT", "/yorkers", {"name": "x", "rule": YORK, "version": 1}),
        ("POST", "/yorkers/archive", {"version": 1}),
    ):
        assert ask(method, path, json=body, scopes=("read",)).status_code == 403
    assert ask("GET", "/nobody").status_code == 404
    assert "yorkers" in ask("GET", "/yorker").text


def test_of_two_who_save_at_once_one_is_told(served):
    _, serving = served
    keep_segment(serving.lake.root, "raced", YORK)
    done = []

    def save(number):
        try:
            keep_segment(serving.lake.root, "raced", {"all": [YORK] * number}, after=1)
            done.append(number)
        except files.ConflictError:
            done.append(0)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for one in done if one) == 1
    assert files.read(serving.lake, known_fields()).segments["raced"].last == 2


def test_the_published_schema_says_what_the_parser_says(ask):
    check = jsonschema.Draft202012Validator(ask("GET", "/schema").json())
    assert ask("GET", "/schema").json() == schema()
    sound = [YORK, {"did": ["order_placed"], "at_most": 0}, {"not": {"any": [YORK, {"segment": "yorkers"}]}}]
    sound += [
        {"field": "channels", "op": "includes_all", "value": ["web"]},
        {"field": "city", "op": "is_known"},
    ]
    for rule in sound:
        assert check.is_valid({"rule": rule}), rule
    for rule in (
        {"field": "citty", "op": "is", "value": "x"},
        {"field": "city", "op": "at_least", "value": 1},
        {},
    ):
        assert not check.is_valid({"rule": rule}), rule


def test_rows_count_against_the_day_s_wherever_they_leave(served):
    client, serving = served
    limits = keys.Limits(None, 1)

    def reader_of_one_row():
        text = keys.create(serving.store, "small", ("admin",), now=NOW, limits=limits)[1]
        return {"Authorization": f"Bearer {text}"}

    api = "/api/v1/segments"
    head = reader_of_one_row()
    assert client.get(f"{api}/yorkers/changes", headers=head).status_code == 429
    assert client.get(f"{api}/yorkers/changes", params={"limit": 1}, headers=head).status_code == 200
    head = reader_of_one_row()
    assert client.post(f"{api}/preview", json={"rule": YORK}, headers=head).status_code == 429
    assert client.post(f"{api}/preview", json={"rule": YORK, "sample": 0}, headers=head).status_code == 200
    key_id = keys.create(serving.store, "small", ("admin",), now=NOW, limits=limits)[0]
    client.cookies.set(sessions.COOKIE, sessions.begin(serving.store, key_id, NOW))
    assert [client.get(path).status_code for path in ("/customers", "/segments/yorkers")] == [429, 429]
    client.cookies.clear()
    told = serving.store.rows(
        "SELECT rows FROM audit WHERE action = 'segment.changes' AND subject = 'yorkers'"
    )
    assert 1 in [row[0] for row in told]


def test_members_are_downloaded_as_csv_without_formulas(browse):
    client, _ = browse("admin")
    answer = client.get("/segments/yorkers/members.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="yorkers.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["customer_id"], line["full_name"]) for line in lines] == [
        ("C1", "Ada Okafor"),
        ("C3", "'=cmd()"),
    ]


def test_members_leave_for_who_may_export_and_are_in_the_share_log(browse, served):
    def logged():
        with Ledger(served[1].lake.ledger_path) as ledger:
            return shares.read(ledger, "yorkers")

    before = len(logged())
    client, _ = browse("read-pii")
    assert client.get("/segments/yorkers/members.csv").status_code == 403
    assert "members.csv" not in client.get("/segments/yorkers").text
    assert len(logged()) == before
    client, _ = browse("segments")
    answer = client.get("/segments/yorkers/members.csv")
    assert (answer.status_code, "Okafor" in answer.text) == (200, False)
    share, *others = logged()
    assert len(others) == before
    assert (share.kind, share.purpose, share.segment, share.rows) == (
        "download members",
        "internal",
        "yorkers",
        2,
    )
