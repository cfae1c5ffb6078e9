"""POST /data as a plain ASGI application: FastAPI's routing would cost as much as all the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from starlette.types import Receive, Scope, Send

from collector import body
from collector.journal import Journal
from collector.outbox import Accepted, Commit, Outbox, OutboxFull
from collector.problem import MEDIA_TYPE, Problem
from collector.schema import OutboxUnusable
from collector.settings import Settings
from collector.tokens import Tokens

RETRY_AFTER_S = 5
_CREATED = (201, b"text/plain", b"Created")
_HINT = f"send Content-Type: {body.JSON} (an object or an array) or {body.NDJSON}"

Answer = tuple[int, bytes, bytes]


class DataEndpoint:
    """Accepts readings: valid → appended → committed → 201, in this order and never another."""

    def __init__(
        self,
        outbox: Outbox,
        tokens: Tokens,
        journal: Journal,
        wait_settled: Callable[[int, int], Awaitable[None]],
        settings: Settings,
    ) -> None:
        self._outbox = outbox
        self._tokens = tokens
        self._journal = journal
        self._wait_settled = wait_settled
        self._max_body_bytes = settings.max_body_bytes
        self._stored_timeout_s = settings.stored_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[str, str] = {}
        try:
            status, media_type, content = await self._accept(scope, receive)
        except Problem as problem:
            status, media_type, content = problem.status, MEDIA_TYPE.encode(), problem.body()
            headers = problem.headers
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media_type),
                    (b"content-length", b"%d" % len(content)),
                    *((name.lower().encode(), text.encode()) for name, text in headers.items()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _accept(self, scope: Scope, receive: Receive) -> Answer:
        wait = _wants_stored(scope["query_string"])
        lines, gzipped = _form(scope["headers"])
        self._tokens.check(scope["headers"], ())
        try:
            content = await body.read(receive, self._max_body_bytes)
        except asyncio.CancelledError:  # by uvicorn, which has waited long enough for the rest
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the collector is stopping; nothing was stored",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        if gzipped:
            content = body.inflate(content, self._max_body_bytes)
        readings, single = body.decode(content, lines=lines)
        try:
            accepted = [body.accept(reading) for reading in readings]
        except ValueError as error:
            raise body.invalid(content, str(error), lines=lines) from None
        self._tokens.check(scope["headers"], (str(reading.sensor_id) for reading in readings))
        if accepted:
            first, last = await self._commit(accepted)
            self._journal.accepted(accepted)
            if wait:
                return await self._when_stored(first, last)
        if single:
            return _CREATED
        return 201, body.JSON.encode(), b'{"accepted":%d}' % len(accepted)

    async def _commit(self, accepted: list[Accepted]) -> tuple[int, int]:
        try:
            commit: Commit = self._outbox.append(accepted)
            return await commit
        except OutboxFull as full:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                str(full),
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        except OutboxUnusable as error:
            raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from None

    async def _when_stored(self, first: int, last: int) -> Answer:
        count = last - first + 1
        try:
            async with asyncio.timeout(self._stored_timeout_s):
                await self._wait_settled(first, last)
        except (TimeoutError, asyncio.CancelledError):  # too long for us, or for uvicorn's end
            return (
                202,
                body.JSON.encode(),
                msgspec.json.encode({"accepted": count, "stored": False}),
            )
        reasons = self._outbox.reasons(first, last)
        if reasons:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "InfluxDB refused readings of this request for good; the others are stored",
                errors=[{"index": seq - first, "detail": reason} for seq, reason in reasons],
            )
        return 201, body.JSON.encode(), msgspec.json.encode({"accepted": count, "stored": True})


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


def _form(headers: list[tuple[bytes, bytes]]) -> tuple[bool, bool]:
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
