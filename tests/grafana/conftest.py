"""A database with known readings, of sensors whose names contain special characters."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.grafana.interpolation import interpolate
from tests.stack import Influx

START = 1_767_225_600  # seconds; a multiple of every interval used
RANGE = (START * 1000, (START + 900) * 1000)
SPECIAL = r"boiler (1.5) [a|b]*?^${sensor}, z=\w é"
PPM = "CO2 (ppm)"

Ask = Callable[..., list[dict[str, Any]]]


def at(seconds: int) -> int:
    """Return a time in milliseconds, `seconds` after the start of the range."""
    return (START + seconds) * 1000


def line(measurement: str, tags: Mapping[str, str], fields: str, seconds: float) -> str:
    """Return a point in line protocol, `seconds` after the start of the range."""
    escaped = ",".join(f"{key}={re.sub('[ ,=]', _escape, tags[key])}" for key in sorted(tags))
    return f"{measurement},{escaped} {fields} {START * 10**9 + round(seconds * 10**9)}"


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def reading_line(sensor: str, kind: str, value: float, seconds: float) -> str:
    return line("data", {"sensor_id": sensor, "type": kind}, f"value={value}", seconds)


READINGS = [
    reading_line("123", "temp", 20, 0),
    reading_line("123", "temp", 22, 1),
    reading_line("123", "temp", 25.5, 12),
    reading_line("1.5", "temp", 1, 2),
    reading_line("1x5", "temp", 99, 2),
    reading_line(SPECIAL, "temp", 7.25, 3),
    reading_line(SPECIAL, PPM, 400, 7),
    reading_line("long ago", "temp", 5, -3600),
]


def present(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without those of intervals that hold nothing."""
    return [row for row in rows if None not in row.values()]


@pytest.fixture
def database(influx: Influx) -> Iterator[str]:
    """The name of a database for one test."""
    influx.query('CREATE DATABASE "grafana"')
    yield "grafana"
    influx.query('DROP DATABASE "grafana"')


@pytest.fixture
def ask(influx: Influx, database: str) -> Ask:
    """A function that runs a query of a dashboard as Grafana would, with times in ms."""

    def ask(
        text: str, chosen: Mapping[str, Sequence[str]] | None = None, interval_s: int = 10
    ) -> list[dict[str, Any]]:
        filled = interpolate(text, RANGE, chosen, interval_s)
        return influx.query(filled, db=database, epoch="ms")

    return ask


@pytest.fixture
def written(influx: Influx, database: str) -> None:
    influx.write(READINGS, db=database)
