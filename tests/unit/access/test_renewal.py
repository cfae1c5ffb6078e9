"""The hourly look at the certificates."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.access import certificates, renewal
from tests.tls_files import Own, connect

_DEADLINE_S = 10

Look = Callable[..., None]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """A function that looks several times, without a pause."""
    ensure = certificates.ensure

    def look(directory: Path, *names: str, times: int = 4) -> None:
        async def run() -> None:
            enough = asyncio.Event()
            loop = asyncio.get_running_loop()
            looks = 0

            def counted(directory: Path, names: Sequence[str]) -> None:
                nonlocal looks
                looks += 1
                if looks > times:
                    loop.call_soon_threadsafe(enough.set)
                ensure(directory, names)

            monkeypatch.setattr(certificates, "ensure", counted)
            looking = asyncio.create_task(renewal.run(directory, names, look_s=0))
            async with asyncio.timeout(_DEADLINE_S):
                await enough.wait()
            looking.cancel()
            await asyncio.wait([looking])

        asyncio.run(run())

    return look


def test_it_makes_what_is_missing(tmp_path: Path, look: Look) -> None:
    look(tmp_path, "iot.local")
    connect(tmp_path, "iot.local")


def test_a_failure_is_logged_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, look: Look
) -> None:
    certificates.ensure(tmp_path, ["iot.local"])
    (tmp_path / "server.key").write_bytes(b"")
    look(tmp_path, "iot.local")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "server.key is damaged" in caplog.text
    (tmp_path / "server.key").unlink()
    look(tmp_path, "iot.local")
    assert len(caplog.records) == 1
    connect(tmp_path, "iot.local")


@pytest.mark.parametrize(("left", "warnings"), [(15, 0), (13, 1), (-1, 1)])
def test_ones_own_that_nobody_renews_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, look: Look, left: int, warnings: int
) -> None:
    Own(tmp_path, "iot.local", ago=timedelta(days=397 - left))
    look(tmp_path, "iot.local")
    assert caplog.text.count("a certificate is valid until") == len(caplog.records) == warnings


def test_ones_own_without_an_authority_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, look: Look
) -> None:
    Own(tmp_path, "iot.local").ca.unlink()
    look(tmp_path, "iot.local")
    (record,) = caplog.records
    assert f"{tmp_path / 'ca.crt'}: expected a file with certificates" in record.getMessage()


def test_ones_own_for_other_names_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, look: Look
) -> None:
    Own(tmp_path, "iot.local")
    look(tmp_path, "iot.local", "other.local")
    (record,) = caplog.records
    assert "clients that expect 'other.local' would refuse it: " in record.getMessage()
    assert record.getMessage().endswith("it is for iot.local")


@pytest.mark.parametrize(("left", "warnings"), [(367, 0), (363, 1)])
def test_an_authority_in_its_last_year_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, look: Look, left: int, warnings: int
) -> None:
    made = datetime.now(UTC) - timedelta(days=3650 - left)
    certificates.ensure(tmp_path, ["iot.local"], lambda: made)
    look(tmp_path, "iot.local")
    assert caplog.text.count("the authority is valid until") == len(caplog.records) == warnings
