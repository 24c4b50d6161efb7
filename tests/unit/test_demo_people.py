"""The people of the demo: names in their scripts, valid numbers, households."""

from __future__ import annotations

from collections import Counter
from random import Random

import phonenumbers
import pytest

from cdp.demo.households import make_world
from cdp.demo.names import given_names, surnames
from cdp.demo.noise import email_typo, typo, written_phone
from cdp.demo.people import World
from cdp.demo.places import COUNTRIES, Country, NumberPlan


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=3000, seed=1, start=1_760_000_000.0 // 86400 * 86400, days=42, year=2026)


def plans(country: Country) -> list[NumberPlan]:
    return [country.mobile, *(city.landline for city in country.cities)]


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.code)
def test_every_number_of_a_country_is_valid_there_and_given_once(country: Country) -> None:
    for plan in plans(country):
        numbers = [plan.number(ordinal) for ordinal in range(0, 3000, 7)]
        assert len(set(numbers)) == len(numbers)
        for number in numbers:
            parsed = phonenumbers.parse(number)
            assert phonenumbers.is_valid_number(parsed), number
            assert phonenumbers.region_code_for_number(parsed) == country.code
            assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.code)
def test_a_number_written_for_a_british_shop_still_means_the_same(country: Country) -> None:
    rng = Random(5)
    for ordinal in range(60):
        number = country.mobile.number(ordinal)
        written = written_phone(number, country.code, rng)
        parsed = phonenumbers.parse(written, "GB")
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number, written


def test_languages_have_their_own_scripts() -> None:
    assert given_names("el", "f")[0].native == "Μαρία"
    assert given_names("el", "f")[0].latin == "Maria"
    assert {surname.male.native[-1] for surname in surnames("uk")} == set("окй")
    feminine = [s for s in surnames("pl") if s.male.native.endswith("ski")]
    assert feminine
    assert all(s.female.native.endswith("ska") for s in feminine)
    assert all(len(surnames(country.language)) >= 40 for country in COUNTRIES)
    assert all(s.male.latin.isascii() for country in COUNTRIES for s in surnames(country.language))


def test_typos_change_a_value_and_keep_its_shape() -> None:
    rng = Random(2)
    changed = [typo("Lauterstein", rng) for _ in range(200)]
    assert sum(text == "Lauterstein" for text in changed) < 20  # swapping equal letters changes nothing
    assert all(text[0] == "L" and abs(len(text) - 11) <= 1 for text in changed)
    assert all(email_typo("anna.b@inbox.example", rng).count("@") == 1 for _ in range(50))


def test_people_live_in_households_of_several_countries(world: World) -> None:
    assert len(world.people) == 3000
    assert [person.index for person in world.people] == list(range(3000))
    countries = Counter(person.country.code for person in world.people)
    assert set(countries) == {country.code for country in COUNTRIES}
    assert 0.3 < countries["GB"] / 3000 < 0.42
    homes = Counter(person.home for person in world.people)
    assert sum(count for count in homes.values() if count > 1) > 1200


def test_reachability_is_unique_except_where_it_is_shared_on_purpose(world: World) -> None:
    mobiles = [person.mobile for person in world.people]
    assert len(set(mobiles)) == len(mobiles)
    for values in (
        [person.email for person in world.people if person.email],
        [person.landline for person in world.people if person.landline],
        [device for person in world.people for device in person.devices],
    ):
        repeated = {value for value, count in Counter(values).items() if count > 1}
        assert repeated
        assert repeated <= world.shared


def test_hard_cases_are_among_the_people(world: World) -> None:
    same_name_same_home = Counter((p.given.native, p.surname.native, p.home) for p in world.people)
    assert sum(count > 1 for count in same_name_same_home.values()) >= 5  # father and son of one name
    assert sum(p.former_surname is not None for p in world.people) >= 10
    assert sum(p.former_home is not None for p in world.people) >= 30
    assert sum(p.old_email is not None for p in world.people) >= 30
    assert sum(p.work_email is not None for p in world.people) >= 3
    contacts = [p.contact for p in world.people if p.contact]
    kinds = Counter(contact.duplicate for contact in contacts)
    assert min(kinds["email"], kinds["phone"], kinds["address"]) >= 30


def test_most_people_use_several_channels(world: World) -> None:
    assert sum(len(person.channels) >= 2 for person in world.people) > 0.85 * len(world.people)
