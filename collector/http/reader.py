"""Bytes to requests: where a head ends, where a body ends, and nothing of sockets."""

from collections.abc import Callable
from http import HTTPStatus

from collector.http.body import Body
from collector.http.head import END, Head, parse
from collector.http.problem import Problem

# Before a head has been read.
NO_HEAD = Head("", "", b"", [], length=0, keep_alive=False, expects_continue=False)


class Reader:
    """Takes requests one by one off what has arrived on a connection.

    What has arrived waits until it is a whole head.
    """

    def __init__(self, head_bytes: int) -> None:
        self.head = NO_HEAD
        """Of the newest request."""
        self._head_bytes = head_bytes
        self._buffer = b""
        self._body: Body | None = None

    @property
    def is_in_head(self) -> bool:
        return self._body is None and bool(self._buffer)

    @property
    def is_in_body(self) -> bool:
        return self._body is not None

    @property
    def held_bytes(self) -> int:
        """How much has arrived and waits for the rest of its request, or for its turn."""
        return len(self._buffer) + (len(self._body.content) if self._body else 0)

    def clear(self) -> None:
        """Drop everything: what is left of an ended connection may stay in memory for long."""
        self.head, self._buffer = NO_HEAD, b""
        if self._body is not None:
            _take(self._body)
            self._body = None

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._buffer = self._buffer + data if self._buffer else data

    def next(self, admit: Callable[[Head], Body]) -> tuple[Head, bytes] | None:
        """Return the next request with its body, None while it is not complete.

        For a body that has not arrived with its head, `admit` returns the Body to fill; it raises
        Problem if the request is refused without it.

        Raises Problem for what is no request, or is refused without its body: nothing that arrives
        afterwards can be understood.
        """
        if self._body is not None:
            return self._fill(self._body)
        data = self._buffer
        if not data:
            return None
        if data[0] in b"\r\n":  # some clients end a body with an empty line
            data = self._buffer = data.lstrip(b"\r\n")
        end = data.find(END) + len(END)
        if end < len(END) or end > self._head_bytes:
            self._check_beginning(data)
            return None
        self.head = head = parse(data[:end])
        if head.length is None or end + head.length > len(data):
            self._buffer = data[end:]
            self._body = admit(head)
            return self._fill(self._body)
        self._buffer = data[end + head.length :]
        return head, data[end : end + head.length]

    def _check_beginning(self, data: bytes) -> None:
        if len(data) > self._head_bytes:
            detail = f"the head is larger than {self._head_bytes} bytes"
            raise Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
        if data and not data[:1].isalpha():
            raise Problem(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request")

    def _fill(self, body: Body) -> tuple[Head, bytes] | None:
        rest = body.feed(self._buffer)
        if rest is None:
            self._buffer = b""
            return None
        self._buffer, self._body = rest, None
        return self.head, bytes(_take(body))


def _take(body: Body) -> bytearray:
    """Return the content of a body, which then lets go of it: its parser may keep it alive."""
    content, body.content = body.content, bytearray()
    return content
