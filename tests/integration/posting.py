"""Readings posted to a collector, and its answers."""

import gzip
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from telemetry import timestamp
from tests.stack import Collector

Json = dict[str, Any]

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"


def client(collector: Collector) -> httpx.Client:
    """Return a client of `collector`, to be closed."""
    return httpx.Client(base_url=collector.url, trust_env=False, timeout=30)


def now_ns() -> int:
    """Return the time in nanoseconds since the epoch."""
    return time.time_ns()


def reading(sensor_id: int | str, ns: int, value: float = 21.5, type_: str = "temp") -> Json:
    """Return a reading as a device posts it."""
    ts = timestamp.render(ns)
    return {"ts": ts, "type": type_, "value": value, "sensor_id": sensor_id}


def ndjson(readings: list[Json]) -> bytes:
    """Return readings as NDJSON."""
    return b"".join(json.dumps(reading).encode() + b"\n" for reading in readings)


def send(  # noqa: PLR0913  what a request has
    http: httpx.Client,
    body: object,
    content_type: str = JSON,
    *,
    path: str = "/data",
    zipped: bool = False,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Post `body`: bytes as they are, whatever else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": content_type, **(headers or {})}
    if zipped:
        content = gzip.compress(content)
        sent["Content-Encoding"] = "gzip"
    return http.post(path, content=content, headers=sent)


def problem(answer: httpx.Response, status: int) -> Json:
    """Check that `answer` is a problem (RFC 9457) with this status, and return its members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    members: Json = answer.json()
    optional = {"errors"}
    assert members.keys() - optional == {"type", "title", "status", "detail"}
    assert members["type"] == "about:blank"
    assert members["status"] == status
    assert members["title"]
    assert members["detail"]
    return members


def metrics(http: httpx.Client) -> dict[str, int]:
    """Return the collector's counters."""
    lines = http.get("/metrics").text.splitlines()
    return {
        name.removeprefix("collector_"): int(number)
        for name, number in (line.split() for line in lines if not line.startswith("#"))
    }
