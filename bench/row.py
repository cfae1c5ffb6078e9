"""One row of the result: a workload with everything measured in it."""

from collections.abc import Sequence

import msgspec


class Limit(msgspec.Struct):
    """What this machine can reach, measured in the same run; `rate` is per second."""

    name: str
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


class Goal(msgspec.Struct):
    """A figure to reach; `reached` is None if this run did not measure it."""

    goal: str
    measured: str
    reached: bool | None


class Row(msgspec.Struct, kw_only=True):
    """One workload.

    `readings` are those in InfluxDB at the end, `seconds` lasted until the last was there.
    `p50_ms`, `p99_ms` are of the answer to a POST, `stored_…` from the POST to a receipt.
    CPU is in µs per reading and process; memory the peak of each process in MB.
    """

    readings: int
    seconds: float
    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    stored_p50_ms: float | None = None
    stored_p99_ms: float | None = None
    limit: Limit | None = None
    cpu_us: dict[str, float] = {}
    peak_mb: dict[str, float] = {}
    violations: list[str] = []
    details: dict[str, float] = {}

    @property
    def of_limit(self) -> float | None:
        """The rate as a fraction of the limit's."""
        return self.rate / self.limit.rate if self.limit and self.limit.rate else None

    @property
    def pipeline_cpu_us(self) -> float:
        """CPU µs per reading of all processes but the load."""
        return sum(us for name, us in self.cpu_us.items() if name != "load")


def median(rows: Sequence[Row]) -> Row:
    """Return the row with the median rate, with the violations of all."""
    row = sorted(rows, key=lambda row: row.rate)[len(rows) // 2]
    row.violations = [text for each in rows for text in each.violations]
    row.details["lowest_rate"] = min(each.rate for each in rows)
    row.details["highest_rate"] = max(each.rate for each in rows)
    return row


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the percentile of the values; None if there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
