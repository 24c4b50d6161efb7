"""Laws whose examples are dear: `make test` tries a few, this campaign ten times as many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "tests/unit/test_connectors_laws.py",
    "tests/unit/test_times.py",
    "tests/oracle/test_identity_levels.py",
    "tests/oracle/test_segments.py",
    "tests/properties/test_collector_laws.py",
    "tests/properties/test_compaction_laws.py",
    "tests/properties/test_identity_encode_laws.py",
    "tests/properties/test_identity_incremental.py",
    "tests/properties/test_identity_judged.py",
    "tests/properties/test_identity_laws.py",
    "tests/properties/test_landing_laws.py",
    "tests/properties/test_measures_laws.py",
    "tests/properties/test_masking_forms.py",
    "tests/properties/test_sandbox_fuzz.py",
    "tests/properties/test_shop_payloads.py",
    "tests/properties/test_tail_laws.py",
    "tests/properties/test_profile_index_laws.py",
    "tests/properties/test_segment_history_laws.py",
    "tests/properties/test_warehouse_laws.py",
)


@pytest.mark.parametrize("file", FILES)
def test_laws_hold_for_many_more_examples(file: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not soak", file],
        cwd=ROOT,
        env={**os.environ, "HYPOTHESIS_PROFILE": "long"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
