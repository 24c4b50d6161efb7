"""Identity resolution as a pure library: tables in, tables out; no files, clock or network.

``resolve`` is the one call of the pipeline; ``IdentityPolicy`` holds what an operator may decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from identity.policy import IdentityPolicy
    from identity.resolution import Resolution, resolve

__all__ = ["IdentityPolicy", "Resolution", "resolve"]


def __getattr__(name: str) -> Any:
    """Import numpy and the engine only when they are used."""
    if name in ("resolve", "Resolution"):
        from identity import resolution

        return getattr(resolution, name)
    if name == "IdentityPolicy":
        from identity.policy import IdentityPolicy

        return IdentityPolicy
    raise AttributeError(f"module 'identity' has no attribute {name!r}")
