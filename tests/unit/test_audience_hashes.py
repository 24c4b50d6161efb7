"""Hashes of advertisers' networks equal the examples that they publish; spelling does not matter."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.audiences import normalise as n

META = "developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters"
GOOGLE = "github.com/googleads/data-manager-java, UserDataFormatterTest; developers.google.com/data-manager"


@pytest.mark.parametrize(
    ("form", "given_text", "normal", "digest"),
    [
        (n.meta_email, "John_Smith@gmail.com", "john_smith@gmail.com",
         "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        (n.meta_phone, "1(650)555-1212", "16505551212",
         "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        (n.meta_name, "Mary", "mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        (n.meta_name, "정", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        (n.meta_name, "Valéry", "valéry",
         "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        (n.meta_country, "United States", "us",
         "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ],
)  # fmt: skip
def test_meta_hashes_are_those_that_it_publishes(form, given_text, normal, digest):
    assert form(given_text) == normal, META
    assert n.sha256(normal) == digest, META


def test_metas_published_birth_date():
    assert n.sha256("19970216") == "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"


@pytest.mark.parametrize(
    ("form", "variants", "digest"),
    [
        (n.google_email,
         ["alexz@example.com", "  alexz@example.com", "  ALEXZ@example.com   ", "  alexz@EXAMPLE.com   "],
         "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a"),
        (n.google_phone, ["+18005550100", "   +1-800-555-0100", "1-800-555-0100   "],
         "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30"),
        (n.google_surname, ["Givenname", "  GivenName  "],
         "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814"),
    ],
)  # fmt: skip
def test_google_hashes_are_those_that_it_publishes(form, variants, digest):
    for variant in variants:
        assert n.sha256(form(variant)) == digest, GOOGLE


@pytest.mark.parametrize(
    ("form", "given_text", "normal"),
    [
        (n.google_email, "QuinnY@EXAMPLE.com", "quinny@example.com"),
        (n.google_email, "user.name+NYC@Example.com", "user.name+nyc@example.com"),
        (n.google_email, "j.e.f..ferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
        (n.google_email, "Jefferson.LOVES.Hiking@googlemail.com", "jeffersonloveshiking@googlemail.com"),
        (n.google_email, "Cloudy.SanFrancisco+shopping@googlemail.com", "cloudysanfrancisco@googlemail.com"),
        (n.google_email, "quinn", None),
        (n.google_email, "@example.com", None),
        (n.google_email, "...@gmail.com", None),
        (n.google_phone, "1 800 555 0100", "+18005550100"),
        (n.google_phone, "+44-113-496-0987", "+441134960987"),
        (n.google_phone, "+abc-DEF", None),
        (n.google_phone, "++++", None),
        (n.google_given_name, " Mr. Alex   ", "alex"),
        (n.google_given_name, " Dr. Alex   ", "alex"),
        (n.google_given_name, " Alex Dr.", "alex"),
        (n.google_given_name, " Mralex   ", "mralex"),
        (n.google_given_name, " Mr. ", None),
        (n.google_given_name, " ", None),
        (n.google_surname, " Quinn,Jr.   ", "quinn"),
        (n.google_surname, " Quinn Sr.  ", "quinn"),
        (n.google_surname, "quinn, jr. dds", "quinn"),
        (n.google_surname, "Boardds", "boardds"),
        (n.google_surname, ",Jr.,DDS ", None),
        (n.google_postcode, "  1229-076  ", "1229-076"),
        (n.google_postcode, "=cmd|' /C calc'!A0", "CMD C CALCA0"),
        (n.google_postcode, "  ", None),
        (n.google_country, "us  ", "US"),
    ],
)
def test_google_normal_forms_are_those_of_its_own_library(form, given_text, normal):
    assert form(given_text) == normal, GOOGLE


@pytest.mark.parametrize(
    ("normal", "found"),
    [
        ("m11ae", n.meta_postcode("M1 1AE", "gb")),
        ("94035", n.meta_postcode("94035-1234", "us")),
        ("newyork", n.meta_city("New York")),
        ("az", n.meta_state("Arizona", "us")),
        ("f", n.meta_gender("F")),
        (None, n.meta_name(" .'- ")),
        (None, n.meta_phone("12")),
    ],
)
def test_metas_other_rules(normal, found):
    assert found == normal


FORMS = (
    n.google_email, n.google_phone, n.google_given_name, n.google_surname, n.google_country, n.google_postcode,
    n.meta_email, n.meta_phone, n.meta_name, n.meta_city, n.meta_country, n.meta_gender,
    lambda text: n.meta_state(text, "us"), lambda text: n.meta_postcode(text, "us"),
)  # fmt: skip
NAMES = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from("Mr. Mrs dr Dr. Jr. , ,Jr III v ann O'Neil é Ä ß İ ǅ \u0345 @ + . gmail.com".split()))
    .map(" ".join),
)  # fmt: skip


@given(NAMES)
def test_normalising_twice_is_normalising_once(text):
    for form in FORMS:
        once = form(text)
        assert once is None or form(once) == once


@given(
    st.sampled_from([n.google_phone, n.meta_phone]),
    st.lists(st.sampled_from(" ().-/"), min_size=12, max_size=12),
)
def test_a_number_hashes_equally_however_it_is_written(form, signs):
    written = "".join(digit + sign for digit, sign in zip("442079460018", signs, strict=True))
    assert form(f"+{written}") == form("+442079460018") == form(f"00{written}")


@given(st.emails(), st.integers(0, 3))
def test_an_address_hashes_equally_in_any_case_and_composition(address, spaces):
    for form in (n.google_email, n.meta_email):
        assert form(" " * spaces + address.upper() + " ") == form(address.lower())
        assert form(unicodedata.normalize("NFD", address)) == form(address)
