"""POST /data as a plain ASGI application: FastAPI's routing would cost as much as all the rest."""

import asyncio
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from collector.access.identity import Identity, SensorForbidden
from collector.access.tokens import Tokens, UnknownToken
from collector.http import body
from collector.http.media import JSON, Headers, is_gzipped, is_ndjson
from collector.http.problem import MEDIA_TYPE, Problem
from collector.http.refusal import refusal, unavailable
from collector.intake.readings import InvalidReadings, NotJson, accept
from collector.outbox.group_commit import Commit, OutboxBusy, OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.schema import OutboxUnusable
from collector.settings import Settings


class RequestHead(NamedTuple):
    """What a request's header fields say: NDJSON or JSON, gzipped or not, and the sender."""

    lines: bool
    gzipped: bool
    identity: Identity


class Response(NamedTuple):
    """A response: status, header fields and content."""

    status: int
    headers: Headers
    content: bytes


def _response(status: int, media_type: str, content: bytes) -> Response:
    length = b"%d" % len(content)
    fields = [(b"content-type", media_type.encode()), (b"content-length", length)]
    return Response(status, fields, content)


_CREATED = _response(201, "text/plain", b"Created")


def problem_response(problem: Problem) -> Response:
    """Return the response that gives a problem's details."""
    response = _response(problem.status, MEDIA_TYPE, problem.body())
    extra = [(name.lower().encode(), text.encode()) for name, text in problem.headers.items()]
    return response._replace(headers=response.headers + extra)


class DataEndpoint:
    """Accepts readings: validated → appended → committed → 201, in this order and never another.

    An ASGI application; `take` serves callers that have the whole request.
    """

    def __init__(self, outbox: Outbox, tokens: Tokens, settings: Settings) -> None:
        self._outbox = outbox
        self._tokens = tokens
        self._max_body_bytes = settings.max_body_bytes
        self._stored_timeout_s = settings.stored_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, headers, content = await self._accept(scope, receive)
        except Problem as problem:
            status, headers, content = problem_response(problem)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def check(self, headers: Headers) -> RequestHead:
        """Return what the header fields say; raises Problem if they rule out any body."""
        lines, gzipped = is_ndjson(headers), is_gzipped(headers)
        try:
            identity = self._tokens.identify(dict(headers).get(b"authorization", b""))
        except UnknownToken as error:
            raise refusal(error) from None
        return RequestHead(lines, gzipped, identity)

    def take(self, head: RequestHead, content: bytes) -> tuple[Commit, Response]:
        """Append the readings of a body; return their commit, and the response once it is done.

        Raises Problem; if the commit fails, `refusal` says what to respond.
        """
        if len(content) > self._max_body_bytes:
            raise body.too_large(self._max_body_bytes)
        if head.gzipped:
            content = body.inflate(content, self._max_body_bytes)
        try:
            readings, drafts, single = accept(content, lines=head.lines)
            head.identity.check(readings)
            commit = self._outbox.append(drafts)
        except (NotJson, InvalidReadings, SensorForbidden, OutboxFull, OutboxUnusable) as error:
            raise refusal(error) from None
        if single:
            return commit, _CREATED
        return commit, _response(201, JSON, b'{"accepted":%d}' % len(drafts))

    async def _accept(self, scope: Scope, receive: Receive) -> Response:
        wait = _wants_stored(scope["query_string"])
        head = self.check(scope["headers"])
        try:
            content = await body.read(receive, self._max_body_bytes)
        except asyncio.CancelledError:  # by uvicorn, which has waited long enough for the rest
            raise unavailable("the collector is stopping; nothing was stored") from None
        commit, response = self.take(head, content)
        try:
            first, last = await commit
        except (OutboxBusy, OutboxFull, OutboxUnusable) as error:
            raise refusal(error) from None
        return await self._when_stored(first, last) if wait else response

    async def _when_stored(self, first: int, last: int) -> Response:
        count = last - first + 1
        try:
            async with asyncio.timeout(self._stored_timeout_s):
                await self._outbox.settlement.wait(first, last)
        except (TimeoutError, asyncio.CancelledError):  # cancelled by uvicorn, which is stopping
            return _stored(202, count)
        reasons = self._outbox.reasons(first, last)
        if reasons:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "InfluxDB rejected readings of this request; the others are stored",
                errors=[{"index": seq - first, "detail": reason} for seq, reason in reasons],
            )
        return _stored(201, count)


def _stored(status: int, count: int) -> Response:
    content = {"accepted": count, "stored": status == HTTPStatus.CREATED}
    return _response(status, JSON, msgspec.json.encode(content))


def _wants_stored(query: bytes) -> bool:
    if not query:
        return False
    if query == b"ack=stored":
        return True
    if query == b"ack=committed":
        return False
    raise Problem(
        HTTPStatus.BAD_REQUEST, f"unknown query {query.decode('latin-1')!r}; there is ?ack=stored"
    )
