"""What the auditor does about readings that are missing again and again."""
# ruff: noqa: SLF001  its parts, without threads and clocks

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.audit.auditor import Auditor
from collector.audit.examiner import Examiner, Missing
from collector.outbox.elsewhere import Elsewhere
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft, Row
from telemetry.receipt import Receipt
from telemetry.settings import InfluxAccess

INFLUX: InfluxAccess = {
    "host": "nowhere",
    "port": 1,
    "username": None,
    "password": None,
    "database": "iot",
}


class Lossy(Examiner):
    """Reads an InfluxDB that holds none of the first readings, or other values."""

    def __init__(self, path: Path, *, differing: bool) -> None:
        super().__init__(path, INFLUX, Elsewhere(path, path))
        self.differing = differing
        self.started_at = "first"
        self.lost = 2

    def started(self) -> str:
        return self.started_at

    def missing(self, rows: Sequence[Row]) -> Missing:
        lost = [row.seq for row in rows if row.seq <= self.lost]
        return Missing([], lost, []) if self.differing else Missing(lost, [], [])


class Rig:
    """Ten stored readings; whatever is healed is stored again at once."""

    def __init__(self, path: Path, *, differing: bool) -> None:
        self.outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
        self.healed: list[tuple[int, int]] = []
        self.auditor = Auditor(self.outbox, INFLUX, self.heal, Elsewhere(path, path))
        self.influx = Lossy(path, differing=differing)
        self.auditor._examiner = self.influx

    def heal(self, ranges: Sequence[tuple[int, int]]) -> None:
        for kept in self.outbox.reopening.heal(ranges):
            self.healed.append(kept)
            self.outbox.settle(Receipt([kept], run=self.outbox.run))

    async def fill(self) -> None:
        await self.outbox.append([Draft("1/t", ns, b'{"value":1}') for ns in range(10)])
        self.outbox.settle(Receipt([(1, 10)], run=self.outbox.run))

    async def rounds(self, count: int = 8) -> None:
        self.auditor._round_to = self.outbox.last
        for _ in range(count):
            if self.auditor._round_to:
                await self.auditor._examine()


def test_what_is_missing_after_two_replays_is_given_up_and_not_verified(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.fill()
        await rig.rounds()
        assert rig.healed == [(1, 2), (1, 2)]
        verification = rig.outbox.verification
        assert (verification.waiting, list(verification.given_up)) == (0, [(1, 2)])
        assert list(verification.verified) == [(3, 10)]
        rig.outbox.close()

    for differing in (False, True):
        path = tmp_path / f"{differing}.db"
        asyncio.run(run(path, scenario, differing=differing))


def test_after_a_restart_of_influxdb_it_is_replayed_again(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.fill()
        await rig.auditor._watch()
        for restart in range(5):  # in each of them it loses the same readings
            rig.influx.started_at = f"restart {restart}"
            await rig.auditor._watch()
            await rig.rounds()
        assert len(rig.healed) == 10
        rig.influx.lost = 0
        rig.influx.started_at = "whole"
        await rig.auditor._watch()
        await rig.rounds()
        assert list(rig.outbox.verification.verified) == [(1, 10)]
        assert not list(rig.outbox.verification.given_up)
        rig.outbox.close()

    asyncio.run(run(tmp_path / "o.db", scenario, differing=False))


def test_doubts_do_not_keep_a_round_from_its_end(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.influx.lost = 0
        await rig.fill()
        await rig.auditor._watch()
        rig.auditor._round_to = rig.outbox.last
        rig.outbox.verify(1, 5)
        rig.auditor._doubted_at = -100.0
        await rig.auditor._watch()
        assert list(rig.outbox.verification.verified) == [(1, 5)]
        await rig.rounds()
        assert list(rig.outbox.verification.verified) == [(1, 10)]
        await rig.auditor._watch()
        assert not list(rig.outbox.verification.verified), "now it reads all back again"
        rig.outbox.close()

    asyncio.run(run(tmp_path / "o.db", scenario, differing=False))


@pytest.mark.parametrize(
    ("rate", "worked_s", "most_s"), [(0, 2.0, 2.5), (9000, 0.2, 12), (9000, 60, 21)]
)
def test_it_rests_by_the_load_as_it_is_now_and_never_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, worked_s: float, most_s: float
) -> None:
    now = 100.0

    async def scenario(rig: Rig) -> None:
        async def sleep(seconds: float) -> None:
            nonlocal now
            now += max(seconds, 0.001)
            rig.outbox.last += int(rate * seconds)

        monkeypatch.setattr("asyncio.sleep", sleep)
        rig.auditor._measured = (now, rig.outbox.last)
        await rig.auditor._rest(worked_s)
        rig.outbox.close()

    monkeypatch.setattr("time.monotonic", lambda: now)
    asyncio.run(run(tmp_path / "o.db", scenario, differing=False))
    assert most_s / 2 < now - 100 < most_s


async def run(path: Path, scenario: object, *, differing: bool) -> None:
    await scenario(Rig(path, differing=differing))  # type: ignore[operator]
