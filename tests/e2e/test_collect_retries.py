"""What real clients do when a collector fails, or only seems to: every event arrives once all the same."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import fault_proxy
from tests.collect_calls import stories
from tests.collect_tools import (
    COMMANDS,
    Sent,
    collecting,
    event_ids,
    landed,
    make_workspace,
    marks,
    need,
    npm_clients,
    outcomes,
    profiles,
    run_pipeline,
    send,
)
from tests.fault_proxy import Exchange

pytestmark = pytest.mark.soak

# Two calls a request, so that each fault meets another one, and short time-outs. (That of RudderStack's for Node is
# for all attempts together, and so must be longer than what a 429 has it wait.)
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "segment_python": {"upload_size": 2, "timeout": 1},
    "rudder_python": {"upload_size": 2, "timeout": 1},
    "segment_node": {"flushAt": 2, "httpRequestTimeout": 1000},
    "rudder_node": {"flushAt": 2, "flushInterval": 300, "axiosConfig": {"timeout": 5000}},
}
STORIES = stories(list(OPTIONS))


@dataclass(frozen=True)
class Told:
    """What a client said, what went through its proxy, and what another one with a wrong key met."""

    sent: Sent
    calls: list[Exchange]
    faults_left: list[str]
    refused: Sent
    refused_calls: list[Exchange]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Path, dict[str, Told]]:
    """The workspace after a run, and what happened to each client."""
    here = [name for name in OPTIONS if COMMANDS[name][0] != "node" or not npm_clients()]
    connectors = {name: name.split("_")[0].replace("rudder", "rudderstack") for name in OPTIONS}
    workspace = make_workspace(tmp_path_factory.mktemp("retries") / "shop", connectors)
    with collecting(workspace, list(OPTIONS)) as collector, ThreadPoolExecutor(4) as threads:
        running = {name: threads.submit(_through_faults, name, collector.url) for name in here}
        found = {name: one.result() for name, one in running.items()}
        collector.stop()
    run_pipeline(workspace)
    return workspace, found


def _through_faults(client: str, url: str) -> Told:
    with ExitStack() as stack:
        proxy, plain = (
            stack.enter_context(fault_proxy.fault_proxy(url, faults)) for faults in (fault_proxy.ALL, ())
        )
        sent = send(client, proxy.url, STORIES[client], **OPTIONS[client])
        refused = send(client, plain.url, STORIES[client], key="nobody's")
        return Told(sent, proxy.calls, proxy.faults_left, refused, plain.calls)


@pytest.fixture(params=list(OPTIONS))
def client(request) -> str:
    need(request.param)
    return request.param


def test_every_call_arrives_once_whatever_met_it(told, client):
    workspace, found = told
    one, story = found[client], STORIES[client]
    assert one.faults_left == []
    assert {exchange.fault for exchange in one.calls} == {None, *fault_proxy.ALL}
    assert len(set(one.sent.ids)) == len(story.calls)
    assert event_ids(workspace, client) == sorted(one.sent.ids)
    assert marks(workspace, client) == story.marks
    assert profiles(workspace, story) == story.profiles


def test_what_was_sent_again_after_it_was_kept_is_counted_as_duplicate(told, client):
    workspace, found = told
    kept = [name for exchange in found[client].calls if exchange.kept for name in exchange.message_ids]
    assert len(kept) > len(set(kept))
    assert landed(workspace)[client] == len(kept)
    assert outcomes(workspace, client) == {"duplicate": len(kept) - len(set(kept))}


def test_a_client_sends_again_what_it_got_no_good_answer_for(told, client):
    """All but RudderStack's for Node after a time-out: it gives up, and the calls are there."""
    one = told[1][client]
    for exchange in one.calls:
        if exchange.fault is not None:
            again = [other for other in one.calls if set(exchange.message_ids) & set(other.message_ids)]
            gives_up = client == "rudder_node" and exchange.fault == fault_proxy.KEPT_SILENT
            assert (len(again) == 1) == gives_up, exchange.fault
    assert len(one.sent.failures) == (client == "rudder_node")


def test_a_wrong_write_key_is_told_at_once_and_not_tried_again(told, client):
    one = told[1][client]
    assert {exchange.status for exchange in one.refused_calls} == {401}
    names = [name for exchange in one.refused_calls for name in exchange.message_ids]
    assert sorted(names) == sorted(set(names))
    assert one.refused.failures
    if client.endswith("_python"):
        assert all("unknown_write_key" in text and "401" in text for text in one.refused.failures)
