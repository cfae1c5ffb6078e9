"""HTTP connections with a short way for readings: uvicorn's own costs more than all the rest."""

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from collector.endpoint import Answer, DataEndpoint, Terms, answer_to, refusal
from collector.outbox import Commit
from collector.problem import Problem

_END = b"\r\n\r\n"
# A sender's heads differ by the length of the body at most: these are many senders.
HEADS = 10_000
HEAD_BYTES = 1000


class Head(NamedTuple):
    """What is known of a request by its head; `length` is that of its body, in bytes."""

    terms: Terms
    length: int


class Request:
    """A request on the short way, as uvicorn's protocol wants to see what is under way."""

    message_event = asyncio.Event()  # set at the connection's end, for a task that there is not
    disconnected = False
    keep_alive = True
    response_complete = False


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, except that a POST /data like an earlier one goes a shorter way.

    A client sends the same head again and again. One that was parsed before, that had nothing
    special in it (no query, no Expect, not the last request of its connection) and was followed
    by the whole body and nothing else is remembered in `heads`. When exactly these bytes come
    again, with as many behind them, neither parser nor ASGI's scope, events and task are needed,
    and the answer leaves in one system call. Everything else goes uvicorn's way.
    """

    def __init__(
        self,
        endpoint: DataEndpoint,
        heads: dict[bytes, Head],
        **uvicorns: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**uvicorns)
        self._endpoint = endpoint
        self._heads = heads
        self._between = True  # two requests: the parser waits for the beginning of one
        self._plain = False  # the request being parsed could go the short way

    def data_received(self, data: bytes) -> None:
        """Take what arrived (called by the loop)."""
        body = data.find(_END) + len(_END)
        head = self._heads.get(data[:body])
        if (
            head
            and len(data) == body + head.length
            and self._between
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        ):
            self._unset_keepalive_if_required()
            self._take(head.terms, data[body:])
            return
        from_its_beginning, self._plain = self._between, False
        super().data_received(data)
        if from_its_beginning and self._plain and body <= HEAD_BYTES:
            self._learn(data[:body], len(data) - body)

    def on_message_begin(self) -> None:
        """Note that a request has begun (called by the parser)."""
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note whether the request has anything special (called by the parser)."""
        self._plain = (
            self.url == b"/data"
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
        )
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is whole (called by the parser)."""
        self._between = True
        super().on_message_complete()

    def _learn(self, head: bytes, length: int) -> None:
        # Another length: chunks, more than one request, or not all of it.
        if dict(self.headers).get(b"content-length") == b"%d" % length:
            if len(self._heads) == HEADS:
                self._heads.clear()
            with suppress(Problem):
                self._heads[head] = Head(self._endpoint.check(self.headers), length)

    def _take(self, terms: Terms, content: bytes) -> None:
        request = Request()
        self.cycle = request  # type: ignore[assignment]  # what comes before the answer waits
        try:
            commit, answer = self._endpoint.take(terms, content)
        except Problem as problem:
            self._answer(request, answer_to(problem))
            return

        def committed(commit: Commit) -> None:
            error = commit.exception()
            self._answer(request, answer_to(refusal(error)) if error else answer)

        commit.add_done_callback(committed)

    def _answer(self, request: Request, answer: Answer) -> None:
        request.response_complete = True
        if self.transport.is_closing():
            return
        lines = [STATUS_LINE[answer.status]]
        for name, text in (*self.server_state.default_headers, *answer.headers):
            lines += name, b": ", text, b"\r\n"
        if not request.keep_alive:  # uvicorn is ending
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((*lines, b"\r\n", answer.content)))
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()
