"""Connections to the collector that are opened and not used, or used by half."""

import contextlib
import random
import socket

from tests.chaos.fault import Heal
from tests.chaos.rig import Rig

CONNECTIONS = 300
HEAD = b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BEGINNINGS = (
    b"",
    b"PO",
    HEAD,
    HEAD + b"Content-Length: 100\r\n\r\n",
    HEAD + b'Content-Length: 100\r\n\r\n{"type":',
    HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b",
    HEAD + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n{",
)


def hanging_connections(rig: Rig, _: random.Random) -> Heal:
    """Open hundreds of connections, send less than a request on each; the load must go on."""
    rig.collector.wait_ready()
    address = ("127.0.0.1", rig.collector.port)
    with contextlib.ExitStack() as opened:
        for number in range(CONNECTIONS):
            connection = opened.enter_context(socket.create_connection(address, timeout=10))
            with contextlib.suppress(OSError):  # the collector may close what it has enough of
                connection.sendall(BEGINNINGS[number % len(BEGINNINGS)])
        assert rig.collector.is_ready(), f"no response beside {CONNECTIONS} connections"
        rig.device_proxy.reset()  # the devices, too, have to connect beside them
        rig.wait_acknowledged(30)
        return opened.pop_all().close
