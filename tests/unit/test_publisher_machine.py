"""The publisher under whatever may happen: nothing falls between its places, nothing gets stuck."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from collector.publisher import Publisher
from tests.unit.publisher_model import Road

COUNTS = st.integers(1, 8)


class PublisherMachine(RuleBasedStateMachine):
    """Faults in any order; in the end everything works, and everything is settled."""

    kind: type[Publisher] = Publisher

    def __init__(self) -> None:
        super().__init__()
        self.road = type("Roads", (Road,), {"kind": self.kind})()

    def teardown(self) -> None:
        """See that what is left gets through once the faults have stopped."""
        try:
            self.road.heal()
            assert self.road.outbox.stored + self.road.outbox.rejected == self.road.outbox.last
        finally:
            self.road.close()

    @initialize(up=st.booleans())
    def begin(self, up: bool) -> None:
        """Start on a good day, or not."""
        if up:
            self.road.connect()
            self.road.say("storing")

    @rule(times=st.lists(st.integers(0, 3), min_size=1, max_size=5))
    def append(self, times: list[int]) -> None:
        """Accept readings."""
        self.road.append(*times)

    @rule()
    def connect(self) -> None:
        """Reach the broker."""
        self.road.connect()

    @rule()
    def disconnect(self) -> None:
        """Lose the broker."""
        self.road.disconnect()

    @rule(count=COUNTS)
    def puback(self, count: int) -> None:
        """Acknowledge."""
        self.road.puback(count)

    @rule(count=COUNTS, refuse=st.integers(0, 2))
    def store(self, count: int, refuse: int) -> None:
        """Give a receipt."""
        self.road.store(count, refuse)

    @rule(which=st.integers(0, 20))
    def tell_again(self, which: int) -> None:
        """Give a receipt once more."""
        self.road.tell_again(which)

    @rule()
    def lose(self) -> None:
        """Forget what is between the two."""
        self.road.lose()

    @rule(
        state=st.sampled_from(["storing", "storing", "waiting", "offline"]),
        retained=st.sampled_from([False, False, True]),
    )
    def say(self, state: str, retained: bool) -> None:
        """Say how the bridge is."""
        self.road.say(state, retained=retained)

    @rule(seconds=st.sampled_from([1, 6, 70]))
    def tick(self, seconds: int) -> None:
        """Let time pass."""
        self.road.tick(seconds)

    @rule()
    def restart(self) -> None:
        """Start the collector again."""
        self.road.restart()

    @invariant()
    def each_pending_reading_is_in_one_place(self) -> None:
        """As the publisher says of itself."""
        self.road.check_places()


TestPublisher = PublisherMachine.TestCase
TestPublisher.settings = settings(
    stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)


class Trusting(Publisher):
    """Takes the broker's word for the bridge's: what it has acknowledged is forgotten."""

    def on_puback(self, mid: int) -> None:
        """Forget a reading."""
        seq = self._unacknowledged.get(mid)
        super().on_puback(mid)
        if seq is not None:
            self._on_the_way.pop(seq, None)


class Careless(Publisher):
    """Forgets what it held in memory when the broker goes."""

    def on_disconnected(self) -> None:
        """Forget."""
        self._fresh.clear()
        super().on_disconnected()


class Impatient(Publisher):
    """Replays whether or not the bridge stores."""

    def _set_storing(self, *, storing: bool) -> None:
        super()._set_storing(storing=storing)
        self._send_lost()

    def _send_lost(self) -> None:
        if self._lost and self.connected:
            self._send_old(self._lost, "replay/", 2)


@pytest.mark.parametrize("broken", [Trusting, Careless, Impatient])
def test_a_broken_publisher_is_found_out(broken: type[Publisher]) -> None:
    machine = type("Broken", (PublisherMachine,), {"kind": broken})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=300,
                stateful_step_count=40,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
