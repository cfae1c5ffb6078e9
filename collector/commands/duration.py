"""Durations on the command line."""

import argparse
import re

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: str) -> int:
    """Return the seconds of a duration such as 90s, 30m, 1h or 2d; ArgumentTypeError otherwise."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number and a unit, such as 90s, 30m, 1h or 2d"
        )
    return int(match[1]) * _UNITS_S[match[2]]
