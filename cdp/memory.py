"""How a process that works through large tables starts and holds its memory."""

from __future__ import annotations

import ctypes
import sys
from importlib.abc import MetaPathFinder

# Parameters of mallopt(3).
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE = 2 << 20


def give_back_early() -> None:
    """Return large blocks to the system as soon as they are free, Arrow's too.

    Arrow keeps what it frees in a pool of its own, and glibc raises, with each large block that is freed, the size
    from which on it returns blocks. Where tables come and go this costs a fifth of the peak. Without effect where
    the C library is another one.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, 2)


def leave_pandas_out() -> None:
    """Let Arrow work without pandas, for processes that never meet it.

    Arrow looks for pandas the first time that it is given Python values, and so loads it: a fifth of a CPU-second.
    It remembers that there was none; where pandas is asked for later, it is found all the same.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    nothing = _NoPandas()
    sys.meta_path.insert(0, nothing)
    try:
        for values in ([], [""]):  # each of two ways looks once
            pa.array(values)
    finally:
        sys.meta_path.remove(nothing)


class _NoPandas(MetaPathFinder):
    """Hides pandas from who looks for it."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)
