"""HTTP connections with a fast path for readings: uvicorn's own costs more than all the rest."""

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from collector.http.data import DataEndpoint, RequestHead, Response, problem_response
from collector.http.problem import Problem
from collector.http.refusal import refusal
from collector.outbox.group_commit import Commit

_END = b"\r\n\r\n"
# The heads of one client differ in Content-Length at most, so this is enough for many clients.
MAX_HEADS = 10_000
MAX_HEAD_BYTES = 1000


class KnownHead(NamedTuple):
    """What an earlier request with the same head said; `length` is that of its body, in bytes."""

    head: RequestHead
    length: int


class PendingRequest:
    """A request on the fast path, in the shape of uvicorn's RequestResponseCycle."""

    message_event = asyncio.Event()  # uvicorn sets it when the connection ends; nothing waits
    disconnected = False
    keep_alive = True
    response_complete = False


class FastPathProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a fast path for a POST /data like an earlier one.

    A client sends the same head again and again. `heads` holds those that were parsed before, had
    nothing special in them (no query, no Expect, not the last request of the connection) and were
    followed by the whole body and nothing else. When exactly these bytes come again with a body of
    the same length, the request needs neither the parser nor ASGI's scope, events and task, and
    the response leaves in one system call. Every other request goes through uvicorn.

    uvicorn does not document what this relies on: HttpToolsProtocol's attributes `cycle`, `flow`,
    `headers`, `parser`, `url`, `expect_100_continue`, `transport` and `server_state`, its method
    `_unset_keepalive_if_required`, and STATUS_LINE. Its version is pinned, and a test holds the
    names.
    """

    def __init__(
        self,
        endpoint: DataEndpoint,
        heads: dict[bytes, KnownHead],
        **uvicorns: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**uvicorns)
        self._endpoint = endpoint
        self._heads = heads
        self._is_between_requests = True  # the parser waits for the beginning of one
        self._is_plain = False  # the request being parsed could take the fast path

    def data_received(self, data: bytes) -> None:
        body = data.find(_END) + len(_END)
        known = self._heads.get(data[:body])
        if (
            known
            and len(data) == body + known.length
            and self._is_between_requests
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        ):
            self._unset_keepalive_if_required()
            self._take(known.head, data[body:])
            return
        from_its_beginning, self._is_plain = self._is_between_requests, False
        super().data_received(data)
        if from_its_beginning and self._is_plain and body <= MAX_HEAD_BYTES:
            self._learn(data[:body], len(data) - body)

    def on_message_begin(self) -> None:
        self._is_between_requests = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_plain = (
            self.url == b"/data"
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
        )
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_between_requests = True
        super().on_message_complete()

    def _learn(self, head: bytes, length: int) -> None:
        # Any other length: chunked, more than one request, or not the whole body.
        if dict(self.headers).get(b"content-length") == b"%d" % length:
            if len(self._heads) == MAX_HEADS:
                self._heads.clear()
            with suppress(Problem):
                self._heads[head] = KnownHead(self._endpoint.check(self.headers), length)

    def _take(self, head: RequestHead, content: bytes) -> None:
        request = PendingRequest()
        self.cycle = request  # type: ignore[assignment]  # pipelined requests wait for it
        try:
            commit, response = self._endpoint.take(head, content)
        except Problem as problem:
            self._respond(request, problem_response(problem))
            return

        def on_committed(commit: Commit) -> None:
            error = commit.exception()
            self._respond(request, problem_response(refusal(error)) if error else response)

        commit.add_done_callback(on_committed)

    def _respond(self, request: PendingRequest, response: Response) -> None:
        request.response_complete = True
        if self.transport.is_closing():
            return
        lines = [STATUS_LINE[response.status]]
        for name, text in (*self.server_state.default_headers, *response.headers):
            lines += name, b": ", text, b"\r\n"
        if not request.keep_alive:  # uvicorn is shutting down
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((*lines, b"\r\n", response.content)))
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()
