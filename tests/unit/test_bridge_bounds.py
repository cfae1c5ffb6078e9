"""How much the bridge takes in, and how much it publishes, before it waits or leaves things out."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.batch import Batch
from tests.unit.bridge_rig import COLLECTOR, LIMITS, MAX_QUEUED, UNREADABLE, BridgeRig


@pytest.fixture
def rig() -> Iterator[BridgeRig]:
    with closing(BridgeRig()) as rig:
        rig.connect()
        yield rig


def fill(rig: BridgeRig, queued: int) -> None:
    """Let one reading be written without an end, and queue others behind it."""
    rig.hold()
    for _ in range(1 + queued):
        rig.send("good", COLLECTOR)


def test_reading_goes_on_when_the_queue_is_short_again(rig: BridgeRig) -> None:
    fill(rig, 23)
    assert rig.broker.paused
    rig.repair()
    assert not rig.broker.paused
    assert rig.stored == set(range(1, 25))


def test_reading_stops_when_something_comes_to_a_queue_beyond_its_bound(rig: BridgeRig) -> None:
    fill(rig, MAX_QUEUED + 1)
    assert not rig.broker.paused
    rig.send("good")
    assert rig.broker.paused


def test_a_new_connection_does_not_read_on_while_the_queue_is_beyond_its_bound(
    rig: BridgeRig,
) -> None:
    fill(rig, 0)
    for _ in range(MAX_QUEUED + 1):
        rig.send("good", qos=0)
    for _ in range(5):
        rig.disconnect()
        rig.connect()
        assert rig.broker.paused
        rig.send("good", qos=0)
    assert rig.bridge._writer.queued == MAX_QUEUED + 1  # noqa: SLF001
    rig.repair()
    assert not rig.broker.paused
    assert rig.stored >= set(range(2, MAX_QUEUED + 3))


def test_what_is_set_aside_is_tried_again_though_nothing_else_arrives() -> None:
    with closing(BridgeRig(limits=LIMITS | {"bridge.aside.MAX_POINTS": 1000})) as rig:
        rig.connect()
        for _ in range(12):  # as many as the broker has in flight: no status arrives behind them
            rig.send("broken", COLLECTOR)
        for _ in range(50):
            rig.tick()
        rig.repair()
        for _ in range(50):
            rig.tick()
        assert rig.stored == set(range(1, 13))


@pytest.mark.parametrize(("queued", "paused"), [(MAX_QUEUED, False), (MAX_QUEUED + 1, True)])
def test_reading_goes_on_after_a_batch_if_the_queue_is_within_its_bound(
    rig: BridgeRig, queued: int, paused: bool
) -> None:
    fill(rig, queued)
    rig.broker.pause()
    rig.bridge.settle(Batch())
    assert rig.broker.paused is paused


@pytest.mark.parametrize("content", ["poison", UNREADABLE])
def test_dead_letters_that_are_too_many_are_counted(rig: BridgeRig, content: str) -> None:
    for _ in range(5):  # three fit into the window
        rig.send(content)
    rig.tick()
    assert rig.status().counters["dead_letters_dropped"] == 2
    rig.puback()
    assert len(rig.buried) == 3
    assert rig.broker.session == []


@pytest.mark.parametrize("limit", [0, 3])
def test_beyond_so_many_unacknowledged_messages_receipts_and_statuses_are_left_out(
    limit: int,
) -> None:
    with closing(BridgeRig(limits=LIMITS | {"bridge.service._MAX_UNACKNOWLEDGED": limit})) as rig:
        rig.connect()
        for _ in range(10):
            rig.send("good", COLLECTOR)
        assert rig.broker.unacknowledged == limit
        rig.tick()
        assert rig.broker.unacknowledged == limit
        assert len(rig.stored) == 10
        assert rig.broker.session == []
