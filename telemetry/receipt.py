"""What the bridge tells a collector: which of its readings are stored, which are refused."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from telemetry.ranges import collapse

# Keep a receipt below the broker's limit for one message (64 KiB): a range takes up to 42 bytes, a
# refusal up to 50 and 6 for each character of its reason, if JSON has to escape them all.
_MAX_RANGES = 500
_MAX_REJECTIONS = 20
_MAX_REASON = 300


Seq = Annotated[int, Meta(ge=1)]


class Rejection(msgspec.Struct):
    """A reading that InfluxDB refused for good."""

    seq: Seq
    reason: str


class Receipt(msgspec.Struct):
    """Sequence numbers of one collector: inclusive ranges that are stored, and the refused."""

    stored: list[tuple[Seq, Seq]] = []
    rejected: list[Rejection] = []

    def __post_init__(self) -> None:
        """Refuse a range that ends before it begins."""
        if any(first > last for first, last in self.stored):
            raise ValueError("a range ends before it begins")


def receipts(stored: list[int], rejected: list[tuple[int, str]]) -> Iterator[bytes]:
    """Yield the messages that confirm one batch, each small enough to publish."""
    ranges = collapse(stored)
    refused = [Rejection(seq, reason[:_MAX_REASON]) for seq, reason in rejected]
    while ranges or refused:
        receipt = Receipt(ranges[:_MAX_RANGES], refused[:_MAX_REJECTIONS])
        yield msgspec.json.encode(receipt)
        del ranges[:_MAX_RANGES], refused[:_MAX_REJECTIONS]
