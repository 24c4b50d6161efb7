"""Compiled loops over flat arrays, one self-contained file per subject.

``identity.warm`` resolves a little with each of them, so that set-up pays for the compilation and no user's run does.
Compiled code is kept by file: a kernel calls kernels of its own file only, but for ``strings``, whose hash its users
carry. Arrays come singly, contiguous, of exactly one type; weights are integers. ``NUMBA_BOUNDSCHECK=1`` checks every
index.
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
