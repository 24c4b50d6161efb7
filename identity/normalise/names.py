"""Names of persons: titles, suffixes, order, several parts; and names of organisations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from identity.normalise.scripts import korean_name
from identity.normalise.text import fold, is_missing, words

_TITLES = frozenset(
    "mr mrs ms miss mx dr prof professor sir lady lord dame rev reverend fr father sister "
    "capt captain col colonel "
    "gen general lt lieutenant maj major sgt hon honourable honorable judge baron baroness "
    "count countess earl duke "
    "duchess viscount viscountess marquess marquis herr frau fraulein monsieur madame mme "
    "mlle senor senora srta sra "
    "don dona st saint sheikh hrh rt bishop archbishop president admiral adm cmdr commander "
    "ing dott dipl mag "
    "prince princess king queen baronet".split()
)
_SUFFIXES = {
    "jr": "jr",
    "junior": "jr",
    "jnr": "jr",
    "sr": "sr",
    "senior": "sr",
    "snr": "sr",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "2nd": "2",
    "3rd": "3",
    "4th": "4",
}
_DEGREES = frozenset(
    "esq esquire phd md dds dvm mba cpa bsc msc ba ma llb llm frs obe mbe cbe kbe kcb vc mp "
    "qc kc bart bt".split()
)
_PARTICLES = frozenset(
    "de del della der den van von da di du la le los las ter ten st san bin ibn al el mac mc o d of".split()
)
_ORG_WORDS = frozenset(
    "inc incorporated llc llp ltd limited corp corporation co company gmbh ag sa sas sarl "
    "srl spa bv nv plc pty pte kg ohg "
    "ab oy as aps the and & of group holding holdings international intl sl lda ltda".split()
)
_COMMA_TAIL = re.compile(r",\s*(?:of|\d+(?:st|nd|rd|th))\b.*$")
_ORDINAL_TAIL = re.compile(r"\s\d+(?:st|nd|rd|th)\s.*$")
_BRACKETS = re.compile(r"\([^)]*\)|\"[^\"]*\"")
_SPLIT = re.compile(r"[\s,]+")
# A digit among letters is a letter that was misread: 0liver, Wi1son, 5mith.
_MISREAD = str.maketrans("013458", "oleasb")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)?")
_NOT_NAME = re.compile(r"[^a-z\u0080-\U0010ffff'\- ]+")


@dataclass(frozen=True)
class PersonName:
    """The parts of one name, folded; an absent part is the empty text.

    ``surname`` keeps its parts separated by blanks; ``suffix`` is ``jr``, ``sr`` or a number.
    """

    given: str = ""
    middle: str = ""
    surname: str = ""
    suffix: str = ""


def _letters(word: str) -> str:
    return word if word.isalpha() or _ORDINAL.fullmatch(word) else word.translate(_MISREAD)


def _tokens(value: str) -> list[str]:
    """The words of a name.

    >>> _tokens("0'Hara-5mith, 2nd")
    ["o'hara-smith"]
    """
    text = fold(value).replace(".", " ")
    if any(ch.isdigit() for ch in text):
        text = " ".join(_letters(word) for word in text.split() if not _ORDINAL.fullmatch(word.strip(",'-")))
    text = _NOT_NAME.sub(" ", text)
    return [t for t in (token.strip("'-") for token in text.split()) if t]


def _numbered_suffix(value: str) -> str:
    for token in re.findall(r"\b\d(?:nd|rd|th)\b", value.lower()):
        return _SUFFIXES.get(token, "")
    return ""


def _take_suffix(tokens: list[str], *, first_is_name: bool = True) -> tuple[list[str], str]:
    kept, suffix = [], ""
    for place, token in enumerate(tokens):
        if place == 0 and first_is_name and len(tokens) == 1:
            kept.append(token)
        elif token in _SUFFIXES and (place > 0 or not first_is_name):
            suffix = _SUFFIXES[token]
        elif token not in _DEGREES or place == 0:
            kept.append(token)
    return kept, suffix


def _drop_titles(tokens: list[str]) -> list[str]:
    start = 0
    while start < len(tokens) - 1 and tokens[start] in _TITLES:
        start += 1
    return tokens[start:]


def _plain(token: str) -> str:
    return token.replace("'", "")


@lru_cache(maxsize=65536)
def given_parts(value: str) -> tuple[str, str, str]:
    """Split a given-name field into its first name, the rest, and a generation suffix.

    >>> given_parts("Maria Luis"), given_parts("Dr. J."), given_parts("Morris II")
    (('maria', 'luis', ''), ('j', '', ''), ('morris', '', '2'))
    """
    if is_missing(value):
        return "", "", ""
    if value.islower() and value.isascii() and value.isalpha():
        return ("", "", "") if value in _TITLES else (value, "", "")
    tokens, suffix = _take_suffix(_drop_titles(_tokens(value)))
    if len(tokens) > 1 and tokens[-1] == "i" and suffix == "":
        tokens, suffix = tokens[:-1], "1"
    if not tokens or (len(tokens) == 1 and tokens[0] in _TITLES):
        return "", "", suffix
    return _plain(tokens[0]), " ".join(_plain(t) for t in tokens[1:]), suffix


@lru_cache(maxsize=131072)
def surname_parts(value: str) -> tuple[str, str]:
    """Split a surname field into the surname (parts by blanks) and a generation suffix.

    >>> surname_parts("Fox-Pitt"), surname_parts("O'Hare Jr."), surname_parts("von der Leyen")
    (('fox pitt', ''), ('ohare', 'jr'), ('von der leyen', ''))
    """
    if is_missing(value):
        return "", ""
    if value.isascii() and value.isalpha():
        return value.lower(), ""
    tokens, suffix = _take_suffix(_tokens(value.split(", of ", maxsplit=1)[0]))
    suffix = suffix or _numbered_suffix(value)
    return _plain(" ".join(tokens)).replace("-", " "), suffix


@lru_cache(maxsize=65536)
def parse_full_name(value: str) -> PersonName:
    """Split a full name, in either order ("Given Middle Surname" or "Surname, Given Middle").

    A single word is taken as the surname.

    >>> parse_full_name("Charney, Peggie")
    PersonName(given='peggie', middle='', surname='charney', suffix='')
    >>> parse_full_name("St. George William Lane Fox")
    PersonName(given='george', middle='william lane', surname='fox', suffix='')
    >>> parse_full_name("Dr Ludwig van Beethoven Jr.").surname
    'van beethoven'
    """
    if is_missing(value):
        return PersonName()
    text = _BRACKETS.sub(" ", value if value.isascii() else korean_name(value))
    text = _ORDINAL_TAIL.sub("", _COMMA_TAIL.sub("", text.lower())) or text
    if "," in text:
        family, rest = text.split(",", 1)
        given_tokens, suffix = _take_suffix(_drop_titles(_tokens(rest)), first_is_name=False)
        surname, family_suffix = surname_parts(family)
        if given_tokens and surname:
            plain = [_plain(t) for t in given_tokens]
            return PersonName(plain[0], " ".join(plain[1:]), surname, suffix or family_suffix)
        text = family if not given_tokens else text.replace(",", " ")
        tokens, tail = _take_suffix(_drop_titles(_tokens(text)))
        return _from_tokens(tokens, suffix or tail)
    tokens, suffix = _take_suffix(_drop_titles(_tokens(text)))
    return _from_tokens(tokens, suffix or _numbered_suffix(value))


def _from_tokens(tokens: list[str], suffix: str) -> PersonName:
    if not tokens:
        return PersonName(suffix=suffix)
    if len(tokens) == 1:
        return PersonName(surname=_plain(tokens[0]).replace("-", " "), suffix=suffix)
    start = len(tokens) - 1
    while start > 1 and tokens[start - 1] in _PARTICLES and len(tokens[start - 1]) > 1:
        start -= 1
    surname = _plain(" ".join(tokens[start:])).replace("-", " ")
    middle = " ".join(_plain(t) for t in tokens[1:start])
    return PersonName(_plain(tokens[0]), middle, surname, suffix)


_ABBREVIATED = {
    "ctr": "center",
    "cntr": "center",
    "centre": "center",
    "svc": "service",
    "svcs": "service",
    "mfg": "manufacturing",
    "mfr": "manufacturer",
    "natl": "national",
    "amer": "american",
    "univ": "university",
    "assn": "association",
    "assoc": "associate",
    "dept": "department",
    "hosp": "hospital",
    "med": "medical",
    "mgmt": "management",
    "mgt": "management",
    "ins": "insurance",
    "constr": "construction",
    "const": "construction",
    "bros": "brother",
    "sch": "school",
    "schl": "school",
    "elem": "elementary",
    "acad": "academy",
    "inst": "institute",
    "comm": "community",
    "govt": "government",
    "dist": "district",
    "equip": "equipment",
    "eng": "engineering",
    "engr": "engineering",
    "elec": "electric",
    "dev": "development",
    "fin": "financial",
    "ind": "industry",
    "indus": "industry",
    "industries": "industry",
    "mkt": "market",
    "pharm": "pharmacy",
    "prop": "property",
    "properties": "property",
    "rest": "restaurant",
    "sys": "system",
    "tech": "technology",
    "technologies": "technology",
    "agencies": "agency",
    "transp": "transport",
    "dba": "",
    "no": "",
    "s": "",
    "at": "",
    "in": "",
    "for": "",
}
_SINGULAR_FROM = 4  # letters of a word from which a last s is taken for the plural or the genitive


@lru_cache(maxsize=65536)
def organisation_word(word: str) -> str:
    """One word of the name of an organisation: abbreviations spelled out, singular; empty if it tells nothing.

    >>> [organisation_word(word) for word in ("svcs", "bakers", "inc", "glass", "007")]
    ['service', 'baker', '', 'glass', '7']
    """
    if word in _ORG_WORDS:
        return ""
    if word in _ABBREVIATED:
        return _ABBREVIATED[word]
    if word.isdigit():
        return word.lstrip("0") or "0"
    plural = len(word) > _SINGULAR_FROM and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural else word


@lru_cache(maxsize=65536)
def organisation(value: str) -> str:
    """Fold the name of an organisation, without the words of its legal form, in one spelling of each word.

    >>> organisation("The Univrsl Export, Inc."), organisation("Müller GmbH & Co. KG")
    ('univrsl export', 'muller')
    >>> organisation("Children's Med. Ctr") == organisation("Childrens Medical Center")
    True
    """
    if is_missing(value):
        return ""
    folded = words(value)
    return " ".join(filter(None, map(organisation_word, folded.split()))) or folded
