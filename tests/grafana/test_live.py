"""The queries of the dashboards against a running pipeline."""

import re
import time
from typing import Any

from tests.grafana import alerts
from tests.grafana.dashboards import Query, load, queries, query
from tests.grafana.interpolation import interpolate
from tests.integration.posting import client, send
from tests.stack import Stack, wait_for

RANGE_MS = 15 * 60 * 1000


def ask(stack: Stack, text: str) -> list[dict[str, Any]]:
    """Query the last 15 minutes, as an open dashboard does."""
    now = time.time_ns() // 10**6
    return stack.influx.query(interpolate(text, (now - RANGE_MS, now)), epoch="ms")


def counters_read(text: str) -> set[str]:
    """Return the counters of the measurement `pipeline` that a query reads."""
    selected = re.findall(r'SELECT ((?:(?!SELECT).)*?) FROM "pipeline"', text)
    return set(re.findall(r'"(\w+)"', re.sub(r'AS "\w+"', "", "".join(selected))))


def test_the_first_reading_of_a_sensor_fills_both_dashboards(stack: Stack) -> None:
    with client(stack.collector) as http:
        reading = {"type": "temp", "value": 25.5, "sensor_id": 123}
        assert send(http, reading).status_code == 201
    asked = [
        q
        for name in ("readings", "pipeline")
        for q in queries(load(name))
        if q.ref != "policy" and q.title != "annotation"
    ]

    def empty() -> list[Query]:
        return [q for q in asked if not ask(stack, q.text)]

    # A rate needs two status messages, sent every 2 s.
    wait_for(lambda: not empty(), timeout=60, what="rows for every query")

    [latest] = ask(stack, query(load("readings"), "Table of sensors"))
    assert (latest["Sensor"], latest["Type"], latest["Value"]) == ("123", "temp", 25.5)
    [books] = ask(stack, query(load("pipeline"), "Books"))
    assert books["difference"] == 0

    sent = {row["fieldKey"] for row in ask(stack, 'SHOW FIELD KEYS FROM "pipeline"')}
    read = [q.text for q in queries(load("pipeline"))] + [
        *map(alerts.query, alerts.rules().values())
    ]
    assert set().union(*map(counters_read, read)) <= sent


def test_control_a_counter_that_no_service_sends_is_noticed() -> None:
    text = query(load("pipeline"), "Books").replace('"stored"', '"kept"')
    assert counters_read(text) == {"accepted", "kept", "rejected", "pending"}
