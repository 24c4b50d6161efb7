"""What a caller may do, and who callers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cdp.errors import UsageError, nearest

READ: Final = "read"
READ_PII: Final = "read-pii"
SEGMENTS: Final = "segments"
IDENTITY: Final = "identity"
ADMIN: Final = "admin"

SCOPES: Final[Mapping[str, str]] = {
    READ: "read profiles, history, segments and quality; personal data come masked",
    READ_PII: "see personal data unmasked",
    SEGMENTS: "make and change segments, and export their members",
    IDENTITY: "say which records are one person, or are not",
    ADMIN: "everything, keys and the audit log included",
}
# A scope that cannot be used without another one brings it along.
_BRINGS: Final[Mapping[str, tuple[str, ...]]] = {
    READ_PII: (READ,),
    SEGMENTS: (READ,),
    IDENTITY: (READ,),
    ADMIN: (READ, READ_PII, SEGMENTS, IDENTITY),
}


def scopes(names: Iterable[str]) -> frozenset[str]:
    """Return the scopes of these names with what they bring along. Raises :class:`UsageError`.

    >>> sorted(scopes(["segments"]))
    ['read', 'segments']
    """
    found: set[str] = set()
    for name in names:
        if name not in SCOPES:
            close = nearest(name, SCOPES)
            hint = f"Did you mean {close!r}?" if close else f"Known: {', '.join(SCOPES)}."
            raise UsageError(f"There is no scope {name!r}.", hint=hint)
        found |= {name, *_BRINGS.get(name, ())}
    return frozenset(found)


@dataclass(frozen=True)
class Caller:
    """Who asks: an API key, or a session of the pages that began with one."""

    key_id: str
    name: str
    scopes: frozenset[str]
    csrf_token: str | None = None
    """Of a session: what its forms must send along. None for an API key, which no browser sends by itself."""
    requests_per_minute: int | None = None
    """Of a key with a limit of its own."""

    def may(self, scope: str) -> bool:
        """Whether the caller has a scope."""
        return scope in self.scopes

    @property
    def sees_personal_data(self) -> bool:
        """Whether personal data come unmasked."""
        return READ_PII in self.scopes
