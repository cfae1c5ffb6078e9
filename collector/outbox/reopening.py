"""Takes back that readings are settled: InfluxDB has lost them, or a correction has to follow."""

from collections.abc import Callable, Iterable, Sequence

from collector.outbox.settlement import Settlement
from collector.outbox.tally import Tally
from collector.outbox.verification import Verification
from telemetry.ranges import collapse
from telemetry.receipt import Receipt


class Reopening:
    """Makes stored readings pending again, on disk before anything is done about them.

    `commit` writes the outbox, and returns the failure if there is one; `kept` returns the numbers
    in a range whose rows are here.
    """

    def __init__(
        self,
        settlement: Settlement,
        verification: Verification,
        tally: Tally,
        commit: Callable[[], Exception | None],
        kept: Callable[[int, int], list[int]],
    ) -> None:
        self._settlement = settlement
        self._verification = verification
        self._tally = tally
        self._commit = commit
        self._kept = kept

    def reopen(self, seqs: Iterable[int]) -> list[int]:
        """Reopen those of the readings that are stored, and return them.

        Raises OutboxBusy, OutboxFull or OutboxUnusable, and then has changed nothing.
        """
        stored = sorted({seq for seq in seqs if self._settlement.is_stored(seq)})
        for seq in stored:
            self._settlement.settled.remove(seq, seq)
            self._verification.reopen(seq)
        # From now on `forget`, which goes by the file, leaves them alone.
        if stored and (failure := self._commit()):
            self._settle(stored)
            raise failure
        return stored

    def heal(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Reopen what is stored and still here of these ranges, which InfluxDB has lost.

        Returns that. Raises OutboxBusy, OutboxFull or OutboxUnusable, and then has changed nothing.
        """
        lost = self.reopen(seq for first, last in ranges for seq in self._kept(first, last))
        kept = {seq for first, last in ranges for seq in self._kept(first, last)}
        self._settle([seq for seq in lost if seq not in kept])  # forgotten just before
        healed = [seq for seq in lost if seq in kept]
        self._tally.add("healed", len(healed))
        return collapse(healed)

    def _settle(self, seqs: Sequence[int]) -> None:
        self._settlement.apply(Receipt(collapse(seqs)))
