"""What `cdp collect` shows: addresses, what arrives, what is refused; never what is in it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cdp.cli.collect_view import View
from connectors.collector.app import Collector
from connectors.collector.endpoints import Endpoints, endpoints
from tests.collector_tools import ENVIRONMENT, workspace_settings


@pytest.fixture
def open_to() -> Endpoints:
    return endpoints(workspace_settings(), Path(), ENVIRONMENT)


@pytest.fixture
def app(open_to: Endpoints) -> Collector:
    def never() -> object:
        raise AssertionError("nothing is written here")

    return Collector(open_to, never, workspace_settings().collect)  # type: ignore[arg-type]  # never called


def test_it_says_where_each_source_is_sent_to(open_to: Endpoints, capsys: pytest.CaptureFixture[str]) -> None:
    View(open_to, quiet=True).listening("::1", 8787)
    out = capsys.readouterr().out
    assert "Collecting on http://[::1]:8787" in out
    assert "web              tracking clients: http://[::1]:8787/v1/..." in out
    assert "forms            webhooks: http://[::1]:8787/hooks/forms (verified: basic)" in out
    assert not any(secret in out for secret in ENVIRONMENT.values())


def test_a_line_tells_what_came_and_what_became_of_it(open_to: Endpoints, app: Collector) -> None:
    view = View(open_to, quiet=False)
    assert view._line(app) == "nothing yet"
    app.counters.took("web", 1_200, 800_000)
    app.counters.refuse("web", "too_much")
    app.counters.refuse("-", "unknown_write_key")
    view.landed({"sources": {"web": {"landed": 1_000, "duplicates": 3, "quarantined": 0, "suppressed": 0}}})
    view.landed({"sources": {"web": {"landed": 200, "duplicates": 1, "quarantined": 2, "suppressed": 0}}})
    assert view._line(app) == (
        "of nobody known: 1 refused (unknown_write_key); "
        "web: 1,200 events, 1,200 landed, 4 duplicates, 2 quarantined, 1 refused (too_much)"
    )


def test_the_table_has_every_source_also_before_anything_came(open_to: Endpoints, app: Collector) -> None:
    view = View(open_to, quiet=False)
    app.counters.refuse("-", "invalid_json")
    written = io.StringIO()
    console = Console(width=120, file=written)
    console.print(view._table(app))
    text = written.getvalue()
    for name in ("app", "forms", "web", "(unknown)", "1 invalid_json", "events/s"):
        assert name in text


def test_problems_of_landing_are_shown_at_once(
    open_to: Endpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    View(open_to, quiet=True).landed({"problems": {"forms": "There is no source 'forms' any more."}})
    assert "forms: There is no source 'forms' any more." in capsys.readouterr().err
