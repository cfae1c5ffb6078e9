"""What devices send: readings of many kinds in every shape the HTTP contract takes."""

import gzip
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from tests.chaos.ledger import Ledger, Reading, Series

JSON = "application/json"
NDJSON = "application/x-ndjson"
SECOND_NS = 1_000_000_000

TYPES = (
    "temp", "humidity", "Temperatur °C", "a b", "a,b", "a=b", 'quo"ted', "back\\slash", "温度",
    "x" * 64, "{}", "null", ",", "emoji 🌡", "a\\,b", " around ",
)  # fmt: skip
EXTREMES = (0.0, -0.0, 5e-324, -1.7976931348623157e308, 1e22, 2.0**63, 1 / 3, 1e300)
SPOILT = (
    ('"value": ', '"value": "no number", "was": '),
    ('"value": ', '"value": null, "was": '),
    ('"value": ', '"value": 1e999, "was": '),
    ('"type": "', '"type": "a/b'),
    ('"ts": "', '"ts": "yesterday '),
    ('"sensor_id": ', '"sensor_id": -1, "was": '),
    ("{", "["),
)
"""What makes of a good reading one that must not pass."""
OFFSETS_MIN = (0, 0, 0, 120, -330, 345)
SIZES = {"single": (1, 1), "array": (1, 40), "ndjson": (1, 120)}


@dataclass(frozen=True)
class Request:
    """One POST: its body, its headers, and the readings that a 2xx acknowledges."""

    body: bytes
    headers: dict[str, str]
    readings: list[Reading]


def rfc3339(time_ns: int, offset_min: int) -> str:
    """Write nanoseconds since 1970 with this offset, digits that are zero at the end left off."""
    seconds, fraction = divmod(time_ns, SECOND_NS)
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(minutes=offset_min)
    zone = f"{moment.replace(tzinfo=timezone(timedelta(minutes=offset_min))):%z}"
    suffix = "Z" if offset_min == 0 else f"{zone[:3]}:{zone[3:]}"
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{digits}{suffix}"


def as_json(reading: Reading, offset_min: int = 0) -> str:
    """Write a reading as a device posts it: a whole number as an integer."""
    value = reading.value
    fields = {
        "ts": rfc3339(reading.time_ns, offset_min),
        "type": reading.series.type,
        "value": int(value) if value.is_integer() and value else value,
        "sensor_id": reading.series.sensor_id,
    }
    return json.dumps(fields, ensure_ascii=offset_min != 0)


@dataclass
class Devices:
    """Sensors with a clock each; everything they do follows from `rng`."""

    ledger: Ledger
    rng: random.Random
    prefix: str = "s"
    sensors: int = 40
    now: Callable[[], int] = time.time_ns
    shapes: tuple[str, ...] = ("single", "single", "array", "ndjson")
    steps_back: float = 0.02
    """How likely it is for a reading that its clock has stepped back by up to an hour."""
    broken: float = 0.02
    """How likely it is that a batch has a reading in it which must not pass."""
    gzipped: float = 1 / 3
    """How many of the requests are compressed."""
    _series: list[Series] = field(init=False)

    def __post_init__(self) -> None:
        """Name the sensors: one half by numbers, one by strings."""
        first = self.rng.randrange(1 << 62)
        names = [first + n if n % 2 else f"{self.prefix} {first + n}" for n in range(self.sensors)]
        self._series = [self.ledger.series_of(name, self.rng.choice(TYPES)) for name in names]

    def request(self) -> Request:
        """Make up a request; its readings are in the ledger, still open."""
        shape = self.rng.choice(self.shapes)
        low, high = SIZES[shape]
        readings = [self._reading() for _ in range(self.rng.randint(low, high))]
        self.rng.shuffle(readings)
        texts = [as_json(reading, self.rng.choice(OFFSETS_MIN)) for reading in readings]
        if shape != "single" and self.rng.random() < self.broken:
            at = self.rng.randrange(len(texts))
            texts[at] = texts[at].replace(*self.rng.choice(SPOILT), 1)
        return self._packed(shape, texts, readings)

    def _packed(self, shape: str, texts: list[str], readings: list[Reading]) -> Request:
        match shape:
            case "single":
                body, media = texts[0], JSON
            case "array":
                body, media = f"[{', '.join(texts)}]", JSON
            case _:
                body, media = "\n".join(texts) + self.rng.choice(("", "\n")), NDJSON
        headers = {"Content-Type": media}
        if self.rng.random() < self.gzipped:
            headers["Content-Encoding"] = "gzip"
            return Request(gzip.compress(body.encode(), 1), headers, readings)
        return Request(body.encode(), headers, readings)

    def _reading(self) -> Reading:
        clock = self.now()
        if self.rng.random() < self.steps_back:
            clock -= self.rng.randrange(3600 * SECOND_NS)
        return self.ledger.attempt(self.rng.choice(self._series), clock, self._value())

    def _value(self) -> float:
        kind = self.rng.random()
        if kind < 0.02:
            return self.rng.choice(EXTREMES)
        if kind < 0.5:
            return self.rng.uniform(-40, 125)
        if kind < 0.8:
            return float(self.rng.randint(-(1 << 40), 1 << 40))
        return self.rng.gauss(0, 1) * 10.0 ** self.rng.randint(-300, 300)
