"""Where a reading comes from: its `id` on MQTT."""

import re
from typing import NamedTuple

# The outbox becomes a level of the receipt's topic; sequence numbers begin at 1.
_ID = re.compile(r"([0-9A-Za-z]{1,64})(?:\.([0-9A-Za-z]{1,64}))?:([1-9][0-9]{0,18})")


class Origin(NamedTuple):
    """An `id`, `<outbox>.<run>:<seq>`.

    A run is a start of a collector on an outbox, named at random. An outbox that is restored from a
    copy gives its numbers out again, but in another run. Readings accepted before there were runs
    have none: "", and their ids are `<outbox>:<seq>`.
    """

    outbox: str
    run: str
    seq: int

    @classmethod
    def parse(cls, identity: str) -> "Origin":
        """Parse an id; raises ValueError."""
        match = _ID.fullmatch(identity)
        if match is None:
            raise ValueError(f"id {identity!r} is not <outbox>.<run>:<sequence number>")
        return cls(match[1], match[2] or "", int(match[3]))


def prefix(outbox: str, run: str) -> str:
    """Return what the ids of a run have before the sequence number."""
    return f"{outbox}.{run}:" if run else f"{outbox}:"
