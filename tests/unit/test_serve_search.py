"""Search and lists over HTTP: who may find whom, filters, pages, what never stands in an address."""

from __future__ import annotations

import pytest

from cdp.lake import Lake
from tests.serve_tools import EMAIL, NAME, PHONE, Served
from tests.warehouse_tools import event, identifier, order, publish_into, value, world
from warehouse.customer_list import Filters, rule
from warehouse.segments import fields as rule_fields
from warehouse.segments.parse import parse
from warehouse.segments.tree import as_json


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve_search")
    ids = {"web:1": "C001", "shop:1": "C001", "crm:2": "C002", "crm:3": "C003", "web:9": "C009"}
    ids |= {f"crm:x{number}": f"D{number:03d}" for number in range(70)}
    events = [
        event("e1", "web:1", at=1),
        order("o1", "25.00", "shop:1", at=2),
        event("e2", "crm:2", at=3, channel="email", event_type="email_opened"),
        event("e3", "web:9", at=4),
        *[event(f"x{number}", f"crm:x{number}", at=10 + number % 7, channel="crm") for number in range(70)],
    ]
    values = [
        value("web:1", "full_name", NAME),
        value("web:1", "email", EMAIL),
        value("shop:1", "phone", PHONE),
        value("shop:1", "city", "York"),
        value("crm:2", "full_name", "John Roe"),
        value("crm:2", "country", "GB"),
        value("crm:2", "postcode", "SW1A 1AA"),
        value("crm:2", "company", "Harbour Books"),
        value("crm:3", "full_name", "<script>alert(1)</script>"),
        *[value(f"crm:x{number}", "full_name", f"Twin Number{number}") for number in range(70)],
    ]
    identifiers = [identifier("web:1", "email", EMAIL), identifier("shop:1", "phone", PHONE)]
    lake = Lake(folder / "workspace")
    publish_into(lake, world(folder / "in", [events], ids, identifiers=identifiers, values=values))
    found = Served(lake)
    yield found
    found.close()


def ask(served, *scopes, **question):
    answer = served.with_key(*scopes).post("/api/v1/search", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids_of(answer):
    return [hit["customer"]["customer_id"] for hit in answer["hits"]]


def test_everybody_who_may_read_all_finds_by_words_with_typos(served):
    answer = ask(served, "read-pii", text="jnae deo york")
    assert ids_of(answer) == ["C001"]
    assert answer["hits"][0]["customer"]["email"] == EMAIL
    assert [word["how"] for word in answer["hits"][0]["words"]] == ["typo", "typo", "exact"]


@pytest.mark.parametrize(
    "text",
    ["jane", "jane doe", "jane.doe", "8750", "j", "jane york", "doe@mail", "sw1", "SW1A 1AA", "harbour"],
)
def test_who_reads_masked_rows_cannot_feel_their_way_to_a_person(served, text):
    assert ids_of(ask(served, "read", text=text)) == []


@pytest.mark.parametrize("text", [EMAIL, "020 7183 8750", "C001", "york"])
def test_who_reads_masked_rows_finds_by_what_they_know_or_see(served, text):
    answer = ask(served, "read", text=text)
    assert ids_of(answer) == ["C001"]
    told = str(answer)
    assert EMAIL not in told.replace(text, "")
    assert PHONE not in told
    assert NAME not in told
    assert all(word["found"] == "" for hit in answer["hits"] for word in hit["words"])


def test_a_list_by_name_is_refused_to_who_may_not_read_names(served):
    refused = served.with_key("read").post("/api/v1/search", json={"order": "name"})
    assert refused.status_code == 422
    assert "read-pii" in refused.json()["detail"]
    assert served.with_key("read-pii").post("/api/v1/search", json={"order": "name"}).status_code == 200


@pytest.mark.parametrize("order", ["seen", "new", "revenue", "orders", "events", "records", "name"])
def test_pages_of_a_list_are_the_whole_list_once(served, order):
    found, cursor = [], None
    while True:
        answer = ask(served, "read-pii", order=order, limit=9, cursor=cursor)
        found += ids_of(answer)
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 74
    assert ask(served, "read-pii")["total"] == 74


def test_pages_of_a_search_are_the_whole_search_once(served):
    whole = ids_of(ask(served, "read-pii", text="twin", limit=200))
    found, cursor = [], None
    while True:
        answer = ask(served, "read-pii", text="twin", limit=20, cursor=cursor)
        found += ids_of(answer)
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert found == whole
    assert len(whole) == 70


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"channel": "email"}, ["C002"]),
        ({"source": "shop"}, ["C001"]),
        ({"country": "GB"}, ["C002"]),
        ({"anonymous": True}, ["C009"]),
        ({"channel": "web", "anonymous": False}, ["C001"]),
        ({"stage": "nobody's"}, []),
        ({"segment": "none"}, []),
        ({"open_tickets": True}, []),
        ({"consent": "marketing_email"}, []),
        ({"seen_days": 1}, []),
    ],
)
def test_filters(served, filters, expected):
    assert ids_of(ask(served, "read", filters=filters)) == expected
    assert ids_of(ask(served, "read-pii", text="jane", filters=filters)) == (
        ["C001"] if "C001" in expected else []
    )


@pytest.mark.parametrize(
    "filters",
    [
        Filters(stage="lead", rfm="champions", channel="web", country="GB", consent="marketing_email"),
        Filters(source="web", anonymous=True, open_tickets=False, seen_days=30),
        Filters(rfm_recency=5, rfm_frequency=1, rfm_monetary=3, profit_decile=10, profit_known=True),
        Filters(),
    ],
)
def test_filters_are_a_rule_that_segments_read(filters):
    node = parse(rule(filters), rule_fields.known_fields(), ["regulars"])
    assert as_json(node) == rule(filters)


@pytest.mark.parametrize(
    "question",
    [
        {"filters": {"consent": "' OR 1=1"}},
        {"cursor": "'; DROP"},
        {"text": "x", "cursor": "-1"},
        {"filters": {"email": "x"}},
        {"order": "email"},
        {"limit": 0},
        {"text": "x" * 10_001},
    ],
)
def test_what_cannot_be_asked_is_said(served, question):
    answer = served.with_key("read-pii").post("/api/v1/search", json=question)
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_lists_and_finds(served):
    client = served.signed_in("read-pii", "segments")
    page = client.get("/customers", params={"channel": "web"})
    assert page.status_code == 200
    assert NAME in page.text
    assert "/segments/new?rule=" in page.text
    form = {"csrf_token": served.csrf(client), "text": "jane"}
    found = client.post("/customers", data=form)
    assert "/customers/C001" in found.text
    assert "John Roe" not in found.text
    assert "<!doctype" in found.text
    part = client.post("/customers", data=form, headers={"hx-request": "true"})
    assert "<!doctype" not in part.text
    assert part.headers["hx-push-url"] == "/customers"
    assert "alert(1)" not in client.post("/customers", data={**form, "text": "script"}).text.replace(
        "&lt;script&gt;alert(1)&lt;/script&gt;", ""
    )


@pytest.mark.parametrize("text", [" ", "   \t", "\u200b \x00"])
def test_a_text_of_spaces_is_none(served, text):
    client = served.signed_in("read-pii")
    answer = client.post("/customers", data={"csrf_token": served.csrf(client), "text": text})
    assert (answer.status_code, "74 customers" in answer.text) == (200, True)


def test_a_text_without_its_token_is_refused(served):
    assert served.signed_in("read").post("/customers", data={"text": "jane"}).status_code == 403


def test_the_page_follows_its_own_links(served):
    client = served.signed_in("read")
    page = client.get("/customers")
    assert NAME not in page.text
    assert "Next 50" in page.text
    link = page.text.split('class="pager"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(link).status_code == 200


def test_a_filter_of_an_address_is_applied_named_and_kept_or_said_to_be_unknown(served):
    client = served.signed_in("read-pii")
    page = client.get("/customers?rfm_recency=1&profit_decile=2&lifecycle_stage=customer").text
    assert "0 customers" in page
    assert 'href="/customers?stage=customer&amp;profit_decile=2"' in page
    assert '<input type="hidden" name="rfm_recency" value="1">' in page
    unknown = client.get("/customers?lifecycle=lead").text
    assert "knows no filter lifecycle" in unknown
    assert "knows no filter" not in client.get("/customers?rfm_segment=champions&order=new").text
