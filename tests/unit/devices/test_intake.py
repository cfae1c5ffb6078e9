"""Devices' messages: taken, acknowledged after the commit, answered; or kept waiting."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.devices.intake import DeviceIntake
from collector.devices.payload import Taken
from telemetry.mqtt import Message
from tests.unit.devices.rig import Rig, run

TOPIC = "devices/k/t"
TIMED = b'{"value":1,"ts":"2026-01-31T12:00:00Z"}'


def sent(number: int) -> bytes:
    return b'{"value":%d,"ref":%d}' % (number, number)


def answers(rig: Rig) -> list[int]:
    """Return which were answered as accepted, in order."""
    found = [payload for topic, payload in rig.events if topic == "accepted/k"]
    return [int(payload.partition(b":")[2].partition(b",")[0]) for payload in found]


def test_a_message_is_committed_then_acknowledged_and_answered(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.outbox.add_listener(lambda rows: rig.events.append(("commit", b"%d" % len(rows))))
        rig.client.offer(TOPIC, sent(1))
        rig.client.offer(TOPIC, sent(2))
        rig.client.offer(TOPIC, b"3")
        await rig.idle()
        assert rig.events == [
            ("commit", b"3"),
            ("ack", sent(1)),
            ("accepted/k", b'{"ref":1,"count":1}'),
            ("ack", sent(2)),
            ("accepted/k", b'{"ref":2,"count":1}'),
            ("ack", b"3"),
        ]
        assert rig.committed == [("k/t", 1), ("k/t", 2), ("k/t", 3)]

    run(tmp_path, scenario)


class AcknowledgesFirst(DeviceIntake):
    """Acknowledges what it has not committed."""

    def _on_message(self, message: Message) -> None:
        super()._on_message(message)
        self._mqtt.ack(message)

    def _on_committed(self, _: Message, taken: Taken) -> None:
        if taken.ref is not None:
            self._answers.accepted("", taken.sensor, taken.ref, len(taken.drafts))


@pytest.mark.parametrize("kind", [DeviceIntake, AcknowledgesFirst])
def test_while_the_outbox_is_full_nothing_is_acknowledged(
    tmp_path: Path, kind: type[DeviceIntake], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(rig: Rig) -> None:
        many = b",".join([b'{"type":"t","value":1,"sensor_id":"%060d"}' % n for n in range(100)])
        for number in range(8):
            rig.client.offer("devices/k", b'{"ref":%d,"readings":[%b]}' % (number, many))
            await rig.idle()
        taken = len(rig.committed) // 100
        acknowledged = [event for event in rig.events if event[0] == "ack"]
        if kind is AcknowledgesFirst:
            assert len(acknowledged) > taken
            return
        assert len(acknowledged) == taken == len(answers(rig)) < 8
        assert "messages of devices wait, unacknowledged: the outbox holds its" in caplog.text
        assert rig.intake.counters["mqtt_waiting"] == 8 - taken
        await rig.settle_all()
        rig.intake.tick()
        await rig.idle()
        assert answers(rig) == list(range(8))
        assert not rig.intake.counters["mqtt_waiting"]

    run(tmp_path, scenario, kind, max_bytes=150_000)


def test_what_waits_is_not_doubled_by_a_redelivery(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.outbox.space.left = 0
        rig.client.offer(TOPIC, sent(1))
        rig.client.offer(TOPIC, sent(2), qos=0)
        await rig.idle()
        rig.client.disconnect()
        rig.client.connect()
        await rig.idle()
        rig.outbox.space.measure()
        rig.intake.tick()
        await rig.idle()
        assert sorted(rig.committed) == [("k/t", 1), ("k/t", 2)]

    run(tmp_path, scenario)


def test_answers_wait_for_the_connection(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.client.offer(TOPIC, sent(1))
        rig.client.offer(TOPIC, b"hot")
        await rig.idle()
        rig.events.clear()
        rig.client.disconnect()
        rig.intake._answers.accepted("", "k", b"5", 1)  # noqa: SLF001  as a commit would just now
        assert not rig.events
        rig.client.connect()
        assert answers(rig) == [5]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("payload", "retain"),
    [(sent(1), True), (TIMED, True), (b"hot", True), (b"", True), (b"", False)],
)
def test_a_retained_copy_and_a_clearing_are_nothing(
    tmp_path: Path, payload: bytes, retain: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.client.offer(TOPIC, payload, retain=retain)
        await rig.idle()
        assert rig.events == [("ack", payload)]
        assert not rig.committed
        assert not rig.intake.counters["mqtt_refused"]

    run(tmp_path, scenario)


def test_nothing_is_taken_before_the_subscriptions_are_in_place(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.client.disconnect()
        rig.client.offer(TOPIC, sent(1))
        rig.client.deliver_early()
        await rig.idle()
        assert not rig.committed
        rig.client.connect()
        await rig.idle()
        assert rig.committed == [("k/t", 1)]

    run(tmp_path, scenario)


def test_what_is_refused_is_answered_and_buried(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.client.offer("devices/k/t", b'{"value":"x","ref":1}')
        await rig.idle()
        (refused, answer), (rejected, letter) = rig.events
        assert (refused, rejected) == ("refused/k", "rejected/k/t")
        assert answer == (
            b'{"ref":1,"errors":[{"field":"value","value":"\\"x\\"",'
            b'"detail":"must be a finite number"}]}'
        )
        assert b"must be a finite number; expected a number such as 21.5" in letter
        rig.client.puback(2)
        assert rig.events[2] == ("ack", b'{"value":"x","ref":1}')
        (shown,) = rig.intake.dead_letters
        assert shown.topic == "devices/k/t"

    run(tmp_path, scenario)


def test_at_the_end_nothing_more_is_taken(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.client.offer(TOPIC, sent(1))
        await rig.idle()
        rig.client.puback(9)
        await rig.intake.leave()
        rig.client.offer(TOPIC, sent(2))
        await rig.idle()
        assert rig.committed == [("k/t", 1)]
        assert [packet.payload for packet in rig.client.session] == [sent(2)]

    run(tmp_path, scenario)


LEVELS = st.lists(st.sampled_from(["devices", "k", "t", "", "+", "$x", "é" * 80]), max_size=4)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    messages=st.lists(
        st.tuples(
            LEVELS.map("/".join), st.binary(max_size=20), st.sampled_from([0, 1]), st.booleans()
        )
    )
)
def test_no_message_is_left_unacknowledged(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes, int, bool]]
) -> None:
    async def scenario(rig: Rig) -> None:
        for topic, payload, qos, retain in messages:
            rig.client.offer(f"devices/{topic}", payload, qos, retain=retain)
        await rig.idle()
        while rig.client.unanswered:
            rig.client.puback(99)
            await rig.idle()
        assert not rig.client.session

    run(tmp_path_factory.mktemp("any"), scenario)
