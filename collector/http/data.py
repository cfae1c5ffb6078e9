"""POST /data: validated → appended → committed → 201, in this order and never another."""

import asyncio
from http import HTTPStatus

import msgspec

from collector.access.identity import Identity
from collector.access.tokens import Tokens
from collector.http import body
from collector.http.head import Head
from collector.http.media import JSON, Terms
from collector.http.origins import Origins
from collector.http.problem import Problem
from collector.http.response import Response, content_response
from collector.intake.readings import accept
from collector.outbox.group_commit import Commit
from collector.outbox.outbox import Outbox
from collector.settings import Settings

_WITHOUT_EFFECT = ("GET", "HEAD")  # and without CORS fields no page can read their responses
_CREATED = content_response(201, "text/plain", b"Created")


class DataEndpoint:
    """Accepts readings; beside Problem it raises the errors that `refusal` knows."""

    def __init__(self, outbox: Outbox, tokens: Tokens, settings: Settings) -> None:
        self._outbox = outbox
        self._tokens = tokens
        self.origins = Origins.load(settings.allowed_origins)
        self.max_body_bytes = settings.max_body_bytes
        self._stored_timeout_s = settings.stored_timeout_s
        self._inflating = asyncio.Lock()  # what is inflated takes memory

    def identify(self, terms: Terms) -> Identity:
        """Return the sender of a request; raises UnknownToken."""
        return self._tokens.identify(terms.authorization)

    def admit(self, head: Head) -> None:
        """Raise Problem or UnknownToken for a request that is refused without its body."""
        self.check_site(head)
        if head.problem:  # of a cached head: an exception that is raised keeps its frames alive
            raise Problem(head.problem.status, head.problem.detail)
        if head.terms:
            self.identify(head.terms)
        if head.length is not None and head.length > self.max_body_bytes:
            raise body.too_large(self.max_body_bytes)

    def check_site(self, head: Head) -> None:
        """Raise ForeignOrigin for a request with an effect that a foreign page sends."""
        if head.site and head.method not in _WITHOUT_EFFECT:
            self.origins.check(head.site)

    def take(self, terms: Terms, content: bytes) -> tuple[Commit, Response]:
        """Append the readings of an inflated body; return their commit, and the response after it.

        The commit may fail too.
        """
        if len(content) > self.max_body_bytes:
            raise body.too_large(self.max_body_bytes)
        identity = self.identify(terms)
        readings, drafts, single = accept(content, lines=terms.lines)
        identity.check(readings)
        commit = self._outbox.append(drafts)
        if single:
            return commit, _CREATED
        return commit, content_response(201, JSON, b'{"accepted":%d}' % len(drafts))

    async def respond(self, terms: Terms, content: bytes) -> Response:
        """Return the response to a request that is gzipped or wants to be stored.

        Cancelled because the collector stops, it tells what is known.
        """
        if terms.gzipped:
            self.identify(terms)
            async with self._inflating:
                content = await body.inflate(content, self.max_body_bytes)
        commit, response = self.take(terms, content)
        try:
            first, last = await asyncio.shield(commit)
        except asyncio.CancelledError:  # a matter of milliseconds, and then it is on disk
            first, last = await commit
        return await self._when_stored(first, last) if terms.stored else response

    async def _when_stored(self, first: int, last: int) -> Response:
        count = last - first + 1
        try:
            async with asyncio.timeout(self._stored_timeout_s):
                await self._outbox.settlement.wait(first, last)
        except (TimeoutError, asyncio.CancelledError):  # cancelled: the collector is stopping
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
    return content_response(status, JSON, msgspec.json.encode(content))
