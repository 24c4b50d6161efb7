"""What the values of a column say of its meaning, where its header does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from identity.normalise import contacts, dates
from identity.normalise.nicknames import families
from identity.normalise.text import words
from identity.role_names import Role

_NUMBER = re.compile(r"\+?[\d\s()./-]{9,20}")
_SHARE = 0.7
_FEW = 20  # dates from which their spread is judged
_GENERATION = 15  # years that the middle four fifths of birth dates span at least
_POSTCODE = re.compile(
    r"\d{5}-\d{4}|[A-Za-z]{1,2}\d[A-Za-z\d]?\s*\d[A-Za-z]{2}|[A-Za-z]\d[A-Za-z]\s*\d[A-Za-z]\d|\d{4}\s?[A-Z]{2}"
)
_STREET = re.compile(
    r"\d.*\b(?:st|street|ave?|avenue|rd|road|dr|drive|ln|lane|ct|court|blvd|boulevard|way|pl|place|hwy|highway|"
    r"terrace|cres|crescent|rue|via|calle)\b|(?:strasse|str\.|straße|weg|platz|gasse|straat|laan)\s*\d",
    re.IGNORECASE,
)
_STATES = frozenset(
    "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or "
    "pa ri sc sd tn tx ut vt va wa wv wi wy dc pr nsw vic qld sa act tas nt on qc bc ab mb sk ns nb nl pe yt nu".split()
)
_GENDERS = frozenset("m f male female man woman u x unknown mann frau homme femme hombre mujer w d".split())
_PERSON_TYPES = frozenset(
    "person individual people p human consumer private privat natural natuerlich".split()
)
_ORGANISATION_TYPES = frozenset(
    "organization organisation company business o org corporation corporate firm entity legal b firma juridical "
    "commercial".split()
)
_ORGANISATION_WORDS = frozenset(
    "inc llc llp ltd limited corp corporation company co gmbh plc pty group holdings associates services service "
    "center centre school academy university college institute hospital clinic medical health church bank credit "
    "union insurance agency hotel inn motel restaurant cafe coffee grill bar pizza kitchen diner bistro bakery "
    "deli house market store stores shop mart pharmacy supply supplies systems solutions technologies technology "
    "software industries manufacturing construction consulting partners trust foundation society association "
    "council department office club library museum park auto motors realty properties management international "
    "national american community child children care daycare learning early head start program home nursing "
    "ag sarl srl spa bv nv sas".split()
)
_LEGAL_FORM = re.compile(
    r"\b(?:inc|incorporated|llc|l\.l\.c|llp|ltd|limited|corp|corporation|gmbh|plc|pty|s\.?a\.?r\.?l|s\.?r\.?l|"
    r"s\.?p\.?a|b\.?v|n\.?\s?v|pte|co\. kg|gmbh & co)\b\.?(?=\W*(?:$|[(,#-]))",
    re.IGNORECASE,
)


def by_content(values: Sequence[str]) -> Role | None:
    """Read a column's meaning from a sample of its values.

    >>> by_content(["ann@x.org", "bob@y.net"]).role
    'email'
    >>> by_content(["12 Moss Street", "3 Kiln Lane", "1600 Oak Ave"]).role
    'street'
    """
    sample = [v.strip() for v in values if v and v.strip()]
    if not sample:
        return None

    for role, least, test in _TESTS:
        if _share(sample, test) >= least:
            return Role(role, why="content")
    if _births(sample):
        return Role("birth_date", why="content")
    if _share(sample, lambda v: _NUMBER.fullmatch(v) and re.search(r"[+()/ -]", v)) >= _SHARE:
        return Role("phone", why="content")
    return _few_values(sample) or _names(sample)


def emails(values: Sequence[str]) -> bool:
    """Whether the values are e-mail addresses, whatever the header says.

    >>> emails(["ann@x.org", "bob@y.net"]), emails(["ann", "bob"])
    (True, False)
    """
    sample = [v for v in values if v.strip()]
    return bool(sample) and _share(sample, _is_email) >= _SHARE


def _is_email(value: str) -> bool:
    return "@" in value and bool(contacts.email(value))


def _few_values(sample: Sequence[str]) -> Role | None:
    """Regions, sexes and kinds of record, which have few different values."""
    folded = {words(v) for v in sample}
    if len(folded) > 2 and len(folded & _STATES) / len(folded) >= 0.8:
        return Role("region", why="content")
    if folded <= _GENDERS and {"m", "male"} & folded and len(folded) > 1:
        return Role("gender", why="content")
    return Role("record_type", why="content") if is_record_type(sample) else None


_TESTS: tuple[tuple[str, float, Callable[[str], object]], ...] = (
    ("email", _SHARE, _is_email),
    ("street", 0.5, lambda v: len(v) <= 80 and _STREET.search(v)),
    ("postcode", _SHARE, _POSTCODE.fullmatch),
)


def _births(sample: Sequence[str]) -> bool:
    """Whether the values are dates of whole lives, not of events of some years."""
    years = sorted(int(dates.parse_date(v)[:4] or 0) for v in sample if len(v) >= 6)
    years = [year for year in years if 1880 <= year <= 2100]
    if len(years) < _SHARE * len(sample):
        return False
    return len(years) < _FEW or years[len(years) * 9 // 10] - years[len(years) // 10] >= _GENERATION


def is_record_type(values: Sequence[str]) -> bool:
    """Whether the values only tell people from organisations.

    >>> is_record_type(["PERSON", "ORGANIZATION"]), is_record_type(["gold", "silver"])
    (True, False)
    """
    folded = {words(v) for v in values if v and v.strip()}
    return bool(folded & _ORGANISATION_TYPES) and folded <= _ORGANISATION_TYPES | _PERSON_TYPES


def is_organisation_type(value: str) -> bool:
    """Whether a value of a record type stands for an organisation.

    >>> is_organisation_type("Organization"), is_organisation_type("person")
    (True, False)
    """
    return words(value) in _ORGANISATION_TYPES


def has_legal_form(value: str) -> bool:
    """Whether a name ends in a legal form of organisations.

    >>> has_legal_form("Acme Widgets, Inc."), has_legal_form("Ada Byron"), has_legal_form("Inca Ltd (UK)")
    (True, False, True)
    """
    return bool(_LEGAL_FORM.search(value))


def _names(sample: Sequence[str]) -> Role | None:
    """Full names and given names, by the given names that are known."""
    if names_organisations(sample) and sum(len(v.split()) > 1 for v in sample) / len(sample) > 0.5:
        return Role("company", why="content") if _share(sample, _worded) >= 0.5 else None
    if _share(sample, lambda v: len(v.split()) in (2, 3, 4) and _person(v)) >= 0.5:
        return Role("full_name", why="content")
    known = families()
    if _share(sample, lambda v: v.lower() in known) >= 0.5:
        return Role("given_name", why="content")
    return None


def _share(sample: Sequence[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(v)) for v in sample) / len(sample)


def _person(value: str) -> bool:
    """Whether one of the places where given names stand holds a known one."""
    if re.search(r"[\d&]|'s\b", value):
        return False
    known = families()
    head, comma, tail = value.partition(",")
    tokens = words(tail).split()[:1] if comma else words(head).split()[:2]
    return any(token in known for token in tokens)


def _organisation(value: str) -> bool:
    if re.search(r"\d|&|'s\b|s'(?:\s|$)", value):
        return True
    return _worded(value)


def _worded(value: str) -> bool:
    return has_legal_form(value) or not _ORGANISATION_WORDS.isdisjoint(words(value).split())


def names_organisations(sample: Sequence[str], least: float = 0.15) -> bool:
    """Whether names are those of organisations rather than of people; ``least``: share that must look so.

    >>> names_organisations(["Acme Inc", "Joe's Diner", "Blue Hotel"]), names_organisations(["Ada Byron", "Li Wei"])
    (True, False)
    """
    named = [v for v in sample if v and v.strip()]
    if not named:
        return False
    organisations = _share(named, _organisation)
    return organisations > least and organisations > _share(
        named, lambda v: _person(v) and not _organisation(v)
    )
