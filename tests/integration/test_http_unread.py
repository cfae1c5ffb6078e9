"""Downloads that their clients read slowly, or not at all."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from collector.live.history import MAX_UNDER_WAY, History, Series
from tests.integration.http_server import PATIENT, Client, Dial, serve

DOWNLOAD = b"GET /history.csv?series=7/temp&range=week HTTP/1.1\r\nHost: localhost\r\n\r\n"
OK, FULL = b"HTTP/1.1 200 ", b"HTTP/1.1 503 "


@pytest.fixture(autouse=True)
def _endless(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(_: History, __: Series, after: int, ___: int) -> tuple[bytes, int]:
        return bytes(1 << 20), after

    monkeypatch.setattr(History, "_rows", rows)


async def ask(dial: Dial) -> tuple[Client, bytes]:
    """Return a client that has asked for an endless download, and the response's first line."""
    client = await dial()
    client[1].write(DOWNLOAD)
    return client, await client[0].readline()


async def stall_all(dial: Dial) -> None:
    """Take every place for a download, and read nothing of it."""
    for _ in range(MAX_UNDER_WAY):
        (_, writer), line = await ask(dial)
        assert line.startswith(OK)
        cast("asyncio.Transport", writer.transport).pause_reading()


def test_who_does_not_read_a_download_loses_the_place(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        await stall_all(dial)
        line = FULL
        while line.startswith(FULL):
            (_, writer), line = await ask(dial)
            writer.close()
        assert line.startswith(OK)

    serve(tmp_path, PATIENT._replace(unread_s=0.3), scenario)


def test_until_then_there_is_no_place(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        await stall_all(dial)
        ends_at = asyncio.get_running_loop().time() + 1
        while asyncio.get_running_loop().time() < ends_at:
            (_, writer), line = await ask(dial)
            assert line.startswith(FULL)
            writer.close()

    serve(tmp_path, PATIENT._replace(shutdown_s=0.1), scenario)


def test_who_reads_goes_on_until_the_request_ends(tmp_path: Path) -> None:
    limits = PATIENT._replace(unread_s=0.3, request_s=1.5)

    async def scenario(dial: Dial) -> None:
        started = asyncio.get_running_loop().time()
        (reader, _), line = await ask(dial)
        assert line.startswith(OK)
        try:
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        assert asyncio.get_running_loop().time() - started >= limits.request_s

    serve(tmp_path, limits, scenario)
