"""Which outboxes that nobody has are adopted, and when."""
# ruff: noqa: SLF001  its looks, without lanes and clocks

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from collector.adoption import Adoption
from collector.outbox.outbox import Outbox
from collector.outbox.schema import OutboxUnusable
from collector.settings import Settings
from tests.unit.outbox_files import make

FIRST, SECOND, THIRD, FOURTH = (
    Path(name) for name in ("outbox.db", "outbox-2.db", "outbox-3.db", "outbox-4.db")
)


class Rig:
    """A process with an outbox, and others that nobody has; each adoption lasts until `end`."""

    def __init__(self, own: Path, others: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
        self.lane = SimpleNamespace(doubts=0, outbox=SimpleNamespace(path=own))
        self.others = others
        self.adopted: list[str] = []
        self.drained = True
        self.error: Exception | None = None
        self._end = asyncio.Event()
        self._began = time.monotonic()
        self.adoption = Adoption([cast("Any", self.lane)], Settings(), cast("Any", None))
        monkeypatch.setattr(self.adoption, "_drain", self._drain)
        monkeypatch.setattr("collector.adoption.unheld", lambda _: list(self.others))

    async def look(self, *times: float) -> list[str]:
        """Look after so many seconds, and return what has been adopted so far."""
        for now in times:
            self.adoption._look(self._began + now)
            await asyncio.sleep(0)
        return self.adopted

    async def end(self) -> None:
        """Let what is adopted end."""
        self._end.set()
        await asyncio.gather(*self.adoption._tasks.values())
        self._end.clear()

    async def _drain(self, path: Path) -> bool:
        self.adopted.append(path.name)
        await self._end.wait()
        if self.error:
            raise self.error
        return self.drained


def run(scenario: Callable[[Any], Any], *parts: Any) -> None:  # noqa: ANN401
    async def inside() -> None:
        await scenario(Rig(*parts))

    asyncio.run(inside())


def test_one_at_a_time_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.look(0, 9) == []
        assert await rig.look(10, 11, 12) == ["outbox-2.db"]
        rig.others = [THIRD]
        await rig.end()
        assert await rig.look(13) == ["outbox-2.db", "outbox-3.db"]
        await rig.end()

    run(scenario, FIRST, [SECOND, THIRD], monkeypatch)


def test_whoever_is_back_within_ten_seconds_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.look(0, 9)
        rig.others = []
        await rig.look(9.5)
        rig.others = [SECOND]
        assert await rig.look(10, 19) == []
        assert await rig.look(20) == ["outbox-2.db"]
        await rig.end()

    run(scenario, FIRST, [SECOND], monkeypatch)


def test_only_who_has_the_first_one_adopts_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.look(0, 10, 60) == []
        rig.others = [FIRST, THIRD]
        assert await rig.look(61, 71, 72) == ["outbox.db"]
        await rig.end()

    run(scenario, SECOND, [THIRD], monkeypatch)


def test_what_was_drained_is_left_alone_for_an_hour_or_until_a_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.look(0, 10) == ["outbox-2.db"]
        await rig.end()
        assert await rig.look(11, 21, 3599) == ["outbox-2.db"]
        rig.lane.doubts += 1
        assert await rig.look(3599) == ["outbox-2.db"] * 2
        await rig.end()
        assert await rig.look(3599.5, 3610) == ["outbox-2.db"] * 3
        await rig.end()

    run(scenario, FIRST, [SECOND], monkeypatch)


def test_those_that_do_not_get_on_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(rig: Rig) -> None:
        rig.drained = False
        await rig.look(0)
        for turn in range(6):
            now = 10 + 60 * turn
            taken = Path((await rig.look(now))[-1])
            rig.others.remove(taken)
            await rig.look(now + 1)
            rig.others.append(taken)
            await rig.end()
        assert rig.adopted == [one.name for one in (SECOND, THIRD, FOURTH)] * 2

    run(scenario, FIRST, [SECOND, THIRD, FOURTH], monkeypatch)


@pytest.mark.parametrize("error", [OutboxUnusable("damaged"), TypeError("damaged"), None])
def test_one_that_fails_rests_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception | None
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.error = error
        rig.drained = error is not None
        await rig.look(0, 10)
        await rig.end()
        rig.lane.doubts += 1
        adopted = await rig.look(11, 21, 599)
        await rig.end()
        if error is None:  # control
            assert len(adopted) == 2
            return
        assert len(adopted) == 1
        assert len(await rig.look(611)) == 2, "it may have been mended"
        await rig.end()
        assert caplog.text.count("outbox-2.db is left alone: damaged") == 1
        assert ("Traceback" in caplog.text) == isinstance(error, TypeError)

    with caplog.at_level(logging.ERROR):
        run(scenario, FIRST, [SECOND], monkeypatch)


def test_a_lane_that_cannot_be_made_leaves_the_outbox_to_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox-2.db"
    make(path)

    def lane_of(_: Outbox) -> Any:  # noqa: ANN401
        raise ValueError("no lane")

    async def scenario() -> None:
        settings = Settings(outbox_path=str(tmp_path / "outbox.db"))
        adoption = Adoption([], settings, lane_of)
        for _ in range(2):
            adoption._tasks[path] = asyncio.create_task(adoption._adopt(path))
            await adoption._tasks[path]
        Outbox(path, max_bytes=1 << 20, keep_s=1).close()

    asyncio.run(scenario())
    assert "no lane" in caplog.text
