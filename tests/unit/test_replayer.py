"""What `replay` and `rejected --replay` send, and when they give up."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from collector.outbox.elsewhere import Elsewhere
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.outbox.window import Window
from collector.publishing import replayer
from collector.publishing.replayer import Outcome, Replayer
from telemetry.mqtt import Message, NotConnected
from telemetry.mqtt.temporary import TemporaryClient
from telemetry.receipt import Receipt, Rejection

CANNOT = "'a b' must have no space, at which NATS closes the connection"

Answer = Callable[["Connection", int], Receipt | None]


class Connection:
    """A connection to a bridge that answers each reading as `answer` says."""

    def __init__(self, run: str, answer: Answer) -> None:
        self.client = self
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[tuple[str, int]] = []
        self.run = run
        self.on_refused: Callable[[int, str], None]
        self._answer = answer

    async def wait_connected(self) -> None:
        """Be connected."""

    async def connect_within(self, _: float) -> None:
        """Be connected."""

    def publish(self, topic: str, payload: bytes) -> int:
        number = int(msgspec.json.decode(payload)["id"].partition(":")[2])
        self.sent.append((topic, number))
        if receipt := self._answer(self, number):
            self.say(msgspec.json.encode(receipt))
        return len(self.sent)

    def refuse(self) -> None:
        """Refuse what is published now, as MqttClient does: after its id was returned."""
        mid = len(self.sent)
        asyncio.get_running_loop().call_soon(lambda: self.on_refused(mid, CANNOT))

    def say(self, payload: bytes, *, retain: bool = False, topic: str = "receipts/o") -> None:
        self.messages.put_nowait(Message(topic, payload, 1, 1, retain, 1))


def stored(connection: Connection, number: int) -> Receipt:
    return Receipt([(number, number)], run=connection.run)


class Rig:
    """An outbox with readings of one series, at the times given."""

    def __init__(self, path: Path, times: Sequence[int]) -> None:
        self.path = path
        self.reached: list[int] = []
        self.silence = self.why_rejected = ""

        async def fill() -> Outbox:
            outbox = Outbox(path, max_bytes=1 << 30, keep_s=0)
            await outbox.append([Draft("1/t", ns, b'{"value":1}') for ns in times])
            return outbox

        self.outbox = asyncio.run(fill())

    def settle(self, *ranges: tuple[int, int], rejected: Sequence[int] = ()) -> None:
        rejections = [Rejection(number, "too old") for number in rejected]
        self.outbox.settle(Receipt(list(ranges), rejections, self.outbox.run))
        self.outbox.commit()

    def replay(self, answer: Answer, *, rejected: bool = False) -> tuple[Outcome, Connection]:
        connection = Connection(self.outbox.run, answer)
        with Window(self.path, 0) as window:
            rows = (row for row, _ in window.rejections()) if rejected else window.stored()
            sender = Replayer(
                cast("TemporaryClient", connection),
                window,
                Elsewhere(self.path, self.path.with_name("o.db")),
            )
            outcome = asyncio.run(sender.send(rows, self.reached.append))
            self.silence = sender.bridges.why_silent()
            self.why_rejected = sender.why_rejected
            return outcome, connection


Fill = Callable[[Sequence[int]], Rig]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Fill]:
    """Make a rig with readings at these times; attempts are short."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(replayer, "_ATTEMPT_S", 0.02)

        def fill(times: Sequence[int]) -> Rig:
            rig = Rig(tmp_path / "o.db", times)
            stack.callback(rig.outbox.close)
            return rig

        yield fill


def test_stored_readings_are_sent_and_counted(filled: Fill) -> None:
    rig = filled(range(5000))
    rig.settle((1, 4000))
    outcome, connection = rig.replay(stored)
    assert outcome == Outcome(sent=4000, stored=4000, rejected=0, superseded=0)
    assert connection.sent == [("replay/1/t", number) for number in range(1, 4001)]
    assert rig.reached == [2000, 4000]


def test_rejected_readings_are_sent_alone_and_may_be_rejected_again(filled: Fill) -> None:
    rig = filled(range(5))
    rig.settle((1, 2), (5, 5), rejected=[3, 4])

    def one_of_two(connection: Connection, number: int) -> Receipt:
        if number == 3:
            return stored(connection, number)
        return Receipt([], [Rejection(number, "too old")], connection.run)

    outcome, connection = rig.replay(one_of_two, rejected=True)
    assert outcome == Outcome(sent=2, stored=1, rejected=1, superseded=0)
    assert [number for _, number in connection.sent] == [3, 4]


@pytest.mark.parametrize("refused", [range(1, 2), range(1, 4001), [4000, 2]])
def test_what_the_broker_cannot_carry_is_rejected_and_nothing_waits_for_it(
    filled: Fill, monkeypatch: pytest.MonkeyPatch, refused: Sequence[int]
) -> None:
    monkeypatch.setattr(replayer, "_ATTEMPT_S", 60)
    rig = filled([5, 5, *range(6, 4004)])  # the second corrects the first
    rig.settle((1, 4000))

    def answer(connection: Connection, number: int) -> Receipt | None:
        if number not in refused:
            return stored(connection, number)
        connection.refuse()
        return None

    began = time.monotonic()
    outcome, _ = rig.replay(answer)
    count = len(refused)
    assert outcome == Outcome(sent=4000, stored=4000 - count, rejected=count, superseded=0)
    assert (rig.reached, rig.why_rejected) == ([2000, 4000], CANNOT)
    assert time.monotonic() - began < 30


STORING, WAITING = b'{"state":"storing"}', b'{"state":"waiting","reason":"no\\u001b answer"}'
NO_WORD = "bridge 'b' does not say anything: its last words were 'storing'"


@pytest.mark.parametrize(
    ("status", "retain", "in_vain", "silence"),
    [
        (STORING, False, 6, "bridge 'b' is storing, but sent none: its log may say why"),
        (STORING, True, 2, NO_WORD),
        (WAITING, False, 2, "bridge 'b' is waiting: no\\x1b answer"),
        (b'{"state":"offline"}', True, 2, "bridge 'b' is offline"),
        (b"nonsense", True, 2, "no bridge is connected to this broker"),
    ],
)
def test_what_has_no_receipt_is_sent_again_and_given_up(
    filled: Fill, status: bytes, retain: bool, in_vain: int, silence: str
) -> None:
    rig = filled(range(3))
    rig.settle((1, 3))

    def answer(connection: Connection, number: int) -> Receipt | None:
        connection.say(status, retain=retain, topic="status/bridge/b")
        return stored(connection, number) if number == 2 else None

    outcome, connection = rig.replay(answer)
    assert outcome == Outcome(sent=3, stored=1, rejected=0, superseded=0)
    assert [number for _, number in connection.sent].count(1) == 1 + in_vain
    assert [number for _, number in connection.sent].count(2) == 1
    assert (rig.silence, rig.reached) == (silence, [])


def test_what_is_no_receipt_for_these_readings_settles_none(filled: Fill) -> None:
    rig = filled(range(2))
    rig.settle((1, 2))

    def misleading(connection: Connection, number: int) -> None:
        connection.say(msgspec.json.encode(stored(connection, number)), retain=True)
        connection.say(b"\xff")
        connection.say(msgspec.json.encode(Receipt([(1, 2)], run="another")))

    outcome, _ = rig.replay(misleading)
    assert outcome == Outcome(sent=2, stored=0, rejected=0, superseded=0)


def test_a_broken_connection_is_waited_for(filled: Fill) -> None:
    rig = filled(range(2))
    rig.settle((1, 2))
    breaks = iter([True])

    def broken_once(connection: Connection, number: int) -> Receipt:
        if next(breaks, False):
            raise NotConnected
        return stored(connection, number)

    outcome, _ = rig.replay(broken_once)
    assert outcome == Outcome(sent=2, stored=2, rejected=0, superseded=0)


def test_the_last_accepted_of_a_point_is_sent_after_an_earlier_one(filled: Fill) -> None:
    rig = filled([5, 5, 5, 6])
    rig.settle((1, 2), rejected=[3])
    _, connection = rig.replay(stored)
    assert [number for _, number in connection.sent] == [1, 2, 2], "3 was rejected"


def test_what_was_corrected_by_a_reading_that_is_pruned_is_not_sent(filled: Fill) -> None:
    rig = filled([5, 5, 6])
    rig.settle((2, 3), rejected=[1])
    rig.outbox.verify(2, 3)
    rig.outbox._db.execute("DELETE FROM reading WHERE seq > 1")  # noqa: SLF001  as the pruner does
    outcome, connection = rig.replay(stored, rejected=True)
    assert outcome == Outcome(sent=0, stored=0, rejected=0, superseded=1)
    assert connection.sent == []
