"""Devices' messages that wait: bounded, in turns with others, and for as long as it takes."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from collector.devices import answers as devices_answers
from collector.devices import backlog, intake
from collector.outbox.row import Row
from tests.unit.devices.rig import Rig, run
from tests.unit.devices.test_intake import TOPIC, answers, sent
from tests.unit.memory_broker import Packet


def make_room(rig: Rig) -> None:
    rig.outbox.space.measure()
    rig.intake.tick()


@pytest.mark.parametrize("orderly", [False, True])
def test_what_waits_survives_a_broker_that_has_lost_the_session(
    tmp_path: Path, orderly: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.outbox.space.left = 0
        rig.client.offer(TOPIC, sent(1))
        await rig.idle()
        rig.client.disconnect()
        rig.client.connect(session_present=False)
        if orderly:  # the new session does not have it
            rig.client.disconnect()
            rig.client.connect()
        make_room(rig)
        await rig.idle()
        assert rig.committed == [("k/t", 1)]
        assert answers(rig) == [1]

    run(tmp_path, scenario)


def test_beyond_a_bound_it_stops_reading_from_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_MAX_READINGS", 3)
    monkeypatch.setattr(intake, "_MAX_ARRIVED_BYTES", 300)

    async def scenario(rig: Rig) -> None:
        rig.outbox.space.left = 0
        for number in range(9):
            rig.client.offer(TOPIC, sent(number))
        await rig.idle()
        assert rig.client.paused
        assert rig.intake.counters["mqtt_waiting"] == 4 + 2
        make_room(rig)
        await rig.idle()
        assert answers(rig) == list(range(9))
        assert not rig.client.paused

    run(tmp_path, scenario)


def test_one_that_does_not_fit_does_not_block_those_behind_it(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        types = b",".join(b'"%060d":1' % number for number in range(900))
        for _ in range(5):
            rig.client.offer("devices/k", b'{"ref":0,%b}' % types)
        for number in range(1, 4):
            rig.client.offer(TOPIC, sent(number))
        await rig.idle()
        assert answers(rig) == []
        rig.intake.tick()
        await rig.idle()
        assert answers(rig) == [1, 2, 3]
        assert rig.intake.counters["mqtt_waiting"] == 5

    run(tmp_path, scenario, max_bytes=120_000)


@pytest.mark.parametrize(("turn_s", "has_turns"), [(0.0, True), (9.0, False)])
def test_others_have_their_turns_while_many_messages_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn_s: float, has_turns: bool
) -> None:
    monkeypatch.setattr(intake, "_TURN_S", turn_s)

    async def scenario(rig: Rig) -> None:
        for number in range(20):
            rig.client.offer(TOPIC, sent(number))
        seen = set()
        while len(answers(rig)) < 20:
            await asyncio.sleep(0)
            seen.add(rig.intake.counters["mqtt_waiting"])
        assert (len(seen) > 5) == has_turns

    run(tmp_path, scenario)


def test_on_a_disk_with_little_room_less_is_committed_at_once(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        group = rig.outbox._group  # noqa: SLF001  there is no such disk here
        write = group._write  # noqa: SLF001

        def write_little(rows: list[Row]) -> None:
            if len(rows) > 3:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            write(rows)

        group._write = write_little  # noqa: SLF001
        for number in range(10):
            rig.client.offer(TOPIC, sent(number))
        for _ in range(20):
            rig.intake.tick()
            await rig.idle()
        assert answers(rig) == list(range(10))

    run(tmp_path, scenario)


def test_what_comes_before_subscriptions_that_are_refused_does_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_MAX_ARRIVED_BYTES", 1000)

    async def scenario(rig: Rig) -> None:
        rig.client.connected = False
        rig.client.session = [Packet(TOPIC, sent(number), number, 1, False) for number in range(9)]
        for _ in range(20):
            rig.client.deliver_early()
        assert rig.intake.counters["mqtt_waiting"] < 2 * 9
        rig.client.connect()
        await rig.idle()
        assert answers(rig) == list(range(9))

    run(tmp_path, scenario)


def test_a_refusal_is_small_however_much_is_wrong(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        odd = [b'"%d%b":"%b"' % (n, b"\\u0001" * 99, b"\\\\" * 50) for n in range(20)]
        rig.client.offer("devices/k", b"{%b}" % b",".join(odd))
        await rig.idle()
        (answer,) = (payload for topic, payload in rig.events if topic == "refused/k")
        assert len(answer) < 4096
        assert 1 < len(json.loads(answer)["errors"]) < 20

    run(tmp_path, scenario)


def test_answers_beyond_the_bound_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_answers, "_MAX_HELD", 3)

    async def scenario(rig: Rig) -> None:
        rig.client.disconnect()
        for number in range(5):
            rig.intake._answers.accepted("", "k", b"%d" % number, 1)  # noqa: SLF001  a late commit
        assert rig.intake.counters["answers_dropped"] == 2
        rig.client.connect()
        assert answers(rig) == [2, 3, 4]

    run(tmp_path, scenario)
