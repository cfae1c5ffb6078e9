"""Runs a service with a fault patched in: `python -m tests.chaos.broken SERVICE FAULT AFTER`.

The product has no switch for these faults: this module patches the product's classes in memory,
then runs the service's __main__.
"""

import asyncio
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bridge.batch import Batch
from bridge.service import Bridge
from bridge.storage import Outcome, Result
from bridge.storage.influxdb import InfluxStorage
from collector.devices.backlog import Backlog
from collector.devices.payload import Taken
from collector.outbox.group_commit import Commit, GroupCommit
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from telemetry import topics
from telemetry.mqtt import Message, client
from telemetry.mqtt.client import MqttClient
from telemetry.receipt import Receipt

Patch = Callable[[int], None]
"""Applies a fault; the argument counts the calls until it takes effect."""


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_self_at_call(number: int) -> Callable[[], None]:
    """Return a function that kills this process when it is called for the `number`th time."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            kill_self()

    return count


def die_after_commit(after: int) -> None:
    """Die after a commit, before the HTTP responses to its requests."""
    die, commit = kill_self_at_call(after), GroupCommit.commit

    def commit_and_die(self: GroupCommit) -> None:
        had_rows = bool(self.rows)
        commit(self)
        if had_rows:
            die()  # the futures are done, but none of the tasks that await them has run yet

    GroupCommit.commit = commit_and_die  # type: ignore[method-assign]


def die_before_mark_published(after: int) -> None:
    """Die after a PUBACK has arrived, before the outbox records it."""
    die, mark_published = kill_self_at_call(after), Outbox.mark_published

    def die_or_mark(self: Outbox, seq: int) -> None:
        die()
        mark_published(self, seq)

    Outbox.mark_published = die_or_mark  # type: ignore[method-assign]


def respond_before_commit(_: int) -> None:
    """Respond to a request at once, and commit its readings a minute later."""
    append = Outbox.append

    def append_later(self: Outbox, drafts: Sequence[Draft]) -> Commit:
        loop = asyncio.get_running_loop()
        loop.call_later(60, append, self, drafts)
        done: Commit = loop.create_future()
        done.set_result((1, 0))
        return done

    Outbox.append = append_later  # type: ignore[method-assign]


def accept_before_commit(_: int) -> None:
    """Acknowledge a device's message and send accepted/ at once, and commit it a minute later."""
    add = Backlog.add

    def add_later(self: Backlog, message: Message, taken: Taken) -> None:
        asyncio.get_running_loop().call_later(60, add, self, message, taken)
        self._on_committed(message, taken)

    Backlog.add = add_later  # type: ignore[method-assign]


def settle_at_puback(_: int) -> None:
    """Take the broker's PUBACK as proof that InfluxDB has stored the reading."""
    mark_published = Outbox.mark_published

    def mark_and_settle(self: Outbox, seq: int) -> None:
        mark_published(self, seq)
        self.settle(Receipt([(seq, seq)], run=self.run))

    Outbox.mark_published = mark_and_settle  # type: ignore[method-assign]


def die_before_receipt(after: int) -> None:
    """Die after InfluxDB has stored a batch, before its receipts are published."""
    die, settle = kill_self_at_call(after), Bridge.settle

    def die_or_settle(self: Bridge, batch: Batch) -> None:
        die()
        settle(self, batch)

    Bridge.settle = die_or_settle  # type: ignore[method-assign]


def die_before_acknowledgement(after: int) -> None:
    """Die after the receipts are sent, before any reading of the batch is acknowledged."""
    left, ack = after, MqttClient.ack

    def ack_or_die(self: MqttClient, message: Message) -> None:
        nonlocal left
        if message.topic.startswith(topics.STATUS):
            return
        left -= 1
        if left > 0:
            ack(self, message)
        elif left == 0:  # the delay lets the receipts leave this process
            asyncio.get_running_loop().call_later(0.05, kill_self)

    MqttClient.ack = ack_or_die  # type: ignore[method-assign]


def report_stored_before_write(_: int) -> None:
    """Send receipts and acknowledgements without waiting for InfluxDB."""
    write = InfluxStorage.write
    writing = set()

    async def write_in_background(self: InfluxStorage, records: Sequence[Any]) -> Result:
        task = asyncio.create_task(write(self, records))
        writing.add(task)
        task.add_done_callback(writing.discard)
        return Result(Outcome.STORED, "")

    InfluxStorage.write = write_in_background  # type: ignore[method-assign]


def shorten_keepalive(_: int) -> None:
    """Make broker and client give up a silent connection after a second or two."""
    client.KEEPALIVE_S = 1


CRASH_POINTS: dict[str, Patch] = {
    "collector after commit": die_after_commit,
    "collector before recording PUBACK": die_before_mark_published,
    "bridge before receipt": die_before_receipt,
    "bridge before acknowledgement": die_before_acknowledgement,
}
"""Where a service can be made to kill itself. The first word of each name is the service."""

BROKEN_BUILDS: dict[str, Patch] = {
    "collector responds before commit": respond_before_commit,
    "collector accepts before commit": accept_before_commit,
    "collector settles at PUBACK": settle_at_puback,
    "bridge reports stored before write": report_stored_before_write,
}
"""Builds that break the promise: the checker must report lost readings for each."""

TUNINGS: dict[str, Patch] = {"short keepalive": shorten_keepalive}
"""Correct builds that make a scenario faster."""


def main() -> None:
    service, fault, after = sys.argv[1:4]
    (CRASH_POINTS | BROKEN_BUILDS | TUNINGS)[fault](int(after))
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
