"""Which network addresses a destination may have: none of this machine or of a private network, unless allowed."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_METADATA: Final = ipaddress.ip_network("169.254.0.0/16")


class AddressRefusedError(OSError):
    """A host leads to an address that no delivery may go to."""


def resolve(host: str, port: int, *, private: bool) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Return the addresses of a host, to be connected to as they are (a second look-up might differ).

    Raises :class:`AddressRefusedError` where one of them is of this machine or of a private network and
    ``private`` is false; what hands out a cloud machine's credentials (link-local) is always refused.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: list[tuple[socket.AddressFamily, tuple[str, int]]] = [
        (family, (str(place[0]), int(place[1]))) for family, _, _, _, place in found
    ]
    for _, (text, _) in addresses:
        _check(text, private=private)
    return addresses


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def _inner(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to: mapped, NAT64, 6to4, compatible; else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    known = address.ipv4_mapped or address.sixtofour
    if known is not None:
        return known
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _check(text: str, *, private: bool) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    plain = _inner(address)
    if plain.is_link_local or plain.is_multicast or plain.is_unspecified or plain in _METADATA:
        raise AddressRefusedError("the address is link-local, multicast or unspecified")
    if not plain.is_global and not private:
        raise AddressRefusedError("the address is of this machine or of a private network")


def connect(host: str, port: int, *, private: bool, seconds: float) -> socket.socket:
    """Open a connection to the first address of a host that answers."""
    last: OSError = OSError("the host has no address")
    for family, place in resolve(host, port, private=private):
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.settimeout(seconds)
        try:
            opened.connect(place)
        except OSError as error:
            opened.close()
            last = error
        else:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
    raise last
