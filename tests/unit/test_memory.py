"""How a process that works through large tables starts."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from cdp.memory import leave_pandas_out
leave_pandas_out()
import pyarrow as pa
table = pa.table({"a": pa.array(["x", None])})
assert "pandas" not in sys.modules
assert table.to_pandas()["a"].tolist()[0] == "x"
leave_pandas_out()
import pandas
print(pa.array(pandas.Series([1, 2])).to_pylist())
"""


def test_arrow_works_without_pandas_and_finds_it_when_it_is_asked_for():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[1, 2]\n"), done.stderr
