"""How a sensor's values run: functions from a moment (UTC, in ns) to a value."""

import math
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOW, HIGH = 20, 34
DAY_NS = 86_400 * 10**9


def uniform(random: Random) -> "Callable[[int], float]":
    """Integers from LOW to HIGH, each as likely, as the original device sent them."""
    return lambda _moment: random.randint(LOW, HIGH)


def walk(random: Random) -> "Callable[[int], float]":
    """Wander by at most 0.5 a step; at LOW and HIGH turn back."""
    value = random.uniform(LOW, HIGH)

    def step(_moment: int) -> float:
        nonlocal value
        value += random.uniform(-0.5, 0.5)
        value = value if value >= LOW else 2 * LOW - value
        value = value if value <= HIGH else 2 * HIGH - value
        return round(value, 2)

    return step


def sine(random: Random) -> "Callable[[int], float]":
    """Follow the day: coldest at night, warmest between 14 and 16 h UTC, with a little noise."""
    peak = random.uniform(14, 16) / 24
    middle, noise = (LOW + HIGH) / 2, 0.25
    swing = (HIGH - LOW) / 2 - noise

    def at(moment: int) -> float:
        day = moment % DAY_NS / DAY_NS
        curve = swing * math.cos(math.tau * (day - peak))
        return round(middle + curve + random.uniform(-noise, noise), 2)

    return at


PATTERNS: "dict[str, Callable[[Random], Callable[[int], float]]]" = {
    "uniform": uniform,
    "walk": walk,
    "sine": sine,
}
