"""RATE_LIMIT for what devices publish: refused with the time to wait, and never dropped."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collector.access.identities import Identities
from collector.access.identity import Identity
from collector.access.rates import RateLimit
from collector.access.series import SeriesLimit
from collector.devices.senders import Senders
from collector.intake.labels import Labels
from tests.identities import OPEN, Known
from tests.unit.devices.rig import MAX_SERIES, Rig
from tests.unit.devices.rig import run as run_rig

# `kitchen` alone names kitchen in full; shared belongs to two, and what a pattern allows to nobody.
KNOWN = Known(
    Identity("hall", ["kitchen", "shared"]),
    Identity("cellar", ["shared", "garage"]),
    Identity("gateway", ["*", "k*"]),
)
TASMOTA = b'{"Time":"2026-01-31T12:00:00","AM2301":{"Temperature":21.5}}'
BURST_S = 10


class Limited:
    """A rig that takes 1 reading per second of each sender, by a clock that stands still."""

    def __init__(self, rig: Rig, identities: Identities) -> None:
        self.rig = rig
        self.now = 0.0
        self.limit = RateLimit(1, lambda: self.now)
        self._ref = 0
        series = SeriesLimit(MAX_SERIES, set())
        labels = Labels("mosquitto")
        rig.intake._senders = Senders(identities, series, self.limit, labels)  # noqa: SLF001

    async def publish(self, topic: str, payload: bytes | None = None) -> None:
        self._ref += 1
        self.rig.client.puback(99)
        self.rig.client.offer(topic, payload or b'{"value":1,"ref":%d}' % self._ref)
        await self.rig.idle()

    async def exhaust(self, topic: str) -> None:
        for _ in range(BURST_S + 1):
            await self.publish(topic)

    @property
    def refused(self) -> int:
        return self.rig.intake.counters["mqtt_refused"]


def run(
    directory: Path, scenario: Callable[[Limited], Awaitable[None]], identities: Identities = KNOWN
) -> None:
    run_rig(directory, lambda rig: scenario(Limited(rig, identities)))


def test_above_the_rate_a_message_is_refused_answered_and_buried(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        await limited.exhaust("from/hall/devices/kitchen/t")
        assert (limited.refused, len(limited.rig.committed)) == (0, 11)
        limited.rig.events.clear()
        await limited.publish("from/hall/devices/kitchen/t")
        (refused, answer), (rejected, letter) = limited.rig.events
        assert (refused, rejected) == ("to/hall/refused/kitchen", "rejected/kitchen/t")
        reason = "more than 1 readings per second (RATE_LIMIT); send it again in 1 s"
        told = {"ref": 12, "retry_after": 1, "errors": [{"detail": reason}]}
        assert json.loads(answer) == told
        assert json.loads(letter)["reason"] == reason
        limited.rig.client.puback(99)
        assert limited.rig.events[2] == ("ack", b'{"value":1,"ref":12}')
        assert limited.refused == 1
        assert len(limited.rig.committed) == 11

    run(tmp_path, scenario)


def test_after_the_time_it_is_told_it_is_taken(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        batch = json.dumps({"t": 1, **{f"t{number}": 1 for number in range(99)}}).encode()
        await limited.publish("from/hall/devices/kitchen", batch)  # of 100 readings, taken whole
        for now, refused in ((0, 1), (89.9, 2), (90, 2)):
            limited.now = now
            await limited.publish("from/hall/devices/kitchen/t")
            assert limited.refused == refused

    run(tmp_path, scenario)


def test_control_at_the_rate_nothing_is_refused(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        for second in range(60):
            limited.now = second
            await limited.publish("devices/kitchen/t")
        assert (limited.refused, len(limited.rig.committed)) == (0, 60)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("from/hall/devices/kitchen/t", "from/hall/devices/shared/t", True),
        ("from/hall/devices/kitchen/t", "devices/kitchen/t", True),
        ("from/hall/devices/kitchen/t", "from/cellar/devices/garage/t", False),
        ("devices/kitchen/t", "devices/garage/t", False),
        ("from/hall/devices/shared/t", "devices/shared/t", False),
        ("devices/shared/t", "devices/shared/other", True),
        ("devices/shared/t", "from/cellar/devices/shared/t", False),
        ("from/gateway/devices/kx/t", "devices/kx/t", False),
        ("devices/kx/t", "devices/ky/t", False),
    ],
)
def test_a_sender_is_an_identity_or_where_it_is_not_known_a_sensor(
    tmp_path: Path, first: str, second: str, is_one: bool
) -> None:
    async def scenario(limited: Limited) -> None:
        await limited.exhaust(first)
        await limited.publish(second)
        assert limited.refused == is_one

    run(tmp_path, scenario)


def test_without_identities_each_sensor_has_the_rate(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        await limited.exhaust("devices/a/t")
        await limited.publish("devices/a/t")
        await limited.publish("devices/b/t")
        assert limited.refused == 1

    run(tmp_path, scenario, OPEN)


def test_a_family_has_the_rate_of_its_sensor(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        limited.rig.client.roots += ("tele/",)
        for _ in range(BURST_S + 2):
            await limited.publish("tele/plug/SENSOR", TASMOTA)
        assert limited.refused == 1
        assert limited.rig.events[-1][0].startswith("rejected/")
        await limited.publish("tele/other/SENSOR", TASMOTA)
        await limited.publish("tele/plug/LWT", b"Online")  # no reading costs nothing
        assert limited.refused == 1

    run(tmp_path, scenario)


def test_http_and_mqtt_spend_from_one_rate(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        limited.limit.spend("hall", BURST_S + 1)  # as a POST does
        await limited.publish("devices/kitchen/t")
        assert limited.refused == 1

    run(tmp_path, scenario)


def test_what_is_refused_otherwise_costs_nothing(tmp_path: Path) -> None:
    async def scenario(limited: Limited) -> None:
        for _ in range(2 * BURST_S):
            await limited.publish("from/hall/devices/garage/t")
            await limited.publish("devices/kitchen/t", b"hot")
        refused = limited.refused
        assert refused == 4 * BURST_S
        await limited.exhaust("devices/kitchen/t")
        assert limited.refused == refused

    run(tmp_path, scenario)


@pytest.mark.parametrize("session_present", [True, False])
def test_what_the_broker_has_kept_is_taken_at_any_rate(
    tmp_path: Path, session_present: bool
) -> None:
    async def scenario(limited: Limited) -> None:
        limited.rig.client.disconnect()
        limited.rig.client.connect(session_present=session_present)
        for _ in range(50):
            await limited.publish("devices/kitchen/t")
        assert limited.refused == (0 if session_present else 50 - BURST_S - 1)

    run(tmp_path, scenario)


def test_that_is_no_more_than_a_broker_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.devices.intake._MAX_KEPT_BYTES", 30 * 201)

    async def scenario(limited: Limited) -> None:
        limited.rig.client.disconnect()
        limited.rig.client.connect()
        for _ in range(30 + BURST_S + 2):
            await limited.publish("devices/kitchen/t", b"1")
        assert limited.refused == 1

    run(tmp_path, scenario)
