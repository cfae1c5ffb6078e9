"""Filling and inflating a request body within its limit."""

import asyncio
import gzip
import itertools
import time
import tracemalloc
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http import body as body_module
from collector.http.body import Body, ChunkedBody, CountedBody
from collector.http.problem import Problem

LIMIT = 100


def inflate(body: bytes, limit: int) -> bytes:
    return asyncio.run(body_module.inflate(body, limit))


def fill(body: Body, stream: bytes, cuts: list[int]) -> bytes | None:
    """Feed a stream cut at some places, up to the piece that completes the body."""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        rest = body.feed(stream[start:end])
        if rest is not None:
            return rest + stream[end:]
    return None


CUTS = st.lists(st.integers(0, 1000), max_size=4)


@given(st.binary(min_size=1), st.binary(), CUTS)
def test_a_counted_body_is_cut_by_its_length(
    content: bytes, behind: bytes, cuts: list[int]
) -> None:
    body = CountedBody(len(content))
    assert fill(body, content + behind, cuts) == behind
    assert body.content == content
    assert fill(CountedBody(len(content) + 1), content, cuts) is None


def chunked(chunks: list[bytes], trailer: bytes = b"") -> bytes:
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return sent + b"0\r\n" + trailer + b"\r\n"


@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
    st.sampled_from([b"", b"Digest: none\r\n"]),
    st.sampled_from([b"", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", b"\0"]),
    CUTS,
)
def test_a_chunked_body_is_read_to_its_end(
    chunks: list[bytes], trailer: bytes, behind: bytes, cuts: list[int]
) -> None:
    body = ChunkedBody(LIMIT)
    assert fill(body, chunked(chunks, trailer) + behind, cuts) is not None
    assert body.content == b"".join(chunks)
    assert fill(ChunkedBody(LIMIT), chunked(chunks, trailer)[:-1], cuts) is None


def test_a_chunked_body_beyond_the_limit_is_refused() -> None:
    assert ChunkedBody(LIMIT).feed(chunked([b"x" * 50] * 2)) == b""
    with pytest.raises(Problem, match="larger than 100 bytes") as raised:
        ChunkedBody(LIMIT).feed(chunked([b"x" * 50] * 2 + [b"x"])[:-5])
    assert raised.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("sent", [b"x\r\n", b"-1\r\n", b"1\r\nab\r\n", b"f" * 17 + b"\r\n"])
def test_broken_chunks_are_refused(sent: bytes) -> None:
    with pytest.raises(Problem, match="chunks are broken") as raised:
        ChunkedBody(LIMIT).feed(sent)
    assert raised.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("beginning", [chunked([])[:-2] + b"a: ", b"1;a="])
def test_trailers_and_extensions_take_no_memory_and_come_to_an_end(beginning: bytes) -> None:
    body = ChunkedBody(100_000)
    body.feed(beginning)
    tracemalloc.start()
    try:
        for _ in range(80):
            body.feed(b"x" * 10_000)
        with pytest.raises(Problem, match="mostly extensions and trailers") as raised:
            body.feed(b"x" * 10_000)
        assert raised.value.status == HTTPStatus.BAD_REQUEST
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_control_a_body_of_the_smallest_chunks_is_read() -> None:
    body = ChunkedBody(100_000)
    assert body.feed(chunked([b"x"] * 100_000)) == b""
    assert len(body.content) == 100_000


@given(st.lists(st.binary(max_size=6000), min_size=1, max_size=4))
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


def slow_deflate() -> bytes:
    """Return gzip that inflates to nothing and takes its time: tiny members."""
    return gzip.compress(b"", mtime=0) * 100_000


def test_inflating_lets_the_event_loop_turn() -> None:
    async def scenario() -> float:
        longest, before = 0.0, time.thread_time()
        task = asyncio.create_task(body_module.inflate(slow_deflate(), LIMIT))
        while not task.done():
            await asyncio.sleep(0)
            longest, before = max(longest, time.thread_time() - before), time.thread_time()
        assert task.result() == b""
        return longest

    assert asyncio.run(scenario()) < 0.2
