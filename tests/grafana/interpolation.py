"""What Grafana does to a query before InfluxDB gets it.

`:regex` after a variable's name is Grafana's own escaping, by its documentation of variable
formats. A variable without a format is left to the InfluxDB data source, which does not escape
a single value that begins with a digit.
"""

import re
from collections.abc import Mapping, Sequence

PLACEHOLDER = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
STARTS_AS_NUMBER = re.compile(r"\s*[-+]?\.?\d")

ALL = ".*"  # allValue of both variables, which is put in as it stands


def as_regex(chosen: Sequence[str]) -> str:
    """Return Grafana's `:regex` form of the values chosen."""
    escaped = [SPECIAL.sub(r"\\\g<0>", value) for value in chosen]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def without_format(chosen: Sequence[str]) -> str:
    """Return what the InfluxDB data source makes of the values chosen."""
    if len(chosen) == 1 and STARTS_AS_NUMBER.match(chosen[0]):
        return chosen[0]
    return as_regex(chosen)


def interpolate(
    text: str,
    time_range: tuple[int, int],
    chosen: Mapping[str, Sequence[str]] | None = None,
    interval_s: int = 5,
) -> str:
    """Fill in macros and variables; a variable that is not in `chosen` is at All.

    `time_range` is in milliseconds, both ends included. KeyError names an unknown placeholder.
    """
    start, end = time_range
    macros = {
        "timeFilter": f"time >= {start}ms and time <= {end}ms",
        "__interval": f"{interval_s}s",
        "__interval_ms": str(interval_s * 1000),
    }
    variables = {"sensor": None, "type": None, **(chosen or {})}

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        if name in macros:
            return macros[name]
        values = variables[name]
        if values is None:
            return ALL
        return as_regex(values) if found[2] == "regex" else without_format(values)

    return PLACEHOLDER.sub(value, text)
