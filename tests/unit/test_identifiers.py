"""Identifiers: what is kept, in which form, and what is refused with which reason."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cdp.errors import UsageError
from cdp.identifiers import (
    IDENTIFIER_TYPES,
    REASONS,
    check,
    check_array,
    country,
    country_array,
    default_namespace,
    normalise,
    normalise_array,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("alice@example.com", "alice@example.com"),
        ("  Alice.B+news@Example.COM ", "alice.b+news@example.com"),
        ('"Brown, Alice" <alice@example.com>', "alice@example.com"),
        ("<alice@example.com>", "alice@example.com"),
        ("mailto:alice@example.com?subject=Hello", "alice@example.com"),
        ("ａｌｉｃｅ＠example.com", "alice@example.com"),
        ("\u200balice@example.com\ufeff", "alice@example.com"),
        ("info@MÜNCHEN.example", "info@xn--mnchen-3ya.example"),
        ("info@xn--mnchen-3ya.example", "info@xn--mnchen-3ya.example"),
        ("info@straße.example", "info@xn--strae-oqa.example"),
        ("jörg@example.com", "jörg@example.com"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("alice@example.com.", "alice@example.com"),
        ("'alice@example.com'", "alice@example.com"),
    ],
)
def test_email_has_one_canonical_form(given: str, expected: str) -> None:
    assert normalise("email", given) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "empty"),
        (" \u200b ", "empty"),
        ("null", "placeholder"),
        ("-", "placeholder"),
        ("a***@example.com", "masked"),
        ("jo…@example.com", "masked"),
        ("jo...@example.com", "masked"),
        ("redacted@example.com", "masked"),
        ("[email protected]", "masked"),
        ("xxxx@example.com", "masked"),
        ("alice", "not_an_email"),
        ("alice@", "no_public_domain"),
        ("alice@localhost", "no_public_domain"),
        ("alice@[10.0.0.1]", "no_public_domain"),
        ("alice@10.0.0.1", "no_public_domain"),
        ("a@b.example, c@d.example", "not_an_email"),
        ("alice brown@example.com", "not_an_email"),
        ("alice@exam ple.com", "not_an_email"),
        ("alice@example..com", "not_an_email"),
        ("alice@-example.com", "not_an_email"),
        ("a" * 65 + "@example.com", "not_an_email"),
        ("alice@" + "a." * 130 + "com", "not_an_email"),
    ],
)
def test_email_is_refused_with_its_reason(given: str, reason: str) -> None:
    assert check("email", given) == (None, reason)


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("+44 20 7946 0018", None, "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("(020) 7946-0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("0044 20 7946 0018", "GB", "+442079460018"),
        ("00442079460018", None, "+442079460018"),
        ("442079460018", "GB", "+442079460018"),
        ("7400123456", "GB", "+447400123456"),
        ("whatsapp:+447400123456", "US", "+447400123456"),
        ("whatsapp:447400123456", "US", "+447400123456"),
        ("12025550123", None, "+12025550123"),
        ("2025550123", "US", "+12025550123"),
        ("tel:+1-202-555-0123;ext=5", "GB", "+12025550123"),
        ("sip:+12025550123@sip.example.com", "GB", "+12025550123"),
        ("+1 202 555 0123 ext. 12", "GB", "+12025550123"),
        ('"Alice" <+12025550123>', "GB", "+12025550123"),
        ("\u202a+12025550123\u202c", "GB", "+12025550123"),
        ("447400123456.0", None, "+447400123456"),
        ("+39 06 1234 5678", "GB", "+390612345678"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("+٤٤٢٠٧٩٤٦٠٠١٨", None, "+442079460018"),
    ],
)
def test_phone_becomes_e164(given: str, region: str | None, expected: str) -> None:
    assert normalise("phone", given, region) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "empty"),
        ("client:alice", "not_a_phone"),
        ("client:alice2025550123", "not_a_phone"),
        ("anonymous", "placeholder"),
        ("Restricted", "placeholder"),
        ("sip:alice@sip.example.com", "not_a_phone"),
        ("1-800-FLOWERS", "not_a_phone"),
        ("4.47912E+11", "rounded"),
        ("+266696687", "invalid_phone"),
        ("266696687", "invalid_phone"),
        ("+15551234567", "invalid_phone"),
        ("+2025550123", "invalid_phone"),
        ("101", "invalid_phone"),
        ("0000000000", "placeholder"),
        ("+", "placeholder"),
        ("+44 20 7946 0018 / +44 20 7946 0019 0000000000000", "invalid_phone"),
    ],
)
def test_phone_is_refused_with_its_reason(given: str, reason: str) -> None:
    assert check("phone", given, "GB") == (None, reason)


def test_digits_are_never_guessed_to_be_another_country() -> None:
    assert normalise("phone", "2025550123", "GB") is None


@pytest.mark.parametrize("kind", ["user_id", "external_id", "anonymous_id"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" u-17 ", "u-17"),
        ("Ab9", "Ab9"),
        ("17850.0", "17850"),
        (17850.0, "17850"),
        (17850, "17850"),
        ("1.5", "1.5"),
        ("007", "007"),
        ("Zoe\u0308", "Zo\u00eb"),
        *[
            (junk, None)
            for junk in (
                "", " ", "null", "NULL", "undefined", "None", "nan", "NaN", "0", "0.0", "-", "anonymous",
                "N/A", "[object Object]", "00000000-0000-0000-0000-000000000000", "(not set)", "false", None,
                "1.23457E+11",
            )
        ],
    ],
)  # fmt: skip
def test_keys_are_trimmed_and_placeholders_refused(
    kind: str, given: str | float | None, expected: str | None
) -> None:
    assert normalise(kind, given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("@Alice_B", "alice_b"),
        ("alice_b", "alice_b"),
        ("Alice@mastodon.social", "alice@mastodon.social"),
        ("@alice@mastodon.social", "alice@mastodon.social"),
        ("https://www.instagram.com/alice_b/?hl=en", "alice_b"),
        ("https://bsky.app/profile/alice.bsky.social", "alice.bsky.social"),
        ("https://www.youtube.com/@alice", "alice"),
        ("Alice Brown", None),
        ("@", None),
        ("null", None),
    ],
)
def test_handle_has_one_canonical_form(given: str, expected: str | None) -> None:
    assert normalise("handle", given) == expected


def test_only_email_and_phone_are_global() -> None:
    assert [kind for kind in IDENTIFIER_TYPES if default_namespace(kind, "web") == ""] == ["email", "phone"]
    assert default_namespace("anonymous_id", "web") == "web"


def test_an_unknown_type_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'emial' is no type of identifier\.\n  Did you mean email\?"):
        normalise("emial", "alice@example.com")


def test_every_reason_is_explained() -> None:
    import typing

    from cdp.identifiers import Reason

    assert set(REASONS) == set(typing.get_args(Reason))


def test_arrays_keep_rows_nulls_and_reasons() -> None:
    given = pa.array(["A@example.com", None, "x", "a@example.com", "jö@example.com"])
    values, reasons = check_array("email", given)
    assert values.to_pylist() == ["a@example.com", None, None, "a@example.com", "jö@example.com"]
    assert reasons.to_pylist() == [None, None, "not_an_email", None, None]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([17850.0, None, 0.0]),
        pa.array(["17850", None, "0"]).dictionary_encode(),
        pa.chunked_array([["17850.0"], [None, "nan"]]),
        pa.array(["17850", None, ""], pa.large_string()),
    ],
)
def test_arrays_of_any_layout_give_strings(values: pa.Array | pa.ChunkedArray) -> None:
    assert normalise_array("user_id", values) == pa.array(["17850", None, None])


@pytest.mark.parametrize("kind", list(IDENTIFIER_TYPES))
def test_empty_and_all_null_arrays_work(kind: str) -> None:
    assert normalise_array(kind, pa.nulls(3)).to_pylist() == [None, None, None]
    assert normalise_array(kind, pa.array([], pa.string())).to_pylist() == []
    assert normalise_array(kind, pa.chunked_array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gb", "GB"),
        ("GBR", "GB"),
        ("UK", "GB"),
        ("England", "GB"),
        ("U.S.A.", "US"),
        ("the Netherlands", "NL"),
        ("Côte d’Ivoire", "CI"),
        ("Bosnia & Herzegovina", "BA"),
        ("St. Lucia", "LC"),
        ("日本", "JP"),
        ("Georgia", "GE"),
        ("Atlantis", None),
        ("", None),
        (None, None),
    ],
)
def test_country_becomes_its_two_letter_code(given: str | None, expected: str | None) -> None:
    assert country(given) == expected
    assert country_array(pa.array([given], pa.string())).to_pylist() == [expected]


def test_no_two_countries_share_a_code_or_name() -> None:
    from cdp.identifiers.countries import _entries, _folded

    owner: dict[str, str] = {}
    for two, three, names in _entries():
        for key in (two, three, *names):
            assert owner.setdefault(_folded(key), two) == two


def test_every_region_of_the_phone_library_is_a_known_country() -> None:
    import phonenumbers

    ascension_and_tristan = {"AC", "TA"}
    unknown = {r for r in phonenumbers.SUPPORTED_REGIONS if country(r) != r}
    assert unknown == ascension_and_tristan
