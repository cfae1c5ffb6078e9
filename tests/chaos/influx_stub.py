"""A reverse proxy in front of InfluxDB that responds wrongly, or stores and drops the response."""

import http.client
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal

Mode = Literal["pass", "drop", 401, 429, 500, 503]
UPSTREAM_TIMEOUT_S = 30
NOT_FORWARDED = {"host", "connection", "content-length", "accept-encoding"}
RETURNED = {"content-type", "x-influxdb-error", "x-influxdb-version"}


class InfluxStub:
    """Listens on `port` and forwards to the InfluxDB on port `upstream`.

    `mode` affects writes only: `"pass"` forwards them; with a status, the stub responds with it
    and writes nothing; `"drop"` forwards the write and closes the connection instead of responding.
    """

    def __init__(self, *, port: int, upstream: int) -> None:
        self.port = port
        self.mode: Mode = "pass"
        self.responses: Counter[str] = Counter()
        self.upstream = upstream
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pass_through(self) -> None:
        self.mode = "pass"

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
        mode = self.stub.mode if self.path.startswith("/write") else "pass"
        if isinstance(mode, int):
            self.stub.responses[str(mode)] += 1
            self._respond(mode, {"Retry-After": "1"} if mode == 429 else {}, b"")
        else:
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
