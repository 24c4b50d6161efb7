"""The measures over HTTP: tables, one customer, pages; who may see what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape

import pytest

from cdp.lake import Lake
from tests.serve_tools import Served
from tests.warehouse_tools import event, order, publish_into, table, value, world
from warehouse.inputs import REDIRECTS
from warehouse.measures.given import Costs, MeasureInputs
from warehouse.measures.summaries import STAGES, TABLES

SUBJECT = "The lamp of Jane Doe is broken"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("measures")
    mail = {"channel": "email", "campaign": "Spring <b>", "reference": "m1"}
    events = [
        event("s", "mail:1", event_type="email_sent", at=1, **mail),
        event("c", "mail:1", event_type="email_clicked", at=2, **mail),
        order("o1", "25.00", at=3),
        order("o2", "10.00", "shop:2", at=300),
        event(
            "t",
            "desk:1",
            event_type="ticket_opened",
            channel="support",
            at=4,
            subject=SUBJECT,
            reference="T1",
            product="LAMP",
        ),
    ]
    id_map = {"mail:1": "C1", "shop:1": "C1", "desk:1": "C1", "shop:2": "C2"}
    redirects = table(REDIRECTS, [{"previous_customer_id": "C9", "customer_id": "C1"}])
    lake = Lake(folder / "workspace")
    publish_into(
        lake,
        world(
            folder / "in",
            [events],
            id_map,
            values=[value("mail:1", "full_name", "Jane Doe")],
            redirects=redirects,
        ),
    )
    found = Served(lake)
    yield found
    found.close()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_tells_its_rows_and_columns(served: Served, name: str) -> None:
    answer = served.with_key("read").get(f"/api/v1/measures/{name}")
    body = answer.json()
    assert (answer.status_code, body["table"], body["next_offset"]) == (200, name, None)
    assert all(set(row) == set(body["columns"]) for row in body["rows"])
    assert bool(body["rows"]) is (name != "profitability")


def test_rows_come_in_pages_and_money_is_text(served: Served) -> None:
    client = served.with_key("read")
    first = client.get("/api/v1/measures/rfm_cells?limit=1").json()
    rest = client.get(f"/api/v1/measures/rfm_cells?limit=1&offset={first['next_offset']}").json()
    assert (len(first["rows"]), len(rest["rows"]), rest["next_offset"]) == (1, 1, None)
    assert first["rows"][0]["net_revenue"] == "10.0000"
    assert first["rows"][0]["rfm_recency"] > rest["rows"][0]["rfm_recency"]


def test_an_answer_is_known_by_its_release(served: Served) -> None:
    client = served.with_key("read")
    tag = client.get("/api/v1/measures/campaigns").headers["etag"]
    again = client.get("/api/v1/measures/campaigns", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_other_tables_and_callers_without_a_key_are_refused(served: Served) -> None:
    assert served.with_key("read").get("/api/v1/measures/customers").status_code == 422
    assert served.client().get("/api/v1/measures/campaigns").status_code == 401


def test_a_customer_has_measures_and_the_reading_is_written_down(served: Served) -> None:
    client = served.with_key("read-pii")
    body = client.get("/api/v1/profiles/C1/measures").json()
    assert [entry["stage"] for entry in body["lifecycle"]] == ["lead", "customer", "lapsing", "lapsed"]
    assert [channel["channel"] for channel in body["channels"]] == ["email", "support"]
    assert (body["campaigns"][0]["sends"], body["campaigns"][0]["clicks"]) == (1, 1)
    assert body["tickets"][0]["subject"] == SUBJECT
    line = served.serving.store.rows("SELECT action, subject FROM audit ORDER BY audit_id DESC LIMIT 1")[0]
    assert tuple(line) == ("profile.read", "C1")


def test_without_the_scope_nobody_sees_what_a_ticket_says(served: Served) -> None:
    text = served.with_key("read").get("/api/v1/profiles/C1/measures").text
    assert '"product":"LAMP"' in text
    assert SUBJECT not in text
    assert '"T1"' not in text


def test_a_retired_id_leads_on_and_an_unknown_one_is_not_found(served: Served) -> None:
    client = served.with_key("read")
    retired = client.get("/api/v1/profiles/C9/measures")
    assert (retired.status_code, retired.headers["location"]) == (308, "/api/v1/profiles/C1/measures")
    assert client.get("/api/v1/profiles/C404/measures").status_code == 404


SECTIONS = ("", "/rfm", "/lifecycle", "/campaigns", "/channels", "/escalations", "/profitability")


@pytest.mark.parametrize("section", SECTIONS)
def test_pages_need_a_session_and_write_names_as_text(served: Served, section: str) -> None:
    assert served.client().get(f"/marketing{section}").status_code == 303
    answer = served.signed_in("read").get(f"/marketing{section}")
    assert answer.status_code == 200
    assert "<b>" not in answer.text
    assert "Jane Doe" not in answer.text


def test_a_sort_that_is_none_is_refused(served: Served) -> None:
    client = served.signed_in("read")
    assert client.get("/marketing/campaigns?sort=revenue&direction=up").status_code == 200
    assert client.get("/marketing/campaigns?sort=1;DROP").status_code in (400, 422)


def test_a_workspace_in_which_nothing_happened_has_pages_all_the_same(tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("empty")
    lake = Lake(folder / "workspace")
    publish_into(lake, world(folder / "in", [[event("1", "web:1")]], {"web:1": "C1"}))
    empty = Served(lake)
    client = empty.signed_in("read")
    for section in SECTIONS:
        assert client.get(f"/marketing{section}").status_code == 200, section
    empty.close()


def counted_links(page: str) -> list[tuple[str, int]]:
    """Return the links of a page into the list of customers, each with the number that stands with it."""
    links = re.finditer(
        r'(<th scope="row">)?<a [^>]*href="(/customers\?[^"]+)"[^>]*>(.*?)</a>(.*?)</(?:tr|div)>',
        page,
        re.DOTALL,
    )
    numbers = ((m[2], re.search(r"\d+", re.sub("<[^>]+>", " ", m[4] if m[1] else m[3]))) for m in links)
    return [(unescape(address), int(number[0])) for address, number in numbers if number]


def test_every_number_of_customers_leads_to_so_many(tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("links")
    lake = Lake(folder / "workspace")
    people = range(1, 8)
    events = [
        order(f"o{n}-{k}", f"{n}0.00", f"shop:{n}", at=90 * n) for n in people for k in range(n % 3 + 1)
    ]
    events.append(event("c", "crm:1", channel="crm"))
    ids = {f"shop:{n}": f"C{n}" for n in people} | {"crm:1": "C0"}
    values = [value("crm:1", "full_name", "Jane Doe")]
    inputs = MeasureInputs(costs=Costs(order=Decimal(4), margin=Decimal("0.5")))
    publish_into(lake, world(folder / "in", [events], ids, values=values, measures=inputs))
    shop = Served(lake)
    client = shop.signed_in("read")
    for section in ("", "/rfm", "/lifecycle", "/profitability"):
        links = counted_links(client.get(f"/marketing{section}").text)
        assert len(links) >= len(STAGES), section
        for address, number in links:
            found = re.search(r'class="result-line">\s*(\d+) customer', client.get(address).text)
            assert found, address
            assert int(found[1]) == number, address
    shop.close()


def test_with_costs_the_pages_tell_the_profit(tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("costs")
    lake = Lake(folder / "workspace")
    events = [order(f"o{n}", "12000.00", f"shop:{n}", at=n) for n in range(1, 4)]
    id_map = {f"shop:{n}": f"C{n}" for n in range(1, 4)}
    costs = MeasureInputs(costs=Costs(order=Decimal(4), margin=Decimal("0.5")))
    publish_into(lake, world(folder / "in", [events], id_map, measures=costs))
    dear = Served(lake)
    client = dear.signed_in("read")
    assert "18.0k" in client.get("/marketing").text
    page = client.get("/marketing/profitability").text
    assert "£17,988.00" in page
    assert "No costs are configured" not in page
    dear.close()
