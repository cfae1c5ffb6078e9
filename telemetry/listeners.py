"""The sockets that a service listens on."""

import errno
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from telemetry.settings import SettingError

LOOPBACK = "localhost"
"""Every loopback address of the machine: resolvers often know but one, clients try the other."""

_BACKLOG = 2048
_LOOPBACKS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
# What a machine or a container without IPv6 says.
_MISSING = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}

Address = tuple[socket.AddressFamily, Any]
Open = Callable[[socket.AddressFamily, Any], socket.socket]


def listen(host: str, port: int, prefix: str) -> list[socket.socket]:
    """Return a listening socket for each address of `host`; raises SettingError if one fails.

    `prefix` is that of the settings, whose names end in `_HOST` and `_PORT`.
    Of LOOPBACK, an address that the machine does not have is left out, unless it has none.
    """
    return _each(host, port, prefix, _listening)


def bind(host: str, port: int, prefix: str, *, shared: bool) -> list[socket.socket]:
    """Return the same sockets before they listen; raises SettingError, too, if others do there.

    Those that are `shared` may listen beside each other: each gets a part of the connections.
    """
    return _each(host, port, prefix, partial(_bound, shared=shared))


def names(listeners: Sequence[socket.socket]) -> str:
    """Return the addresses of sockets, for the log."""
    return " and ".join(_name(listener.getsockname()) for listener in listeners)


def _listening(family: socket.AddressFamily, address: Any) -> socket.socket:  # noqa: ANN401
    return socket.create_server(address, family=family, backlog=_BACKLOG)


def _bound(family: socket.AddressFamily, address: Any, *, shared: bool) -> socket.socket:  # noqa: ANN401
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _each(host: str, port: int, prefix: str, make: Open) -> list[socket.socket]:
    found: list[socket.socket] = []
    missing = None
    with ExitStack() as opened:
        for family, address in _addresses(host, port, prefix):
            try:
                listener = make(family, address)
            except OSError as error:
                missing = _setting_error(prefix, host, address, error)
                if host == LOOPBACK and error.errno in _MISSING:
                    continue
                raise missing from None
            found.append(opened.enter_context(listener))
        if missing and not found:
            raise missing
        opened.pop_all()
    return found


def _addresses(host: str, port: int, prefix: str) -> Iterator[Address]:
    if host == LOOPBACK:
        yield from ((family, (loopback, port)) for family, loopback in _LOOPBACKS)
        return
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        expected = f"expected an address of this machine or a name of one: {reason}"
        raise SettingError(f"{prefix}_HOST", host, expected) from None
    yield from dict.fromkeys((family, address) for family, _, _, _, address in resolved)


def _setting_error(prefix: str, host: str, address: Any, error: OSError) -> SettingError:  # noqa: ANN401
    reason = f"cannot listen on {_name(address)}: {os.strerror(error.errno or 0)}"
    if error.errno in _MISSING:
        return SettingError(f"{prefix}_HOST", host, reason)
    return SettingError(f"{prefix}_PORT", str(address[1]), reason)


def _name(address: Any) -> str:  # noqa: ANN401  as the socket module types it
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
