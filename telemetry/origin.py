"""Where a reading comes from: its `id` on MQTT."""

import re
from functools import lru_cache
from typing import NamedTuple

# The outbox becomes a level of the receipt's topic; sequence numbers begin at 1.
_SOURCE = re.compile(r"([0-9A-Za-z]{1,64})(?:\.([0-9A-Za-z]{1,64}))?")
_MAX_SEQ_DIGITS = 19
FORM = "<outbox>.<run>:<sequence number>"


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
        source, _, seq = identity.rpartition(":")
        is_number = seq.isdecimal() and seq.isascii() and seq[0] != "0"
        if not is_number or len(seq) > _MAX_SEQ_DIGITS:
            raise ValueError(f"id {identity!r} is not {FORM}")
        return cls(*_source(source), int(seq))


def prefix(outbox: str, run: str) -> str:
    """Return what the ids of a run have before the sequence number."""
    return f"{outbox}.{run}:" if run else f"{outbox}:"


# Parsed once for all readings of a run.
@lru_cache(maxsize=1024)
def _source(text: str) -> tuple[str, str]:
    match = _SOURCE.fullmatch(text)
    if match is None:
        raise ValueError(f"id {text + ':'!r} is not {FORM}")
    return match[1], match[2] or ""
