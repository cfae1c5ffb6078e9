"""The dashboards over the running pipeline: what is posted is what they ask for."""

import json
import re
import time
import urllib.request
from typing import Any

from tests.grafana.dashboards import Query, load, queries, query
from tests.grafana.interpolation import interpolate
from tests.stack import Stack, wait_for

QUARTER_MS = 15 * 60 * 1000


def ask(stack: Stack, text: str) -> list[dict[str, Any]]:
    """Ask about the last quarter of an hour, as an open dashboard would."""
    now = time.time_ns() // 10**6
    return stack.influx.query(interpolate(text, (now - QUARTER_MS, now)), epoch="ms")


def post(stack: Stack, reading: dict[str, Any]) -> None:
    body = json.dumps(reading).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.collector.url}/data", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 201


def counters_read(text: str) -> set[str]:
    """Return the counters that a query of the pipeline reads; the names it gives are none."""
    quoted = set(re.findall(r'"(\w+)"', re.sub(r'AS "\w+"', "", text)))
    return quoted - {"pipeline", "service", "instance", "difference"}


def test_the_first_reading_of_a_sensor_fills_both_dashboards(stack: Stack) -> None:
    post(stack, {"type": "temp", "value": 25.5, "sensor_id": 123})
    asked = [q for name in ("readings", "pipeline") for q in queries(load(name))]

    def empty() -> list[Query]:
        return [q for q in asked if not ask(stack, q.text)]

    # A rate needs two status messages, which come every 2 s, in different intervals of 5 s.
    wait_for(lambda: not empty(), timeout=60, what="an answer to every query")

    [latest] = ask(stack, query(load("readings"), "Table of sensors"))
    assert (latest["sensor_id"], latest["type"], latest["latest"]) == ("123", "temp", 25.5)
    [books] = ask(stack, query(load("pipeline"), "Books"))
    assert books["difference"] == 0

    sent = {row["fieldKey"] for row in ask(stack, 'SHOW FIELD KEYS FROM "pipeline"')}
    assert set().union(*(counters_read(q.text) for q in queries(load("pipeline")))) <= sent


def test_control_a_counter_that_nobody_sends_is_noticed() -> None:
    text = query(load("pipeline"), "Books").replace('"stored"', '"kept"')
    assert counters_read(text) == {"accepted", "kept", "rejected", "pending"}
