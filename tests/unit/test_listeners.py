"""Where the collector listens: each address of its host, without what the machine does not have."""

import errno
import os
import socket
from collections.abc import Callable

import pytest

from telemetry.listeners import LOOPBACK, listen, names
from telemetry.settings import SettingError
from tests.service import free_port

create_server = socket.create_server


def failing(
    monkeypatch: pytest.MonkeyPatch, *families: socket.AddressFamily, code: int
) -> list[socket.socket]:
    """Make these families fail; return the sockets of the others, as they are made."""
    made = []

    def create(_: tuple[str, int], *, family: int, backlog: int) -> socket.socket:
        if family in families:
            raise OSError(code, os.strerror(code))
        made.append(create_server(("127.0.0.1", 0), backlog=backlog))
        return made[-1]

    monkeypatch.setattr(socket, "create_server", create)
    return made


def closing(found: list[socket.socket]) -> list[socket.socket]:
    for listener in found:
        listener.close()
    return found


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_loopback_address_that_the_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, code: int
) -> None:
    failing(monkeypatch, family, code=code)
    assert len(closing(listen(LOOPBACK, free_port(), "COLLECTOR"))) == 1


def test_control_with_both_there_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, code=0)
    assert len(closing(listen(LOOPBACK, free_port(), "COLLECTOR"))) == 2


def test_without_any_loopback_address_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, socket.AF_INET, socket.AF_INET6, code=errno.EADDRNOTAVAIL)
    with pytest.raises(SettingError, match="COLLECTOR_HOST='localhost': cannot listen on"):
        listen(LOOPBACK, free_port(), "COLLECTOR")


def test_a_port_in_use_closes_the_other_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    made = failing(monkeypatch, socket.AF_INET6, code=errno.EADDRINUSE)
    with pytest.raises(SettingError, match=r"COLLECTOR_PORT='1337': cannot listen on \[::1\]:1337"):
        listen(LOOPBACK, 1337, "COLLECTOR")
    assert [listener.fileno() for listener in made] == [-1]


def resolving_to(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    def getaddrinfo(_: str, port: int, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


def test_every_address_of_a_name_is_listened_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = resolving_to("127.0.0.1", "127.0.0.2", "127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = free_port()
    found = listen("collector.example", port, "COLLECTOR")
    assert names(found) == f"127.0.0.1:{port} and 127.0.0.2:{port}"
    closing(found)


def test_an_address_of_a_name_that_is_not_of_this_machine_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = resolving_to("127.0.0.1", "192.0.2.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(SettingError, match=r"cannot listen on 192\.0\.2\.1:"):
        listen("collector.example", free_port(), "COLLECTOR")
