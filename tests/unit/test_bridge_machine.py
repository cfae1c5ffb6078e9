"""The bridge under any sequence of events: nothing is acknowledged too early, or never."""
# ruff: noqa: SLF001  the broken bridges change its parts

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bridge.batch import Batch
from bridge.service import Bridge
from telemetry.mqtt import Message
from tests.unit.bridge_rig import MAX_QUEUED, UNREADABLE, BridgeRig
from tests.unit.broken import assert_detected

CONTENTS = st.sampled_from(["good", "good", "good", "poison", "broken", UNREADABLE])
ORIGINS = st.sampled_from([("a", "r"), ("a", "s"), ("b", "r")])


class BridgeMachine(RuleBasedStateMachine):
    """Faults in any order; in the end everything works, and everything is settled."""

    kind: type[Bridge] = Bridge

    def __init__(self) -> None:
        super().__init__()
        self.rig = BridgeRig(self.kind)

    def teardown(self) -> None:
        try:
            self.heal()
            self.check()
        finally:
            self.rig.close()

    def heal(self) -> None:
        """Let everything work from now on; AssertionError unless that settles everything."""
        rig = self.rig
        rig.connect()
        rig.repair()
        for _ in range(200):
            rig.tick()
            rig.puback()
            if not (rig.broker.session or rig.broker.unanswered or len(rig.bridge._writer.aside)):
                return
        raise AssertionError(f"never acknowledged: {rig.broker.session[:3]}")

    def check(self) -> None:
        rig = self.rig
        assert not rig.broker.paused
        kept = [sent for sent in rig.sent if sent.number not in rig.lost]
        sound = [sent for sent in rig.sent if sent.origin and sent.content in {"good", "broken"}]
        assert {sent.number for sent in sound if sent in kept} <= rig.stored
        assert rig.stored <= {sent.number for sent in sound}
        alone = {sent for sent in kept if not sent.origin and sent.content != UNREADABLE}
        assert {sent.number for sent in alone if sent.qos} <= rig.forwarded

    @initialize(up=st.booleans())
    def begin(self, up: bool) -> None:
        if up:
            self.rig.connect()

    @rule(content=CONTENTS, origin=ORIGINS, qos=st.integers(0, 1), count=st.integers(1, 5))
    def collect(self, content: str, origin: tuple[str, str], qos: int, count: int) -> None:
        for _ in range(count if qos or self.rig.broker.connected else 0):
            self.rig.send(content, origin, qos)

    @rule(content=CONTENTS, qos=st.integers(0, 1), count=st.integers(1, 5))
    def measure(self, content: str, qos: int, count: int) -> None:
        for _ in range(count if qos or self.rig.broker.connected else 0):
            self.rig.send(content, None, qos)

    @precondition(lambda self: any(sent.origin for sent in self.rig.sent))
    @rule(which=st.integers(0, 50))
    def replay(self, which: int) -> None:
        collected = [sent.number for sent in self.rig.sent if sent.origin]
        self.rig.send_again(collected[which % len(collected)])

    @rule()
    def disconnect(self) -> None:
        self.rig.disconnect()

    @rule()
    def reconnect(self) -> None:
        self.rig.disconnect()
        self.rig.connect()

    @rule(count=st.integers(1, 8))
    def puback(self, count: int) -> None:
        self.rig.puback(count)

    @rule()
    def outage(self) -> None:
        self.rig.outage()

    @rule()
    def hold(self) -> None:
        self.rig.hold()

    @rule(broken=st.booleans())
    def repair(self, broken: bool) -> None:
        self.rig.repair(broken=broken)

    @rule()
    def tick(self) -> None:
        self.rig.tick()

    @invariant()
    def the_queue_is_bounded(self) -> None:
        # One message more shows that the queue is too long.
        assert self.rig.bridge._writer.queued <= MAX_QUEUED + 2


TestBridge = BridgeMachine.TestCase
TestBridge.settings = settings(stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])


class LeavesOutTheLast(Bridge):
    """Acknowledges all but the last message of each batch."""

    def settle(self, batch: Batch) -> None:
        if batch.stored:  # it seems to be from an earlier connection
            batch.stored[-1].message = batch.stored[-1].message._replace(epoch=0)
        super().settle(batch)


class ForgetsWhatWaits(Bridge):
    """Takes for granted that the broker redelivers everything."""

    def _on_connected(self, session_present: bool) -> None:
        self._writer._deliveries.clear()
        super()._on_connected(session_present)


class AcknowledgesFirst(Bridge):
    """Acknowledges what arrives before it is stored."""

    def _on_message(self, message: Message) -> None:
        self._mqtt.ack(message)
        super()._on_message(message)


class ForwardsWithoutWaiting(Bridge):
    """Acknowledges a device's message before the broker has it on devices/."""

    def _forward(self, message: Message) -> None:
        super()._forward(message)
        self._mqtt.ack(message)


class ForwardsOnlyWithRoom(Bridge):
    """Lets go of a device's message when there is no room for it."""

    def _forward(self, message: Message) -> None:
        super()._forward(message)
        self._forwarding._held.clear()


BROKEN = [
    LeavesOutTheLast,
    ForgetsWhatWaits,
    AcknowledgesFirst,
    ForwardsWithoutWaiting,
    ForwardsOnlyWithRoom,
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_bridge_is_detected(broken: type[Bridge]) -> None:
    assert_detected(BridgeMachine, broken)
