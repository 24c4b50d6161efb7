"""Searching for customers: what is found, in which order, and that nothing breaks it."""

from __future__ import annotations

import pytest

from cdp import duck
from tests.warehouse_tools import built, event, identifier, value, world
from tests.warehouse_tools import table as table_of
from warehouse import search
from warehouse.inputs import REDIRECTS

PEOPLE = {
    "C01": "Ann Smith",
    "C02": "Bob Müller",
    "C03": "王小明",
    "C04": "Seán O’Brien",
    "C05": "Анна Йорк",
    "C06": "Łukasz Groß",
    "C07": "Anne-Marie de la Cruz",
    "C08": "Stephen Maier",
    "C09": "Ann Smithson",
    "C10": "Li Wei",
    "C11": "Smith Ann",
}
IDENTIFIERS = [
    identifier("crm:C01", "phone", "+442079460018"),
    identifier("crm:C01", "email", "ann.s@mail.example"),
    identifier("crm:C02", "email", "bob.m87@web.example"),
    identifier("crm:C03", "handle", "xiao_ming", namespace="mastodon"),
    identifier("crm:C07", "user_id", "smith", namespace="crm"),
]


def release_of(folder, people, *, identifiers=(), values=(), seen=()):
    ids = {f"crm:{customer}": customer for customer in people}
    names = [value(f"crm:{customer}", "full_name", name) for customer, name in people.items()]
    events = [event(f"e{key}", f"crm:{key}", at=at) for key, at in seen]
    redirects = table_of(REDIRECTS, [{"previous_customer_id": "C99", "customer_id": "C02"}])
    inputs = world(
        folder / "in", [events], ids, identifiers=identifiers, values=[*names, *values], redirects=redirects
    )
    return built(inputs, folder / "out")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    values = [
        value("crm:C01", "city", "Leeds"),
        value("crm:C02", "city", "York"),
        value("crm:C02", "company", "Harbour & Pine Ltd"),
        value("crm:C06", "postcode", "SW1A 1AA"),
    ]
    seen = [("C01", 1), ("C11", 5), ("C09", 9)]
    folder = tmp_path_factory.mktemp("search")
    with release_of(folder, PEOPLE, identifiers=IDENTIFIERS, values=values, seen=seen) as connection:
        yield connection


def found(release, text, **more):
    return [hit.customer_id for hit in search.search(release, text, **more)]


@pytest.mark.parametrize(
    ("text", "customer", "by"),
    [
        ("c01", "C01", "customer_id"),
        ("C99", "C02", "retired_id"),
        ("crm:C05", "C05", "record_key"),
        ("020 7946 0018", "C01", "identifier"),
        ("Bob.M87@web.example", "C02", "identifier"),
        ("email:bob.m87@WEB.example", "C02", "identifier"),
        ("@xiao_ming", "C03", "identifier"),
    ],
)
def test_a_whole_identifier_comes_first(release, text, customer, by):
    first = search.search(release, text)[0]
    assert (first.customer_id, first.by) == (customer, by)


@pytest.mark.parametrize(
    ("text", "customer"),
    [
        ("muller bob", "C02"),
        ("MÜLL", "C02"),
        ("mueller", "C02"),
        ("bob york", "C02"),
        ("harbour bob", "C02"),
        ("web bob.m8", "C02"),
        ("bob.m87@wbe.example", "C02"),
        ("小明", "C03"),
        ("王小", "C03"),
        ("xiao min", "C03"),
        ("o'brien", "C04"),
        ("obrien", "C04"),
        ("o brien", "C04"),
        ("sean", "C04"),
        ("йорк", "C05"),
        ("анна иорк", "C05"),
        ("lukasz gross", "C06"),
        ("sw1a1aa", "C06"),
        ("annemarie cruz", "C07"),
        ("steven meyer", "C08"),
        ("0018", "C01"),
        ("7946 0018", "C01"),
        ("ann 460018", "C01"),
        ("Annsmith", "C01"),
        ("An n Smith", "C01"),
    ],
)
def test_words_find_their_customer(release, text, customer):
    assert customer in found(release, text)


def test_whole_words_come_before_beginnings_and_the_newest_first_among_equals(release):
    assert found(release, "ann smith")[:3] == ["C11", "C01", "C09"]


def test_a_name_is_found_beside_an_identifier_that_is_the_same_word(release):
    assert found(release, "smith")[0] == "C07"
    assert {"C01", "C09", "C11"} <= set(found(release, "smith"))


def test_what_matched_is_said(release):
    (hit,) = [hit for hit in search.search(release, "boob york") if hit.customer_id == "C02"]
    told = [(part.word, part.found, part.how, part.edits) for part in hit.parts]
    assert told == [("boob", "bob", "typo", 1), ("york", "york", "exact", 0)]
    assert [part.fields for part in hit.parts] == [("name", "email"), ("city",)]


def test_only_some_fields(release):
    assert found(release, "york", fields=search.UNMASKED_FIELDS) == ["C02"]
    assert found(release, "bob york", fields=search.UNMASKED_FIELDS) == []
    assert found(release, "0018", fields=search.UNMASKED_FIELDS) == []


def test_filters_keep_those_for_whom_they_hold(release):
    assert found(release, "smith", where="city = ?", parameters=["Leeds"]) == ["C01"]
    assert found(release, "C02", where="city = ?", parameters=["Leeds"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "'; DROP TABLE customers; --",
        "%_\\",
        "\ud800",
        "a" * 10_000,
        "a " * 5_000,
        "@" * 300,
        "@.",
        "+",
        "0" * 40,
        "٠١٢٣٤",
        "\u202eann",
        "🙂",
        "(((",
        "email:",
        "é" * 300,
        "\U0010ffff",
        "#8100",
        "{{7*7}}",
    ],
)
def test_no_text_breaks_it(release, text):
    assert isinstance(search.search(release, text), list)


def edits_of(text):
    letters = "az"
    for at in range(len(text) + 1):
        yield from (text[:at] + letter + text[at:] for letter in letters)
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]
        yield from (text[:at] + letter + text[at + 1 :] for letter in letters)
    for at in range(len(text) - 1):
        yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]


@pytest.mark.parametrize("customer", ["C01", "C08", "C10"])
def test_every_single_edit_of_a_name_finds_the_person(release, customer):
    name = PEOPLE[customer].lower()
    lost = [text for text in edits_of(name) if customer not in found(release, text)]
    assert lost == []


def test_a_release_of_strangers_hides_nobody(tmp_path):
    people = {f"C{number:04d}": f"Ann Smith{'abcdefghij'[number % 10]}" for number in range(400)}
    seen = [(customer, 1) for customer in people]
    with release_of(tmp_path, {**people, "C9999": "Ann Smith"}, seen=seen) as connection:
        assert found(connection, "ann smith")[0] == "C9999"
        assert found(connection, "smith")[0] == "C9999"
        assert len(found(connection, "ann")) == search.MOST_HITS


def test_a_release_of_before_the_index_finds_whole_names_and_identifiers(tmp_path) -> None:
    with release_of(tmp_path, PEOPLE, identifiers=IDENTIFIERS) as connection:
        path = tmp_path / "out" / "cdp.duckdb"
        assert found(connection, "muller bbo") == ["C02"]
    with duck.connect(path) as connection:
        for name in ("search_words", "search_spellings", "search_postings", "search_customers"):
            connection.execute(f"DROP TABLE {name}")
        assert found(connection, "bob müller") == ["C02"]
        assert found(connection, "bob.m87@web.example") == ["C02"]
        assert found(connection, "bob müller", fields=search.UNMASKED_FIELDS) == []
