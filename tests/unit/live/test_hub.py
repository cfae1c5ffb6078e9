"""Viewers that are slow, leave and come back, and a feed that fails."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from collector.http.stream import Stream
from collector.live import hub as hub_module
from collector.live.hub import MAX_VIEWERS, Hub
from collector.settings import Settings
from tests.builders import published


class Sampler:
    """A connection to the broker on which one sensor speaks in each period."""

    made: ClassVar[list["Sampler"]] = []
    failures: ClassVar[list[Exception]] = []

    def __init__(self, *_: object) -> None:
        self.connected, self.obstacle = True, None
        self.ended = False
        self.periods = 0
        self.made.append(self)

    async def run(self) -> None:
        if self.failures:
            raise self.failures.pop()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True

    def take(self) -> tuple[dict[bytes, bytes], int]:
        self.periods += 1
        payload = json.dumps(published("7", self.periods, "2026-01-31T12:00:00Z"))
        return {b"readings/7/temp": payload.encode()}, 1


class Viewer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.writable = True
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        assert self.writable
        self.written.append(data)

    def frames(self) -> list[Any]:
        """Return the data of all events."""
        lines = b"".join(self.written).decode().splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    def alls(self) -> list[bool]:
        """Return of each frame of readings whether it has all."""
        return [frame["all"] for frame in self.frames() if "all" in frame]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "Sampler", Sampler)
    monkeypatch.setattr(hub_module, "PERIOD_S", 0.001)
    monkeypatch.setattr(hub_module, "_LINGER_S", 0.01)
    monkeypatch.setattr(hub_module, "_AGAIN_S", 0.01)
    Sampler.made, Sampler.failures = [], []


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  any condition
            await asyncio.sleep(0.001)


def run(scenario: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        hub = Hub(Settings(grafana_port=3000))
        await scenario(hub)
        await hub.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(within())


def test_the_first_frame_has_all_and_the_others_what_changed() -> None:
    async def scenario(hub: Hub) -> None:
        viewer = Viewer()
        hub.enter(viewer)
        await until(lambda: len(viewer.alls()) > 3)
        assert viewer.alls()[:4] == [True, False, False, False]
        pipeline = next(frame for frame in viewer.frames() if "broker" in frame)
        assert pipeline["broker"] == {"up": True, "reason": None}
        assert pipeline["grafana"] == {"port": 3000, "tls": False}

    run(scenario)


def test_a_slow_viewer_misses_frames_gets_all_later_and_delays_nobody() -> None:
    async def scenario(hub: Hub) -> None:
        slow, other = Viewer(), Viewer()
        hub.enter(slow)
        hub.enter(other)
        await until(lambda: len(slow.alls()) > 2)
        slow.writable = False
        before = len(slow.written), len(other.written)
        await until(lambda: len(other.written) > before[1] + 20)
        assert len(slow.written) == before[0]
        slow.writable = True
        await until(lambda: len(slow.written) > before[0] + 2)
        assert slow.alls().count(True) == 2
        assert other.alls().count(True) == 1

    run(scenario)


def test_nothing_runs_without_a_viewer() -> None:
    async def scenario(hub: Hub) -> None:
        assert not Sampler.made
        for _ in range(2):
            viewer = Viewer()
            hub.enter(viewer)
            await until(partial(getattr, viewer, "written"))
            hub.leave(viewer)
            await until(lambda: Sampler.made[-1].ended)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert len(Sampler.made) == 2

    run(scenario)


def test_a_failure_is_shown_and_the_feed_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(hub: Hub) -> None:
        Sampler.failures.append(ValueError("unforeseen"))
        viewer = Viewer()
        hub.enter(viewer)
        await until(viewer.alls)
        broker = viewer.frames()[0]["broker"]
        assert broker["up"] is False
        assert "unforeseen" in broker["reason"]
        assert viewer.alls()[0]

    run(scenario)
    assert "the page's feed has failed" in caplog.text


def test_a_stream_expires_when_nothing_can_be_written() -> None:
    class Transport(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            """Take it."""

        def is_closing(self) -> bool:
            return False

    async def scenario(hub: Hub) -> None:
        connection = SimpleNamespace(deadline=0.0)
        stream = Stream(hub, Transport(), connection, unread_s=30)
        hub.enter(stream)
        now = asyncio.get_running_loop().time
        await until(lambda: connection.deadline > now() + 29)
        stream.pause_writing()
        before = connection.deadline
        periods = Sampler.made[0].periods
        await until(lambda: Sampler.made[0].periods > periods + 5)
        assert connection.deadline == before
        stream.resume_writing()
        await until(lambda: connection.deadline > before)

    run(scenario)


def test_the_number_of_viewers_is_bounded() -> None:
    async def scenario(hub: Hub) -> None:
        for _ in range(MAX_VIEWERS):
            assert not hub.is_full
            hub.enter(Viewer())
        assert hub.is_full

    run(scenario)
