"""POST /data as a plain ASGI application: FastAPI's routing would cost as much as all the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from collector import body
from collector.outbox import Commit, Outbox, OutboxFull
from collector.problem import MEDIA_TYPE, Problem
from collector.schema import OutboxUnusable
from collector.settings import Settings
from collector.tokens import Tokens, must_speak_for

RETRY_AFTER_S = 5
_HINT = f"send Content-Type: {body.JSON} (an object or an array) or {body.NDJSON}"

Headers = list[tuple[bytes, bytes]]


class Terms(NamedTuple):
    """What a request's head says of its body: NDJSON, gzip, and which sensors it may speak for."""

    lines: bool
    gzipped: bool
    sensors: set[str] | None  # None: all


class Answer(NamedTuple):
    """A response: status, header fields and content."""

    status: int
    headers: Headers
    content: bytes


def _answer(status: int, media_type: str, content: bytes) -> Answer:
    length = b"%d" % len(content)
    fields = [(b"content-type", media_type.encode()), (b"content-length", length)]
    return Answer(status, fields, content)


_CREATED = _answer(201, "text/plain", b"Created")


def answer_to(problem: Problem) -> Answer:
    """Return the response that tells of a problem."""
    answer = _answer(problem.status, MEDIA_TYPE, problem.body())
    extra = [(name.lower().encode(), text.encode()) for name, text in problem.headers.items()]
    return answer._replace(headers=answer.headers + extra)


class DataEndpoint:
    """Accepts readings: valid → appended → committed → 201, in this order and never another.

    An ASGI application, and `take` for those who have the whole request.
    """

    def __init__(
        self,
        outbox: Outbox,
        tokens: Tokens,
        wait_settled: Callable[[int, int], Awaitable[None]],
        settings: Settings,
    ) -> None:
        self._outbox = outbox
        self._tokens = tokens
        self._wait_settled = wait_settled
        self._max_body_bytes = settings.max_body_bytes
        self._stored_timeout_s = settings.stored_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            status, headers, content = await self._accept(scope, receive)
        except Problem as problem:
            status, headers, content = answer_to(problem)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def check(self, headers: Headers) -> Terms:
        """Return what a request's head says; raises Problem for what no body can mend."""
        lines, gzipped = _form(headers)
        return Terms(lines, gzipped, self._tokens.sensors(headers))

    def take(self, terms: Terms, content: bytes) -> tuple[Commit, Answer]:
        """Append the readings of a body; return their commit, and the answer for when it is done.

        Raises Problem; if the commit fails, `refusal` says what to answer.
        """
        if len(content) > self._max_body_bytes:
            raise body.too_large(self._max_body_bytes)
        if terms.gzipped:
            content = body.inflate(content, self._max_body_bytes)
        readings, single = body.decode(content, lines=terms.lines)
        try:
            accepted = [body.accept(reading) for reading in readings]
        except ValueError as error:
            raise body.invalid(content, str(error), lines=terms.lines) from None
        if terms.sensors is not None:
            must_speak_for(terms.sensors, (str(reading.sensor_id) for reading in readings))
        try:
            commit = self._outbox.append(accepted)
        except (OutboxFull, OutboxUnusable) as error:
            raise refusal(error) from None
        if single:
            return commit, _CREATED
        return commit, _answer(201, body.JSON, b'{"accepted":%d}' % len(accepted))

    async def _accept(self, scope: Scope, receive: Receive) -> Answer:
        wait = _wants_stored(scope["query_string"])
        terms = self.check(scope["headers"])
        try:
            content = await body.read(receive, self._max_body_bytes)
        except asyncio.CancelledError:  # by uvicorn, which has waited long enough for the rest
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the collector is stopping; nothing was stored",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        commit, answer = self.take(terms, content)
        try:
            first, last = await commit
        except (OutboxFull, OutboxUnusable) as error:
            raise refusal(error) from None
        return await self._when_stored(first, last) if wait else answer

    async def _when_stored(self, first: int, last: int) -> Answer:
        count = last - first + 1
        try:
            async with asyncio.timeout(self._stored_timeout_s):
                await self._wait_settled(first, last)
        except (TimeoutError, asyncio.CancelledError):  # too long for us, or for uvicorn's end
            return _stored(202, count)
        reasons = self._outbox.reasons(first, last)
        if reasons:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "InfluxDB refused readings of this request for good; the others are stored",
                errors=[{"index": seq - first, "detail": reason} for seq, reason in reasons],
            )
        return _stored(201, count)


def refusal(error: BaseException) -> Problem:
    """Return the problem of readings that the outbox has not kept."""
    if isinstance(error, OutboxFull):
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            str(error),
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def _stored(status: int, count: int) -> Answer:
    content = {"accepted": count, "stored": status == HTTPStatus.CREATED}
    return _answer(status, body.JSON, msgspec.json.encode(content))


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


def _form(headers: Headers) -> tuple[bool, bool]:
    """Return (NDJSON?, gzip?); raises Problem 415 for any other form."""
    lines = gzipped = False
    for name, text in headers:
        if name == b"content-type" and text != b"application/json":
            lines = _is_ndjson(text.decode("latin-1"))
        elif name == b"content-encoding" and text != b"identity":
            if text.lower() != b"gzip":
                detail = f"Content-Encoding {text.decode('latin-1')!r}: send gzip or none"
                raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
            gzipped = True
    return lines, gzipped


def _is_ndjson(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset_is_utf8 = all(p in ("", "charset=utf-8", 'charset="utf-8"') for p in parameters)
    if media_type not in (body.JSON, body.NDJSON) or not charset_is_utf8:
        detail = f"Content-Type {content_type!r}: {_HINT}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return media_type == body.NDJSON
