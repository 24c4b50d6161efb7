"""Real clients for servers, unmodified, against `cdp collect`: every call arrives once, in the right profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.collect_calls import EVERYBODY, WHEN, stories
from tests.collect_tools import (
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
from tests.conftest import thinned
from tests.pipelines_tools import rows

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Sender:
    """A client with options; the connector of its source."""

    client: str
    connector: str
    options: Mapping[str, Any]


SENDERS = {
    "segment_python": Sender("segment_python", "segment", {}),
    "segment_python_gzip": Sender("segment_python", "segment", {"gzip": True}),
    "rudder_python": Sender("rudder_python", "rudderstack", {}),  # packs by default
    "rudder_python_plain": Sender("rudder_python", "rudderstack", {"gzip": False}),
    "segment_node": Sender("segment_node", "segment", {}),
    "rudder_node": Sender("rudder_node", "rudderstack", {}),  # packs, and calls it a form
    "rudder_node_plain": Sender("rudder_node", "rudderstack", {"gzip": False}),
}
STORIES = stories(list(SENDERS))
ALWAYS = ("segment_python_gzip", "rudder_node")
"""Those of `make test`; all are in `make soak`, as are clients that meet faults, and those of pages."""


@pytest.fixture(scope="module")
def told(request, tmp_path_factory) -> tuple[Path, dict[str, Sent]]:
    """The workspace after a run, and what each client said that it had sent."""
    here = {
        name: SENDERS[name]
        for name in wanted(request.session.items)
        if SENDERS[name].client.endswith("python") or not npm_clients()
    }
    workspace = make_workspace(
        tmp_path_factory.mktemp("clients") / "shop", {name: one.connector for name, one in SENDERS.items()}
    )
    with collecting(workspace, list(SENDERS)) as collector, ThreadPoolExecutor(2) as threads:
        sent = {
            name: threads.submit(send, one.client, collector.url, STORIES[name], **one.options)
            for name, one in here.items()
        }
        found = {name: one.result() for name, one in sent.items()}
        said = collector.stop()
    total = sum(len(STORIES[name].calls) for name in here)
    assert f"Stopped: {total} events taken, {total} envelopes landed, 0 requests refused." in said
    run_pipeline(workspace)
    return workspace, found


def wanted(tests: Sequence[pytest.Item]) -> list[str]:
    """Return the senders that some chosen test asks for."""
    here = [test for test in tests if isinstance(test, pytest.Function) and test.path == Path(__file__)]
    return sorted({test.callspec.params["source"] for test in here if hasattr(test, "callspec")})


@pytest.fixture(params=thinned(SENDERS, ALWAYS.__contains__))
def source(request) -> str:
    need(SENDERS[request.param].client)
    return request.param


def test_every_call_arrives_once(told, source):
    workspace, sent = told
    assert sent[source].failures == []
    assert len(set(sent[source].ids)) == len(STORIES[source].calls)
    assert landed(workspace)[source] == len(STORIES[source].calls)
    assert outcomes(workspace, source).total() == 0
    assert event_ids(workspace, source) == sorted(sent[source].ids)
    assert marks(workspace, source) == STORIES[source].marks


def test_the_history_before_the_log_in_is_in_the_profile_of_who_logged_in(told, source):
    workspace, _ = told
    assert profiles(workspace, STORIES[source]) == STORIES[source].profiles


def test_text_of_every_script_and_what_is_nested_stay_as_they_were(told, source):
    workspace, _ = told
    found = rows(
        workspace,
        f"""
        SELECT product, properties->'nested'->>'$."ñ"[0]', properties->>'name'
        FROM contact_history WHERE source = '{source}' AND event_type = 'product_viewed'
        """,
    )
    assert found == [("Lámpara 🛋️", "☃", "Lámpara 🛋️")]
    assert rows(
        workspace,
        f"SELECT subject FROM contact_history WHERE source = '{source}' AND event_type = 'page_viewed' ORDER BY 1",
    ) == [("Start",), ("Start",), ("Übersicht – Café ☕",)]


def test_a_call_is_as_old_as_its_caller_says(told, source):
    workspace, _ = told
    [(late, amount, currency)] = rows(
        workspace,
        f"""
        SELECT epoch(occurred_at) - {WHEN.timestamp()}, amount::VARCHAR, currency
        FROM contact_history WHERE source = '{source}' AND event_type = 'order_placed'
        """,
    )
    assert abs(late) < 30
    assert (amount, currency) == ("12.5000", "EUR")


def test_the_traits_of_who_logged_in_are_in_the_profile(told, source):
    """RudderStack's clients write them below the context only."""
    story = STORIES[source]
    found = rows(
        told[0],
        f"SELECT full_name, birth_date::VARCHAR, street, city, postcode FROM customers WHERE email = '{story.email}'",
    )
    assert found == [(story.name, *story.lives)]


def test_who_is_known_to_every_client_is_one_person(told):
    workspace, sent = told
    [(sources, count, name)] = rows(
        workspace,
        f"SELECT source_count, event_count, full_name FROM customers WHERE email = '{EVERYBODY}'",
    )
    assert (sources, count, name) == (len(sent), 2 * len(sent), "Zoë Müller")
    assert rows(workspace, "SELECT count(*) FROM unattributed") == [(0,)]
    assert rows(workspace, "SELECT count(*) FROM customers") == [(2 * len(sent) + 1,)]
