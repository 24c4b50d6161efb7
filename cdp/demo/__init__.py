"""The demo: a seeded generator of people and of their traffic in real wire formats.

:func:`generate` makes a workspace of a made-up shop whose customers live in ten countries; it also
grows to benchmark sizes. Importing this package is not free: commands import it where they use it.
"""

from __future__ import annotations

from cdp.demo.generator import generate
from cdp.demo.report import DemoReport, SourceReport

__all__ = ["DemoReport", "SourceReport", "generate"]
