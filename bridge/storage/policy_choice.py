"""The measurement `rp_config`: which policy a dashboard asks, by the length of its range.

Points with the tag `rp` (`raw`, or the roll-up's name) and the fields `policy` (its name, which the
dashboard quotes), `start` and `end` (lengths of a range in ms: from the one to below the other).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from influxdb import InfluxDBClient
from influxdb.line_protocol import quote_ident

from bridge.keeping import Rollup

_MEASUREMENT = "rp_config"
# Of ranges up to this length, raw readings can be shown one by one.
_RAW_MS = 2 * 86400 * 1000
_ENDLESS_MS = 10**13
_DAY_NS = 86400 * 10**9


class PolicyChoice:
    """Keeps these points; raises what InfluxDBClient does."""

    def __init__(self, client: InfluxDBClient, database: str) -> None:
        self._client = client
        self._params = {"db": database}

    def write(self, raw: str, rollups: Sequence[Rollup], now: int) -> None:
        """Write the points anew, unless they are there, and younger than any retention."""
        wanted = dict(_choices(raw, rollups))
        select = f'SELECT rp, "policy", start, "end" FROM {_MEASUREMENT}'  # noqa: S608
        held = list(self._client.query(select, epoch="ns").get_points())
        times = [point.pop("time") for point in held]
        found = {point["rp"]: (point["policy"], point["start"], point["end"]) for point in held}
        if found == wanted and len(held) == len(found) and all(now - at < _DAY_NS for at in times):
            return
        lines = [
            f"{_MEASUREMENT},rp={rp} policy={quote_ident(policy)},start={start}i,end={end}i {now}"
            for rp, (policy, start, end) in wanted.items()
        ]
        if lines:
            self._client.write(lines, self._params, protocol="line")
        self._client.query(f"DELETE FROM {_MEASUREMENT} WHERE time < {now}", method="POST")  # noqa: S608


def _choices(raw: str, rollups: Sequence[Rollup]) -> Iterator[tuple[str, tuple[str, int, int]]]:
    if not rollups:
        return
    policies = {"raw": raw, **{rollup.name: rollup.name for rollup in rollups}}
    kept = [rollup.keep_s * 1000 for rollup in rollups[:-1]]
    ends = [0, _RAW_MS, *kept, _ENDLESS_MS]
    for (rp, policy), (start, end) in zip(policies.items(), pairwise(ends), strict=True):
        yield rp, (policy, start, end)
