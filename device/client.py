"""The collector over HTTP: a response, or in a few words why there is none."""

import io
import select
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected

from device.addresses import Address, Addresses
from device.responses import Response, detail, retry_after
from device.tls import Tls, TlsError

TIMEOUT_S = 10.0
MAX_RESPONSE = 1 << 20  # bytes, headers included
MAX_TEXT = 1 << 16  # bytes of the body
# What the collector says, with 400, to HTTP without TLS where it expects TLS.
EXPECTS_TLS = "this port speaks HTTPS"


class CollectorClient:
    """HTTP client of the collector at `host`:`port`, with one persistent connection."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str | None = None,
        tls: Tls | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """Prepare to connect; `timeout` is for the connection, the request and the response."""
        self._headers = {"Content-Type": "application/json", "User-Agent": "device"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._addresses = Addresses(host, port)
        self._connection = _Connection(host, port, self._addresses, tls, timeout)

    def post(self, readings: Sequence[str]) -> Response:
        """Post one reading as an object, several as an array.

        No failure raises: it is returned as a response without status.
        """
        body = readings[0] if len(readings) == 1 else f"[{','.join(readings)}]"
        try:
            self._close_if_stale()
            self._connection.request("POST", "/data", body.encode(), self._headers)
            return self._read(self._connection.getresponse())
        except (OSError, HTTPException, ValueError) as error:
            self._leave()
            return Response(None, self._reason(error))

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()

    def _close_if_stale(self) -> None:
        """Close a connection that the collector has closed; the request opens another one.

        Nothing is due on an idle connection, so what can be read is its end.
        """
        connection = self._connection.sock
        if connection is None:
            return
        if select.select([connection], [], [], 0)[0]:
            self.close()
        else:
            connection.settimeout(self._timeout)

    def _leave(self) -> None:
        """Let the next request go to another address, if there is one."""
        self._addresses.failed()
        self.close()

    def _read(self, response: HTTPResponse) -> Response:
        with response:
            try:
                text = response.read(MAX_TEXT).decode(errors="replace")
            except (OSError, HTTPException, ValueError):
                text = ""  # the status says what became of the readings
            if not response.isclosed():  # the rest of the body, or of the time, is left
                self.close()
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._leave()
        if response.status == HTTPStatus.BAD_REQUEST and detail(text).startswith(EXPECTS_TLS):
            # It has not looked at the readings, and takes them once they are sent by TLS.
            return Response(None, f"{EXPECTS_TLS}: see --tls")
        wait = retry_after(response.getheader("Retry-After"), datetime.now(UTC))
        return Response(response.status, text or response.reason, wait)

    def _reason(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"no answer in {self._timeout:g} s"
            case RemoteDisconnected():
                return "the connection was closed"
            case TlsError():
                return str(error)
            case OSError(strerror=str(text)):
                return text.lower()
            case _:
                return "the answer is not HTTP"


class _Connection(HTTPConnection):
    """A connection to the first of the addresses that works, TLS included."""

    def __init__(
        self, host: str, port: int, addresses: Addresses, tls: Tls | None, timeout: float
    ) -> None:
        super().__init__(host.removeprefix("[").removesuffix("]"), port, timeout=timeout)
        self.response_class = _Response
        self._addresses = addresses
        self._tls = tls
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = self._addresses.connect(self._seconds, self._open)
        self.sock.settimeout(self._seconds)

    def _open(self, address: Address, seconds: float) -> socket.socket:
        connection = socket.create_connection(address, seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(connection) if self._tls else connection


class _Incoming(io.RawIOBase):
    """What arrives for one response: it ends after MAX_RESPONSE bytes, and at a deadline.

    http.client bounds neither its headers nor the time that a byte now and then may take.
    """

    def __init__(self, connection: socket.socket) -> None:
        """Begin to read; the connection's timeout in seconds is that of the whole response."""
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + (connection.gettimeout() or 0)
        self._left = MAX_RESPONSE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what is there into a BufferedReader's memory; TimeoutError after the deadline."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining)
        number = self._raw.readinto(buffer[: self._left]) or 0
        self._left -= number
        return number

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A response that is read within bounds."""

    def __init__(self, sock: socket.socket, *, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        self.fp.close()
        self.fp = io.BufferedReader(_Incoming(sock))
