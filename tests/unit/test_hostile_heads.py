"""Arbitrary bytes in the fields of a head that decide who sends a request."""

import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from collector.http.limits import Limits
from tests.builders import reading_json
from tests.unit.http_model import GOOD, Server, statuses

READING = reading_json()
# What llhttp lets pass in a field: anything but control characters, and most of those too.
FIELD = st.binary(max_size=60).map(lambda value: re.sub(rb"[\r\n\0]", b"", value))
ORIGIN = FIELD | st.sampled_from(
    [b"null", b"", b"http://c", b"http://127.0.0.1", b"http://[::1]", b"*", b"http://[", b"://"]
)
HOST = FIELD | st.sampled_from([b"c", b"127.0.0.1", b"[::1]", b"[::1", b"[", b":", b"[]:1"])
TOKEN = FIELD | st.sampled_from(
    [b"Bearer secret", b"bearer  secret", b"Bearer", b"Basic secret", b"Bearer secret secret"]
)
SITE = FIELD | st.sampled_from([b"cross-site", b"same-origin", b"same-site"])
METHOD = st.sampled_from([b"POST", b"OPTIONS", b"GET", b"PUT"])


def request(method: bytes, fields: dict[bytes, bytes | None]) -> bytes:
    lines = [b"%b: %b" % (name, value) for name, value in fields.items() if value is not None]
    lines += [b"Content-Length: %d" % len(READING), b"Connection: close"]
    return b"\r\n".join([b"%b /data HTTP/1.1" % method, *lines, b"", READING])


async def answer(server: Server, *requests: bytes) -> bytes:
    _, wire = server.dial()
    for piece in requests:
        if not wire.closed:
            wire.protocol.data_received(piece)
        await server.settle_down(wire)
    wire.protocol.connection_lost(None)
    return wire.sent


@given(METHOD, HOST, *(st.none() | field for field in (ORIGIN, TOKEN, SITE)))
@example(b"POST", b"127.0.0.1", b"http://127.0.0.1", b"Bearer secret", None)
@example(b"POST", b"c", b"http://c", b"Bearer secret", None)
def test_whatever_a_head_says_is_answered_and_only_who_may_is_accepted(
    method: bytes, host: bytes, origin: bytes | None, token: bytes | None, site: bytes | None
) -> None:
    fields = {b"Host": host, b"Origin": origin, b"Authorization": token, b"Sec-Fetch-Site": site}

    async def run() -> None:
        with TemporaryDirectory() as directory:
            server = Server(Path(directory), Limits(100, 100))
            sent = await answer(server, request(method, fields))
            (status,) = statuses(sent)
            assert status in {201, 400, 401, 403, 405}
            assert (server.outbox.last > 0) == (status == 201)
            assert b"access-control-" not in sent.lower()
            if status == 201:
                assert method == b"POST"
                assert token
                assert token.split() == [token.split()[0], b"secret"]
                assert origin is None or origin.lower() in (
                    b"http://" + host.lower(),
                    b"https://" + host.lower(),
                )
            assert statuses(await answer(server, GOOD)) == [201]
            server.close()

    asyncio.run(run())


@given(st.lists(st.sampled_from([b"Origin", b"Authorization", b"Host"]), max_size=1500))
def test_many_fields_of_a_kind_are_answered(names: list[bytes]) -> None:
    head = b"\r\n".join([b"POST /data HTTP/1.1", *(b"%b: x" % name for name in names), b"", b""])

    async def run() -> None:
        with TemporaryDirectory() as directory:
            server = Server(Path(directory), Limits(100, 100))
            assert set(statuses(await answer(server, head))) <= {400, 401, 403, 431}
            assert server.outbox.last == 0
            server.close()

    asyncio.run(run())
