"""Under which names the server answers.

A page of a stranger can have its own name point to this machine (DNS rebinding) and so read what the browser
may read here: such a request carries the stranger's name. Addresses in figures cannot be rebound.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cdp.settings.serving import ServeSettings

_LOCAL: Final = ("localhost",)


def name_of(host: str) -> str:
    """Return the name in a Host header, without port.

    >>> name_of("Shop.example:8700"), name_of("[::1]:8700"), name_of("::1")
    ('shop.example', '::1', '::1')
    """
    host = host.strip().lower()
    if host.startswith("[") and "]" in host:
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else host


@dataclass(frozen=True)
class Hosts:
    """The names that are ours, and the one that stands behind TLS."""

    names: frozenset[str]
    https: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: ServeSettings, bound: Iterable[str] = ()) -> Hosts:
        """Return the names of the settings, this machine's, and those that the server is bound to."""
        public = urlsplit(settings.public_url or "")
        given = {name_of(name) for name in (*_LOCAL, *bound, *settings.hosts, public.netloc) if name}
        return cls(frozenset(given), frozenset({public.netloc.lower()} if public.scheme == "https" else ()))

    def knows(self, host: str) -> bool:
        """Whether a Host header names us.

        >>> Hosts.of(ServeSettings()).knows("localhost:8700"), Hosts.of(ServeSettings()).knows("evil.example")
        (True, False)
        """
        name = name_of(host)
        return name in self.names or _is_address(name)

    def is_https(self, host: str) -> bool:
        """Whether whoever came by this Host header did so over TLS, which a proxy of ours ended."""
        return host.lower() in self.https


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
