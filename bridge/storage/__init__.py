"""What the bridge needs of a storage: records for readings, a write, and what came of it."""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol


class Outcome(Enum):
    """What came of a write, and so what to do next."""

    STORED = auto()
    REJECTED = auto()  # at least one record, for good
    FAILED = auto()  # this write; a smaller one may succeed
    NO_DATABASE = auto()
    WAIT = auto()  # then write the same again


class Result(NamedTuple):
    """The outcome of a write; `detail` says why it is not STORED.

    `dropped` is how many records were REJECTED, if the storage says so. With `oldest`, these are
    the oldest of the write, and all others are stored; without, some of the others may not be.
    """

    outcome: Outcome
    detail: str = ""
    dropped: int | None = None
    oldest: bool = False


class Storage(Protocol):
    """A database for readings. A record is one reading in the form in which `write` takes it.

    Writing a record twice must have the same effect as writing it once. Of two records with the
    same point, the one written last is what the storage holds.
    """

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def reading(self, series: str, value: float, ns: int) -> str:
        """Return the record of a reading; `series` is valid, `ns` counts from 1970 (UTC)."""

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        """Return the record of a service's counters; raises ValueError for unfit names."""

    def time(self, record: str) -> int:
        """Return the `ns` of a reading's record."""

    def point(self, record: str) -> tuple[str, str]:
        """Return what identifies the point of a reading's record: its series and its time."""

    async def write(self, records: Sequence[str]) -> Result:
        """Write records. Never raises for what the storage or the network does."""

    async def create(self) -> Result:
        """Create the database; STORED when it exists, else WAIT."""

    async def prepare(self) -> Result:
        """Set up an existing database, as far as allowed; WAIT if the storage does not answer."""

    async def maintain(self) -> None:
        """Do what is needed beside the writes, for ever; never raises as `write` does not."""

    def close(self) -> None:
        """Close the connection."""
