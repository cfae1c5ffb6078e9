"""A request's body: read within the limit, inflated within the limit."""

import asyncio
import time
import zlib
from http import HTTPStatus

import httptools

from collector.http.problem import Problem

_GZIP_WBITS = 31  # zlib's code for a gzip header and trailer
# What follows a gzip member is copied for the next one; in small pieces, many tiny members stay
# cheap.
_PIECE_BYTES = 4096
# How long inflating may keep the event loop to itself: some deflate data takes seconds.
_TURN_S = 0.02
# How many bytes may be sent for one of the content, and in addition: six are "1\r\nx\r\n". Beyond
# that it is extensions and trailers, of which nothing is kept.
_SENT_FOR_ONE, _SENT_BESIDES = 8, 4096
_HEAD_OF_CHUNKS = b"POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


class CountedBody:
    """A body of a declared length."""

    def __init__(self, length: int) -> None:
        self.content = bytearray()
        self._length = length

    def feed(self, data: bytes) -> bytes | None:
        """Add data; return what follows the body, None while it is not complete."""
        missing = self._length - len(self.content)
        self.content += data[:missing]
        return data[missing:] if len(data) >= missing else None


class ChunkedBody:
    """A chunked body of at most `limit` bytes; nothing can follow it on its connection.

    Without a method `on_header`, httptools keeps nothing of trailers.
    """

    def __init__(self, limit: int) -> None:
        self.content = bytearray()
        self._limit = limit
        self._may_come = _SENT_FOR_ONE * limit + _SENT_BESIDES
        self._is_complete = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_HEAD_OF_CHUNKS)

    def feed(self, data: bytes) -> bytes | None:
        """Add data; return b"" once the body is complete. Raises Problem 400 or 413."""
        self._may_come -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._is_complete:
                raise Problem(HTTPStatus.BAD_REQUEST, f"the chunks are broken: {error}") from None
        if len(self.content) > self._limit:
            raise too_large(self._limit)
        if self._may_come < 0 and not self._is_complete:
            detail = "the chunks are mostly extensions and trailers"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
        return b"" if self._is_complete else None

    def on_body(self, data: bytes) -> None:
        if not self._is_complete:
            self.content += data

    def on_message_complete(self) -> None:
        self._is_complete = True


Body = CountedBody | ChunkedBody


def too_large(limit: int) -> Problem:
    """Return the problem of a body beyond `limit` bytes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limit} bytes (MAX_BODY_BYTES); send smaller batches",
    )


async def inflate(body: bytes, limit: int) -> bytes:
    """Return what a gzip body holds; raises Problem 413 beyond `limit` bytes, 400 if broken.

    Lets the event loop turn while it works.
    """
    inflater, turn_ends = _Inflater(limit), time.monotonic() + _TURN_S
    for start in range(0, len(body), _PIECE_BYTES):
        inflater.feed(body[start : start + _PIECE_BYTES])
        if time.monotonic() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + _TURN_S
    return inflater.finish()


class _Inflater:
    """Inflates gzip members, one after the other."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inflated = bytearray()
        self._member = zlib.decompressobj(wbits=_GZIP_WBITS)

    def feed(self, piece: bytes) -> None:
        while piece:
            if self._member.eof:  # a gzip file may have several members
                self._member = zlib.decompressobj(wbits=_GZIP_WBITS)
            room = self._limit + 1 - len(self._inflated)
            try:
                self._inflated += self._member.decompress(piece, room)
            except zlib.error as error:
                raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not gzip: {error}") from None
            if len(self._inflated) > self._limit:
                raise too_large(self._limit)
            piece = self._member.unused_data

    def finish(self) -> bytes:
        if not self._member.eof:
            raise Problem(HTTPStatus.BAD_REQUEST, "the gzip body is empty or cut short")
        return bytes(self._inflated)
