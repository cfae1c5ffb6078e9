"""Durations on the command line."""

import argparse
import math
import re
import time

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_HOURS_SHOWN = 72
# It is typed some time after it was computed.
_MARGIN_S = 600


def duration_s(text: str) -> int:
    """Return the seconds of a duration such as 90s, 30m, 1h or 2d; ArgumentTypeError otherwise."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number and a unit, such as 90s, 30m, 1h or 2d"
        )
    return int(match[1]) * _UNITS_S[match[2]]


def duration_since(at: float) -> str:
    """Return a duration in whole hours, or days if it is long, that reaches back to `at` (Unix)."""
    hours = max(1, math.ceil((time.time() - at + _MARGIN_S) / _UNITS_S["h"]))
    return f"{hours}h" if hours < _HOURS_SHOWN else f"{math.ceil(hours / 24)}d"
