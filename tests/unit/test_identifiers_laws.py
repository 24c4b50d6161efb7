"""Laws of identifiers: idempotent, arrays equal single values, the short way equals the library."""

from __future__ import annotations

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdp.identifiers import IDENTIFIER_TYPES, check, check_array, normalise
from cdp.identifiers.phone_plans import e164, e164_by_library

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)

addresses = st.from_regex(
    r"\A[ <']?(mailto:)?[A-Za-z0-9._'%+{}x*?=-]{1,70}@"
    r"(([A-Za-z0-9_ü-]{1,12}\.){0,5}[A-Za-z]{1,5}|localhost)[ >.]?\Z"
)
values = st.one_of(
    st.text(max_size=30), addresses, st.emails(), st.sampled_from(["null", "0", "-", "12.0", "+44"])
)
FORMS = ("+{c}{n}", "{n}", "0{n}", "00{c}{n}", "{c}{n}", "+{c} (0){n}", "({n})", "+{c}-{n}.", "1{n}")


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Numbers of all countries and types, mutated and written in the ways people write them."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from(phonenumbers.PhoneNumberType.values()))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    assert example is not None
    digits = list(phonenumbers.national_significant_number(example))
    changes = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("0123456789")), max_size=4)
    for position, digit in draw(changes):
        digits[position % len(digits)] = digit
    nsn = "".join(digits)[: draw(st.sampled_from([99, 99, 99, len(digits) - 1]))]
    code = str(example.country_code)
    return str(draw(st.sampled_from(FORMS)).format(c=code, n=nsn))


@given(numbers(), st.one_of(st.none(), st.sampled_from(REGIONS), st.sampled_from(["GB", "US", "DE", "IT"])))
def test_the_short_way_equals_the_library(number: str, region: str | None) -> None:
    assert e164(number, region) == e164_by_library(number, region)


@given(st.from_regex(r"\A\+?[0-9 ().-]{0,30}\Z"), st.one_of(st.none(), st.sampled_from(REGIONS)))
def test_the_short_way_equals_the_library_on_any_digits(text: str, region: str | None) -> None:
    assert e164(text, region) == e164_by_library(text, region)


@given(numbers(), st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_a_canonical_phone_stays_itself_in_every_region(number: str, region: str, other: str) -> None:
    canonical = normalise("phone", number, region)
    if canonical is not None:
        assert normalise("phone", canonical, other) == canonical
        assert normalise("phone", canonical[1:], None) == canonical


@pytest.mark.parametrize("kind", list(IDENTIFIER_TYPES))
@given(value=values)
@example(value="MAILTO:{@0.AA")
@example(value="\u0130@example.com")
def test_a_canonical_form_stays_itself(kind: str, value: str) -> None:
    canonical = normalise(kind, value, "GB")
    if canonical is not None:
        assert normalise(kind, canonical, "GB") == canonical


@pytest.mark.parametrize("kind", list(IDENTIFIER_TYPES))
@given(column=st.lists(st.one_of(st.none(), values, numbers()), max_size=20))
def test_arrays_equal_single_values(kind: str, column: list[str | None]) -> None:
    forms, reasons = check_array(kind, pa.array(column, pa.string()), "GB")
    expected = [(None, None) if v is None else tuple(check(kind, v, "GB")) for v in column]
    assert list(zip(forms.to_pylist(), reasons.to_pylist(), strict=True)) == expected


@pytest.mark.parametrize("kind", list(IDENTIFIER_TYPES))
@given(value=values)
def test_there_is_either_a_value_or_a_reason(kind: str, value: str) -> None:
    form, reason = check(kind, value, "GB")
    assert (form is None) != (reason is None)
