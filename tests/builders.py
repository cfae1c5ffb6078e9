"""Readings as devices post them."""

import json
import time
from collections.abc import Iterable
from typing import Any

from telemetry import timestamp

Json = dict[str, Any]


def reading(
    sensor_id: int | str, ns: int | None = None, value: float = 21.5, type_: str = "temp"
) -> Json:
    """Return a reading; its time `ns`, in nanoseconds since the epoch, is now by default."""
    ts = timestamp.render(time.time_ns() if ns is None else ns)
    return {"ts": ts, "type": type_, "value": value, "sensor_id": sensor_id}


def published(sensor_id: str, value: float, ts: str, type_: str = "temp", *, seq: int = 1) -> Json:
    """Return what a collector publishes on readings/<sensor_id>/<type>."""
    return {
        "id": f"elsewhere.run:{seq}",
        "ts": ts,
        "type": type_,
        "value": value,
        "sensor_id": sensor_id,
    }


def reading_json(**texts: str) -> bytes:
    """Return a valid reading without `ts` as JSON, its fields replaced by these JSON texts."""
    fields = {"type": '"temp"', "value": "21.5", "sensor_id": "1", **texts}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}").encode()


def as_json(body: object) -> bytes:
    """Return `body` as JSON in UTF-8, without escapes where none are needed."""
    return json.dumps(body, ensure_ascii=False).encode()


def ndjson(readings: Iterable[Json]) -> bytes:
    """Return readings as NDJSON."""
    return b"".join(as_json(reading) + b"\n" for reading in readings)
