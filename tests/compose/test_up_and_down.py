"""`up` from a clean state, by each Compose: what a newcomer sees; then stop, start and down."""

import re
import time

import docker
import httpx
import pytest
from docker import DockerClient

from run.configuration import ROOT
from tests.compose.compose_cli import Command, version
from tests.compose.conftest import Note
from tests.compose.images import Images
from tests.compose.program import output
from tests.compose.project import LINE, Project
from tests.service import wait_for

STOP_LIMIT_S = 10.0
# Whoever needs another comes before it.
WORST_ORDER = ("simulator", "collector", "bridge", "db", "broker")


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


def test_the_dashboard_has_its_data_and_its_pages(stack: Project) -> None:
    if "dashboard" not in stack.services:
        pytest.skip("Grafana's image cannot be had here")
    base = f"http://{stack.address}:{stack.port('GRAFANA_PORT')}/api"
    pages = list((ROOT / "grafana" / "dashboards").glob("*.json"))
    with httpx.Client(base_url=base, auth=("admin", "admin"), timeout=10) as grafana:
        assert grafana.get("/datasources/uid/influxdb-iot/health").json()["status"] == "OK"
        assert len(grafana.get("/search", params={"type": "dash-db"}).json()) == len(pages)


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
        ("collector", "python -m collector books", "accepted = stored + rejected + pending"),
        ("collector", "python -m collector audit --since 1h", "missing               0"),
        ("collector", "python -m collector replay --since 1h", "rejected 0"),
        ("collector", "python -m collector rejected", ""),
        ("bridge", "python -m bridge --check", "storing"),
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


def test_another_simulator_can_be_run_beside(stack: Project) -> None:
    assert "usage" in stack.run("run", "--rm", "simulator", "--help").stdout
    told = stack.run(
        "run", "--rm", "simulator",
        "-h", "collector", "-p", "1337", "--sensor-id", "9", "--count", "3", "--rate", "50",
    ).stdout  # fmt: skip
    assert "3 acknowledged" in told
    wait_for(lambda: stack.count("9") == 3, 10, "its readings stored")


def test_every_container_has_no_more_rights_than_it_needs(stack: Project) -> None:
    for name in stack.services:
        container = stack.container(name).attrs
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["Init"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, name
        ports = [p for bound in host["PortBindings"].values() for p in bound]
        assert {port["HostIp"] for port in ports} <= {"127.0.0.1"}, name
        user = stack.container(name).exec_run(["id", "-u"]).output
        assert int(user) in {10001, 1883, 1500, 472}, name


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


def assert_stops_cleanly(stack: Project) -> float:
    """Stop what runs; return the seconds it took."""
    begin = time.monotonic()
    stack.run("stop")
    took = time.monotonic() - begin
    assert took < STOP_LIMIT_S
    states = {name: stack.container(name).attrs["State"] for name in stack.services}
    assert {name: state["ExitCode"] for name, state in states.items()} == dict.fromkeys(states, 0)
    assert {state["Status"] for state in states.values()} == {"exited"}
    return took


def test_stop_takes_seconds_and_every_service_ends_well(
    stack: Project, compose: Command, note: Note
) -> None:
    note(f"compose {version(compose)}: stopped in {assert_stops_cleanly(stack):.1f} s")


def test_a_start_in_the_worst_order_ends_healthy(stack: Project) -> None:
    stack.run("stop")
    waiting, needed = WORST_ORDER[:3], WORST_ORDER[3:]
    said = len(stack.logs("bridge"))
    for name in waiting:
        stack.container(name).start()
    # Nothing that they need is there; they take readings all the same, and can be stopped.
    stack.accept("early")
    wait_for(lambda: len(stack.logs("bridge")) > said, 20, "the bridge says what it waits for")
    assert stack.container("bridge").status == "running"
    assert_stops_cleanly(stack)
    for name in (*waiting, *needed):
        stack.container(name).start()
    stack.wait_healthy()
    wait_for(lambda: stack.count("early") == 1, 20, "the reading stored")


def test_down_keeps_the_data_and_down_with_volumes_does_not(stack: Project) -> None:
    stack.accept("kept")
    wait_for(lambda: stack.count("kept") == 1, 20, "the reading stored")
    accepted = stack.books().accepted
    stack.run("down")
    with pytest.raises(docker.errors.NotFound):
        stack.container("db")
    stack.up()
    stack.wait_healthy(["db", "collector"])
    assert stack.count("kept") == 1
    assert stack.books().accepted >= accepted
    stack.run("down", "--volumes")
    stack.run("up", "-d", "db", "collector")
    stack.wait_healthy(["db", "collector"])
    assert stack.count("kept") == 0
    assert stack.books().accepted == 0
