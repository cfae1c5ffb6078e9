"""RETENTION and ROLLUPS from the settings to what is kept, with all services."""

import time
from pathlib import Path

import httpx

from tests.integration.posting import client, metrics
from tests.stack import Stack, wait_for


def restart(stack: Stack, retention: str) -> None:
    """Kill the bridge, and start it with another setting."""
    stack.bridge.kill()
    stack.bridge.env |= {"RETENTION": retention, "ROLLUPS": "1m:90d,1h"}
    stack.bridge.start()
    stack.bridge.wait_ready()


def post(stack: Stack, days: int, ack: str = "stored") -> httpx.Response:
    ts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    reading = {"ts": ts, "type": "temp", "value": days, "sensor_id": 7}
    return httpx.post(f"{stack.collector.url}/data?ack={ack}", json=reading, timeout=20)


def counts(stack: Stack, policy: str, field: str) -> int:
    """Return how many points there are in a policy."""
    rows = stack.influx.query(f"SELECT count({field}) AS count FROM {policy}.data")  # noqa: S608
    return int(rows[0]["count"]) if rows else 0


def test_what_expires_stays_rolled_up_and_is_not_missing(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.influx.env["INFLUXDB_RETENTION_CHECK_INTERVAL"] = "1s"
    stack.bridge.env["RETENTION"] = "12d"
    with stack:
        assert [post(stack, days).status_code for days in (8, 6, 1)] == [201] * 3
        restart(stack, "3d")
        wait_for(lambda: counts(stack, "autogen", "value") == 1, 30, "two have expired")
        assert counts(stack, "rollup_1h", "value") == counts(stack, "rollup_1m", "max") == 3
        assert "deletes what is older than 3 days" in stack.bridge.log_text()
        stack.influx.kill()  # then the collector reads everything back
        stack.influx.start()
        stack.influx.wait_ready()
        wait_for(lambda: "InfluxDB was restarted" in stack.collector.log_text(), 30)
        with client(stack.collector) as http:
            wait_for(lambda: metrics(http)["unaudited"] == 0, 30, "all are read back")
            assert (metrics(http)["healed"], metrics(http)["unhealed"]) == (0, 0)
        audit = stack.collector.command("audit")
        assert audit.returncode == 0, audit.stdout
        assert "expired               2" in audit.stdout
        assert counts(stack, "rollup_1h", "value") == 3
        refused = post(stack, 5)
        assert refused.status_code == 422
        assert "beyond retention" in refused.text or "outside retention" in refused.text
