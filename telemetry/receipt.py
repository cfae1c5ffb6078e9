"""Receipts: the bridge tells a collector which of its readings InfluxDB stored or rejected."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from telemetry.ranges import Ranges, collapse

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


class Receipt(msgspec.Struct, omit_defaults=True):
    """Sequence numbers of one run of an outbox: inclusive ranges of the stored, and the rejected.

    `run` is that of the readings' ids (see Origin).
    """

    stored: list[tuple[Seq, Seq]] = []
    rejected: list[Rejection] = []
    run: str = ""

    def __post_init__(self) -> None:
        if any(first > last for first, last in self.stored):
            raise ValueError("a range ends before it begins")
        if len(self.stored) > _MAX_RANGES or len(self.rejected) > _MAX_REJECTIONS:
            raise ValueError(f"more than {_MAX_RANGES} ranges or {_MAX_REJECTIONS} rejections")

    def within(self, first: int, last: int) -> "Receipt":
        """Return what the receipt says about first..last, each number once."""
        named = ((max(a, first), min(b, last)) for a, b in self.stored if a <= last and b >= first)
        stored = list(Ranges(named))
        rejected = [rejection for rejection in self.rejected if first <= rejection.seq <= last]
        return Receipt(stored, rejected, self.run)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """All its numbers, stored or rejected."""
        return [*self.stored, *((rejection.seq, rejection.seq) for rejection in self.rejected)]


def receipts(
    stored: list[int], rejections: list[tuple[int, str]], run: str = ""
) -> Iterator[bytes]:
    """Yield the receipts of one run in one batch as JSON, each small enough for one message.

    They ascend: a collector takes a reading for lost once a later one has its receipt.
    `rejections` are sequence numbers with their reasons, which are shortened to 300 characters.
    """
    ranges = collapse(stored)
    reasons = sorted(dict(rejections).items())
    rejected = [Rejection(seq, reason[:_MAX_REASON]) for seq, reason in reasons]
    while ranges or rejected:
        ends = [last for _, last in ranges[_MAX_RANGES - 1 : _MAX_RANGES]]
        ends += [rejection.seq for rejection in rejected[_MAX_REJECTIONS - 1 : _MAX_REJECTIONS]]
        end = min(ends, default=math.inf)
        low = bisect_right(ranges, end, key=lambda one: one[1])
        high = bisect_right(rejected, end, key=lambda one: one.seq)
        yield msgspec.json.encode(Receipt(ranges[:low], rejected[:high], run))
        del ranges[:low], rejected[:high]
