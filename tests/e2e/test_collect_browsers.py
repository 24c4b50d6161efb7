"""Real browser clients, unmodified, in a real browser: every call arrives once, also when pages close or calls fail.

The pages are of another origin than the collector, so the browser asks for leave first (CORS).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cdp.lake import WAL
from tests import fault_proxy
from tests.browser_tools import Visitor, browser, chromium, site, visitor
from tests.collect_calls import EVERYBODY, WHEN, stories
from tests.collect_tools import (
    CLIENTS,
    SECONDS,
    Collector,
    collecting,
    event_ids,
    landed,
    make_workspace,
    marks,
    npm_clients,
    outcomes,
    profiles,
    run_pipeline,
    until,
    write_key,
)
from tests.fault_proxy import Exchange, FaultProxy
from tests.pipelines_tools import rows

pytestmark = pytest.mark.soak

# What an answer of nobody is to a browser: its own client has no time-out.
FAULTS = [fault for fault in fault_proxy.ALL if fault != fault_proxy.KEPT_SILENT]
SOURCES = (
    "segment_settings",
    "segment_host",
    "segment_closed",
    "segment_faults",
    "segment_reopened",
    "segment_full",
    "rudder_plain",
    "rudder_closed",
    "rudder_faults",
)
STORIES = stories(SOURCES, without={name: ("screen",) for name in SOURCES if name.startswith("rudder")})
"""RudderStack's browser client has no screens."""
# When Segment's client sends a call again that had no user, it puts the user of that moment into it. So whoever
# meets faults stays who they are.
ALONE = ("segment_faults", "segment_reopened", "rudder_faults")
STORIES |= {
    name: dataclasses.replace(
        STORIES[name], calls=[call for call in STORIES[name].calls if call.who == "own"]
    )
    for name in ALONE
}
WHOLE = [name for name in SOURCES if name not in ALONE]
ROOM = 100_000_000
"""Bytes that may wait to be landed."""


@dataclass
class Told:
    """What happened to a source: ids that its client gave, hosts that it asked, what went through a proxy."""

    ids: Sequence[str]
    outside: set[str]
    problems: list[str]
    calls: list[Exchange] = field(default_factory=list)
    answer: list[Any] = field(default_factory=list)


class Stage:
    """A collector, a site, and a browser."""

    def __init__(self, collector: Collector, site: str, chrome: Any, stack: ExitStack) -> None:
        self.collector, self._site, self._chrome, self._stack = collector, site, chrome, stack

    def visitor(self) -> Visitor:
        return visitor(self._chrome, self._site)

    def proxy(self, faults: Sequence[str], **options: float) -> FaultProxy:
        return self._stack.enter_context(fault_proxy.fault_proxy(self.collector.url, faults, **options))


def kept(proxy: FaultProxy, *, answered: bool = False) -> list[str]:
    """Return the ids of the calls that the collector took, as often as it did; ``answered``: and so was told."""
    exchanges = [exchange for exchange in proxy.calls if exchange.kept and not (answered and exchange.fault)]
    return [name for exchange in exchanges for name in exchange.message_ids]


def segment(source: str, url: str, **destination: Any) -> dict[str, Any]:
    """Return what is asked of the page with Segment's client, which fetches its settings from us."""
    return {
        "settings": {"writeKey": write_key(source), "cdnURL": url},
        "options": {"integrations": {"Segment.io": destination}} if destination else {},
        "visits": STORIES[source].visits,
    }


def rudder(source: str, url: str, **options: Any) -> dict[str, Any]:
    """Return what is asked of the page with RudderStack's client."""
    return {
        "key": write_key(source),
        "url": url,
        "options": {"configUrl": url, **options},
        "visits": STORIES[source].visits,
    }


def open_and_wait(stage: Stage, source: str, page: str, asked: dict[str, Any]) -> Told:
    """The page stays open until everything has arrived."""
    somebody = stage.visitor()
    ids = somebody.open(page).evaluate("play", asked)
    until(lambda: stage.collector.taken(source) >= len(ids))
    return Told(ids, somebody.outside, somebody.problems)


def close_at_once(stage: Stage, source: str, page: str, asked: dict[str, Any]) -> Told:
    """The client has kept everything back when its tab is closed."""
    somebody = stage.visitor()
    tab = somebody.open(page)
    ids = tab.evaluate("play", asked)
    assert stage.collector.taken(source) == 0
    tab.close()
    until(lambda: stage.collector.taken(source) >= len(ids))
    return Told(ids, somebody.outside, somebody.problems)


def through_faults(stage: Stage, page: str, ask: Callable[[str], dict[str, Any]]) -> Told:
    """The page stays open until everything has arrived through a proxy that fails."""
    somebody, proxy = stage.visitor(), stage.proxy(FAULTS)
    ids = somebody.open(page).evaluate("play", ask(proxy.url))
    until(lambda: set(ids) <= set(kept(proxy, answered=True)))
    return Told(ids, somebody.outside, somebody.problems, proxy.calls)


def reopen(stage: Stage, source: str) -> Told:
    """The tab is closed while three calls have no answer; a new tab of the same browser sends them again."""
    somebody = stage.visitor()
    proxy = stage.proxy([fault_proxy.KEPT_SILENT] * 3, silent=SECONDS)
    asked = segment(source, proxy.url)
    tab = somebody.open("segment")
    tab.evaluate("(asked) => { play(asked); }", asked)
    until(lambda: len(set(kept(proxy))) == len(STORIES[source].calls))
    tab.close()
    before = kept(proxy)
    somebody.open("segment").evaluate("play", {**asked, "visits": []})
    until(lambda: set(before) <= set(kept(proxy, answered=True)))
    return Told(sorted(set(before)), somebody.outside, somebody.problems, proxy.calls)


def fill_up(stage: Stage, source: str) -> Told:
    """The collector has no room for a while."""
    ballast = stage.collector.workspace / WAL / "ballast"
    with ballast.open("wb") as file:
        file.truncate(2 * ROOM)
    somebody = stage.visitor()
    tab = somebody.open("segment")
    try:
        until(lambda: not stage.collector.is_ready())
        answer = tab.evaluate(
            """(url) => fetch(url, {method: "POST", body: '{"type": "page"}'})
                .then((answer) => [answer.status, answer.headers.get("Retry-After")])""",
            f"{stage.collector.url}/v1/page?writeKey={write_key(source)}",
        )
        ids = tab.evaluate("play", segment(source, stage.collector.url))
        until(lambda: stage.collector.refused(source, "too_much") > len(ids))
    finally:
        ballast.unlink()
    until(lambda: stage.collector.taken(source) >= len(ids))
    return Told(ids, somebody.outside, somebody.problems, answer=answer)


def play_all(stage: Stage) -> dict[str, Told]:
    """Send every source's story."""
    url, host = stage.collector.url, stage.collector.url.removeprefix("http://")
    explicit = segment("segment_host", url, apiHost=f"{host}/v1", protocol="http")
    explicit["settings"] = {
        "writeKey": write_key("segment_host"),
        "cdnSettings": {"integrations": {"Segment.io": {"apiKey": write_key("segment_host")}}},
    }
    late = {"strategy": "batching", "config": {"size": 100, "timeout": 600_000}}
    beacon = {"useBeacon": True, "beaconQueueOptions": {"maxItems": 100}}
    return {
        "segment_settings": open_and_wait(
            stage, "segment_settings", "segment", segment("segment_settings", url)
        ),
        "segment_host": open_and_wait(stage, "segment_host", "segment", explicit),
        "segment_closed": close_at_once(
            stage, "segment_closed", "segment", segment("segment_closed", url, deliveryStrategy=late)
        ),
        "segment_faults": through_faults(stage, "segment", lambda proxy: segment("segment_faults", proxy)),
        "segment_reopened": reopen(stage, "segment_reopened"),
        "segment_full": fill_up(stage, "segment_full"),
        "rudder_plain": open_and_wait(stage, "rudder_plain", "rudder", rudder("rudder_plain", url)),
        "rudder_closed": close_at_once(
            stage, "rudder_closed", "rudder", rudder("rudder_closed", url, **beacon)
        ),
        "rudder_faults": through_faults(stage, "rudder", lambda proxy: rudder("rudder_faults", proxy)),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Iterator[tuple[Path, dict[str, Told]]]:
    """The workspace after a run, and what happened to each source."""
    executable = chromium()
    if executable is None:
        pytest.skip("there is no Chromium on this machine")
    if problem := npm_clients():
        pytest.skip(problem)
    workspace = make_workspace(
        tmp_path_factory.mktemp("browsers") / "shop",
        {name: name.split("_")[0].replace("rudder", "rudderstack") for name in SOURCES},
        f"collect: {{max_unlanded_bytes: {ROOM}}}\n",
    )
    with ExitStack() as stack:
        collector = stack.enter_context(collecting(workspace, SOURCES))
        chrome = stack.enter_context(browser(executable))
        found = play_all(Stage(collector, stack.enter_context(site(CLIENTS)), chrome, stack))
        collector.stop()
    run_pipeline(workspace)
    return workspace, found


@pytest.mark.parametrize("source", SOURCES)
def test_every_call_arrives_once_in_the_profile_of_whom_it_is_of(told, source):
    workspace, found = told
    one, story = found[source], STORIES[source]
    assert one.problems == []
    assert len(one.ids) == len(story.calls)
    assert event_ids(workspace, source) == sorted(set(one.ids))
    assert marks(workspace, source) == story.marks
    assert profiles(workspace, story) == story.profiles


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_asks_nobody_but_its_own_site_and_the_collector(told, source):
    assert told[1][source].outside == set()


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_sent_again_after_it_was_kept_is_counted(told, source):
    """A page's client writes when it sends into the call: sent again, it is a revision, else a duplicate."""
    workspace, found = told
    one = found[source]
    names = [name for exchange in one.calls if exchange.kept for name in exchange.message_ids] or one.ids
    assert landed(workspace)[source] == len(names)
    counted = outcomes(workspace, source)
    assert counted.total() == len(names) - len(one.ids)
    assert set(counted) <= {"duplicate", "superseded"}


@pytest.mark.parametrize("source", ["segment_faults", "rudder_faults"])
def test_a_page_sends_again_what_it_got_no_good_answer_for(told, source):
    calls = told[1][source].calls
    assert {exchange.fault for exchange in calls} == {None, *FAULTS}
    assert outcomes(told[0], source).total() >= 2


def test_what_had_no_answer_when_the_page_closed_is_sent_again_by_the_next_one(told):
    calls = told[1]["segment_reopened"].calls
    unanswered = {name for exchange in calls if exchange.fault for name in exchange.message_ids}
    again = [name for exchange in calls if not exchange.fault for name in exchange.message_ids]
    assert len(unanswered) == 3
    assert unanswered <= set(again)


def test_a_page_can_read_when_it_may_come_again(told):
    assert told[1]["segment_full"].answer == [429, "1"]


def test_a_call_from_a_page_is_as_old_as_its_caller_says(told):
    found = rows(
        told[0],
        f"""
        SELECT source, abs(epoch(occurred_at) - {WHEN.timestamp()}) < 60, amount::VARCHAR, product
        FROM contact_history WHERE event_type = 'order_placed' ORDER BY 1
        """,
    )
    assert found == [(source, True, "12.5000", None) for source in sorted(SOURCES)]


def test_who_is_known_to_every_page_is_one_person(told):
    found = rows(
        told[0], f"SELECT source_count, event_count, full_name FROM customers WHERE email = '{EVERYBODY}'"
    )
    assert found == [(len(WHOLE), 2 * len(WHOLE), "Zoë Müller")]
