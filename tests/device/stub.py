"""An HTTP server in place of the collector, with scripted faults."""

import json
import ssl
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from threading import Event, Thread
from typing import Any, Self

from tests.service import free_port


@dataclass
class Reply:
    """A response; with `cut` the connection is closed instead, with `silent` nothing is sent."""

    status: int = 201
    text: str = "Created"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


@dataclass
class Request:
    """A received request; `body` is the decoded JSON."""

    body: Any
    headers: dict[str, str]
    path: str
    peer: tuple[str, int]

    @property
    def readings(self) -> list[dict[str, Any]]:
        return self.body if isinstance(self.body, list) else [self.body]


class Stub:
    """Replies to each request with the next of `script`, then with 201.

    After the script, a request with a reading of sensor `bad` gets 422. The readings of requests
    answered with 201 after the script are in `accepted`. With the files of a `certificate` and its
    key it speaks TLS.
    """

    def __init__(
        self,
        *script: Reply,
        bad: int | None = None,
        port: int | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.script = list(script)
        self.bad = bad
        self.certificate = certificate
        self.requests: list[Request] = []
        self.accepted: list[dict[str, Any]] = []
        self.ending = Event()

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.script:
            return self.script.pop(0)
        if self.bad is not None and any(one["sensor_id"] == self.bad for one in request.readings):
            return Reply(422, '{"title":"sensor_id: not wanted"}')
        self.accepted += request.readings
        return Reply()

    def __enter__(self) -> Self:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                received = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                peer = (str(self.client_address[0]), int(self.client_address[1]))
                reply = stub.reply(Request(json.loads(received), headers, self.path, peer))
                if reply.silent:
                    stub.ending.wait()
                if reply.silent or reply.cut:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                body = reply.text.encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(
                self, request: socket | tuple[bytes, socket], client_address: object
            ) -> None:
                if not isinstance(sys.exception(), ssl.SSLError):  # which is the client's concern
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", self.port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            # The handshake is for the thread of each connection: it may fail, or take long.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
