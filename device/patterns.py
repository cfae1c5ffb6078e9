"""Patterns of simulated values: functions from a time (UTC, in ns) to a value."""

import math
from collections.abc import Callable
from random import Random

LOW, HIGH = 20, 34
DAY_NS = 86_400 * 10**9


def uniform(random: Random) -> Callable[[int], float]:
    """Uniformly distributed integers from LOW to HIGH, as the original device sent them."""
    return lambda _time_ns: random.randint(LOW, HIGH)


def walk(random: Random) -> Callable[[int], float]:
    """Follow a random walk with steps of at most 0.5, reflected at LOW and HIGH."""
    value = random.uniform(LOW, HIGH)

    def step(_time_ns: int) -> float:
        nonlocal value
        value += random.uniform(-0.5, 0.5)
        value = value if value >= LOW else 2 * LOW - value
        value = value if value <= HIGH else 2 * HIGH - value
        return round(value, 2)

    return step


def sine(random: Random) -> Callable[[int], float]:
    """Follow a daily cycle that peaks between 14:00 and 16:00 UTC, with a little noise."""
    peak = random.uniform(14, 16) / 24
    middle, noise = (LOW + HIGH) / 2, 0.25
    swing = (HIGH - LOW) / 2 - noise

    def at(time_ns: int) -> float:
        day = time_ns % DAY_NS / DAY_NS
        curve = swing * math.cos(math.tau * (day - peak))
        return round(middle + curve + random.uniform(-noise, noise), 2)

    return at


PATTERNS: dict[str, Callable[[Random], Callable[[int], float]]] = {
    "uniform": uniform,
    "walk": walk,
    "sine": sine,
}
