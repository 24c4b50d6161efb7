"""Which column means what: by the words of its name, then by what its values look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp.errors import UsageError, nearest
from identity.normalise import contacts, dates

_NAMES: dict[str, str] = {
    "full_name": "full name|fullname|name|customer name|person name|display name|contact name|"
    "patient name|name full|contact",
    "given_name": "given name|givenname|first name|firstname|fname|forename|first|given|name first|vorname|"
    "prenom|christian name",
    "middle_name": "middle name|middlename|mname|middle|middle initial|name middle|midl name|mi|second name",
    "surname": "surname|last name|lastname|lname|family name|familyname|last|sname|name last|nachname|"
    "nom|family",
    "title": "title|salutation|name prefix|prefix|honorific|name prefx cd|anrede",
    "suffix": "suffix|name suffix|generation|name sufx cd|generational suffix",
    "gender": "gender|sex|gender code|sex code",
    "birth_date": "birth date|birthdate|dob|date of birth|birthday|born|birth dt|date birth|geburtsdatum|"
    "birth year|yob|year of birth",
    "email": "email|e mail|mail|email address|emailaddress|e mail address|mail address|email 1|"
    "email 2|work email|personal email",
    "phone": "phone|telephone|tel|mobile|cell|phone number|phonenumber|telephone number|mobile phone|"
    "cell phone|home phone|"
    "work phone|phone 1|phone 2|fax|mobile number|landline|msisdn|full phone number|telefon",
    "street": "street|address|address 1|address1|street address|address line 1|addr|addr1|"
    "address line1|addr 1|address full|"
    "full address|res street address|mail addr1|strasse|mailing address|postal address|"
    "street name|home address|addressline1",
    "street_number": "street number|house number|house no|street no|number|street num|house num|hausnummer",
    "city": "city|town|suburb|locality|municipality|res city desc|city name|place|ort|ville",
    "region": "region|state|province|county|state code|state name|st|county desc|state cd|bundesland|"
    "department",
    "postcode": "postcode|zip|zipcode|zip code|postal code|postalcode|post code|plz|zip5|zip 5|pc",
    "country": "country|country code|nation|country name|land",
    "company": "company|organisation|organization|org name|org|company name|business name|organisation name|"
    "organization name|business|firm|account name|legal name|trade name|dba|org name 2|firma|"
    "institution|facility name",
    "national_id": "national id|national identifier|soc sec id|id number",
    "occupation": "occupation|job|profession|job title",
    "source": "source|data source|source system|system|dataset|origin",
    "record_id": "record id|id|record key|rec id|row id|unique id|uid|recid|record no|identifier|key|ncid",
}
_BY_NAME = {phrase: role for role, phrases in _NAMES.items() for phrase in phrases.split("|")}
_IDENTIFIER_WORDS = {
    "ssn": "national_id",
    "passport": "national_id",
    "license": "national_id",
    "licence": "national_id",
    "taxid": "national_id",
    "tin": "national_id",
    "nin": "national_id",
    "nhs": "national_id",
    "lei": "external_id",
    "vat": "national_id",
    "duns": "external_id",
    "loyalty": "external_id",
    "membership": "external_id",
    "member": "external_id",
    "account": "external_id",
    "customer": "external_id",
    "policy": "external_id",
    "tax": "national_id",
    "handle": "handle",
    "twitter": "handle",
    "instagram": "handle",
    "facebook": "handle",
    "social": "handle",
    "username": "handle",
    "login": "handle",
    "cookie": "anonymous_id",
    "anonymous": "anonymous_id",
    "device": "device",
}
_SEVERAL = frozenset(
    {"email", "phone"}
)  # roles of which a record may have several values: all become identifiers
_SPLIT = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=\d)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NUMBER = re.compile(r"\+?[\d\s().-]{9,20}")
_SAMPLE = 2_000
_SHARE = 0.7
_LONG_TEXT = 80


@dataclass(frozen=True)
class Role:
    """Meaning of one column. ``role`` is a record role, ``identifier``, ``text`` or ``ignored``."""

    role: str
    identifier: str = ""
    why: str = ""


def _words(name: str) -> str:
    return " ".join(part for part in _SPLIT.split(_CAMEL.sub(" ", name.strip()).lower()) if part)


def by_name(name: str) -> Role | None:
    """Read a column's meaning from its name alone.

    >>> by_name("firstName").role, by_name("e-mail_address").role, by_name("loyalty_id").identifier
    ('given_name', 'email', 'external_id')
    """
    phrase = _words(name)
    joined = phrase.replace(" ", "")
    for candidate in (phrase, joined, re.sub(r" ?\d+$", "", phrase)):
        if candidate in _BY_NAME:
            return Role(_BY_NAME[candidate], why="name")
    parts = phrase.split()
    for word in parts:
        if word in _IDENTIFIER_WORDS:
            return Role("identifier", _IDENTIFIER_WORDS[word], "name")
    for length in (2, 1):
        for place in range(len(parts) - length, -1, -1):
            piece = " ".join(parts[place : place + length])
            if piece in _BY_NAME and piece not in (
                "name",
                "first",
                "last",
                "number",
                "st",
                "id",
                "key",
                "place",
                "title",
                "mi",
            ):
                role = _BY_NAME[piece]
                if role not in ("source", "record_id", "street_number"):
                    return Role(role, why="name")
    return None


def by_content(values: Sequence[str]) -> Role | None:
    """Read a column's meaning from a sample of its values.

    >>> by_content(["ann@x.org", "bob@y.net"]).role
    'email'
    """
    sample = [v for v in values if v and v.strip()]
    if not sample:
        return None

    def share(test: Callable[[str], object]) -> float:
        return sum(bool(test(v)) for v in sample) / len(sample)

    if share(lambda v: "@" in v and contacts.email(v)) >= _SHARE:
        return Role("email", why="content")
    if share(lambda v: len(v.strip()) >= 6 and 1880 <= int(dates.parse_date(v)[:4] or 0) <= 2100) >= _SHARE:
        return Role("birth_date", why="content")
    if share(lambda v: _NUMBER.fullmatch(v.strip()) and re.search(r"[+() -]", v)) >= _SHARE:
        return Role("phone", why="content")
    return None


def assign(
    table: pa.Table, mapping: Mapping[str, str] | None = None, *, id_column: str | None = None
) -> dict[str, Role]:
    """Give every column its role; ``mapping`` (role → column) overrules what is found.

    Raises UsageError where the mapping names an unknown role or column.
    """
    forced: dict[str, str] = {}
    for role, column in (mapping or {}).items():
        if column not in table.column_names:
            near = nearest(column, table.column_names)
            raise UsageError(
                f"no column {column!r} for role {role!r}", hint=f"nearest: {near}" if near else None
            )
        if role not in _NAMES and role not in ("text", "ignored"):
            near = nearest(role, _NAMES)
            raise UsageError(
                f"unknown role {role!r}", hint=f"nearest: {near}" if near else f"roles: {', '.join(_NAMES)}"
            )
        forced[column] = role
    found: dict[str, Role] = {}
    for column in table.column_names:
        if column == id_column:
            found[column] = Role("record_id", why="given")
        elif column in forced:
            found[column] = Role(forced[column], why="given")
        else:
            found[column] = _guess(column, table)
    if id_column is None:
        _one_record_id(found, table)
    return found


def _guess(column: str, table: pa.Table) -> Role:
    sample = _sample(table[column])
    if not sample:
        return Role("ignored", why="no values")
    named = by_name(column)
    content = by_content(sample)
    if content and content.role == "email":
        return content
    if named and not (
        named.role in ("full_name", "street", "phone") and content and content.role == "birth_date"
    ):
        return named
    return content or _text_or_ignored(table.schema.field(column).type, sample)


def _text_or_ignored(kind: pa.DataType, sample: Sequence[str]) -> Role:
    if float(np.mean([len(v) for v in sample])) > _LONG_TEXT:
        return Role("ignored", why="long text")
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Role("ignored", why="not text")
    return Role("text", why="no better meaning")


def _one_record_id(found: dict[str, Role], table: pa.Table) -> None:
    """Keep the first unique non-empty id column as the record id; the others are compared as nothing."""
    taken = False
    for column, role in found.items():
        if role.role == "record_id":
            values = table[column]
            unique = values.null_count == 0 and pc.count_distinct(values).as_py() == table.num_rows
            found[column] = (
                Role("record_id", why=role.why) if unique and not taken else Role("ignored", why="second id")
            )
            taken = taken or unique


def _sample(column: pa.ChunkedArray) -> list[str]:
    values = pc.unique(pc.drop_null(column.slice(0, 50 * _SAMPLE)))
    return sorted(str(v) for v in values.slice(0, _SAMPLE).to_pylist())


@dataclass(frozen=True)
class Prepared:
    """Records and identifiers in the engine's form, and how each column was read."""

    records: pa.Table
    identifiers: pa.Table
    roles: dict[str, Role]


def prepare(
    table: pa.Table, mapping: Mapping[str, str] | None = None, *, id_column: str | None = None
) -> Prepared:
    """Turn any table of people or organisations into records and identifiers.

    Columns of one role are coalesced in the order of the table; e-mails, phones and ids become identifiers.
    Without a unique id column the row number (from 0) is the ``record_key``.
    """
    roles = assign(table, mapping, id_column=id_column)
    key_column = next((column for column, role in roles.items() if role.role == "record_id"), None)
    keys = _text(table[key_column]) if key_column else pa.array([str(i) for i in range(table.num_rows)])
    columns: dict[str, pa.Array] = {"record_key": keys}
    parts: list[pa.Table] = []
    for column, role in roles.items():
        if role.role in ("record_id", "ignored"):
            continue
        values = _text(table[column])
        if role.role == "identifier" or role.role in _SEVERAL or role.role == "national_id":
            kind = role.identifier or role.role
            namespace = "" if role.role in _SEVERAL else _words(column)
            parts.append(_identifier_rows(keys, values, kind, namespace))
            continue
        name = column if role.role == "text" else role.role
        columns[name] = pc.coalesce(columns[name], values) if name in columns else values
    if "source" not in columns:
        columns["source"] = pa.array(["all"] * table.num_rows)
    identifiers = (
        pa.concat_tables(parts)
        if parts
        else _identifier_rows(keys.slice(0, 0), keys.slice(0, 0), "email", "")
    )
    return Prepared(pa.table(columns), identifiers, roles)


def _text(column: pa.ChunkedArray) -> pa.Array:
    cast = pc.cast(column, pa.string())
    array = cast.combine_chunks() if isinstance(cast, pa.ChunkedArray) else cast
    blank = pc.equal(pc.utf8_trim_whitespace(array), "")
    return pc.if_else(blank, pa.scalar(None, pa.string()), array)


def _identifier_rows(keys: pa.Array, values: pa.Array, kind: str, namespace: str) -> pa.Table:
    present = pc.is_valid(values)
    count = int(pc.sum(present).as_py() or 0)
    return pa.table(
        {
            "record_key": keys.filter(present),
            "type": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(count, np.int32)), pa.array([kind])
            ).cast(pa.string()),
            "namespace": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(count, np.int32)), pa.array([namespace])
            ).cast(pa.string()),
            "value": values.filter(present),
        }
    )
