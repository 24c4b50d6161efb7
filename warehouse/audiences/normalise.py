"""What advertisers' networks want done to a value before it is hashed: the rules that they publish.

Every function takes one text and returns the normal form, or None where nothing is left that could
match anybody. All are idempotent. Sources, read in November 2026:

Google: "Format your customer data file", support.google.com/google-ads/answer/7659867, and "Format user
data", developers.google.com/data-manager/api/devguides/concepts/formatting.
Meta: "Customer information parameters", developers.facebook.com/docs/marketing-api/conversions-api/parameters/
customer-information-parameters, and "How to format a customer list", facebook.com/business/help/2082575038703844.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from cdp.identifiers import country as country_code

_SPACES: Final = re.compile(r"\s+")
_PARTS: Final = re.compile(r"[\s,]+")
_PREFIXES: Final = frozenset("mr mrs ms miss dr prof".split())
_SUFFIXES: Final = frozenset("jr sr 2nd 3rd ii iii iv v vi cpa dc dds vm jd md phd".split())
_GOOGLE_MAIL: Final = ("gmail.com", "googlemail.com")
_NOT_IN_POSTCODES: Final = re.compile(r"[^0-9a-z -]", re.IGNORECASE)

_STATES: Final = dict(
    pair.split("=")
    for pair in (
        "alabama=al alaska=ak arizona=az arkansas=ar california=ca colorado=co connecticut=ct delaware=de "
        "districtofcolumbia=dc florida=fl georgia=ga hawaii=hi idaho=id illinois=il indiana=in iowa=ia kansas=ks "
        "kentucky=ky louisiana=la maine=me maryland=md massachusetts=ma michigan=mi minnesota=mn mississippi=ms "
        "missouri=mo montana=mt nebraska=ne nevada=nv newhampshire=nh newjersey=nj newmexico=nm newyork=ny "
        "northcarolina=nc northdakota=nd ohio=oh oklahoma=ok oregon=or pennsylvania=pa rhodeisland=ri "
        "southcarolina=sc southdakota=sd tennessee=tn texas=tx utah=ut vermont=vt virginia=va washington=wa "
        "westvirginia=wv wisconsin=wi wyoming=wy puertorico=pr"
    ).split()
)
_GENDERS: Final = {"f": "f", "female": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}


def sha256(text: str) -> str:
    """Return the SHA-256 of a normal form, 64 hexadecimal digits in lower case.

    >>> sha256("john_smith@gmail.com")[:16]
    '62a14e44f765419d'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _lower(text: str) -> str:
    # Composed before and after: some letters decompose when their case is changed.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()).strip()


def _bare(text: str) -> str:
    """Return letters, marks and digits only: no spaces, punctuation or symbols."""
    return "".join(sign for sign in _lower(text) if unicodedata.category(sign)[0] in "LMN")


def google_email(text: str) -> str | None:
    """Lower case, no white space; at Google's own domains no dots and nothing from a plus sign on.

    >>> google_email(" Cloudy.SanFrancisco+shopping@gmail.com"), google_email("user.name+NYC@Example.com")
    ('cloudysanfrancisco@gmail.com', 'user.name+nyc@example.com')
    """
    local, at, domain = _SPACES.sub("", _lower(text)).rpartition("@")
    if domain in _GOOGLE_MAIL:
        local = local.partition("+")[0].replace(".", "")
    return f"{local}@{domain}" if at and local and domain else None


def google_phone(text: str) -> str | None:
    """E.164 with the plus sign; the number must come with its country code.

    >>> google_phone("1-800-555-0100")
    '+18005550100'
    """
    digits = meta_phone(text)
    return f"+{digits}" if digits else None


def google_given_name(text: str) -> str | None:
    """Lower case, no form of address, no extra spaces.

    >>> google_given_name(" Mrs. Alex  "), google_given_name("Alex Dr."), google_given_name("Mralex")
    ('alex', 'alex', 'mralex')
    """
    parts = _SPACES.split(_lower(text))
    while len(parts) > 1 and parts[0].rstrip(".") in _PREFIXES:
        del parts[0]
    while len(parts) > 1 and parts[-1] in ("dr", "dr."):
        del parts[-1]
    return None if parts[0].removesuffix(".") in ("", *_PREFIXES) else " ".join(parts)


def google_surname(text: str) -> str | None:
    """Lower case, no suffixes, no extra spaces.

    >>> google_surname("Quinn, Jr., DDS"), google_surname("Quinn-Alex"), google_surname("lacparm")
    ('quinn', 'quinn-alex', 'lacparm')
    """
    parts = [part for part in _PARTS.split(_lower(text)) if part]
    while parts and parts[-1].rstrip(".") in _SUFFIXES:
        del parts[-1]
    return " ".join(parts) or None


def google_country(text: str) -> str | None:
    """ISO 3166-1 alpha-2; it is not hashed.

    >>> google_country("United Kingdom")
    'GB'
    """
    return country_code(text)


def google_postcode(text: str) -> str | None:
    """Letters, digits, spaces and hyphens; it is not hashed.

    >>> google_postcode(" 1229-076 ")
    '1229-076'
    """
    kept = _SPACES.sub(" ", _NOT_IN_POSTCODES.sub("", unicodedata.normalize("NFKC", text))).strip(" -")
    return kept.upper() or None


def meta_email(text: str) -> str | None:
    """Lower case, no white space around it (nor within, where none can be).

    >>> meta_email("  John_Smith@gmail.com ")
    'john_smith@gmail.com'
    """
    email = _SPACES.sub("", _lower(text))
    local, _, domain = email.rpartition("@")
    return email if local and domain else None


def meta_phone(text: str) -> str | None:
    """Digits with the country code first, no leading zeros; no plus sign.

    >>> meta_phone("+1 (650) 555-1212"), meta_phone("0044 844 412 4653")
    ('16505551212', '448444124653')
    """
    folded = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.digit(sign)) for sign in folded if sign.isdecimal()).lstrip("0")
    return digits if 7 <= len(digits) <= 15 else None


def meta_name(text: str) -> str | None:
    """Lower case, no punctuation and no spaces; letters of every script stay.

    >>> meta_name("Valéry"), meta_name("Mary-Jane"), meta_name("정")
    ('valéry', 'maryjane', '정')
    """
    return _bare(text) or None


def meta_city(text: str) -> str | None:
    """Lower case, no punctuation, no spaces.

    >>> meta_city("New York")
    'newyork'
    """
    return _bare(text) or None


def meta_state(text: str, country: str | None) -> str | None:
    """Lower case, no spaces; states of the USA as their two letters.

    >>> meta_state("California", "us"), meta_state("CA", "us"), meta_state("Greater London", "gb")
    ('ca', 'ca', 'greaterlondon')
    """
    bare = _bare(text)
    return (_STATES.get(bare, bare) if country == "us" else bare) or None


def meta_postcode(text: str, country: str | None) -> str | None:
    """Lower case, no spaces, no dash; in the USA the first five digits.

    >>> meta_postcode("94035-1234", "us"), meta_postcode("M1 1AE", "gb")
    ('94035', 'm11ae')
    """
    bare = _bare(text)
    return (bare[:5] if country == "us" else bare) or None


def meta_country(text: str) -> str | None:
    """ISO 3166-1 alpha-2 in lower case.

    >>> meta_country("United States")
    'us'
    """
    code = country_code(text)
    return code.lower() if code else None


def meta_gender(text: str) -> str | None:
    """``f`` or ``m``; anything else is not sent.

    >>> meta_gender("Female"), meta_gender("diverse")
    ('f', None)
    """
    return _GENDERS.get(_bare(text))
