"""What the operator may decide about identity; everything else is learned or fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from cdp.errors import UsageError


@dataclass(frozen=True)
class Limit:
    """How many different people may share one value of an identifier type before the value links nobody.

    ``window`` counts only sightings that lie within that time of the value's last sighting; None counts all.
    """

    max_people: int
    window: timedelta | None = None


DEFAULT_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "user_id": Limit(3),
        "external_id": Limit(4),
        "national_id": Limit(4),
        "handle": Limit(3),
        "anonymous_id": Limit(3),
        "device": Limit(4),
        "email": Limit(5),
        "phone": Limit(6),
    }
)
DEFAULT_PRIORITY = (
    "user_id",
    "national_id",
    "external_id",
    "email",
    "handle",
    "phone",
    "anonymous_id",
    "device",
)


@dataclass(frozen=True)
class IdentityPolicy:
    """Rules of one workspace; the defaults serve every data set.

    ``unique``: types of which one customer holds at most one value per namespace (a veto).
    ``threshold``: ``"auto"`` or the match probability from which two clusters may be joined.
    ``ambiguous``: what becomes of a record without a name whose only identifiers belong to several people:
    ``"alone"`` keeps it apart, ``"best"`` gives it to the cluster with most sightings of the value.

    Raises UsageError for a threshold of which no match weight can be made.

    >>> IdentityPolicy(threshold=1)
    Traceback (most recent call last):
    ...
    cdp.errors.UsageError: the threshold is 1
      expected "auto", or a match probability between 0 and 1 (neither of them)
    """

    limits: Mapping[str, Limit] = field(default_factory=lambda: DEFAULT_LIMITS)
    default_limit: Limit = Limit(4)
    priority: tuple[str, ...] = DEFAULT_PRIORITY
    unique: frozenset[str] = frozenset({"user_id"})
    threshold: Literal["auto"] | float = "auto"
    ambiguous: Literal["alone", "best"] = "alone"
    max_cluster: int = 500

    def __post_init__(self) -> None:
        if self.threshold != "auto" and not 0 < self.threshold < 1:
            raise UsageError(
                f"the threshold is {self.threshold}",
                hint='expected "auto", or a match probability between 0 and 1 (neither of them)',
            )

    def limit(self, identifier_type: str) -> Limit:
        """The limit that holds for a type."""
        return self.limits.get(identifier_type) or DEFAULT_LIMITS.get(identifier_type) or self.default_limit

    def rank(self, identifier_type: str) -> int:
        """Place of a type in the order of priority; unknown types come last."""
        known = self.priority
        return known.index(identifier_type) if identifier_type in known else len(known)
