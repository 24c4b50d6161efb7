"""Audiences over HTTP: what changed, once, in order, whatever fails, and nobody who may not be there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cdp import durable
from cdp.errors import NotFoundError, UsageError
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.delivery_tools import (
    ALL,
    NAMES,
    PEOPLE,
    Ticks,
    names_at,
    people,
    run,
    suppress,
    to,
)
from tests.receiver_tools import SECRET, Reply, receiving
from tests.warehouse_tools import (
    publish_into,
    table,
)
from warehouse.audiences import shares
from warehouse.audiences.delivery import is_done, outbox_of
from warehouse.inputs import REDIRECTS
from warehouse.release import current


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "workspace")


@pytest.mark.parametrize("body", ["ndjson", "json"])
def test_the_first_delivery_is_whole_and_later_ones_are_what_changed(lake, tmp_path, body):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        wanted = to(server, body=body)
        first = run(lake, wanted)
        assert (first.added, first.changed, first.removed, first.rows, first.complete) == (7, 0, 0, 7, True)
        assert names_at(server) == ALL
        assert [len(request.changes) for request in server.requests] == [2, 2, 2, 1]
        assert run(lake, wanted).repeated
        moved = table(REDIRECTS, [{"previous_customer_id": "C2", "customer_id": "C1"}])
        later = {**PEOPLE, "crm:2": "C1", "crm:9": "C9"}
        renamed = {"crm:1": "Anne", "crm:9": "New", **{f"crm:{n}": f"Person {n}" for n in range(3, 8)}}
        publish_into(lake, people(tmp_path / "b", renamed, later, denied=["crm:7"], redirects=moved))
        server.requests.clear()
        second = run(lake, wanted)
        assert (second.added, second.changed, second.removed, second.rows) == (1, 1, 2, 6)
        told = [change for request in server.requests for change in request.changes]
        assert [(c["op"], c["key"], c.get("merged_into")) for c in told] == [
            ("removed", "C2", "C1"),
            ("removed", "C7", None),
            ("changed", "C1", None),
            ("added", "C9", None),
        ]
        assert names_at(server) == {
            "C1": "Anne",
            "C9": "New",
            **{f"C{n}": f"Person {n}" for n in range(3, 7)},
        }


def test_batches_are_signed_numbered_and_named(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        wanted = to(server, headers={"X-Account": "42"}, header_env={"Authorization": "CRM_SECRET"})
        run(lake, wanted)
        heads = [request.headers for request in server.requests]
    assert {head["x-cdp-release"] for head in heads} == {release.version}
    assert [head["x-cdp-sequence"] for head in heads] == ["1", "2", "3", "4"]
    assert {(head["x-account"], head["authorization"]) for head in heads} == {("42", SECRET)}
    assert len({head["idempotency-key"] for head in heads}) == 4
    assert all("x-cdp-signature" in head for head in heads)


def test_what_fails_for_a_while_is_sent_again_under_the_same_key(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    replies = [
        Reply(503), Reply(429, {"retry-after": "7"}), Reply(None, applied=True), Reply(500, applied=True), None,
        Reply(429, {"retry-after": "Sun, 01 Mar 2026 12:00:09 GMT"}), Reply(504),
    ]  # fmt: skip

    def fault(_server, _request):
        return replies.pop(0) if replies else None

    ticks = Ticks()
    with receiving(fault) as server:
        report = run(lake, to(server), ticks)
        assert report.complete
        assert names_at(server) == ALL
        keys = [request.key for request in server.requests]
    assert len(set(keys)) == 4
    assert len(keys) == 10
    assert ticks.waits == [0.5, 7.0, 2.0, 4.0, 9.0, 1.0]


def test_a_destination_that_stays_away_stops_the_run_and_the_next_goes_on(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    down = [True]

    def fault(server, _request):
        return Reply(503) if down[0] and len(server.seen) >= 2 else None

    with receiving(fault) as server:
        wanted = to(server, attempts=3)
        report = run(lake, wanted)
        assert (report.complete, report.added, report.rows) == (False, 4, 4)
        assert report.problem == "it answered with status 503, 3 times"
        key = server.requests[-1].key
        down[0] = False
        server.requests.clear()
        again = run(lake, wanted)
        assert server.requests[0].key == key
        assert (again.complete, again.added, names_at(server)) == (True, 3, ALL)
    with Ledger(lake.ledger_path) as ledger:
        told = [(s.complete, s.added, s.rows, s.detail) for s in reversed(shares.read(ledger))]
    assert told == [(False, 4, 4, report.problem), (True, 3, 7, None)]


def test_an_answer_that_never_comes_is_given_up_in_time(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a", {"crm:1": "A"}, {"crm:1": "C1"}))
    with receiving(lambda *_: Reply(200, after=1.0)) as server:
        report = run(lake, to(server, timeout_seconds=0.2, attempts=1))
        assert report.problem == "it could not be reached (TimeoutError), 1 times"


@pytest.mark.parametrize("status", [302, 308, 401])
def test_redirects_are_not_followed_and_refusals_of_all_stop_at_once(lake, tmp_path, status):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as elsewhere, receiving(lambda *_: Reply(status, {"location": elsewhere.url})) as server:
        report = run(lake, to(server))
        assert report.problem == f"it answered with status {status}"
        assert (len(server.requests), elsewhere.requests) == (1, [])


def test_rows_that_are_refused_are_kept_apart_and_tried_when_they_have_changed(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))

    def fault(_server, request):
        return (
            Reply(422)
            if any(c.get("row", {}).get("full_name") == "Person 3" for c in request.changes)
            else None
        )

    with receiving(fault) as server:
        wanted = to(server, batch_rows=4)
        report = run(lake, wanted)
        assert (report.complete, report.added, report.rejected, report.rows) == (True, 6, 1, 6)
        assert names_at(server) == {key: name for key, name in ALL.items() if key != "C3"}
        with Ledger(lake.ledger_path) as ledger:
            rows = ledger.rows("SELECT key, op, status FROM rejected")
        assert [tuple(row) for row in rows] == [("C3", "added", 422)]
        publish_into(lake, people(tmp_path / "b"))
        server.requests.clear()
        assert run(lake, wanted).complete
        assert server.requests == []
        publish_into(lake, people(tmp_path / "c", {**NAMES, "crm:3": "Cleo"}))
        assert run(lake, wanted).added == 1
        assert names_at(server) == {**ALL, "C3": "Cleo"}
        with Ledger(lake.ledger_path) as ledger:
            assert ledger.rows("SELECT * FROM rejected") == []


def test_rows_may_be_refused_by_name(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    body = json.dumps({"rejected": ["C1", "C5"]}).encode()
    with receiving(lambda *_: Reply(207, {"content-type": "application/json"}, body)) as server:
        report = run(lake, to(server))
        assert (report.added, report.rejected, report.complete) == (5, 2, True)


def test_a_destination_that_refuses_everything_is_left_alone(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    with receiving(lambda *_: Reply(400)) as server:
        report = run(lake, to(server, max_rejected=3))
        assert (report.problem, report.rejected) == ("it refused 3 rows, the last with status 400", 3)


def test_a_removal_that_is_refused_is_tried_until_it_is_taken(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    stubborn = [True]

    def fault(_server, request):
        return Reply(400) if stubborn[0] and any(c["op"] == "removed" for c in request.changes) else None

    with receiving(fault) as server:
        wanted = to(server)
        run(lake, wanted)
        publish_into(lake, people(tmp_path / "b", denied=["crm:4"]))
        assert run(lake, wanted).problem == "it refused to remove 1"
        assert "C4" in server.audience
        stubborn[0] = False
        assert run(lake, wanted).complete
        assert "C4" not in server.audience


def test_who_is_put_on_the_suppression_list_is_taken_back_without_a_new_release(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        wanted = to(server)
        run(lake, wanted)
        suppress(lake, "email:5@mail.example")
        report = run(lake, wanted)
        assert (report.removed, names_at(server)) == (1, {k: v for k, v in ALL.items() if k != "C5"})


def test_the_list_of_today_counts_in_the_middle_of_a_delivery(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))

    def fault(server, _request):
        if len(server.requests) == 2:  # the first batches have left: one that has gone, one yet to come
            suppress(lake, "email:1@mail.example")
            suppress(lake, "email:7@mail.example")

    with receiving(fault) as server:
        assert run(lake, to(server)).complete
        assert sorted(server.audience) == ["C2", "C3", "C4", "C5", "C6"]
        assert not any(c["key"] == "C7" for request in server.requests for c in request.changes)


def test_who_is_suppressed_while_a_delivery_ends_is_taken_back_by_the_next(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))

    def late(name):
        if name == "ledger end delivery" and not done:
            done.append(name)
            suppress(lake, "email:3@mail.example")

    done: list[str] = []
    with receiving() as server:
        wanted = to(server)
        with durable.crash_hook(late):
            assert run(lake, wanted).complete
        assert done
        assert not run(lake, wanted).repeated
        assert "C3" not in server.audience


def test_a_batch_is_not_tried_again_for_those_who_were_suppressed_while_it_waited(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))

    class Ticking(Ticks):
        def sleep(self, seconds):
            super().sleep(seconds)
            suppress(lake, "email:1@mail.example")

    with receiving(lambda server, _: Reply(503) if len(server.requests) == 1 else None) as server:
        assert run(lake, to(server), Ticking()).complete
        told = [(c["op"], c["key"]) for request in server.requests[1:] for c in request.changes]
        assert ("added", "C1") not in told
        assert sorted(server.audience) == ["C2", "C3", "C4", "C5", "C6", "C7"]


def test_halves_of_a_batch_leave_out_those_who_were_suppressed_since(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))

    def fault(server, _request):
        if len(server.requests) > 1:
            return None
        suppress(lake, "email:5@mail.example")
        return Reply(413)

    with receiving(fault) as server:
        assert run(lake, to(server, batch_rows=7)).complete
        told = [(c["op"], c["key"]) for request in server.requests[1:] for c in request.changes]
        assert ("added", "C5") not in told
        assert sorted(server.audience) == ["C1", "C2", "C3", "C4", "C6", "C7"]


def test_a_batch_that_was_cut_off_is_not_sent_again_for_those_who_were_suppressed_since(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    silent = [True]
    with receiving(lambda *_: Reply(None, applied=True) if silent[0] else None) as server:
        wanted = to(server, attempts=1)
        assert not run(lake, wanted).complete
        assert sorted(server.audience) == ["C1", "C2"]
        silent[0] = False
        suppress(lake, "email:2@mail.example")
        server.requests.clear()
        assert run(lake, wanted).complete
        assert sorted(server.audience) == ["C1", "C3", "C4", "C5", "C6", "C7"]
        assert not any(
            c["key"] == "C2" and c["op"] != "removed" for request in server.requests for c in request.changes
        )


def test_everybody_can_be_taken_back(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        wanted = to(server)
        run(lake, wanted)
        report = run(lake, wanted, withdraw=True)
        assert (report.removed, report.rows, server.audience) == (7, 0, {})
        with Ledger(lake.ledger_path) as ledger:
            assert not is_done(ledger, current(lake), wanted)


def test_another_address_is_given_everything(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as one, receiving() as other:
        run(lake, to(one))
        assert run(lake, to(other)).added == 7
        assert one.audience == other.audience


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"private_addresses": False}, UsageError, "this machine or of a private network"),
        ({"url": "http://169.254.169.254/latest"}, UsageError, "link-local"),
        ({"secret_env": "NOT_SET"}, UsageError, "NOT_SET is not set"),
        ({"header_env": {"Authorization": "DASHED"}}, UsageError, "DASHED is no header value"),
        ({"url": "https://a..b.example/"}, UsageError, "no address that can be asked"),
        ({"url": "https://crm.example:99999/"}, UsageError, "no address that can be asked"),
        ({"url": "https://localhost:{port}/"}, None, "could not be reached"),
    ],
)
def test_nothing_is_sent_where_it_may_not_go(lake, tmp_path, change, error, says):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        given = {
            k: v.replace("{port}", str(server.server_address[1])) if k == "url" else v
            for k, v in change.items()
        }
        wanted = to(server, attempts=1)
        wanted = replace(wanted, destination=wanted.destination.model_copy(update=given))
        if error:
            with pytest.raises(error, match=says):
                run(lake, wanted)
        else:
            assert says in str(run(lake, wanted).problem)
        assert server.requests == []


def test_an_unknown_segment_removes_nobody(lake, tmp_path):
    publish_into(lake, people(tmp_path / "a"))
    with receiving() as server:
        run(lake, to(server))
        with pytest.raises(NotFoundError, match="no segment 'vips'"):
            run(lake, replace(to(server), segment="vips"))
        assert len(server.audience) == 7


def test_the_outbox_says_what_the_destination_has(lake, tmp_path):
    release = publish_into(lake, people(tmp_path / "a"))
    with receiving() as server, Ledger(lake.ledger_path) as ledger:
        wanted = to(server)
        assert (outbox_of(ledger, wanted).size(), is_done(ledger, release, wanted)) == (0, False)
        run(lake, wanted)
        assert (outbox_of(ledger, wanted).size(), is_done(ledger, release, wanted)) == (7, True)
