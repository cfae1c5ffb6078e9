"""The readings that the load sends."""

import json
from collections.abc import Callable, Iterator

from bench.http_load import post
from telemetry.timestamp import render

ARRAY = 1000
_BODIES = 10


def arrays(sensors: int) -> list[bytes]:
    """Return requests with arrays of ARRAY readings, spread evenly over `sensors` sensors."""
    numbers = _in_turn(sensors)
    return [
        post(
            json.dumps(
                [
                    {"type": "temp", "value": 20 + n % 15 + 0.5, "sensor_id": next(numbers)}
                    for n in range(ARRAY)
                ],
                separators=(",", ":"),
            ).encode()
        )
        for _ in range(_BODIES)
    ]


def single(sensor_ids: list[str]) -> Callable[[int], bytes]:
    """Return a function from a time (ns) to a request with one reading, the sensors in turn."""
    numbers = _in_turn(len(sensor_ids))

    def make(ns: int) -> bytes:
        reading = {
            "ts": render(ns),
            "type": "temp",
            "value": 21.5,
            "sensor_id": sensor_ids[next(numbers)],
        }
        return post(json.dumps(reading, separators=(",", ":")).encode())

    return make


def _in_turn(count: int) -> Iterator[int]:
    while True:
        yield from range(count)
