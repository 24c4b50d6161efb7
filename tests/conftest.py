"""What all tests share: where the shared data are, how hard Hypothesis tries, which tests run when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Larger test data, kept beside the checkout and not in it."""

EXAMPLES = 20
"""How many examples Hypothesis tries in `make test` where a test does not say otherwise."""

settings.register_profile("default", max_examples=EXAMPLES, deadline=None)
settings.register_profile(
    "ci", parent=settings.get_profile("default"), derandomize=True, print_blob=True, database=None
)
settings.register_profile(
    "soak", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("long", settings.get_profile("soak"), max_examples=10 * EXAMPLES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def examples(number: int) -> settings:
    """Return settings for a dear law: ``number`` examples in `make test`, in proportion more in `make soak`.

    Its file is to be named in tests/soak/test_dear_laws.py.
    """
    return settings(max_examples=max(number, number * settings.default.max_examples // EXAMPLES))


def thinned(cases: Iterable[Any], keep: Callable[[Any], bool]) -> list[Any]:
    """Return all cases of a test, those not to ``keep`` in `make test` marked for `make soak` alone."""
    return [case if keep(case) else _for_soak(case) for case in cases]


def _for_soak(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.soak)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of the shared data; a test that asks for it is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip("the shared test data (../shared, beside the checkout) are not here")
    return SHARED


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own settings and any telemetry away from the tests."""
    for name in [name for name in os.environ if name.startswith("CDP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")
