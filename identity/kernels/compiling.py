"""How kernels of pairs are compiled.

They allocate nothing, and so need no counts of references to arrays, which took a third of the time where a kernel
calls many small measures. The option is numba's own, not public: numba is pinned to its minor version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def pairwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that allocates nothing, once for this machine."""
    compiled: Callable[..., Any] = numba.njit(cache=True, **_OPTIONS)(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a part of kernels into those that use it."""
    compiled: Callable[..., Any] = numba.njit(inline="always", **_OPTIONS)(function)
    return compiled
