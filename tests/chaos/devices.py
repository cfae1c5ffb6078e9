"""Requests of devices: all kinds of readings in every format that POST /data accepts."""

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
INVALIDATIONS = (
    ('"value": ', '"value": "no number", "was": '),
    ('"value": ', '"value": null, "was": '),
    ('"value": ', '"value": 1e999, "was": '),
    ('"type": "', '"type": "a/b'),
    ('"ts": "', '"ts": "yesterday '),
    ('"sensor_id": ', '"sensor_id": -1, "was": '),
    ("{", "["),
)
"""Replacements in the JSON of a valid reading that make it invalid."""
OFFSETS_MIN = (0, 0, 0, 120, -330, 345)
READINGS_PER_REQUEST = {"single": (1, 1), "array": (1, 40), "ndjson": (1, 120)}


@dataclass(frozen=True)
class Request:
    """One POST, and the readings that a 2xx acknowledges."""

    body: bytes
    headers: dict[str, str]
    readings: list[Reading]


def rfc3339(time_ns: int, offset_min: int) -> str:
    """Format nanoseconds since 1970 with this offset, without trailing zeros."""
    seconds, fraction = divmod(time_ns, SECOND_NS)
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(minutes=offset_min)
    zone = f"{moment.replace(tzinfo=timezone(timedelta(minutes=offset_min))):%z}"
    suffix = "Z" if offset_min == 0 else f"{zone[:3]}:{zone[3:]}"
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{digits}{suffix}"


def number(value: float) -> float:
    """Return the value as devices write it: a whole number is an integer."""
    return int(value) if value.is_integer() and value else value


def as_json(reading: Reading, offset_min: int = 0) -> str:
    """Return the JSON of a reading."""
    fields = {
        "ts": rfc3339(reading.time_ns, offset_min),
        "type": reading.series.type,
        "value": number(reading.value),
        "sensor_id": reading.series.sensor_id,
    }
    return json.dumps(fields, ensure_ascii=offset_min != 0)


@dataclass
class Devices:
    """Simulated sensors. `rng` determines everything that they send."""

    ledger: Ledger
    rng: random.Random
    prefix: str = "s"
    sensors: int = 40
    now: Callable[[], int] = time.time_ns
    formats: tuple[str, ...] = ("single", "single", "array", "ndjson")
    clock_steps_back: float = 0.02
    """Share of readings whose clock has stepped back by up to an hour."""
    invalid: float = 0.02
    """Share of arrays and NDJSON bodies with an invalid reading in them."""
    gzipped: float = 1 / 3
    """Share of requests that are compressed."""
    token: str = ""
    """The secret of their identity, if they have one."""
    _series: list[Series] = field(init=False)

    def __post_init__(self) -> None:
        # One half is named by integers, the other by strings.
        first = self.rng.randrange(1 << 62)
        names = [first + n if n % 2 else f"{self.prefix} {first + n}" for n in range(self.sensors)]
        self._series = [self.ledger.series_of(name, self.rng.choice(TYPES)) for name in names]

    def request(self) -> Request:
        """Make a request and enter its readings in the ledger as OPEN."""
        format_ = self.rng.choice(self.formats)
        low, high = READINGS_PER_REQUEST[format_]
        readings = [self._reading() for _ in range(self.rng.randint(low, high))]
        self.rng.shuffle(readings)
        texts = [as_json(reading, self.rng.choice(OFFSETS_MIN)) for reading in readings]
        if format_ != "single" and self.rng.random() < self.invalid:
            at = self.rng.randrange(len(texts))
            texts[at] = texts[at].replace(*self.rng.choice(INVALIDATIONS), 1)
        return self._encode(format_, texts, readings)

    def _reading(self) -> Reading:
        return self.ledger.attempt(self.rng.choice(self._series), self.clock(), self.value())

    def _encode(self, format_: str, texts: list[str], readings: list[Reading]) -> Request:
        match format_:
            case "single":
                body, media = texts[0], JSON
            case "array":
                body, media = f"[{', '.join(texts)}]", JSON
            case _:
                body, media = "\n".join(texts) + self.rng.choice(("", "\n")), NDJSON
        headers = {"Content-Type": media}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.rng.random() < self.gzipped:
            headers["Content-Encoding"] = "gzip"
            return Request(gzip.compress(body.encode(), 1), headers, readings)
        return Request(body.encode(), headers, readings)

    def clock(self) -> int:
        """Return the time of a device's clock, in nanoseconds."""
        clock = self.now()
        if self.rng.random() < self.clock_steps_back:
            clock -= self.rng.randrange(3600 * SECOND_NS)
        return clock

    def value(self) -> float:
        """Return the next measured value."""
        kind = self.rng.random()
        if kind < 0.02:
            return self.rng.choice(EXTREMES)
        if kind < 0.5:
            return self.rng.uniform(-40, 125)
        if kind < 0.8:
            return float(self.rng.randint(-(1 << 40), 1 << 40))
        return self.rng.gauss(0, 1) * 10.0 ** self.rng.randint(-300, 300)
