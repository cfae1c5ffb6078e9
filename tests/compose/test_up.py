"""`up` from a clean state, by each Compose: what a newcomer sees."""

import re

import pytest
from docker import DockerClient

from tests.compose.images import Images
from tests.compose.program import output
from tests.compose.project import LINE, Project
from tests.service import wait_for


def test_the_simulators_readings_are_in_the_database(stack: Project) -> None:
    assert {"name": "iot"} in stack.query("SHOW DATABASES")
    wait_for(lambda: stack.count("123") > 1, 20, "readings of sensor 123")
    rows = stack.query("SELECT value, sensor_id, type FROM data WHERE sensor_id = '123'")
    assert {row["type"] for row in rows} == {"temp"}
    assert all(20 <= row["value"] <= 34 for row in rows)


def test_the_published_broker_shows_the_readings(
    stack: Project, client: DockerClient, images: Images
) -> None:
    seen = output(
        client, images.names["broker"], "mosquitto_sub",
        "-h", "127.0.0.1", "-p", stack.settings["MQTT_PORT"],
        "-t", "readings/#", "-v", "-R", "-C", "1", "-W", "10",
        network_mode="host",
    )  # fmt: skip
    assert re.match(r'readings/123/temp \{"id":"[0-9a-f]{12}:\d+","ts":"', seen)


def test_curl_gets_created(stack: Project, client: DockerClient, images: Images) -> None:
    reading = '{"ts":"2026-11-22T18:50:45.123456789Z","type":"temp","value":25,"sensor_id":"me"}'
    answer = output(
        client, images.names["db"], "curl",
        "-s", "-H", "Content-Type: application/json", "-d", reading, f"{stack.url}/data",
        network_mode="host",
    )  # fmt: skip
    assert answer == "Created"
    wait_for(lambda: stack.count("me") == 1, 10, "the reading stored")


def test_the_log_is_followed_as_in_the_course(stack: Project) -> None:
    with stack.process("logs", "-f", "collector") as follower:
        assert follower.stdout
        try:
            lines = (line for line in follower.stdout if LINE.search(line))
            assert "sensor_id=123" in next(lines)
        finally:
            follower.kill()


@pytest.mark.parametrize(
    ("service", "command", "told"),
    [
        ("collector", "python -m collector books", "accepted"),
        ("collector", "python -m collector audit --since 1h", ""),
        ("collector", "python -m collector replay --since 1h", ""),
        ("collector", "python -m collector rejected", ""),
        ("bridge", "python -m bridge --check", ""),
        ("broker", "mosquitto_sub -t readings/# -v -C 1", "readings/"),
        ("db", "influx -database iot -execute SHOW\tMEASUREMENTS", "data"),
        ("simulator", "python -m device --help", "usage"),
    ],
)
def test_commands_work_in_the_containers(
    stack: Project, service: str, command: str, told: str
) -> None:
    words = [word.replace("\t", " ") for word in command.split(" ")]
    assert told in stack.exec(service, *words)


def test_no_service_can_be_scaled_by_accident(stack: Project) -> None:
    before = {name: stack.container(name).id for name in stack.services}
    refused = stack.run(
        "up", "-d", "--scale", "collector=2", "--scale", "bridge=2", "collector", "bridge",
        check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "Docker requires each container to have a unique name" in refused.stdout
    assert {name: stack.container(name).id for name in stack.services} == before
    stack.wait_healthy()
