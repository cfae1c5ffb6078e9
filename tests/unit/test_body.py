"""Reading and inflating a request body within its limit."""

import asyncio
import gzip
import tracemalloc
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from collector.http.body import inflate, read
from collector.http.problem import Problem

LIMIT = 100


def received(*messages: Message, limit: int = LIMIT) -> bytes:
    """Return the body read from these messages."""
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return asyncio.run(read(receive, limit))


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_a_body_within_the_limit_is_read_whole_and_a_larger_one_refused(parts: list[bytes]) -> None:
    messages = [part(p, more=n < len(parts)) for n, p in enumerate(parts, 1)]
    whole = b"".join(parts)
    if len(whole) <= LIMIT:
        assert received(*messages) == whole
    else:
        with pytest.raises(Problem, match="larger than 100 bytes") as raised:
            received(*messages)
        assert raised.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_nothing_is_read_beyond_the_limit() -> None:
    with pytest.raises(Problem, match="larger"):  # a third message would be StopIteration
        received(part(b"x" * 60, more=True), part(b"x" * 41, more=True))


def test_a_body_that_is_cut_off_is_refused() -> None:
    with pytest.raises(Problem, match="ended before") as raised:
        received(part(b"[1", more=True), {"type": "http.disconnect"})
    assert raised.value.status == HTTPStatus.BAD_REQUEST


@given(st.lists(st.binary(max_size=6000), max_size=4))
def test_gzip_with_any_number_of_members_is_inflated(members: list[bytes]) -> None:
    whole = b"".join(members)
    packed = b"".join(gzip.compress(member, mtime=0) for member in members)
    assert inflate(packed, len(whole)) == whole
    if whole:
        with pytest.raises(Problem) as raised:
            inflate(packed, len(whole) - 1)
        assert raised.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@given(st.binary(max_size=50), st.data())
def test_gzip_cut_anywhere_is_refused(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content, mtime=0)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(Problem, match="cut short") as raised:
        inflate(packed[:cut], LIMIT)
    assert raised.value.status == HTTPStatus.BAD_REQUEST


@given(st.binary(min_size=1))
def test_bytes_that_are_not_gzip_are_refused(content: bytes) -> None:
    for body in (content, gzip.compress(b"", mtime=0) + content):
        with pytest.raises(Problem) as raised:
            inflate(body, LIMIT)
        assert raised.value.status == HTTPStatus.BAD_REQUEST


def test_a_wrong_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(b"25 degrees", mtime=0))
    packed[-8] ^= 1  # part of the checksum
    with pytest.raises(Problem, match="not gzip"):
        inflate(bytes(packed), LIMIT)


@pytest.mark.parametrize("level", [1, 9])
def test_a_gzip_bomb_takes_no_more_memory_than_the_limit(level: int) -> None:
    bomb = gzip.compress(bytes(100 << 20), level)
    limit = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match="larger"):
            inflate(bomb, limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * limit


def test_many_empty_members_take_no_more_memory_than_their_size() -> None:
    body = gzip.compress(b"", mtime=0) * 50_000
    tracemalloc.start()
    try:
        assert inflate(body, LIMIT) == b""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(body)
