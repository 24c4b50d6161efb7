"""The identity of a mapping in use is the same in every process, or each run would standardise all again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
from connectors.compile import Own
from connectors.mapping import digest
numbers = frozenset(f"+4420794600{n}" for n in range(10, 20))
print(digest(Own(phones=numbers, handles=frozenset({"a", "b", "c"}))))
"""


def test_the_digest_does_not_depend_on_the_order_of_sets() -> None:
    root = Path(__file__).parents[2]
    given = {
        subprocess.run(
            [sys.executable, "-c", CODE], cwd=root, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(given) == 1
