"""One connection: HTTP/1.1 requests, one at a time, and their responses."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, cast

from collector.access.address import address_of
from collector.http.body import Body, ChunkedBody, CountedBody
from collector.http.connections import Connections
from collector.http.data import DataEndpoint
from collector.http.handover import HandOver
from collector.http.head import Head
from collector.http.problem import Problem
from collector.http.reader import Reader
from collector.http.refusal import unavailable
from collector.http.response import Response, problem_response
from collector.outbox.group_commit import Commit

_STOPPING = "the collector is stopping; nothing was stored"


class Connection(asyncio.Protocol):
    """Takes each POST /data to the endpoint; with any other request the connection is uvicorn's."""

    def __init__(
        self,
        endpoint: DataEndpoint,
        connections: Connections,
        hand_over: HandOver,
        **uvicorns: Any,  # noqa: ANN401
    ) -> None:
        self.deadline = math.inf
        self.held = 0
        self.address = ""
        self._endpoint = endpoint
        self._hand_over = hand_over
        self._uvicorns = uvicorns
        self._connections = connections
        self._limits = connections.limits
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(self._limits.head_bytes)
        self._was_in_head = False
        self._is_answering = False
        self._whole_at = 0.0
        self._is_write_paused = False
        self._task: asyncio.Task[None] | None = None
        self._is_last_request = False
        self._is_closing = False

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = cast("asyncio.Transport", transport)
        self.address = address_of(transport.get_extra_info("peername"))
        self._expect(self._limits.idle_s)
        if too_many := self._connections.add(self):
            self._refuse(too_many)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._reader.feed(data)
        if self._is_answering or self._is_write_paused:
            self._defer()
        else:
            self._advance()

    def eof_received(self) -> bool:
        """Return whether the connection stays open, for a response."""
        self._is_last_request = True
        if not self._is_closing and self._is_receiving():
            detail = "the connection ended before the request did"
            self._refuse(Problem(HTTPStatus.BAD_REQUEST, detail))
        return self._is_answering and self._transport.can_write_eof()  # TLS has no half close

    def connection_lost(self, _: Exception | None) -> None:
        self._is_closing = True
        self._reader.clear()
        self._connections.hold(self, 0)
        self._connections.discard(self)
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._expect(self._limits.unread_s)

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._expect(self._limits.idle_s)
        self._go_on()

    # Called by Connections.

    def expire(self) -> None:
        """End what has passed its deadline: a request, or the client's silence or not reading."""
        if self._is_receiving() and not self._is_closing:
            self._refuse(Problem(HTTPStatus.REQUEST_TIMEOUT, "the request has not arrived in time"))
        else:
            self.abort()

    def shutdown(self) -> None:
        """Close once the request under way is answered; at once if there is none."""
        self._is_last_request = True
        if self._is_closing or not (self._is_answering or self._is_receiving()):
            self.abort()

    def hurry(self) -> None:
        """Answer the request under way with what is known now."""
        if self._task is not None:
            self._task.cancel()
        elif self._is_receiving() and not self._is_closing:
            self._refuse(unavailable(_STOPPING))

    def abort(self) -> None:
        self._is_closing = True
        self._transport.abort()

    # Receiving.

    def _is_receiving(self) -> bool:
        """Return whether a request has begun to arrive and is not complete."""
        return not self._is_answering and (self._reader.is_in_head or self._reader.is_in_body)

    def _advance(self) -> None:
        """Take what has arrived, request by request."""
        try:
            while not (self._is_answering or self._is_write_paused or self._is_closing):
                if (request := self._reader.next(self._admit)) is None:
                    self._wait()
                    return
                self._was_in_head = False
                self._answer(*request)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets a response
            self._refuse(self._connections.problem(error))

    def _wait(self) -> None:
        """Set the deadline for the rest of a request, if it has begun."""
        reader = self._reader
        if reader.is_in_body:
            self._expect(min(self._limits.body_s, self._body_ends - self._loop.time()))
        elif reader.is_in_head and not self._was_in_head:
            self._expect(self._limits.head_s)
        self._was_in_head = reader.is_in_head
        self._connections.hold(self, reader.held_bytes)

    def _defer(self) -> None:
        """Leave a pipelined request for later; unless there is no room for it, then for never."""
        self._transport.pause_reading()
        try:
            self._connections.hold(self, self._reader.held_bytes)
        except Problem:
            self._is_last_request = True

    def _admit(self, head: Head) -> Body:
        """Return where a body goes that has not arrived with its head; raises if it is refused."""
        self._endpoint.admit(head, self.address)
        if head.expects_continue and not self._reader.held_bytes:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body_ends = self._loop.time() + self._limits.request_s
        if head.length is None:
            return ChunkedBody(self._endpoint.max_body_bytes)
        return CountedBody(head.length)

    # Answering.

    def _answer(self, head: Head, content: bytes) -> None:
        self._is_answering = True
        self._whole_at = perf_counter()
        self.deadline = math.inf
        self._connections.hold(self, self._reader.held_bytes)
        try:
            self._endpoint.check(head, self.address)
            if head.problem:
                self._respond(problem_response(head.problem))
            elif head.terms is None:
                self._hand_over(head, self._transport, self, **self._uvicorns)
                self._is_closing = True  # for this protocol
            elif head.terms.gzipped or head.terms.stored:
                respond = partial(self._endpoint.respond, head.terms, content, self.address)
                self._task = self._loop.create_task(self._run(respond))
            else:
                commit, response = self._endpoint.take(head.terms, content, self.address)
                commit.add_done_callback(partial(self._on_committed, response))
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets a response
            self._respond(problem_response(self._connections.problem(error)))

    def _on_committed(self, response: Response, commit: Commit) -> None:
        error = commit.exception()
        self._respond(problem_response(self._connections.problem(error)) if error else response)
        self._go_on()

    async def _run(self, respond: Callable[[], Awaitable[Response]]) -> None:
        try:
            response = await respond()
        except asyncio.CancelledError:
            response = problem_response(unavailable(_STOPPING))
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets a response
            response = problem_response(self._connections.problem(error))
        self._task = None
        self._respond(response)
        self._go_on()

    def _refuse(self, problem: Problem) -> None:
        """Respond to what has not arrived whole, and close as soon as the client may have read."""
        self._is_last_request = True
        self._respond(problem_response(problem), is_unread=True)

    def _respond(self, response: Response, *, is_unread: bool = False) -> None:
        self._is_answering = False
        if self._is_closing:
            return
        head = self._reader.head
        is_last = self._is_last_request or not head.keep_alive
        line, fields = response.line + self._connections.date, response.fields
        if head.site:
            fields += self._endpoint.origins.fields(head.site)
        end = b"connection: close\r\n\r\n" if is_last else b"\r\n"
        self._expect(self._limits.idle_s)  # shorter if writing pauses
        content = b"" if head.method == "HEAD" and not is_unread else response.content
        self._transport.write(line + fields + end + content)
        self._connections.answered(None if is_unread else head.terms, self._whole_at)
        if is_last:
            self._close(is_unread=is_unread)

    def _close(self, *, is_unread: bool) -> None:
        """Close; a client that is still sending would lose its response, so that waits for it."""
        self._is_closing = True
        self._reader.clear()
        self._connections.hold(self, 0)
        self._expect(self._limits.linger_s)
        if not is_unread:
            self._transport.close()
        elif self._transport.can_write_eof():  # with TLS the client waits for the deadline
            self._transport.write_eof()

    def _go_on(self) -> None:
        """Take what has arrived in the meantime."""
        if self._is_receiving() and not self._is_closing:
            self._transport.resume_reading()
            self._advance()

    def _expect(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds
