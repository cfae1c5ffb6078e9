"""The address of a sender, as far as one sender can be told from another by it."""

import ipaddress

_NETWORK_BITS = 64  # a sender with IPv6 has all addresses of such a network


def address_of(peer: tuple[str, int] | tuple[str, int, int, int] | None) -> str:
    """Return the address of a socket's peer; of IPv6, its network. "" is none."""
    if peer is None:
        return ""
    host = peer[0].partition("%")[0]
    if ":" not in host or is_loopback(host):
        return host
    return str(ipaddress.IPv6Network((host, _NETWORK_BITS), strict=False))


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's."""
    return address.startswith("127.") or address == "::1"
