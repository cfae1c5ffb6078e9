"""Receipts: the bridge tells a collector which of its readings InfluxDB stored or rejected."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from telemetry.ranges import collapse

# Keep a receipt below the broker's limit for one message (64 KiB): a range takes up to 42 bytes, a
# rejection up to 50 and 6 for each character of its reason, if JSON has to escape them all.
_MAX_RANGES = 500
_MAX_REJECTIONS = 20
_MAX_REASON = 300


Seq = Annotated[int, Meta(ge=1)]


class Rejection(msgspec.Struct):
    """A reading that InfluxDB will never take, and why."""

    seq: Seq
    reason: str


class Receipt(msgspec.Struct):
    """Sequence numbers of one outbox: inclusive ranges of the stored, and the rejected."""

    stored: list[tuple[Seq, Seq]] = []
    rejected: list[Rejection] = []

    def __post_init__(self) -> None:
        if any(first > last for first, last in self.stored):
            raise ValueError("a range ends before it begins")


def receipts(stored: list[int], rejections: list[tuple[int, str]]) -> Iterator[bytes]:
    """Yield the receipts of one batch as JSON, each small enough for one message.

    `rejections` are sequence numbers with their reasons, which are shortened to 300 characters.
    """
    ranges = collapse(stored)
    rejected = [Rejection(seq, reason[:_MAX_REASON]) for seq, reason in rejections]
    while ranges or rejected:
        receipt = Receipt(ranges[:_MAX_RANGES], rejected[:_MAX_REJECTIONS])
        yield msgspec.json.encode(receipt)
        del ranges[:_MAX_RANGES], rejected[:_MAX_REJECTIONS]
