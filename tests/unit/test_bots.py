"""Bots by their user agents: those that say what they are, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from cdp.duck import quote
from connectors.bots import _BROWSERS, _PATTERN, _longest, bot_outcome, flagged, is_bot
from tests.channel_tools import became, events

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

BOTS = {
    "a search engine": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "one that looks like a telephone": (
        f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36 "
        "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    ),
    "one that renders pages": (
        f"Mozilla/5.0 {WEBKIT[:-1]}; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/141.0.0.0 "
        "Safari/537.36"
    ),
    "a spider": f"Mozilla/5.0 (Linux; Android 5.0) {WEBKIT} Mobile Safari/537.36; Bytespider",
    "a browser without a window": (
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/141.0.0.0 Safari/537.36"
    ),
    "a measurement of speed": (
        f"Mozilla/5.0 (Linux; Android 11; moto g power) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse"
    ),
    "a preview in a messenger": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "a preview in a chat": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "a preview on a telephone": "WhatsApp/2.23.20.0 A",
    "a monitor": "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "a synthetic visitor": f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36 DatadogSynthetics",
    "a library of Python": "python-requests/2.32.0",
    "a library of Go": "Go-http-client/2.0",
    "a command": "curl/8.5.0",
    "a library of Java": "Java/17.0.2",
    "a crawler of tomorrow": "ExampleBot/1.0",
    "one that leaves its address": "Ezooms/1.0; help@moz.example",
}  # fmt: skip

PEOPLE = {
    "Chrome": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36",
    "Edge": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
    "Chrome on Android": f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36",
    "Firefox": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Safari": (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
        "Safari/605.1.15"
    ),
    "an iPhone": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
        "Mobile/15E148 Safari/604.1"
    ),
    "a telephone of Cubot": f"Mozilla/5.0 (Linux; Android 8.0.0; CUBOT_P20) {WEBKIT} Chrome/70.0 Mobile Safari/537.36",
    "television": "fuboTV/4.75.0 (Linux;Android 9; AFTDCT31 Build/PS7664.3772N) FuboPlayer/v1.34.0",
    "a scanner of paper": f"Mozilla/5.0 (Linux; Android 14; wv) {WEBKIT} Mobile Safari/537.36 CamScanner/4.8",
    "a browser inside an app": (
        f"Mozilla/5.0 (Linux; Android 12; wv) {WEBKIT} Version/4.0 Chrome/124.0 Mobile Safari/537.36 Instagram 3.0 "
        "(en_IR@calendar=gregorian)"
    ),
    "a browser with its version behind @": "Mozilla/5.0 (Linux; Android 10; K) (Ecosia android@111.0.5563.116)",
    "an old Explorer": "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "an app of Android": "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A.240505.004)",
    "an app of iOS": "Harbour/5.2.0 CFNetwork/1494.0.7 Darwin/23.4.0",
    "pictures in an app": "okhttp/4.12.0",
    "Gmail's proxy, when somebody looks": "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)",
}  # fmt: skip


def asked(expression: str, agent: str | None) -> Any:
    rows = duckdb.execute(f"SELECT {expression} FROM (SELECT ?::VARCHAR AS agent)", [agent]).fetchall()
    return rows[0][0]


@pytest.mark.parametrize("agent", BOTS.values(), ids=BOTS)
def test_a_bot_that_says_so_is_one(agent: str) -> None:
    assert asked(is_bot("agent"), agent) is True


@pytest.mark.parametrize("agent", PEOPLE.values(), ids=PEOPLE)
def test_people_are_no_bots(agent: str) -> None:
    assert asked(is_bot("agent"), agent) is False


def test_without_a_user_agent_nothing_is_said() -> None:
    assert asked(is_bot("agent"), None) is None
    assert asked(bot_outcome("agent"), None) is None
    assert asked(bot_outcome("agent", "'sent'"), PEOPLE["Chrome"]) == "sent"
    assert asked(bot_outcome("agent", "'sent'"), BOTS["a spider"]) == "bot"


CRAWLER = "41.0.0.0 Googlebot/2.1 (+http://www.google.com/bot.html) "


@pytest.mark.parametrize("shape", _BROWSERS)
def test_browsers_that_are_spared_the_pattern_are_no_bots_by_it_either(shape: str) -> None:
    agent = shape.replace("%", "141")
    assert asked(is_bot("agent"), agent) is False
    assert asked(f"regexp_matches(agent, {quote(_PATTERN)}, 'i')", agent) is False
    assert asked(is_bot("agent"), shape.replace("%", CRAWLER)) is True, "no room for another word"


def test_what_most_people_use_is_spared_the_pattern() -> None:
    spared = ("Chrome", "Edge", "Chrome on Android", "Firefox", "Safari", "an iPhone")
    shapes = " OR ".join(
        f"agent LIKE {quote(shape)} AND strlen(agent) <= {_longest(shape)}" for shape in _BROWSERS
    )
    assert all(asked(shapes, PEOPLE[name]) for name in spared)


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (None, {"bot": True}),
        ('{"a":1}', {"a": 1, "bot": True}),
        ("[1]", [1]),
        ("{no json", "{no json"),
        ("x", "x"),
    ],
)
def test_properties_of_a_bots_event_say_so(given: str | None, becomes: Any) -> None:
    rows = duckdb.execute(
        f"SELECT {flagged('agent', 'p')} FROM (SELECT ?::VARCHAR AS agent, ?::VARCHAR AS p)",
        [BOTS["a spider"], given],
    ).fetchall()
    text = rows[0][0]
    assert (json.loads(text) if isinstance(becomes, dict | list) else text) == becomes


def call(agent: str | None, **more: Any) -> dict[str, Any]:
    whole = {
        "type": "page",
        "messageId": "m1",
        "anonymousId": "a1",
        "name": "Home",
        "timestamp": "2026-03-02T10:00:00Z",
    }
    return whole | {"context": {"userAgent": agent} if agent else {}} | more


def test_a_page_that_a_bot_viewed_is_flagged() -> None:
    (seen,) = events("segment", call(BOTS["a search engine"], properties={"path": "/"}))
    assert (seen["event_type"], seen["outcome"], seen["properties"]) == (
        "page_viewed",
        "bot",
        {"path": "/", "bot": True},
    )
    (seen,) = events("segment", call(PEOPLE["Firefox"], properties={"path": "/"}))
    assert "outcome" not in seen
    assert seen["properties"] == {"path": "/"}
    (seen,) = events("segment", call(None))
    assert "outcome" not in seen


@pytest.mark.parametrize("odd", ["text", '{"half', ["a"], 5, True, None])
def test_odd_properties_of_a_bots_event_do_no_harm(odd: object) -> None:
    seen = became("segment", call(BOTS["a search engine"], properties=odd)).events
    assert seen["outcome"].to_pylist() == ["bot"]


@pytest.mark.parametrize(
    ("event", "agent", "machine", "outcome"),
    [
        ("open", BOTS["a monitor"], False, "bot"),
        ("click", BOTS["a library of Python"], None, "bot"),
        ("open", BOTS["a monitor"], True, "machine"),
        ("open", "Mozilla/5.0", None, "machine"),
        ("open", PEOPLE["Gmail's proxy, when somebody looks"], False, None),
        ("click", PEOPLE["Safari"], None, None),
        ("delivered", BOTS["a command"], None, None),
    ],
)
def test_opens_and_clicks_of_an_e_mail_say_who_made_them(
    event: str, agent: str, machine: bool | None, outcome: str | None
) -> None:
    item = {
        "event": event,
        "email": "a@b.example",
        "timestamp": 1772445600,
        "sg_event_id": "i",
        "useragent": agent,
    }
    (seen,) = events("sendgrid", [item | ({} if machine is None else {"sg_machine_open": machine})])
    assert seen.get("outcome") == outcome
