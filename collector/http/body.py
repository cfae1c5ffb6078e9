"""A request's body: read within the limit, inflated within the limit."""

import zlib
from http import HTTPStatus

from starlette.types import Receive

from collector.http.problem import Problem

_GZIP_WBITS = 31  # zlib's code for a gzip header and trailer
# What follows a gzip member is copied for the next one; in small pieces, many tiny members stay
# cheap.
_PIECE_BYTES = 4096


async def read(receive: Receive, limit: int) -> bytes:
    """Return the body as it was sent; raises Problem 413 beyond `limit` bytes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= limit:
        return body
    pieces, size = [body], len(body)
    while message.get("more_body", False) and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before its declared length")
        pieces.append(message["body"])
        size += len(message["body"])
    if size > limit:
        raise too_large(limit)
    return b"".join(pieces)


def too_large(limit: int) -> Problem:
    """Return the problem of a body beyond `limit` bytes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limit} bytes (MAX_BODY_BYTES); send smaller batches",
    )


def inflate(body: bytes, limit: int) -> bytes:
    """Return what a gzip body holds; raises Problem 413 beyond `limit` bytes, 400 if broken."""
    inflated = bytearray()
    member = zlib.decompressobj(wbits=_GZIP_WBITS)
    try:
        for start in range(0, len(body), _PIECE_BYTES):
            piece = body[start : start + _PIECE_BYTES]
            while piece:
                if member.eof:  # a gzip file may have several members
                    member = zlib.decompressobj(wbits=_GZIP_WBITS)
                inflated += member.decompress(piece, limit + 1 - len(inflated))
                if len(inflated) > limit:
                    raise too_large(limit)
                piece = member.unused_data
    except zlib.error as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not gzip: {error}") from None
    if body and not member.eof:
        raise Problem(HTTPStatus.BAD_REQUEST, "the gzip body is cut short")
    return bytes(inflated)
