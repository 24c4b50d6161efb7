"""Leads in the shapes in which they come, as documents of one shape.

- a notice: a page's webhook body with one change ``leadgen``;
- a lead of the Graph API: ``field_data`` is a list of questions, each with its answers;
- a flat lead, as exports and middlemen write it: questions are members, answers texts or lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from connectors import json_items

Document = dict[str, Any]

# Keys of Meta's own questions, and what they say of the person.
_QUESTIONS = {
    "email": "email",
    "work_email": "work_email",
    "phone": "phone",
    "phone_number": "phone",
    "work_phone_number": "work_phone",
    "full_name": "full_name",
    "first_name": "given_name",
    "last_name": "surname",
    "gender": "gender",
    "date_of_birth": "birth_date",
    "street_address": "street",
    "city": "city",
    "state": "region",
    "province": "region",
    "post_code": "postcode",
    "postal_code": "postcode",
    "zip_code": "postcode",
    "zip": "postcode",
    "country": "country",
    "company_name": "company",
}
PERSON = tuple(dict.fromkeys(_QUESTIONS.values()))
"""What a lead may say of the person."""

# A form's author may put a hint behind the key, as in "phone_number_(eg.65xxxxxxxx)".
_HINTED = ("work_phone_number", "phone_number", "work_email", "email")
_LEAD_IDS = ("facebook_lead_id", "leadgen_id", "lead_id", "id")
_FACTS = (
    "form_id", "form_name", "page_id", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name",
    "platform", "is_organic", "retailer_item_id",
)  # fmt: skip
# Numbers that a state gave to the person are nobody's to analyse.
_WITHHELD = re.compile(r"(?:national|government_issued)_id|(?:^|_)(?:cpf|dni|rut|curp|rfc|ssn)(?:_|$)")
_TEST = "<test lead: dummy data"
_TEST_ID = re.compile(r"4{10,20}")  # what the button "Test" of Meta's console sends
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d\d))?")

_JSON = msgspec.json.Decoder(dict[str, Any])
_TEXT = msgspec.json.Decoder(str)


def kept_body(members: Mapping[str, bytes]) -> bytes | None:
    """Return the JSON body of a request that was kept as JSON itself; None where the members are no such thing.

    >>> kept_body({"method": b'"POST"', "body": b'"{}"'})
    b'{}'
    """
    body = members.get("body", b"")
    if body[:1] == b'"':
        try:
            body = _TEXT.decode(body).strip().encode()
        except (msgspec.DecodeError, UnicodeError):
            return None
    if body[:1] in (b"{", b"["):
        return body
    outer = (json_items.members(members[name]) for name in ("request", "input") if name in members)
    return next((found for inner in outer if inner and (found := kept_body(inner)) is not None), None)


def documents(payload: bytes) -> list[bytes]:
    """Return the document of a payload; none where there is nothing in it.

    Raises:
        ValueError: with the reason, where it is no JSON object.
    """
    value = _object(payload)
    if value is None:
        raise ValueError("invalid_json")
    return [msgspec.json.encode(document(value))] if value else []


def document(value: Mapping[str, Any]) -> Document:
    """Return the document of a payload's members.

    >>> found = document({"id": "1", "field_data": [{"name": "email", "values": ["a@b.example"]}]})
    >>> found["kind"], found["lead_id"], found["person"]
    ('lead', '1', {'email': 'a@b.example'})
    """
    if "entry" in value:
        return _notice(value)
    if isinstance(value.get("field_data"), list):
        return _lead(value, _asked(value["field_data"]))
    flat = {str(name): answer for name, one in value.items() if (answer := _answer(one)) is not None}
    known = {_question(name) for name in flat} & {"email", "phone", "full_name", "given_name", "surname"}
    if not known and not any(name in flat for name in ("facebook_lead_id", "leadgen_id")):
        return {"kind": "unknown"}
    named = {*_LEAD_IDS, *_FACTS, "created_time"}
    return _lead(flat, [(name, answer) for name, answer in flat.items() if name not in named])


def _notice(body: Mapping[str, Any]) -> Document:
    entry = _first(body.get("entry"))
    change = _first(entry.get("changes"))
    value = change.get("value")
    if change.get("field") != "leadgen" or not isinstance(value, dict):
        return {"kind": "other"}
    lead = {"id": _text(value.get("leadgen_id")), "page_id": entry.get("id")} | value
    if isinstance(value.get("field_data"), list):
        return _lead(lead, _asked(value["field_data"]))
    return _lead(lead, []) | {"kind": "notice", "sent_at": None}


def _lead(value: Mapping[str, Any], answers: Iterable[tuple[str, str]]) -> Document:
    person: dict[str, str] = {}
    others: dict[str, str] = {}
    is_test = False
    for name, answer in answers:
        is_test |= answer.startswith(_TEST)
        about = _question(name)
        if about is not None:
            person.setdefault(about, _plain(about, answer))
        elif not _WITHHELD.search(name.lower()):
            others[name] = answer
    lead_id = next((text for name in _LEAD_IDS if (text := _text(value.get(name)))), None)
    created = _time(_text(value.get("created_time")))
    found: Document = {"kind": "lead", "lead_id": lead_id, "created_time": created, "sent_at": created}
    found |= {name: text for name in _FACTS if (text := _text(value.get(name))) is not None}
    found |= {"is_test": is_test or bool(lead_id and _TEST_ID.fullmatch(lead_id))}
    found |= {"person": person, "answers": others or None}
    return found | {"disclaimers": dict(_disclaimers(value.get("custom_disclaimer_responses"))) or None}


def _question(name: str) -> str | None:
    """Return what a question asks of the person; None where it is the form's own.

    >>> _question("Phone_Number_(eg.65xxxxxxxx)"), _question("which_lamp?")
    ('phone', None)
    """
    key = name.strip().lower()
    if key in _QUESTIONS:
        return _QUESTIONS[key]
    hinted = next((known for known in _HINTED if key.startswith((f"{known}_(", f"{known} ("))), None)
    return _QUESTIONS[hinted] if hinted is not None else None


def _plain(about: str, answer: str) -> str:
    if about == "birth_date":
        return _time(answer) or answer
    return answer.removeprefix("p:") if about in ("phone", "work_phone") else answer


def _time(text: str | None) -> str | None:
    """Return a time; Meta writes month, day and year with slashes, whatever the country.

    >>> _time("02/28/2026 10:20"), _time("2026-03-02T10:00:00+0000")
    ('2026-02-28T10:20:00', '2026-03-02T10:00:00+0000')
    """
    found = _US_DATE.fullmatch(text) if text else None
    if found is None:
        return text
    month, day, year, hour, minute = found.groups()
    date = f"{year}-{int(month):02}-{int(day):02}"
    return date if hour is None else f"{date}T{int(hour):02}:{minute}:00"


def _asked(questions: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for question in questions:
        if isinstance(question, dict) and isinstance(question.get("name"), str):
            answer = _answer(question.get("values"))
            if answer is not None:
                yield question["name"], answer


def _disclaimers(responses: Any) -> Iterator[tuple[str, bool]]:
    for response in responses if isinstance(responses, list) else ():
        if isinstance(response, dict) and isinstance(response.get("checkbox_key"), str):
            yield response["checkbox_key"], response.get("is_checked") in (True, 1, "1", "true")


def _answer(value: Any) -> str | None:
    """Return an answer as one text; several, as those of a list of boxes, with commas between."""
    texts = [_text(one) for one in (value if isinstance(value, list) else [value])]
    return ", ".join(text for text in texts if text) or None


def _text(value: Any) -> str | None:
    """Return a text or number as text, or a single one in a list; None for everything else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else None


def _first(items: Any) -> dict[str, Any]:
    """Return the first object of a list, else an empty one."""
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        return _JSON.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
