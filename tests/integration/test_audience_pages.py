"""Audiences on the pages and in the API: what is shown, downloaded, logged, refused."""

from __future__ import annotations

import csv
import io

import pytest

from cdp import suppression
from cdp.lake import Lake
from cdp.ledger import Ledger
from cdp.settings import parse
from pipelines.exporting import run_export
from tests.receiver_tools import Reply, receiving
from tests.serve_tools import Served, copy_of
from tests.warehouse_tools import NOW, event, identifier, publish_into, value, world
from warehouse.audiences import shares
from warehouse.segments import files, history
from warehouse.segments.fields import fields_of, known_fields
from warehouse.segments.files import Draft

CONFIG = """
version: 1
workspace: {name: shop, region: GB, timezone: Europe/London}
exports:
  ads: {format: meta, purpose: marketing, channel: email, schedule: "0 6 * * 1"}
  crm:
    purpose: marketing
    columns: [full_name]
    schedule: manual
    destination: {url: "URL", private_addresses: true, attempts: 1}
"""
PEOPLE = {f"crm:{n}": f"C{n}" for n in range(1, 7)}


def word(key, state):
    return event(
        f"w{key}", key, event_type="consent_changed", consent_state=state, consent_purpose="marketing",
        consent_channel="email",
    )  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Six people: four consent, one of whom nothing is known and one is on the list; one denies, one says nothing."""
    lake = Lake(tmp_path_factory.mktemp("audiences"))
    words = [word(f"crm:{n}", "denied" if n == 5 else "granted") for n in range(1, 6)]
    values = [value(key, "full_name", f"=Person {key[4:]}") for key in PEOPLE]
    values += [value(f"crm:{n}", "city", "Leeds" if n % 2 else "York") for n in range(1, 7)]
    mails = [identifier(key, "email", f"p{key[4:]}@mail.example") for key in PEOPLE if key != "crm:3"]
    inputs = world(
        lake.root / "made", [[*words, event("none", None)]], PEOPLE, values=values, identifiers=mails,
        probabilities={"crm:2": 0.6},
    )  # fmt: skip
    publish_into(lake, inputs)
    with Ledger(lake.ledger_path) as ledger:
        entry = suppression.parse("email:p4@mail.example", place="it", region="GB")
        suppression.add(ledger, [entry], by="me", now=NOW)
    return lake


@pytest.fixture
def destination():
    with receiving() as server:
        yield server


@pytest.fixture
def shop(template, tmp_path, destination):
    lake = copy_of(template, tmp_path)
    text = CONFIG.replace("URL", destination.url)
    (lake.root / "cdp.yaml").write_text(text, encoding="utf-8")
    served = Served(lake)
    served.serving.settings = parse(text)
    served.serving.exporter = lambda name, caller: run_export(lake.root, name, caller)
    yield served
    served.close()


def logged(shop):
    with Ledger(shop.serving.lake.ledger_path) as ledger:
        return shares.read(ledger)


def take(shop, client, **form):
    given = {"purpose": "marketing", "form": "csv", **form}
    return client.post("/audiences/download", data={"csrf_token": shop.csrf(client), **given})


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


def save_segment(shop, rule):
    serving = shop.serving
    with serving.releases.reading() as reader, reader.connection() as connection:
        draft = Draft("leeds", "People of Leeds", rule, None, "me")
        files.save(serving.lake, fields_of(connection), draft, after=0, now=NOW)


def test_the_page_says_who_may_leave_and_why_others_may_not(shop):
    page = shop.signed_in("segments", "read-pii").get("/audiences/new?purpose=marketing&form=meta&least=0.9")
    assert page.status_code == 200
    cells = [cell.split("</td>")[0] for cell in page.text.split('<td class="num">')[1:]]
    assert cells == ["6", "−1", "−2", "0", "−1", "−1"]
    assert "<strong>1</strong>" in page.text


@pytest.mark.parametrize(
    ("form", "who"),
    [
        ({"channel": "email"}, ["C1", "C2", "C3"]),
        ({"least": "0.9"}, ["C1", "C3"]),
        ({"purpose": "analytics"}, []),
    ],
)
def test_a_download_holds_those_who_may_leave_and_is_logged(shop, form, who):
    client = shop.signed_in("segments", "read-pii")
    answer = take(shop, client, **form)
    assert answer.status_code == 200
    assert [row["customer_id"] for row in table(answer)] == who
    assert all(row["full_name"].startswith("'=") for row in table(answer))
    (line,) = logged(shop)
    assert (line.kind, line.rows, line.purpose, line.caller) == (
        "download csv", len(who), form.get("purpose", "marketing"), "test",
    )  # fmt: skip
    (audited,) = shop.serving.store.rows(
        "SELECT action, subject, rows FROM audit WHERE action LIKE 'export.%'"
    )
    assert tuple(audited) == ("export.download", "customers", len(who))
    assert list(shop.serving.lake.exports.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "header"), [("meta", "email,email,email,phone"), ("google", "Email,Email,Email,Phone")]
)
def test_hashed_lists_hold_hashes_and_are_personal_data_still(shop, form, header):
    client = shop.signed_in("segments", "read-pii")
    answer = take(shop, client, form=form)
    assert answer.text.startswith(header)
    assert len(answer.text.splitlines()) == 3
    assert "mail.example" not in answer.text
    assert f"-{form}-" in answer.headers["content-disposition"]
    masked = shop.signed_in("segments")
    assert take(shop, masked, form=form).status_code == take(shop, masked, form="csv").status_code == 403
    assert 'action="/audiences/download"' not in masked.get(f"/audiences/new?form={form}").text
    assert len(logged(shop)) == 1


def test_a_segment_that_is_newer_than_the_release_is_asked_by_its_rule(shop):
    save_segment(shop, {"field": "city", "op": "is", "value": "Leeds"})
    client = shop.signed_in("segments", "read-pii")
    assert "People of Leeds" in client.get("/audiences/new").text
    assert [row["customer_id"] for row in table(take(shop, client, segment="leeds"))] == ["C1", "C3"]
    assert logged(shop)[0].segment == "leeds"


def test_a_segment_that_names_a_newer_one_is_asked_by_its_rule(shop, tmp_path):
    lake, values = (
        shop.serving.lake,
        [value(key, "city", "Leeds" if key < "crm:3" else "York") for key in PEOPLE],
    )

    def save(name, rule, after=0):
        files.save(lake, known_fields(), Draft(name, name, rule, None, "me"), after=after, now=NOW)

    save("inner", {"field": "city", "op": "is", "value": "Leeds"})
    save("outer", {"segment": "inner"})
    with Ledger(lake.ledger_path) as ledger:
        segments = history.inputs(lake, ledger)
    events = [event(f"e{key}", key) for key in PEOPLE]
    publish_into(lake, world(tmp_path / "next", [events], PEOPLE, values=values, segments=segments))
    client = shop.signed_in("segments", "read-pii")
    asked = {"segment": "outer", "purpose": "internal"}
    assert [row["customer_id"] for row in table(take(shop, client, **asked))] == ["C1", "C2"]
    save("inner", {"field": "city", "op": "is", "value": "York"}, after=1)
    assert [row["customer_id"] for row in table(take(shop, client, **asked))] == ["C3", "C4", "C5", "C6"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"form": "xml"}, 422),
        ({"purpose": " "}, 422),
        ({"channel": "pigeon"}, 422),
        ({"least": "2"}, 422),
        ({"segment": "no such"}, 404),
        ({"form": "meta", "purpose": "internal"}, 422),
        ({"segment": "x" * 200}, 422),
        ({"segment": "../../etc/passwd"}, 404),
    ],
)
def test_wrong_wishes_are_refused_and_leave_nothing_behind(shop, form, status):
    client = shop.signed_in("segments", "read-pii")
    assert take(shop, client, **form).status_code == status
    assert client.get("/audiences/new", params={"purpose": "marketing", **form}).status_code == 422
    assert logged(shop) == []


def test_only_who_may_make_segments_may_let_anything_leave(shop):
    reads = shop.signed_in("read-pii")
    assert reads.get("/audiences").status_code == 200
    assert "Run now" not in reads.get("/audiences").text
    assert reads.get("/audiences/new").status_code == 403
    assert take(shop, reads).status_code == 403
    assert reads.post("/audiences/ads/run", data={"csrf_token": shop.csrf(reads)}).status_code == 403
    without_token = shop.signed_in("segments", "read-pii").post("/audiences/download", data={"form": "csv"})
    assert without_token.status_code == 403
    assert shop.with_key("read").post("/api/v1/exports/ads/runs").status_code == 403
    assert shop.with_key("read").get("/api/v1/shares").status_code == 403


def test_the_list_says_what_goes_where_and_what_left_last(shop, destination):
    client = shop.signed_in("segments")
    before = client.get("/audiences").text
    assert "Meta Custom Audiences" in before
    assert before.count("Never") == 2
    for name in ("ads", "crm"):
        answer = client.post(f"/audiences/{name}/run", data={"csrf_token": shop.csrf(client)})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/audiences?done={name}")
        assert f"{name} is up to date" in client.get(answer.headers["location"]).text
    after = client.get("/audiences").text
    assert after.count("Delivered") == 2
    assert "127.0.0.1" in after
    assert ">Share log<" in after
    assert ">Share log<" not in shop.signed_in("read-pii").get("/audiences").text
    assert logged(shop)[0].destination == "/".join(destination.url.split("/")[:3])
    assert sorted(destination.audience) == ["C1", "C2", "C3"]
    assert [(line.name, line.kind, line.caller) for line in logged(shop)] == [
        ("crm", "http", "test"),
        ("ads", "meta", "test"),
    ]


def test_a_destination_that_fails_is_told_on_the_page(shop, destination):
    destination.fault = lambda *_: Reply(403)
    client = shop.signed_in("segments")
    answer = client.post("/audiences/crm/run", data={"csrf_token": shop.csrf(client)})
    assert answer.status_code == 502
    assert "it answered with status 403" in answer.text
    assert "Not complete" in client.get("/audiences").text


def test_the_api_lists_runs_and_logs(shop):
    client = shop.with_key("segments")
    listed = client.get("/api/v1/audiences").json()["exports"]
    assert [(one["name"], one["schedule"], one["last"]) for one in listed] == [
        ("ads", "0 6 * * 1", None),
        ("crm", "manual", None),
    ]
    assert listed[0]["next_at"].endswith("+00:00")
    ran = client.post("/api/v1/exports/crm/runs")
    assert ran.status_code == 200
    assert ran.json() | {"release": ""} == {
        "name": "crm", "release": "", "rows": 3, "added": 3, "changed": 0, "removed": 0, "rejected": 0, "complete": True,
        "problem": None, "repeated": False,
    }  # fmt: skip
    assert client.post("/api/v1/exports/nothing/runs").status_code == 404
    told = client.get("/api/v1/shares", params={"name": "crm"}).json()["shares"]
    assert [(one["kind"], one["rows"], one["complete"]) for one in told] == [("http", 3, True)]
    assert client.get("/api/v1/audiences").json()["exports"][1]["last"]["rows"] == 3
