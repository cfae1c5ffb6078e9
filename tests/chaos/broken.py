"""Runs a service with a fault built in: `python -m tests.chaos.broken SERVICE FAULT AFTER`.

The product has no switch for any of this: the fault is patched in here, then its __main__ runs.
"""

import asyncio
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence

from bridge.database import Answer, Database
from bridge.service import Bridge
from bridge.writer import Batch
from collector.outbox import Accepted, Commit, Outbox
from telemetry import mqtt, topics
from telemetry.receipt import Receipt

Build = Callable[[int], None]


def die_when(calls: int) -> Callable[[], None]:
    """Return a function whose `calls`th call kills this process as SIGKILL does."""
    left = calls

    def count() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def dies_after_commit(after: int) -> None:
    """After a commit, before its requests are answered."""
    die, commit = die_when(after), Outbox.commit

    def commit_and_die(self: Outbox) -> None:
        before = self.last
        commit(self)
        if self.last > before:
            die()  # the futures are done, and nobody who waits for them has run yet

    Outbox.commit = commit_and_die  # type: ignore[method-assign]


def dies_before_record(after: int) -> None:
    """After a reading is published and taken by the broker, before the outbox knows."""
    die, record = die_when(after), Outbox.mark_published

    def mark(self: Outbox, seq: int) -> None:
        die()
        record(self, seq)

    Outbox.mark_published = mark  # type: ignore[method-assign]


def answers_before_commit(_: int) -> None:
    """Broken build: the answer does not wait for the commit, which comes a while later."""
    append = Outbox.append

    def append_later(self: Outbox, readings: Sequence[Accepted]) -> Commit:
        loop = asyncio.get_running_loop()
        loop.call_later(60, append, self, readings)
        promised: Commit = loop.create_future()
        promised.set_result((1, 0))
        return promised

    Outbox.append = append_later  # type: ignore[method-assign]


def puback_retires(_: int) -> None:
    """Broken build: the broker's PUBACK alone retires a reading."""
    record = Outbox.mark_published

    def mark(self: Outbox, seq: int) -> None:
        record(self, seq)
        self.settle(Receipt(stored=[(seq, seq)]))

    Outbox.mark_published = mark  # type: ignore[method-assign]


def dies_before_receipt(after: int) -> None:
    """After InfluxDB has stored a batch, before its receipts."""
    die, settle = die_when(after), Bridge.settle

    def die_or_settle(self: Bridge, batch: Batch) -> None:
        die()
        settle(self, batch)

    Bridge.settle = die_or_settle  # type: ignore[method-assign]


def dies_before_acknowledgement(after: int) -> None:
    """After the receipts have left, before anything of the batch is acknowledged."""
    left = after

    def ack(self: mqtt.Mqtt, message: mqtt.Message) -> None:
        nonlocal left
        if message.topic.startswith(topics.STATUS):
            return
        left -= 1
        if left > 0:
            honest(self, message)
        elif left == 0:  # a moment later, when the receipts are out of this process
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGKILL)

    honest = mqtt.Mqtt.ack
    mqtt.Mqtt.ack = ack  # type: ignore[method-assign]


def confirms_before_write(_: int) -> None:
    """Broken build: receipts and acknowledgements do not wait for InfluxDB."""
    write = Database.write
    writing = set()

    async def write_meanwhile(self: Database, lines: Sequence[str]) -> Answer:
        task = asyncio.create_task(write(self, lines))
        writing.add(task)
        task.add_done_callback(writing.discard)
        return Answer(204, "")

    Database.write = write_meanwhile  # type: ignore[method-assign]


def impatient(_: int) -> None:
    """Give up a silent broker, and be given up by it, after a second or two."""
    mqtt.KEEPALIVE_S = 1


INSTANTS: dict[str, Build] = {
    "collector after commit": dies_after_commit,
    "collector before record": dies_before_record,
    "bridge before receipt": dies_before_receipt,
    "bridge before acknowledgement": dies_before_acknowledgement,
}
"""Where a service can be made to kill itself."""

BUILDS: dict[str, Build] = {
    "collector answers before commit": answers_before_commit,
    "collector retires at PUBACK": puback_retires,
    "bridge confirms before write": confirms_before_write,
}
"""Builds that break the promise: the checker must turn red for each."""


MOODS: dict[str, Build] = {"impatient": impatient}
"""No fault at all: what makes a scenario shorter."""


def main() -> None:
    """Patch, then run the service as `python -m SERVICE` would."""
    service, fault, after = sys.argv[1:4]
    (INSTANTS | BUILDS | MOODS)[fault](int(after))
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
