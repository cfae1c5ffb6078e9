"""How often a reading that is missing was replayed."""

from telemetry.ranges import Ranges

# After that many replays in vain another one will not help.
_MAX = 2


class Attempts:
    """Counts the replays of each reading, up to two."""

    def __init__(self) -> None:
        self._made = [Ranges() for _ in range(_MAX)]

    def are_used_up(self, seq: int) -> bool:
        """Return whether a reading was replayed as often as may help."""
        return seq in self._made[-1]

    def add(self, seq: int) -> None:
        """Note that a reading is replayed once more."""
        next(made for made in self._made if seq not in made).add(seq, seq)

    def forget_between(self, first: int, last: int, missing: list[int]) -> None:
        """Forget the replays of first..last except those that are missing again."""
        present = list(Ranges((seq, seq) for seq in sorted(missing)).gaps(first, last))
        for made in self._made:
            for a, b in present:
                made.remove(a, b)
