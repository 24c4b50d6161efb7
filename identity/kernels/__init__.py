"""Compiled loops over flat arrays, one self-contained file per subject.

Every file has a ``warm`` that calls each of its kernels once with the types used in production, so that
set-up pays for the compilation and no user's run does.
"""

from __future__ import annotations

import sys
from importlib import import_module


def _without_blas() -> None:
    """Load numba's arithmetic of arrays without scipy.

    numba looks whether there is a BLAS by importing scipy.linalg, which costs a third of a CPU-second in every
    process. No kernel here multiplies matrices.
    """
    if "scipy.linalg" not in sys.modules and "numba.np.arraymath" not in sys.modules:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
        try:
            import_module("numba.np.arraymath")
        finally:
            del sys.modules["scipy.linalg"]


_without_blas()
