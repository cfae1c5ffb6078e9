"""How long readings are kept, and the means that outlive them: RETENTION and ROLLUPS."""

import re
from itertools import pairwise
from typing import NamedTuple

FOREVER = 0
UNTOUCHED = None
"""Whatever is set in the storage."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_HOUR_S = 3600
# Far more than what collectors look back on, and a third of what InfluxDB can count.
_LEAST_S, _MOST_S = 3 * 86400, 36500 * 86400
_BOUNDS = "from 3d to 36500d"
_RETENTION = re.compile(r"\d{1,5}[dw]")
_ROLLUP = re.compile(r"(\d{1,4}[smh])(?::(\d{1,5}[dw]))?")


class Rollup(NamedTuple):
    """Mean, minimum, maximum and number of the readings of each interval, kept for `keep_s`."""

    interval: str
    keep_s: int

    @property
    def interval_s(self) -> int:
        return seconds(self.interval)

    @property
    def name(self) -> str:
        return f"rollup_{self.interval}"


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as 30d, or 720h0m0s as InfluxDB writes it."""
    return sum(int(n) * _UNITS_S[unit] for n, unit in re.findall(r"(\d+)([smhdw])", duration))


def retention_s(text: str) -> int | None:
    """Return the seconds of RETENTION; raises ValueError with what was expected."""
    if not text:
        return UNTOUCHED
    if text.upper() == "INF":
        return FOREVER
    if not _RETENTION.fullmatch(text) or not _LEAST_S <= seconds(text) <= _MOST_S:
        raise ValueError(f"expected a time {_BOUNDS}, as 30d or 8w, or INF")
    return seconds(text)


def rollups(text: str, raw_s: int | None) -> list[Rollup]:
    """Return the roll-ups of ROLLUPS, finest first; `raw_s` is RETENTION's.

    Raises ValueError with what was expected.
    """
    found = [_rollup(item.strip()) for item in text.split(",")] if text else []
    for finer, coarser in pairwise(found):
        if coarser.interval_s <= finer.interval_s or coarser.interval_s % finer.interval_s:
            raise ValueError(f"expected {coarser.interval} to be a multiple of {finer.interval}")
        if finer.keep_s == FOREVER or FOREVER < coarser.keep_s <= finer.keep_s:
            raise ValueError(
                f"expected {coarser.interval} to be kept for longer than {finer.interval}"
            )
    for one in found:
        if raw_s and FOREVER < one.keep_s <= raw_s:
            raise ValueError(f"expected {one.interval} to be kept for longer than RETENTION")
    return found


def _rollup(text: str) -> Rollup:
    matched = _ROLLUP.fullmatch(text)
    interval_s = seconds(matched[1]) if matched else 0
    if not matched or not interval_s or _HOUR_S % interval_s:
        raise ValueError(
            "expected a list of intervals that divide an hour, with times to keep: 1m:90d,1h"
        )
    keep_s = seconds(matched[2]) if matched[2] else FOREVER
    if matched[2] and not _LEAST_S <= keep_s <= _MOST_S:
        raise ValueError(f"expected {matched[1]} to be kept for a time {_BOUNDS}")
    return Rollup(matched[1], keep_s)
