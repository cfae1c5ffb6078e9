"""A set of integers kept as sorted ranges: sequence numbers that are stored, sent, lost."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of integers whose memory and time depend on its gaps, not on its members.

    A range is inclusive: (first, last).
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0
        for first, last in ranges:
            self.add(first, last)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges in ascending order."""
        return zip(self._firsts, self._lasts, strict=True)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    @property
    def last(self) -> int:
        """The greatest member; 0 if there is none."""
        return self._lasts[-1] if self._lasts else 0

    def add(self, first: int, last: int) -> tuple[int, int]:
        """Add first..last; return the range of the set that now contains them."""
        lasts = self._lasts
        if lasts and first == lasts[-1] + 1:  # the usual case: the next number
            lasts[-1] = last
            self._count += last - first + 1
            return self._firsts[-1], last
        low = bisect_left(lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low + 1 == high and lasts[low] == first - 1:  # the next number of an earlier range
            lasts[low] = last
            self._count += last - first + 1
            return self._firsts[low], last
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, lasts[high - 1])
        self._replace(low, high, [(first, last)])
        return first, last

    def remove(self, first: int, last: int) -> None:
        """Remove first..last, whether or not they are in the set."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if low < high:
            rest = [(self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])]
            self._replace(low, high, [(a, b) for a, b in rest if a <= b])

    def around(self, number: int) -> tuple[int, int]:
        """Return the range that contains `number`, which must be a member."""
        at = bisect_right(self._firsts, number) - 1
        return self._firsts[at], self._lasts[at]

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of the set that lie in first..last, ascending."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        for a, b in zip(self._firsts[low:high], self._lasts[low:high], strict=True):
            yield max(a, first), min(b, last)

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of first..last that the set lacks, ascending."""
        for a, b in self.within(first, last):
            if first < a:
                yield first, a - 1
            first = b + 1
        if first <= last:
            yield first, last

    def clear(self) -> None:
        self._replace(0, len(self._firsts), [])

    def _replace(self, low: int, high: int, new: list[tuple[int, int]]) -> None:
        for first, last in zip(self._firsts[low:high], self._lasts[low:high], strict=True):
            self._count -= last - first + 1
        self._firsts[low:high] = [first for first, _ in new]
        self._lasts[low:high] = [last for _, last in new]
        self._count += sum(last - first + 1 for first, last in new)


def collapse(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return `numbers`, in any order, as the shortest ascending list of inclusive ranges."""
    return list(Ranges((number, number) for number in sorted(numbers)))
