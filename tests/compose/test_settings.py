"""Settings in .env take effect, and wrong ones are reported by name."""

import socket

import httpx
import pytest
from influxdb.exceptions import InfluxDBClientError

from tests.compose.project import Project
from tests.service import wait_for

USER, PASSWORD = "pipeline", "first-Secret_1"
SETTINGS = {
    "BIND_ADDRESS": "127.0.0.2",
    "INFLUX_USERNAME": USER,
    "INFLUX_PASSWORD": PASSWORD,
    "INFLUX_DATABASE": "telemetry",
    "BATCH_MAX": "1",
    "MAX_BODY_BYTES": "10000",
    "SIMULATOR_OPTIONS": "--sensors 2 --sensor-id 700 --rate 4",
}


@pytest.fixture(scope="module")
def stack(new_project: Project) -> Project:
    new_project.settings |= SETTINGS
    new_project.run("build")
    new_project.up()
    new_project.wait_healthy()
    return new_project


def listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def test_ports_are_published_where_the_settings_say(stack: Project) -> None:
    published = [stack.port(name) for name in ("COLLECTOR_PORT", "MQTT_PORT")]
    assert all(listens("127.0.0.2", port) for port in published)
    assert not any(listens("127.0.0.1", port) for port in published)
    assert listens("127.0.0.1", stack.port("INFLUX_PORT")), "nobody needs it from elsewhere"
    assert not listens("127.0.0.2", stack.port("INFLUX_PORT"))


def test_the_simulator_takes_its_options(stack: Project) -> None:
    wait_for(lambda: stack.count("700") and stack.count("701"), 20, "both sensors' readings")


def test_a_batch_is_no_larger_than_batch_max(stack: Project) -> None:
    def writes() -> int:
        return int(stack.query("SHOW STATS FOR 'httpd'")[0]["writeReq"])

    before = writes()
    readings = [{"type": "temp", "value": n, "sensor_id": f"b{n}"} for n in range(50)]
    assert httpx.post(f"{stack.url}/data", json=readings).status_code == 201
    wait_for(lambda: stack.count("b49") == 1, 20, "the last reading stored")
    assert writes() - before >= len(readings)


def test_a_body_is_no_larger_than_max_body_bytes(stack: Project) -> None:
    response = httpx.post(f"{stack.url}/data", json=["x" * 10_000])
    assert response.status_code == 413


def test_the_database_requires_the_password(stack: Project) -> None:
    with pytest.raises(InfluxDBClientError, match="401"):
        stack.query("SHOW DATABASES", password="wrong")
    assert {"name": "telemetry"} in stack.query("SHOW DATABASES")


def test_no_reading_is_lost_when_the_password_changes(stack: Project) -> None:
    """Set in .env only, readings stay pending; once it is set in InfluxDB too, they are stored."""
    stack.settings["INFLUX_PASSWORD"] = "second-Secret_2"
    stack.up()
    stack.accept("waiting")
    wait_for(lambda: "waiting for InfluxDB: 401" in stack.logs("bridge"), 20, "the reason logged")
    assert stack.count("waiting", PASSWORD) == 0
    stack.exec(
        "db", "influx", "-username", USER, "-password", PASSWORD,
        "-execute", f"SET PASSWORD FOR {USER} = 'second-Secret_2'",
    )  # fmt: skip
    wait_for(lambda: stack.count("waiting") == 1, 30, "the reading stored")
    stack.wait_healthy()


def test_a_wrong_setting_is_named_and_stops_its_service(stack: Project) -> None:
    right = dict(stack.settings)
    wrong = {"bridge": ("BATCH_MAX", "lots"), "collector": ("OUTBOX_KEEP_HOURS", "-1")}
    stack.settings |= dict(wrong.values())
    stack.up()
    for service, (setting, value) in wrong.items():
        named = f"{setting}={value!r}"
        wait_for(lambda: named in stack.logs(service), 20, named)  # noqa: B023  # called at once
        wait_for(lambda: stack.container(service).attrs["RestartCount"], 20, "it exited")  # noqa: B023
    stack.settings = right
    stack.up()
    stack.wait_healthy()
