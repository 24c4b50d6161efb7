"""Errors in cdp.yaml: line, key, what was given, what was expected, the nearest known name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.errors import ConfigError
from cdp.settings import parse

CONNECTORS = {"segment", "asterisk", "files"}
HEAD = "version: 1\nworkspace: {name: shop}\n"


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, CONNECTORS)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "workspace: {name: 5}",
            "line 1: workspace.name: given 5, expected text. Put it in quotes to make it text.",
        ),
        ("version: 1\n", "line 1: the key 'workspace' is missing."),
        ("version: 2\nworkspace: {name: w}", "line 1: version: given 2, expected 1."),
        ("", "the key 'workspace' is missing."),
        ("[1]", "line 1: given a list, expected keys with values."),
        (HEAD + "surces: {}", "line 3: surces: unknown key. Did you mean 'sources'?"),
        (HEAD + "sources:\n  web:\n", "line 4: sources.web: given nothing, expected keys with values."),
        (HEAD + "sources:\n  web: {trust: 1}", "line 4: sources.web: the key 'connector' is missing."),
        (
            HEAD + "sources:\n  web:\n    connector: segmnt\n",
            "line 5: sources.web.connector: 'segmnt' is no known connector. Did you mean 'segment'?",
        ),
        (
            HEAD + "sources:\n  web:\n    connector: segment\n    write_key: abc\n",
            "line 6: sources.web.write_key: unknown key. Did you mean 'write_key_env'?",
        ),
        (
            HEAD + "sources:\n  web: {connector: segment, name: shop}",
            "sources.web.name: unknown key. A source's name is the key that it stands under.",
        ),
        (
            HEAD + "sources: {Web: {connector: segment}}",
            "sources.Web: 'Web' is no name of a source. Expected lower-case",
        ),
        (HEAD + "release:\n  keep: 1", "line 4: release.keep: given 1, expected a number of at least 2."),
        (
            HEAD + "identity: {threshold: 2}",
            "identity.threshold: given 2, expected auto, or a number between 0 and 1.",
        ),
        (HEAD + "identity: {unique: user_id}", "identity.unique: given 'user_id', expected a list."),
        (HEAD + "identity: {unique: [user]}", "identity.unique[0]: given 'user', expected one of user_id, "),
        (
            HEAD + "identity: {limits: {fone: {max: 1}}}",
            "identity.limits.fone: unknown key. Did you mean 'phone'?",
        ),
        (
            HEAD + "identity: {limits: {phone: {max: 1, window: 365}}}",
            "given 365, expected a duration such as 30m",
        ),
        (
            HEAD + "identity: {limits: {phone: {max: 1, window: 1y}}}",
            "given '1y', expected a duration such as 30m",
        ),
        (
            HEAD + "survivorship: {default: most_recnt}",
            "expected one of most_recent, most_frequent, trust, longest.",
        ),
        (HEAD + "survivorship: {default: most_recnt}", "Did you mean 'most_recent'?"),
        (HEAD + "exports: {ads: {dataset: customers}}", "exports.ads: the key 'purpose' is missing."),
        (HEAD + "schedule: daily", "schedule: 'daily' is no cron expression. Expected five fields"),
        (
            HEAD + "survivorship: {groups: {a: [city], b: [city]}}",
            "survivorship.groups.b[0]: 'city' is already in the group 'a'.",
        ),
        (
            "workspace: {name: w, timezone: Europe/Londn}",
            "is no known IANA time zone. Did you mean 'Europe/London'?",
        ),
        ("workspace: {name: w, region: UK}", "'UK' is no ISO 3166 country code. Did you mean 'GB'?"),
        ("workspace: {name: w, currency: GPB}", "'GPB' is no ISO 4217 currency. Did you mean 'GBP'?"),
        (
            HEAD + "own:\n  phones: ['020']",
            "line 4: own.phones[0]: '020' is no valid phone. Write it with its country",
        ),
        (HEAD + "own: {domains: [shop]}", "own.domains[0]: 'shop' is no domain."),
        (HEAD + "own: {emails: [me]}", "own.emails[0]: 'me' is no valid email."),
        (
            HEAD + "sources: {web: {connector: segment, brand: '${BRAND}'}}",
            "sources.web.brand: '${BRAND}' is not filled in from the environment.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, says: str) -> None:
    assert says in message(text)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (
            "{type: order_place}",
            "event.type: 'order_place' is no known event type. Did you mean 'order_placed'?",
        ),
        (
            "{type: {column: k, values: {1: nothing_such}}}",
            "event.type.values.1: 'nothing_such' is no known event type",
        ),
        (
            "{type: {column: k, default: order_plced}}",
            "event.type.default: 'order_plced' is no known event type",
        ),
        (
            "{type: {values: {a: order_placed}}}",
            "event.type: expected an event type, or a column that decides.",
        ),
        ("{time: at}", "event: the key 'type' is missing."),
        (
            "{type: order_placed, id: line, group_by: order}",
            "event.id: given 'line' beside group_by, expected 'order'",
        ),
        ("{type: order_placed, tme: at}", "event.tme: unknown key. Did you mean 'time'?"),
        ("{type: order_placed, time: {colum: at}}", "event.time.colum: unknown key. Did you mean 'column'?"),
        ("{type: order_placed, time: {}}", "event.time: expected either 'column' or 'value'."),
        ("{type: order_placed, currency: XXY}", "event.currency: 'XXY' is no ISO 4217 currency."),
        (
            "{type: order_placed, direction: {value: in}}",
            "event.direction.value: 'in' is no known direction.",
        ),
    ],
)
def test_a_mistake_in_the_mapping_of_a_file_is_named(event: str, says: str) -> None:
    text = f"{HEAD}sources:\n  s:\n    connector: files\n    event: {event}\n"
    assert f"line 6: sources.s.{says}" in message(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "version: 1\n\tworkspace: x",
            "cdp.yaml, line 2: a tab at the beginning of the line; YAML takes spaces only.",
        ),
        ("a: [1,\nb: 2", "cdp.yaml, line 2: "),
        ("workspace: *x", "line 1: found undefined alias."),
        (
            "workspace: &a\n  name: *a",
            "line 2: workspace.name: an alias leads back to one of its own parents.",
        ),
        (
            "workspace: {name: a}\nworkspace: {name: b}",
            "line 2: workspace: the key stands twice, also on line 1.",
        ),
        ("workspace: {name: a, name: b}", "workspace.name: the key stands twice, also on line 1."),
        ("workspace: {? [a]: b, name: c}", "only plain words are keys here."),
        ("workspace: {<<: {name: a}}", "only plain words are keys here."),
        ("a\x00b", "line 1: "),
    ],
)
def test_what_is_no_good_yaml_is_named_with_its_line(text: str, says: str) -> None:
    assert says in message(text)


def test_all_mistakes_are_named_at_once_in_the_order_of_the_lines() -> None:
    text = f"{HEAD}release: {{keep: 1}}\nsources:\n  a: {{connector: segment, trust: 999}}\nfoo: 1\n"
    lines = message(text).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"cdp.yaml, line {n}" for n in (3, 5, 6)]


def test_a_long_list_of_mistakes_is_cut() -> None:
    text = HEAD + "".join(f"key{n}: 1\n" for n in range(30))
    lines = message(text).splitlines()
    assert len(lines) == 13
    assert lines[-1] == "... and 18 more."


def test_a_duplicate_line_is_found_where_the_second_stands() -> None:
    text = HEAD + "sources:\n  a: {connector: segment}\n  b: {connector: segment}\n  a: {connector: files}\n"
    assert "line 6: sources.a: the key stands twice, also on line 4." in message(text)


KEYS = """workspace name sources web connector event type identity own limits phone max time column
    identifiers email release unknown""".split()
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 2) | st.text("abc:$ ", max_size=4)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(documents)
def test_whatever_the_file_holds_the_answer_is_settings_or_a_config_error(data: object) -> None:
    text = json.dumps(data)
    try:
        parse(text, CONNECTORS)
    except ConfigError:
        with pytest.raises(ConfigError, match=r"^cdp\.yaml, line 1: "):
            parse(text, CONNECTORS)


@given(st.text(max_size=60))
def test_any_text_gives_settings_or_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^cdp\.yaml, line \d+: "):
        parse(text, CONNECTORS)
