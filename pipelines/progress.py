"""How a run tells a person how far it is: bars on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichBars

Advance = Callable[[int], None]


class Progress(Protocol):
    """Shows the steps of a run; everything goes to standard error."""

    def step(self, label: str, total: int | None) -> contextlib.AbstractContextManager[Advance]:
        """Show one step; the block calls the yielded function with units done (of ``total``, if known)."""


def _nothing(units: int) -> None:
    del units


class Silent:
    """Shows nothing."""

    @contextlib.contextmanager
    def step(self, label: str, total: int | None) -> Iterator[Advance]:
        """Do nothing."""
        del label, total
        yield _nothing


class Lines:
    """One line when a step begins: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextlib.contextmanager
    def step(self, label: str, total: int | None) -> Iterator[Advance]:
        """Write the label."""
        del total
        print(label, file=self._stream, flush=True)
        yield _nothing


class Bars:
    """A bar per step, for terminals; a step that is done leaves its line."""

    def __init__(self, bars: RichBars) -> None:
        self._bars = bars

    @contextlib.contextmanager
    def step(self, label: str, total: int | None) -> Iterator[Advance]:
        """Show a bar until the block ends."""
        task = self._bars.add_task(label, total=total)
        yield lambda units: self._bars.advance(task, units)
        done = self._bars.tasks[task].completed or 1
        self._bars.update(task, total=total or done, completed=total or done)


@contextlib.contextmanager
def for_stream(stream: TextIO, *, quiet: bool = False) -> Iterator[Progress]:
    """Yield what suits ``stream``: bars on a terminal, lines in a pipe, nothing when ``quiet``."""
    if quiet:
        yield Silent()
    elif not stream.isatty():
        yield Lines(stream)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(file=stream)) as bars:
            yield Bars(bars)
