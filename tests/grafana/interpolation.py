"""Grafana's interpolation of macros and variables in a query.

`:regex` after the name of a variable is Grafana's own escaping, as its documentation of variable
formats says. A variable without a format is formatted by the InfluxDB data source, which does not
escape a single value that begins with a digit.
"""

import re
from collections.abc import Mapping, Sequence

PLACEHOLDER = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
STARTS_AS_NUMBER = re.compile(r"\s*[-+]?\.?\d")

ALL = ".*"  # allValue of the variables, which is inserted unchanged


def as_regex(selected: Sequence[str]) -> str:
    """Return the `:regex` form of the selected values."""
    escaped = [SPECIAL.sub(r"\\\g<0>", value) for value in selected]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def without_format(selected: Sequence[str]) -> str:
    """Return the form that the InfluxDB data source gives the selected values."""
    if len(selected) == 1 and STARTS_AS_NUMBER.match(selected[0]):
        return selected[0]
    return as_regex(selected)


def interpolate(
    text: str,
    time_range: tuple[int, int],
    selected: Mapping[str, Sequence[str]] | None = None,
    interval_s: int = 10,
) -> str:
    """Replace macros and variables; a variable that is not in `selected` is set to All.

    Without a choice `policy` is empty, as when its query returns nothing. `time_range` is in
    milliseconds, both ends included; its end is now. KeyError names an unknown placeholder.
    """
    start, end = time_range
    macros = {
        "timeFilter": f"time >= {start}ms and time <= {end}ms",
        "__interval": f"{interval_s}s",
        "__interval_ms": str(interval_s * 1000),
        "__from": str(start),
        "__to": str(end),
    }
    variables = {
        **dict.fromkeys(("sensor", "shown", "type", "drawn")),
        "policy": [""],
        **(selected or {}),
    }

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        if name in macros:
            return macros[name]
        values = variables[name]
        if values is None:
            return ALL
        if found[2] == "raw":
            return ",".join(values)
        return as_regex(values) if found[2] == "regex" else without_format(values)

    return PLACEHOLDER.sub(value, text).replace("now()", f"{end}ms")
