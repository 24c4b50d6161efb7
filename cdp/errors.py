"""Exceptions, grouped by what the reader of the message should do.

Bad *data* are values (outcomes with a reason), never exceptions: an exception here always speaks
to the person or program that called. Every message says what was given, what was expected, the
nearest known name where there is one, and the next command.
"""

from __future__ import annotations

from collections.abc import Iterable


class CdpError(Exception):
    """Base of every error that cdp raises on purpose; ``exit_status`` is what the command returns."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(CdpError):
    """The call or the configuration is wrong: correct it and call again."""

    exit_status = 2


class ConfigError(UsageError):
    """``cdp.yaml`` is wrong; the message names the line."""


class NotFoundError(CdpError):
    """What was asked for is not there (a customer, a release, a source)."""


class LockedError(CdpError):
    """Another run holds the workspace: wait for it, or look at the process that is named."""


class ConflictError(CdpError):
    """Somebody else has changed the same thing meanwhile: look at it, and make the change once more."""


class CorruptError(CdpError):
    """A file that the ledger lists is missing or is not what was written: restore it from a backup."""


class RunFailedError(CdpError):
    """A run ended without success; what had been committed stays, the next run goes on from there."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to ``name``, or None where none is close.

    >>> nearest("segmnt", ["segment", "sendgrid"])
    'segment'
    >>> nearest("zzz", ["segment", "sendgrid"]) is None
    True
    """
    import difflib

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
