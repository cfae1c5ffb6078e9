"""Batches: messages whose outcome is known, and how a rejected write makes it known."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bridge.decode import Delivery
from bridge.storage import Result
from telemetry.dead_letters.letter import DeadLetter
from telemetry.mqtt import Message

Part = Sequence[Delivery]


class Batch(NamedTuple):
    """Messages whose outcome is known; `repeated` came a second time while the first one waits."""

    stored: Part = ()
    rejected: Sequence[tuple[Delivery, str]] = ()
    unreadable: Sequence[DeadLetter] = ()
    repeated: Sequence[Message] = ()


def sort_out(part: Part, result: Result, time: Callable[[str], int]) -> tuple[Batch, list[Part]]:
    """Return what a REJECTED write tells, and the parts of it to write again, in this order.

    Records with the same point keep their order in all of it. What InfluxDB rejects mostly lies
    together in time, so that halves by time are soon all rejected or all stored.
    """
    if len(part) == 1 or result.dropped == len(part):
        return Batch(rejected=_with_reason(part, result)), []
    ordered = sorted(part, key=lambda delivery: time(delivery.record))
    count = result.dropped or 0
    if result.oldest and 0 < count < len(part):
        before, after = ordered[count - 1], ordered[count]
        if time(before.record) < time(after.record):
            # Not taken at its word: where shards overlap, because their duration was changed,
            # InfluxDB drops points that it takes in a write without the newer ones.
            return Batch(), [ordered[:count], ordered[count:]]
    middle = len(part) // 2
    return Batch(), [ordered[:middle], ordered[middle:]]


def _with_reason(part: Part, result: Result) -> list[tuple[Delivery, str]]:
    return [(delivery, result.detail) for delivery in part]
