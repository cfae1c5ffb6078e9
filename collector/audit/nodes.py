"""InfluxDB's nodes: whether one of them may have lost something, and whose turn it is."""

from collections.abc import Mapping, Sequence


class Nodes:
    """Each has copies of its own, of which the others tell nothing: so each is read in its turn."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._started: dict[str, str | None] = {}
        self._away: set[str] = set()
        self._turns: list[str] = []
        self.turn_to = 0
        """The last sequence number of the readings that this turn is about."""

    def note(self, started: Mapping[str, str | None]) -> str | None:
        """Note when those that answer were started; return what has happened to one, if anything.

        A copy may miss what was written while its node was away, too.
        """
        is_back = not self._away.isdisjoint(started)
        is_other = any(self._started.get(name, at) != at for name, at in started.items())
        self._away = set(self._names) - set(started)
        self._started |= started
        if is_other:
            return "was restarted"
        return "can be read again" if is_back else None

    def suspect(self) -> None:
        """Let all have a turn; the preferred one has the last, and so is asked from then on."""
        self._turns = [*self._names[1:], self._names[0]]

    @property
    def are_left(self) -> bool:
        """Whether there is a node that waits for its turn."""
        return bool(self._turns)

    def take(self, last: int) -> str:
        """Begin a node's turn, about the readings up to `last`, and return its name."""
        self.turn_to = last
        return self._turns.pop(0)
