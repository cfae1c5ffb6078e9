"""A collector's HTTP interface without sockets, and requests of all kinds for it."""
# ruff: noqa: SLF001  SQLite's own setting

import asyncio
import ipaddress
from pathlib import Path
from typing import Any, NamedTuple, cast

import httptools
import uvicorn
from uvicorn.server import ServerState

from collector.access.identities import Identities
from collector.http.app import App
from collector.http.connection import Connection
from collector.http.connections import Connections
from collector.http.data import DataEndpoint
from collector.http.handover import HandOver
from collector.http.limits import Limits
from collector.http.metrics import Metrics
from collector.http.readiness import Readiness
from collector.lane import Lane
from collector.live.live import Live
from collector.outbox.claim import opened
from collector.peers import Peers
from collector.settings import Settings
from tests.builders import reading_json
from tests.identities import LOOPBACK, give

IDLE_TURNS = 15
"""After this many turns of the event loop without output, none is coming."""


class Wire:
    """A transport that keeps what was sent, to a client with an address of its own."""

    _addresses = ipaddress.ip_network("10.0.0.0/8").hosts()

    def __init__(self) -> None:
        self._peer = (str(next(self._addresses)), 1)
        self.sent = b""
        self.closed = False
        self.protocol: asyncio.Protocol
        self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent += data

    def close(self) -> None:
        self.closed = True

    write_eof = abort = close

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return self._peer if name == "peername" else None

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Outcome(NamedTuple):
    """Statuses of the responses, whether the connection is closed, how many were accepted."""

    statuses: list[int]
    closed: bool
    accepted: int


class Server:
    """A collector without sockets, whose only identity is for sensor 1."""

    def __init__(self, directory: Path, limits: Limits, *, max_body_bytes: int = 1000) -> None:
        path = str(directory / "outbox.db")
        settings = Settings(outbox_path=path, max_body_bytes=max_body_bytes)
        give(settings.accounts, {"only": ("secret", ["1"])})
        identities = Identities(settings.accounts, LOOPBACK)
        lane = Lane(opened(Path(settings.outbox_path), settings), settings)
        self.outbox = lane.outbox
        self.outbox._db.execute("PRAGMA synchronous = OFF")  # many commits, and no crashes here
        self.endpoint = DataEndpoint(lane, identities, settings)
        self.connections = Connections(limits)
        live = Live.of(settings)
        peers = Peers()
        metrics = Metrics([lane], self.connections, peers)
        app = App(Readiness([lane], peers), metrics, live.history, self.endpoint.origins)
        config = uvicorn.Config(app, ws="none", log_config=None, lifespan="off")
        config.load()
        self._hand_over = HandOver(live.hub, self.connections, self.endpoint.origins)
        self._uvicorns = {"config": config, "server_state": ServerState(), "app_state": {}}

    def dial(self) -> tuple[Connection, Wire]:
        wire = Wire()
        wire.protocol = connection = Connection(
            self.endpoint, self.connections, self._hand_over, **self._uvicorns
        )
        connection.connection_made(cast("Any", wire))
        return connection, wire

    async def outcome(self, *pieces: bytes, hurry: bool = False) -> Outcome:
        """Return what comes of these pieces on a connection of their own.

        In a hurry, pieces arrive while earlier requests may still wait for their responses.
        """
        before = self.outbox.last
        _, wire = self.dial()
        for piece in pieces:
            if not wire.closed:
                wire.protocol.data_received(piece)
            if not hurry:
                await self.settle_down(wire)
        await self.settle_down(wire)
        wire.protocol.connection_lost(None)
        return Outcome(statuses(wire.sent), wire.closed, self.outbox.last - before)

    async def settle_down(self, wire: Wire) -> None:
        """Wait until nothing more is sent."""
        seen, idle = len(wire.sent), 0
        while idle < IDLE_TURNS:
            await asyncio.sleep(0)
            idle = idle + 1 if len(wire.sent) == seen else 0
            seen = len(wire.sent)

    def close(self) -> None:
        self.outbox.close()


class _Responses:
    """Statuses of the final responses that httptools finds."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() != 100:
            self.statuses.append(self.parser.get_status_code())


def statuses(sent: bytes) -> list[int]:
    """Return the statuses of whole responses, and nothing else, one behind the other."""
    found = _Responses()
    found.parser.feed_data(sent)
    return found.statuses


def post(body: bytes, *fields: str, path: str = "/data") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: c", "Authorization: Bearer secret", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


READING = reading_json()
GOOD = post(READING)
REQUESTS = {
    "good": GOOD,
    "another good one": post(reading_json(value="22.5")),
    "a shorter good one": post(reading_json(value="1")),
    "batch": post(b"[" + reading_json() + b"," + reading_json() + b"]"),
    "lines": post(reading_json() + b"\n", "Content-Type: application/x-ndjson"),
    "gzip that is none": post(reading_json(), "Content-Encoding: gzip"),
    "not JSON, of the same length": post(reading_json().replace(b"}", b"]")),
    "invalid, of the same length": post(reading_json(value="true")),
    "another's sensor": post(reading_json(sensor_id="2")),
    "no body": post(b""),
    "whole body to another path": post(READING, path="/healthz"),
    "empty batch": post(b"[]"),
    "too large": post(b" " * 1001),
    "another form": post(reading_json(), "Content-Type: text/plain"),
    "from a foreign page": post(reading_json(), "Origin: http://evil.example"),
    "a foreign preflight": post(b"", "Origin: null").replace(b"POST", b"OPTIONS"),
    "unknown token": post(reading_json(), "Authorization: Bearer wrong"),
    "a query": post(reading_json(), path="/data?ack=committed"),
    "a bad query": post(reading_json(), path="/data?ack=x"),
    "elsewhere": post(reading_json(), path="/data/"),
    "expects 100": post(reading_json(), "Expect: 100-continue"),
    "closes": post(reading_json(), "Connection: close"),
    "upgrade": post(reading_json(), "Connection: upgrade", "Upgrade: h2c"),
    "HTTP/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0 to be kept": post(reading_json(), "Connection: keep-alive").replace(b"1.1", b"1.0"),
    "PUT": GOOD.replace(b"POST", b"PUT"),
    "chunks": b"POST /data HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer secret\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(READING), READING),
    "GET": b"GET /healthz HTTP/1.1\r\nHost: c\r\n\r\n",
    "GET /data": b"GET /data HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\n",
    "a request in a body": post(GOOD, "Content-Type: text/plain"),
    "a request in a body that is a string": post(b'"%b"' % GOOD.replace(b"\r\n", b"  ")),
    "a newline before": b"\r\n" + GOOD,
    "no head": reading_json(),
    "half a head": GOOD[GOOD.index(b"HTTP") :],
    "both lengths": post(reading_json(), "Transfer-Encoding: chunked"),
    "no token": GOOD.replace(b"secret", b"sesame"),
}
