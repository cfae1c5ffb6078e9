"""A lane whose outbox is busy while it counts."""
# ruff: noqa: SLF001  its ticks alone

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from collector.http.app import App
from collector.http.connections import Connections
from collector.http.limits import Limits
from collector.http.metrics import Metrics
from collector.http.origins import Origins
from collector.http.readiness import Readiness
from collector.lane import Lane
from collector.live.live import Live
from collector.outbox.claim import opened
from collector.outbox.group_commit import OutboxBusy
from collector.outbox.outbox import Outbox
from collector.outbox.schema import OutboxUnusable
from collector.peers import Peers
from collector.settings import Settings


def failing(error: Exception) -> Callable[[], dict[str, int]]:
    def ages() -> dict[str, int]:
        raise error

    return ages


def ticking(directory: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[str]:
    """Run the ticks of a lane, with the error at the first status; return what it publishes."""

    async def scenario() -> list[str]:
        lane = Lane(outbox_of(settings := made(directory)), settings)
        published: list[str] = []
        broker = SimpleNamespace(
            connected=True, publish=lambda topic, *_, **__: published.append(topic)
        )
        monkeypatch.setattr(lane, "_mqtt", broker)
        working, sleep = lane.outbox.ages, asyncio.sleep
        monkeypatch.setattr(lane.outbox, "ages", failing(error))

        async def short(_: float) -> None:
            await sleep(0)
            if published:
                raise asyncio.CancelledError

        monkeypatch.setattr("collector.lane.asyncio.sleep", short)
        ticks = asyncio.create_task(lane._tick())
        try:
            await sleep(0.1)
            assert published == []
            monkeypatch.setattr(lane.outbox, "ages", working)
            async with asyncio.timeout(10):
                await asyncio.wait((ticks,))
            if not ticks.cancelled():
                ticks.result()
        finally:
            lane.outbox.close()
        return published

    return asyncio.run(scenario())


def outbox_of(settings: Settings) -> Outbox:
    return opened(Path(settings.outbox_path), settings)


def made(directory: Path) -> Settings:
    return Settings(outbox_path=str(directory / "outbox.db"))


def test_a_busy_outbox_delays_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [topic] = ticking(tmp_path, monkeypatch, OutboxBusy("busy"))
    assert topic.startswith("status/collector/")


def test_control_an_outbox_that_cannot_be_used_ends_the_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutboxUnusable):
        ticking(tmp_path, monkeypatch, OutboxUnusable("gone"))


def test_metrics_of_a_busy_outbox_are_asked_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> httpx.Response:
        lane = Lane(outbox_of(settings := made(tmp_path)), settings)
        monkeypatch.setattr(lane.outbox, "ages", failing(OutboxBusy("another program writes")))
        connections = Connections(Limits(10, 10))
        peers = Peers()
        metrics, readiness = Metrics([lane], connections, peers), Readiness([lane], peers)
        app = App(readiness, metrics, Live.of(settings).history, Origins.load("", ()))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            response = await http.get("/metrics")
        lane.outbox.close()
        return response

    response = asyncio.run(scenario())
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["detail"] == "another program writes"
