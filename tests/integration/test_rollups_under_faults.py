"""Bridge and InfluxDB killed while late readings arrive: roll-ups end as the readings do."""

import random
from pathlib import Path
from typing import Any

import httpx

from collector.outbox.books import read_books
from telemetry.timestamp import render
from tests.integration.rolled_up import HOUR, SETTINGS, Database, S, hour
from tests.stack import Stack, wait_for

HOURS = 40
ROUNDS = 4


def late(first: int, number: int) -> list[dict[str, object]]:
    """Return readings of many hours, with some points twice."""
    return [
        {
            "ts": render(first + random.randrange(HOURS) * HOUR + random.randrange(200) * S),
            "type": "temp",
            "value": random.randrange(100),
            "sensor_id": 7,
        }
        for _ in range(number)
    ]


def by_hour(database: Database, source: str) -> list[dict[str, Any]]:
    return database.query(f"SELECT {source} GROUP BY time(1h) fill(none)")


def differing(database: Database) -> list[object]:
    """Return where the roll-up is not what InfluxDB computes from the readings."""
    raw = by_hour(database, "mean(value) AS value, count(value) AS count FROM data WHERE time > 0")
    rolled = database.query("SELECT value, count FROM rollup_1h.data")
    return [pair for pair in zip(raw, rolled, strict=True) if pair[0] != pair[1]]


def test_after_kills_roll_ups_are_what_the_readings_say(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.bridge.env["ROLLUPS"] = SETTINGS
    first = hour((HOURS + 5) * HOUR)
    with stack:
        for number in range(ROUNDS):
            answer = httpx.post(f"{stack.collector.url}/data", json=late(first, 2000), timeout=20)
            assert answer.status_code == 201
            part = stack.bridge if number % 2 else stack.influx
            part.kill()
            part.start()
            part.wait_ready()
        wait_for(lambda: read_books(stack.collector.outbox).pending == 0, 60, "all are stored")
        database = Database(stack.influx, "iot")
        database.turn()
        assert len(by_hour(database, "count(value) FROM data WHERE time > 0")) == HOURS
        assert differing(database) == []
        # Control: one that was written beside the bridge.
        stack.influx.write(f"data,sensor_id=7,type=temp value=5 {first + 300 * S}")
        database.turn()
        assert len(differing(database)) == 1
