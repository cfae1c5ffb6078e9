"""A collector's HTTP interface without sockets, and requests of all kinds for it."""

import asyncio
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from collector.app import App
from collector.endpoint import DataEndpoint
from collector.outbox import Outbox
from collector.protocol import Head, Protocol
from collector.publisher import Publisher
from collector.settings import Settings
from collector.tokens import Tokens

STILL = 15
"""Turns of the loop within which something is sent, if anything is."""


class Forgetful(dict[bytes, Head]):
    """Remembers nothing, so that each request goes uvicorn's way."""

    def __setitem__(self, key: bytes, value: Head) -> None:
        """Forget it."""


class Wire:
    """A transport that keeps what was sent, piece by piece."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Keep it, unless the connection is closed."""
        if not self.closed:
            self.sent.append(data)

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def get_extra_info(self, _: str) -> None:
        """Know nothing."""

    def pause_reading(self) -> None:
        """Do nothing: what a test sends has been read already."""

    resume_reading = pause_reading


class Server:
    """A collector without sockets."""

    def __init__(self, directory: Path, heads: dict[bytes, Head]) -> None:
        self.heads = heads
        self.outbox = Outbox(directory / "outbox.db", max_bytes=1 << 30, keep_s=60)
        self.outbox._db.execute("PRAGMA synchronous = OFF")  # many a commit, and no crash here
        publisher = Publisher(self.outbox, lambda *_: 0)
        tokens_file = directory / "tokens"
        tokens_file.write_text("secret 1\n")
        tokens = Tokens.load(str(tokens_file))
        settings = Settings(max_body_bytes=1000)
        self.endpoint = DataEndpoint(self.outbox, tokens, publisher.wait_settled, settings)
        app = App(self.endpoint, self.outbox, publisher)
        self.config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.config.load()
        self.state = ServerState()

    def dial(self) -> tuple[Protocol, Wire]:
        """Open a connection."""
        wire = Wire()
        protocol = Protocol(
            self.endpoint, self.heads, config=self.config, server_state=self.state, app_state={}
        )
        protocol.connection_made(cast("Any", wire))
        return protocol, wire

    async def answers(self, pieces: list[bytes], *, hurry: bool) -> tuple[bytes, bool, int]:
        """Return what comes back on a new connection, whether it is closed, readings accepted.

        In a hurry the pieces come while earlier ones may still wait for their answer.
        """
        before = self.outbox.last
        protocol, wire = self.dial()
        for piece in pieces:
            if not wire.closed:
                protocol.data_received(piece)
            if not hurry:
                await self.rest(wire)
        await self.rest(wire)
        if not wire.closed:
            protocol.connection_lost(None)
        return b"".join(wire.sent), wire.closed, self.outbox.last - before

    async def rest(self, wire: Wire) -> None:
        """Wait until nothing more happens."""
        seen, still = len(wire.sent), 0
        while still < STILL:
            await asyncio.sleep(0)
            still = still + 1 if len(wire.sent) == seen else 0
            seen = len(wire.sent)

    def close(self) -> None:
        """Leave the file."""
        self.outbox.close()


def post(body: bytes, *fields: str, path: str = "/data") -> bytes:
    """Return a POST with these header fields and this body."""
    head = [f"POST {path} HTTP/1.1", "Host: c", "Authorization: Bearer secret", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def reading(sensor: int = 1, value: str = "21.5") -> bytes:
    """Return a reading as JSON; the token is for sensor 1."""
    return b'{"type":"t","value":%b,"sensor_id":%d}' % (value.encode(), sensor)


GOOD = post(reading())
REQUESTS = {
    "good": GOOD,
    "another good one": post(reading(value="22.5")),
    "a shorter good one": post(reading(value="1")),
    "batch": post(b"[" + reading() + b"," + reading() + b"]"),
    "lines": post(reading() + b"\n", "Content-Type: application/x-ndjson"),
    "gzip that is none": post(reading(), "Content-Encoding: gzip"),
    "not JSON, of the same length": post(reading().replace(b"}", b"]")),
    "invalid, of the same length": post(reading(value="true")),
    "another's sensor": post(reading(2)),
    "no body": post(b""),
    "empty batch": post(b"[]"),
    "too large": post(b" " * 1001),
    "another form": post(reading(), "Content-Type: text/plain"),
    "a query": post(reading(), path="/data?ack=committed"),
    "a bad query": post(reading(), path="/data?ack=x"),
    "elsewhere": post(reading(), path="/data/"),
    "expects 100": post(reading(), "Expect: 100-continue"),
    "closes": post(reading(), "Connection: close"),
    "upgrade": post(reading(), "Connection: upgrade", "Upgrade: h2c"),
    "HTTP/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0 to be kept": post(reading(), "Connection: keep-alive").replace(b"1.1", b"1.0"),
    "PUT": GOOD.replace(b"POST", b"PUT"),
    "chunks": b"POST /data HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer secret\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(reading()), reading()),
    "GET": b"GET /healthz HTTP/1.1\r\nHost: c\r\n\r\n",
    "GET /data": b"GET /data HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\n",
    "a request in a body": post(GOOD, "Content-Type: text/plain"),
    "a request in a body that is accepted": post(b'"%b"' % GOOD.replace(b"\r\n", b"  ")),
    "a newline before": b"\r\n" + GOOD,
    "no head": reading(),
    "half a head": GOOD[GOOD.index(b"HTTP") :],
    "both lengths": post(reading(), "Transfer-Encoding: chunked"),
    "no token": GOOD.replace(b"secret", b"sesame"),
}
