"""`python -m bridge --check` with a broker that has nothing but these messages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from bridge import check
from telemetry.mqtt import Message
from tests.unit.messages import message

STORING = b'{"state":"storing"}'
WAITING = b'{"state":"waiting","reason":"InfluxDB: no answer"}'
OFFLINE = b'{"state":"offline"}'

Answer = tuple[int, str]
Check = Callable[..., Answer]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Return a function from messages to the exit code and the line that is printed."""

    def run(*messages: Message) -> Answer:
        @asynccontextmanager
        async def client(_broker: object, *topics: str) -> AsyncIterator[Any]:
            queue: asyncio.Queue[Message] = asyncio.Queue()
            for one in messages:
                if one.topic in topics:
                    queue.put_nowait(one)
            yield SimpleNamespace(messages=queue)

        monkeypatch.setattr(check, "temporary_client", client)
        monkeypatch.setattr(check, "_TIMEOUT_S", 0.01)
        code = check.main()
        return code, capsys.readouterr().out

    return run


def status(payload: bytes, *, retain: bool = False, bridge: str = "bridge") -> Message:
    return message(payload, f"status/bridge/{bridge}")._replace(retain=retain)


def test_a_bridge_that_is_storing_is_well(checked: Check) -> None:
    assert checked(status(STORING)) == (0, "storing\n")


def test_the_reason_why_it_is_not_storing_is_printed(checked: Check) -> None:
    assert checked(status(WAITING)) == (1, "waiting InfluxDB: no answer\n")


def test_the_next_status_counts_not_the_retained_one(checked: Check) -> None:
    assert checked(status(WAITING, retain=True), status(STORING)) == (0, "storing\n")


def test_a_retained_status_alone_proves_nothing(checked: Check) -> None:
    answer = "unknown no status within 0.01 s; the last one was 'storing'\n"
    assert checked(status(STORING, retain=True)) == (1, answer)


def test_a_retained_end_is_an_answer(checked: Check) -> None:
    assert checked(status(OFFLINE, retain=True), status(STORING)) == (1, "offline\n")


def test_without_any_status_of_this_bridge_that_is_said(checked: Check) -> None:
    answer = "unknown no status within 0.01 s; no bridge has ever published one\n"
    assert checked(status(STORING, bridge="other")) == (1, answer)


def test_an_unreadable_status_is_reported(checked: Check) -> None:
    code, line = checked(status(b"nonsense"))
    assert code == 1
    assert line.startswith("unknown unreadable status on the broker: JSON is malformed")


def test_a_wrong_setting_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MQTT_PORT", "x")
    assert check.main() == 1
    assert capsys.readouterr().err.startswith("bridge: MQTT_PORT='x': ")
