"""Dead letters: how many are published, and when their messages are acknowledged."""

from types import SimpleNamespace

import pytest

from telemetry.dead_letters.letter import DeadLetter
from telemetry.dead_letters.letters import BURST, RATE, WINDOW, DeadLetters
from telemetry.mqtt import NotConnected
from tests.unit.messages import message


class Desk:
    """Dead letters with a clock, a broker that answers on demand, and what they acknowledge."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr("telemetry.dead_letters.letters.time", clock)
        self.connected = True
        self.sent: list[tuple[str, bytes]] = []
        self.acknowledged: list[int] = []
        self.letters = DeadLetters(self._publish, lambda m: self.acknowledged.append(m.mid))

    def _publish(self, topic: str, payload: bytes) -> int:
        if not self.connected:
            raise NotConnected
        self.sent.append((topic, payload))
        return len(self.sent)  # the first letter gets the id 1

    def send(self, count: int, *, answered: bool = False) -> None:
        """Send dead letters about messages with ids from 1001; let the broker answer each."""
        for number in range(count):
            self.letters.send(letter(1001 + number))
            if answered:
                self.letters.on_puback(len(self.sent))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def letter(mid: int) -> DeadLetter:
    return DeadLetter(message("nonsense", mid=mid), "too old")


def test_a_message_is_acknowledged_once_the_broker_has_its_dead_letter(desk: Desk) -> None:
    desk.send(2)
    assert desk.sent == [(letter(1).topic, letter(1).payload)] * 2
    assert desk.acknowledged == []
    desk.letters.on_puback(2)
    desk.letters.on_puback(2)
    desk.letters.on_puback(3)  # not that of a dead letter
    assert desk.acknowledged == [1002]


def test_beyond_the_window_messages_are_acknowledged_without_one_and_counted(desk: Desk) -> None:
    desk.send(WINDOW)
    desk.now += 1  # the rate would allow more
    desk.send(2)
    assert len(desk.sent) == WINDOW
    assert desk.acknowledged == [1001, 1002]
    assert desk.letters.dropped == 2


def test_what_is_beyond_the_window_uses_up_no_allowance(desk: Desk) -> None:
    desk.send(WINDOW)
    desk.now += 2.5 / RATE
    desk.send(5)
    for mid in (1, 2, 3):
        desk.letters.on_puback(mid)
    desk.send(3)
    assert len(desk.sent) == WINDOW + 2


def test_after_a_burst_so_many_per_second_are_published(desk: Desk) -> None:
    desk.send(BURST + 3, answered=True)
    assert (len(desk.sent), desk.letters.dropped) == (BURST, 3)
    desk.now += 1
    desk.send(RATE + 1, answered=True)
    assert (len(desk.sent), desk.letters.dropped) == (BURST + RATE, 4)
    desk.now += 0.5 / RATE
    desk.send(1, answered=True)
    assert desk.letters.dropped == 5
    desk.now += 0.6 / RATE  # halves add up
    desk.send(1, answered=True)
    assert desk.letters.dropped == 5


def test_a_long_pause_allows_no_more_than_one_burst(desk: Desk) -> None:
    desk.send(1, answered=True)
    desk.now += 1e6
    desk.send(BURST + 1, answered=True)
    assert (len(desk.sent), desk.letters.dropped) == (1 + BURST, 1)


def test_without_a_connection_nothing_is_acknowledged(desk: Desk) -> None:
    desk.connected = False
    with pytest.raises(NotConnected):
        desk.send(1)
    assert (desk.acknowledged, desk.letters.dropped) == ([], 0)
