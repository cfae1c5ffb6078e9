"""In which order old readings are sent, so that InfluxDB ends with the last one of each point."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from collector.outbox.outbox import Outbox
from collector.outbox.row import Row


class Step(NamedTuple):
    """An old reading, and the last one accepted for its point that has to be sent after it."""

    row: Row
    last_of_point: Row | None
    """The row itself if none has to; None if that one was stored, read back and pruned."""


def steps(
    outbox: Outbox, rows: Sequence[Row], room: int, comes_later: Callable[[int], bool]
) -> list[Step]:
    """Return how to send the first of these rows, which ascend, as at most `room` messages.

    `comes_later` tells whether the reading with a number will be sent after them anyhow. What is
    sent again is pending again. Raises OutboxBusy, OutboxFull or OutboxUnusable before anything has
    changed.
    """
    corrections = outbox.corrections(rows)
    found = []
    for row in rows:
        correction = corrections.get(row.seq)
        last: Row | None = row
        if correction is not None and not comes_later(correction):
            last = next(iter(outbox.read(correction, correction, 1)), None)
        room -= 1 + (last is not row)
        if room < 0:
            break
        found.append(Step(row, last))
    outbox.reopening.reopen(last.seq for row, last in found if last is not None and last is not row)
    return found
