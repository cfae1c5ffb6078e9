"""A collector's HTTP interface without sockets, and requests of all kinds for it."""
# ruff: noqa: SLF001  SQLite's own setting

import asyncio
from pathlib import Path
from typing import Any, cast

import uvicorn
from collector.http.fast_path import FastPathProtocol, KnownHead
from uvicorn.server import ServerState

from collector.access.tokens import Tokens
from collector.http.app import App
from collector.http.data import DataEndpoint
from collector.lane import Lane
from collector.settings import Settings
from tests.builders import reading_json

IDLE_TURNS = 15
"""After this many turns of the event loop without output, none is coming."""


class NoHeads(dict[bytes, KnownHead]):
    """Remembers no head, so that every request goes through uvicorn."""

    def __setitem__(self, key: bytes, value: KnownHead) -> None:
        pass


class Wire:
    """A transport that keeps what was sent, piece by piece."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, _: str) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class Server:
    """A collector without sockets."""

    def __init__(self, directory: Path, heads: dict[bytes, KnownHead]) -> None:
        self.heads = heads
        settings = Settings(outbox_path=str(directory / "outbox.db"), max_body_bytes=1000)
        lane = Lane(settings)
        self.outbox = lane.outbox
        self.outbox._db.execute("PRAGMA synchronous = OFF")  # many commits, and no crashes here
        tokens_file = directory / "tokens"
        tokens_file.write_text("secret 1\n")  # good for sensor 1 only
        self.endpoint = DataEndpoint(self.outbox, Tokens.load(str(tokens_file)), settings)
        app = App(self.endpoint, [lane])
        self.config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.config.load()
        self.state = ServerState()

    def dial(self) -> tuple[FastPathProtocol, Wire]:
        wire = Wire()
        protocol = FastPathProtocol(
            self.endpoint, self.heads, config=self.config, server_state=self.state, app_state={}
        )
        protocol.connection_made(cast("Any", wire))
        return protocol, wire

    async def answers(self, pieces: list[bytes], *, hurry: bool) -> tuple[bytes, bool, int]:
        """Return what a new connection sends, whether it is closed, and how many are accepted.

        In a hurry, pieces arrive while earlier requests may still wait for their responses.
        """
        before = self.outbox.last
        protocol, wire = self.dial()
        for piece in pieces:
            if not wire.closed:
                protocol.data_received(piece)
            if not hurry:
                await self.settle_down(wire)
        await self.settle_down(wire)
        if not wire.closed:
            protocol.connection_lost(None)
        return b"".join(wire.sent), wire.closed, self.outbox.last - before

    async def settle_down(self, wire: Wire) -> None:
        """Wait until nothing more is sent."""
        seen, idle = len(wire.sent), 0
        while idle < IDLE_TURNS:
            await asyncio.sleep(0)
            idle = idle + 1 if len(wire.sent) == seen else 0
            seen = len(wire.sent)

    def close(self) -> None:
        self.outbox.close()


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
    "empty batch": post(b"[]"),
    "too large": post(b" " * 1001),
    "another form": post(reading_json(), "Content-Type: text/plain"),
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
    "a request in a body that is accepted": post(b'"%b"' % GOOD.replace(b"\r\n", b"  ")),
    "a newline before": b"\r\n" + GOOD,
    "no head": reading_json(),
    "half a head": GOOD[GOOD.index(b"HTTP") :],
    "both lengths": post(reading_json(), "Transfer-Encoding: chunked"),
    "no token": GOOD.replace(b"secret", b"sesame"),
}
