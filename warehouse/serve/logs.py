"""What the server's process logs, and what it never does: messages of errors, which may quote personal data."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

from warehouse.serve.failures import LOGGED, places

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlacesFormatter(logging.Formatter):
    """Writes of an error its class and the lines of code where it arose."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """Return the places of an error."""
        return places(ei[1]) if ei[1] is not None else ""

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """Return nothing: lines of a stack show code, and code shows nothing that is not in the places."""
        del stack_info
        return ""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an error has not been written down already, with its id."""
    error = record.exc_info[1] if record.exc_info else None
    return LOGGED not in getattr(error, "__notes__", ())


def set_up(*, quiet: bool) -> None:
    """Have everything that this process logs go to standard error; ``quiet`` leaves out the lines of requests."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlacesFormatter(_FORMAT))
    handler.addFilter(_is_news)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("cdp.serve", "cdp.access"):
        logging.getLogger(name).setLevel(logging.WARNING if quiet else logging.INFO)
