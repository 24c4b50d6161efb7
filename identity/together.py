"""Independent parts of one procedure, by two threads: kernels, numpy and Arrow let go of the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")
THREADS = 2


def both(first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
    """The results of two calls that do not depend on each other; the second runs here.

    >>> both(lambda: 1, lambda: "one")
    (1, 'one')
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first)
        here = second()
        return waiting.result(), here


def each(tasks: Iterable[Callable[[], T]]) -> list[T]:
    """The results of calls that do not depend on each other, in their order; the longest should come first.

    >>> each([lambda: 1, lambda: 2])
    [1, 2]
    """
    with ThreadPoolExecutor(THREADS) as pool:
        return [waiting.result() for waiting in [pool.submit(task) for task in tasks]]
