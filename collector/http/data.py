"""POST /data: validated → appended → committed → 201, in this order and never another."""

import asyncio
from http import HTTPStatus

import msgspec

from collector.access.identities import Identities
from collector.http import body
from collector.http.head import Head
from collector.http.media import JSON, Terms
from collector.http.origins import Origins
from collector.http.pages import Pages
from collector.http.problem import Problem
from collector.http.response import Response, content_response
from collector.http.sender import Senders
from collector.intake.readings import accept
from collector.lane import Lane
from collector.outbox.group_commit import Commit
from collector.settings import Settings

_WITHOUT_EFFECT = ("GET", "HEAD")  # and without CORS fields no page can read their responses
_CREATED = content_response(201, "text/plain", b"Created")


class DataEndpoint:
    """Accepts readings; beside Problem it raises the errors that `refusal` knows."""

    def __init__(self, lane: Lane, identities: Identities, settings: Settings) -> None:
        self._outbox = lane.outbox
        self._series = lane.series
        self._labels = lane.labels
        self._senders = Senders(identities, lane.rate_limit)
        self.origins = Origins.load(settings.allowed_origins, settings.tls_names)
        self._pages = Pages(self._senders, self.origins, opened=settings.opened)
        self.max_body_bytes = settings.max_body_bytes
        self._stored_timeout_s = settings.stored_timeout_s
        self._inflating = asyncio.Lock()  # what is inflated takes memory

    def admit(self, head: Head, address: str) -> None:
        """Raise for a request, from an address, that is refused without its body."""
        self.check(head, address)
        if head.problem:  # of a cached head: an exception that is raised keeps its frames alive
            raise Problem(head.problem.status, head.problem.detail)
        if head.terms:
            self._senders.identify(head.terms.authorization, address)
        if head.length is not None and head.length > self.max_body_bytes:
            raise body.too_large(self.max_body_bytes)

    def check(self, head: Head, address: str) -> None:
        """Raise for a request that nobody may send from this page, or from this address.

        That is ForeignOrigin for one with an effect that a foreign page sends.
        """
        if head.site and head.method not in _WITHOUT_EFFECT:
            self.origins.check(head.site)
            if head.terms:
                self.origins.check_password(head.site, head.terms.authorization)
        self._pages.check(head, address)

    def take(self, terms: Terms, content: bytes, address: str) -> tuple[Commit, Response]:
        """Append the readings of an inflated body; return their commit, and the response after it.

        The commit may fail too.
        """
        if len(content) > self.max_body_bytes:
            raise body.too_large(self.max_body_bytes)
        identity = self._senders.identify(terms.authorization, address)
        readings, drafts, single = accept(content, lines=terms.lines)
        identity.check(readings)
        self._labels.check(drafts)
        self._series.claim(identity.name, drafts)
        commit = self._outbox.append(drafts)
        self._senders.spend(identity, address, len(drafts))
        if single:
            return commit, _CREATED
        return commit, content_response(201, JSON, b'{"accepted":%d}' % len(drafts))

    async def respond(self, terms: Terms, content: bytes, address: str) -> Response:
        """Return the response to a request that is gzipped or wants to be stored.

        Cancelled because the collector stops, it tells what is known.
        """
        if terms.gzipped:
            self._senders.identify(terms.authorization, address)
            async with self._inflating:
                content = await body.inflate(content, self.max_body_bytes)
        commit, response = self.take(terms, content, address)
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
                "readings of this request were rejected; the others are stored",
                errors=[{"index": seq - first, "detail": reason} for seq, reason in reasons],
            )
        return _stored(201, count)


def _stored(status: int, count: int) -> Response:
    content = {"accepted": count, "stored": status == HTTPStatus.CREATED}
    return content_response(status, JSON, msgspec.json.encode(content))
