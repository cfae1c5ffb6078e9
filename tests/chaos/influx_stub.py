"""A reverse proxy in front of InfluxDB that responds by itself, is slow or drops responses."""

import contextlib
import gzip
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal, NamedTuple

from tests.stack import wait_for


class Answer(NamedTuple):
    """A response that the stub gives by itself."""

    status: int
    content: bytes = b""
    content_type: str = "text/plain"


class Slow(NamedTuple):
    """Writes of more than `points` get no response for `seconds`, and are not forwarded."""

    points: int
    seconds: float


Mode = Literal["pass", "drop"] | Answer | Slow
UPSTREAM_TIMEOUT_S = 30
NOT_FORWARDED = {"host", "connection", "content-length"}
RETURNED = {"content-type", "content-encoding", "x-influxdb-error", "x-influxdb-version"}


class InfluxStub:
    """Listens on `port` and forwards to the InfluxDB on port `upstream`.

    `mode` affects writes only: `"pass"` forwards them; with an Answer, the stub responds with it
    and writes nothing; `"drop"` forwards the write and closes the connection instead of responding.
    `written` counts how often each line that begins with `counted` is forwarded to InfluxDB.
    """

    def __init__(self, *, port: int, upstream: int) -> None:
        self.port = port
        self.mode: Mode = "pass"
        self.responses: Counter[str] = Counter()
        self.counted = b""
        self.written: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._writes = 0
        self.upstream = upstream
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pass_through(self) -> None:
        self.mode = "pass"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let no write through while the block runs; it begins when none is on its way."""
        mode, self.mode = self.mode, Answer(503)
        try:
            wait_for(lambda: not self._writes, what="no write on its way")
            yield
        finally:
            self.mode = mode

    @contextlib.contextmanager
    def write(self, lines: list[bytes]) -> Iterator[Mode]:
        """Note a write while the block runs; gives what to do with it."""
        with self._lock:
            self._writes += 1
        try:
            mode = self.mode
            if self.counted and isinstance(mode, str):
                with self._lock:
                    self.written.update(ln for ln in lines if ln.startswith(self.counted))
            yield mode
        finally:
            with self._lock:
                self._writes -= 1

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """Return InfluxDB's status, headers and content; OSError when it does not respond."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream)
        upstream.timeout = UPSTREAM_TIMEOUT_S
        try:
            upstream.request(method, path, body or None, headers)
            response = upstream.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            upstream.close()


class _Handler(BaseHTTPRequestHandler):
    stub: ClassVar[InfluxStub]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._forward(b"")

    def do_HEAD(self) -> None:
        self._forward(b"")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # incomplete: InfluxDB would not write it either
            self.close_connection = True
            return
        if self.path.startswith("/write"):
            self._write(body)
        else:
            self._forward(body)

    def _write(self, body: bytes) -> None:
        is_gzip = self.headers.get("Content-Encoding") == "gzip"
        lines = (gzip.decompress(body) if is_gzip else body).splitlines()
        with self.stub.write(lines) as mode:
            match mode:
                case Answer(status, content, content_type):
                    self.stub.responses[str(status)] += 1
                    headers = {"Content-Type": content_type}
                    again = {"Retry-After": "1"} if status == 429 else {}
                    self._respond(status, headers | again, content)
                case Slow(points, seconds) if len(lines) > points:
                    time.sleep(seconds)
                    self.stub.responses["slow"] += 1
                    self.close_connection = True
                case _:
                    self._forward(body, drop=mode == "drop")

    def _forward(self, body: bytes, *, drop: bool = False) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_FORWARDED}
        try:
            status, fields, content = self.stub.forward(self.command, self.path, body, headers)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # InfluxDB is down, so the stub looks down too
            return
        self.stub.responses["dropped" if drop else str(status)] += 1
        if drop:
            self.close_connection = True
            return
        returned = {k: v for k, v in fields.items() if k.lower() in RETURNED}
        self._respond(status, returned, content)

    def _respond(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle(self) -> None:
        # A bridge that was killed leaves a connection that fails when written to.
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Log nothing: `responses` counts the requests."""
