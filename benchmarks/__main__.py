"""``python -m benchmarks``: every benchmark in turn; options are those of ``benchmarks.stages``."""

from __future__ import annotations

from benchmarks import stages

if __name__ == "__main__":
    stages.main()
