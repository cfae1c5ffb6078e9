"""A request's body: within the limit, inflated, decoded into valid readings."""

import time
import zlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import Receive

from collector.faults import MAX_FAULTS, faults
from collector.outbox import Accepted
from collector.problem import Problem
from telemetry import timestamp
from telemetry.reading import Reading, check_value, series

JSON = "application/json"
NDJSON = "application/x-ndjson"

_GZIP = 31  # zlib's window bits for it
# What follows a member is copied for the next one: in pieces, many tiny ones stay cheap.
_PIECE = 4096

_one = msgspec.json.Decoder(Reading)
_many = msgspec.json.Decoder(list[Reading])
_encode = msgspec.json.Encoder().encode


class Normal(msgspec.Struct):
    """A reading as it goes out: `ts` in UTC, fields in the order of the contract."""

    ts: str
    type: str
    value: int | float
    sensor_id: int | str


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
    """Return the problem of a body beyond the limit."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limit} bytes (MAX_BODY_BYTES); send smaller batches",
    )


def inflate(body: bytes, limit: int) -> bytes:
    """Return what a gzip body holds; raises Problem 413 beyond `limit` bytes, 400 if broken."""
    inflated = bytearray()
    member = zlib.decompressobj(wbits=_GZIP)
    try:
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            while piece:
                if member.eof:  # a gzip file may have several members
                    member = zlib.decompressobj(wbits=_GZIP)
                inflated += member.decompress(piece, limit + 1 - len(inflated))
                if len(inflated) > limit:
                    raise too_large(limit)
                piece = member.unused_data
    except zlib.error as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not gzip: {error}") from None
    if body and not member.eof:
        raise Problem(HTTPStatus.BAD_REQUEST, "the gzip body is cut short")
    return bytes(inflated)


def decode(body: bytes, *, lines: bool) -> tuple[Sequence[Reading], bool]:
    """Return the readings in a body, and whether it is one JSON object rather than a batch.

    Raises Problem 400 when it is not JSON (`lines`: NDJSON), 422 when a reading has a fault
    that shows in its types.
    """
    try:
        if lines:
            return _one.decode_lines(body), False
        if body.lstrip(b" \t\r\n")[:1] == b"[":
            return _many.decode(body), False
        return (_one.decode(body),), True
    except msgspec.ValidationError as error:
        raise invalid(body, str(error), lines=lines) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None


def accept(reading: Reading) -> Accepted:
    """Return the reading in the form that is kept; raises ValueError when it breaks a rule."""
    topic, _ = series(reading.sensor_id, reading.type)
    check_value(reading.value)
    ts = reading.ts
    ns = time.time_ns() if ts is msgspec.UNSET else timestamp.parse(ts)
    normal = Normal(timestamp.render(ns), reading.type, reading.value, reading.sensor_id)
    return Accepted(topic, ns, _encode(normal))


def invalid(body: bytes, detail: str, *, lines: bool) -> Problem:
    """Return the problem that lists every fault of the readings in a body."""
    errors: list[dict[str, Any]]
    try:
        errors = faults(body, lines=lines)
    except (ValueError, RecursionError) as error:
        return Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}")
    shown = f", the first {MAX_FAULTS} of its faults" if len(errors) == MAX_FAULTS else ""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"not a valid reading, nothing was stored{shown}: {detail}",
        errors=errors,
    )
