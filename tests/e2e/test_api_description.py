"""Schemathesis over the description of the API: what it says is what is answered, whatever is asked.

The real application on a real release; requests that fit the description and such that do not, with a key of all
scopes and with none. Nothing may answer 5xx, nor anything that the description does not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cdp.lake import Lake
from tests.serve_tools import Served, copy_of, lake_with_release

EXAMPLES = 6
# What no schema can say: that a text is SQL, that a rule's field exists, that a table has a column, what a cursor says.
MEANING = {
    "POST /api/v1/search",
    "POST /api/v1/sql",
    "POST /api/v1/segments",
    "POST /api/v1/segments/preview",
    "PUT /api/v1/segments/{segment_id}",
    "GET /api/v1/exports/{dataset}",
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lake_with_release(tmp_path_factory.mktemp("described"))


@pytest.fixture
def served(lake: Lake, tmp_path: Path) -> Iterator[Served]:
    limits = {"hosts": ["testserver"], "requests_per_minute": 1_000_000}
    yield Served(copy_of(lake, tmp_path), serve=limits)
    # It ran the application with its start and end: the end closes what is served.
    asgi.shutdown_lifespans()


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )


def failures(served: Served, headers: dict[str, str], mode: GenerationMode, examples: int) -> list[str]:
    """Ask every operation; return what was answered otherwise than the description says."""
    description = schemathesis.openapi.from_asgi("/api/v1/openapi.json", served.app)
    wrong: list[str] = []
    for found in description.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        left_out: list[Any] = [positive_data_acceptance] if operation.label in MEANING else []

        @bounded(examples)
        @given(operation.as_strategy(generation_mode=mode))
        def asked(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers=headers, excluded_checks=left_out)  # noqa: B023 - called at once

        try:
            asked()
        except Unsatisfiable:
            continue  # nothing about this operation can be wrong
        except (FailureGroup, Failure) as problem:
            wrong.append(f"{operation.label}: {problem}")
    return wrong


def test_answers_to_good_requests_are_as_described(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.key('admin')}"}
    assert failures(served, headers, GenerationMode.POSITIVE, EXAMPLES) == []


def test_answers_to_bad_requests_are_as_described(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.key('admin')}"}
    assert failures(served, headers, GenerationMode.NEGATIVE, EXAMPLES) == []


def test_nobody_is_answered_without_a_key(served: Served) -> None:
    assert failures(served, {}, GenerationMode.POSITIVE, 1) == []
    answers = {}
    for path, operations in served.app.openapi()["paths"].items():
        address = re.sub(r"\{\w+\}", "customers", path)
        for method in operations:
            answers[method, path] = (
                served.client(base_url="http://testserver").request(method, address).status_code
            )
    assert answers.pop(("get", "/api/v1/health")) == 200
    assert {one: status for one, status in answers.items() if status != 401} == {}
