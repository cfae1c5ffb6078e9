"""A reverse proxy in front of InfluxDB that answers wrongly, or stores and says nothing."""

import http.client
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal

Mood = Literal["pass", "lose", 401, 429, 500, 503]
UPSTREAM_TIMEOUT_S = 30
NOT_PASSED_ON = {"host", "connection", "content-length"}
PASSED_BACK = {"content-type", "x-influxdb-error", "x-influxdb-version"}


class InfluxStub:
    """Stands on `port` before the InfluxDB on `upstream`.

    Its mood concerns writes alone: `"pass"` is honest; a number is the answer, and nothing is
    written; `"lose"` writes, waits for the 204 and then cuts the connection in its place.
    """

    def __init__(self, *, port: int, upstream: int) -> None:
        """Listen at once; `start` serves."""
        self.port = port
        self.mood: Mood = "pass"
        self.answers: Counter[str] = Counter()
        self.upstream = upstream
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        """Serve on a thread."""
        self._thread.start()

    def be_honest(self) -> None:
        """Pass everything on again."""
        self.mood = "pass"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """Return InfluxDB's status, headers and content; OSError when it does not answer."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream)
        upstream.timeout = UPSTREAM_TIMEOUT_S
        try:
            upstream.request(method, path, body or None, headers)
            response = upstream.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            upstream.close()


class _Handler(BaseHTTPRequestHandler):
    """One connection of the bridge."""

    stub: ClassVar[InfluxStub]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Pass on."""
        self._pass_on(b"")

    def do_HEAD(self) -> None:
        """Pass on."""
        self._pass_on(b"")

    def do_POST(self) -> None:
        """Do to a write what the mood says; pass on the rest."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # torn: InfluxDB would not write it either
            self.close_connection = True
            return
        mood = self.stub.mood if self.path.startswith("/write") else "pass"
        if isinstance(mood, int):
            self.stub.answers[str(mood)] += 1
            self._answer(mood, {"Retry-After": "1"} if mood == 429 else {}, b"")
        else:
            self._pass_on(body, lose=mood == "lose")

    def _pass_on(self, body: bytes, *, lose: bool = False) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED_ON}
        try:
            status, fields, content = self.stub.forward(self.command, self.path, body, headers)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # InfluxDB is away: so is whoever stands before it
            return
        self.stub.answers["lost" if lose else str(status)] += 1
        if lose:
            self.close_connection = True
            return
        kept = {k: v for k, v in fields.items() if k.lower() in PASSED_BACK}
        self._answer(status, kept, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle(self) -> None:
        """Serve the connection; a client that was killed has no use for an answer."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Keep quiet: `answers` counts them."""
