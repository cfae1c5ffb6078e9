"""The publisher under any sequence of events: no reading falls between its places or is stuck."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from collector.outbox.elsewhere import Elsewhere
from collector.outbox.outbox import Outbox
from collector.publishing.publisher import Publish, Publisher
from telemetry import topics
from telemetry.receipt import Receipt
from telemetry.status import Status
from tests.unit.broken import assert_detected
from tests.unit.publisher_model import PublisherRig

COUNTS = st.integers(1, 8)


class PublisherMachine(RuleBasedStateMachine):
    """Faults in any order; in the end everything works, and everything is settled."""

    kind: type[Publisher] = Publisher

    def __init__(self) -> None:
        super().__init__()
        self.rig = type("Rig", (PublisherRig,), {"kind": self.kind})()

    def teardown(self) -> None:
        """What is left is settled once the faults have stopped."""
        try:
            self.rig.heal()
            books = self.rig.outbox.books
            assert books.stored + books.rejected == self.rig.outbox.last
            self.rig.check_points()
        finally:
            self.rig.close()

    @initialize(up=st.booleans())
    def begin(self, up: bool) -> None:
        if up:
            self.rig.connect()
            self.rig.say("storing")

    @rule(times=st.lists(st.integers(0, 3), min_size=1, max_size=5))
    def append(self, times: list[int]) -> None:
        self.rig.append(*times)

    @rule()
    def connect(self) -> None:
        self.rig.connect()

    @rule()
    def disconnect(self) -> None:
        self.rig.disconnect()

    @rule(count=COUNTS)
    def puback(self, count: int) -> None:
        self.rig.puback(count)

    @rule(count=COUNTS, reject=st.integers(0, 2))
    def store(self, count: int, reject: int) -> None:
        self.rig.store(count, reject)

    @rule(which=st.integers(0, 20))
    def repeat_receipt(self, which: int) -> None:
        self.rig.repeat_receipt(which)

    @rule()
    def lose(self) -> None:
        self.rig.lose()

    @rule(
        state=st.sampled_from(["storing", "storing", "waiting", "offline"]),
        bridge=st.sampled_from(["bridge", "bridge", "other"]),
    )
    def say(self, state: str, bridge: str) -> None:
        self.rig.say(state, bridge)

    @rule(seconds=st.sampled_from([1, 6, 70]))
    def tick(self, seconds: int) -> None:
        self.rig.tick(seconds)

    @rule()
    def forget_points(self) -> None:
        self.rig.forget_points()

    @rule()
    def restart(self) -> None:
        self.rig.restart()

    @invariant()
    def each_pending_reading_is_in_one_place(self) -> None:
        self.rig.check_places()


TestPublisher = PublisherMachine.TestCase
TestPublisher.settings = settings(
    stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)


class TrustsPubacks(Publisher):
    """Forgets what the broker has acknowledged."""

    def __init__(self, outbox: Outbox, publish: Publish, elsewhere: Elsewhere) -> None:
        super().__init__(outbox, publish, elsewhere)
        self.outbox = outbox

    def on_puback(self, mid: int) -> None:
        before = set(self.outbox.published(1, self.outbox.last))
        super().on_puback(mid)
        for first, last in set(self.outbox.published(1, self.outbox.last)) - before:
            self.in_flight.settle(Receipt([(first, last)]))


class ForgetsFresh(Publisher):
    """Forgets what it holds in memory when the connection is lost."""

    def on_disconnected(self) -> None:
        self.fresh.clear()
        super().on_disconnected()


class ReplaysBlindly(Publisher):
    """Replays whether or not the bridge is storing."""

    def on_status(self, bridge: str, status: Status) -> bool:
        was_away = super().on_status(bridge, status)
        if self.in_flight.lost and self.connected:
            self._send_old(self.in_flight.lost, topics.REPLAY, 2)
        return was_away


class ReplaysInAnyOrder(Publisher):
    """Does not send the last reading of a point again after an earlier one."""

    def _comes_later(self, seq: int) -> bool:  # noqa: ARG002
        return True


BROKEN = [TrustsPubacks, ForgetsFresh, ReplaysBlindly, ReplaysInAnyOrder]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_publisher_is_detected(broken: type[Publisher]) -> None:
    assert_detected(PublisherMachine, broken)
