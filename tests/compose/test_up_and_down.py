"""`up` from a clean state with each Compose version, then stop, start and down."""

import os
import re
import subprocess
import sys
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
from tests.compose.project import LINE, Project, two_free_ports
from tests.service import wait_for

STOP_LIMIT_S = 10.0
# Each service before those that it needs.
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
    messages = output(
        client, images.names["broker"], "mosquitto_sub",
        "-h", "127.0.0.1", "-p", stack.settings["MQTT_PORT"],
        "-t", "readings/#", "-v", "-R", "-C", "1", "-W", "10",
        network_mode="host",
    )  # fmt: skip
    assert re.match(r'readings/123/temp \{"id":"[0-9a-f]{12}\.[0-9a-f]{8}:\d+","ts":"', messages)


def test_curl_gets_created(stack: Project, client: DockerClient, images: Images) -> None:
    reading = '{"ts":"2026-11-22T18:50:45.123456789Z","type":"temp","value":25,"sensor_id":"curl"}'
    response = output(
        client, images.names["db"], "curl",
        "-s", "-H", "Content-Type: application/json", "-d", reading, f"{stack.url}/data",
        network_mode="host",
    )  # fmt: skip
    assert response == "Created"
    wait_for(lambda: stack.count("curl") == 1, 10, "the reading stored")


def pipeline(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ./pipeline, as a person in the checkout."""
    return subprocess.run(
        [sys.executable, "pipeline", *words],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["books"], "accepted = stored"),
        (["check"], "storing"),
        (["watch", "--once"], "123"),
        (["formats", "try", "tele/x/SENSOR", '{"a":1}'], '"type":"a"'),
        (["device", "--count", "1"], '"sensor_id":1000} -> 201'),
        (["device", "--mqtt", "--count", "1"], '"sensor_id":1000} -> accepted'),
        (["audit"], "missing"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
@pytest.mark.usefixtures("stack")
def test_a_command_works_as_typed(words: list[str], printed: str) -> None:
    done = pipeline(*words)
    assert done.returncode == 0, done
    assert printed in done.stdout


@pytest.mark.parametrize("service", ["bridge", "broker"])
def test_a_service_that_is_killed_comes_back(stack: Project, service: str) -> None:
    before = stack.container(service).attrs["RestartCount"]
    assert pipeline("kill", service).returncode == 0
    wait_for(lambda: stack.container(service).attrs["RestartCount"] > before, 20, "a restart")
    stack.wait_healthy()
    assert pipeline("audit").returncode == 0


def test_the_dashboard_has_its_data_source_and_dashboards(stack: Project) -> None:
    if "dashboard" not in stack.services:
        pytest.skip("Grafana's image is not available")
    base = f"http://{stack.address}:{stack.port('GRAFANA_PORT')}/api"
    account = ("admin", stack.secret("grafana-admin"))
    dashboards = list((ROOT / "grafana" / "dashboards").glob("*.json"))
    with httpx.Client(base_url=base, auth=account, timeout=10) as grafana:
        assert grafana.get("/datasources/uid/influxdb-iot/health").json()["status"] == "OK"
        assert len(grafana.get("/search", params={"type": "dash-db"}).json()) == len(dashboards)


def test_compose_logs_follows_the_collectors_readings(stack: Project) -> None:
    with stack.process("logs", "-f", "collector") as follower:
        assert follower.stdout
        try:
            lines = (line for line in follower.stdout if LINE.search(line))
            assert "sensor_id=123" in next(lines)
        finally:
            follower.kill()


@pytest.mark.parametrize(
    ("service", "command", "expected"),
    [
        ("collector", "python -m collector books", "accepted = stored + rejected + pending"),
        ("collector", "python -m collector audit --since 1h", "missing               0"),
        ("collector", "python -m collector replay --since 1h", "rejected 0"),
        ("collector", "python -m collector rejected", ""),
        ("bridge", "python -m bridge --check", "storing"),
        ("broker", "mosquitto_sub -t readings/# -v -C 1", "readings/"),
        ("collector", "python -m collector query SHOW\tMEASUREMENTS", "data"),
        ("simulator", "python -m device --help", "usage"),
    ],
)
def test_commands_work_in_the_containers(
    stack: Project, service: str, command: str, expected: str
) -> None:
    words = [word.replace("\t", " ") for word in command.split(" ")]
    assert expected in stack.exec(service, *words)


def test_a_second_simulator_can_be_run(stack: Project) -> None:
    assert "usage" in stack.run("run", "--rm", "simulator", "--help").stdout
    log = stack.run(
        "run", "--rm", "simulator",
        "-h", "collector", "-p", "1337", "--sensor-id", "9", "--count", "3", "--rate", "50",
    ).stdout  # fmt: skip
    assert "3 accepted" in log
    wait_for(lambda: stack.count("9") == 3, 10, "its readings stored")


def test_every_container_has_minimal_rights(stack: Project) -> None:
    for name in (name for name in stack.services if name != "setup"):
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
        assert int(user) in {10001, 10002, 10003, 1883, 1500, 472}, name


def test_collector_and_bridge_can_be_scaled(stack: Project) -> None:
    one = stack.settings["COLLECTOR_PORT"]
    ports = two_free_ports()
    stack.settings["COLLECTOR_PORT"] = "-".join(map(str, ports))
    stack.up("--scale", "collector=2", "--scale", "bridge=2")
    for number, port in enumerate(ports):
        stack.store(port, f"scaled-{number}")
    files = stack.exec("collector", "ls", "/outbox").split()
    assert {"outbox.db", "outbox-2.db"} <= set(files), "an outbox each"
    bridges = stack.containers("bridge")
    assert len(bridges) == 2
    for bridge in bridges:
        check = ["python", "-m", "bridge", "--check"]
        wait_for(lambda: bridge.exec_run(check).exit_code == 0, 20, "a bridge stores")  # noqa: B023
    bridges[0].kill()
    for number, port in enumerate(ports):
        stack.store(port, f"one-bridge-{number}")
    stack.settings["COLLECTOR_PORT"] = one
    stack.up("--scale", "collector=1", "--scale", "bridge=1")
    stack.store(int(one), "one-again")


def assert_stops_cleanly(stack: Project) -> float:
    """Stop the stack; return the seconds it took."""
    begin = time.monotonic()
    stack.run("stop")
    took = time.monotonic() - begin
    assert took < STOP_LIMIT_S
    states = {name: stack.container(name).attrs["State"] for name in stack.services}
    assert {name: state["ExitCode"] for name, state in states.items()} == dict.fromkeys(states, 0)
    assert {state["Status"] for state in states.values()} == {"exited"}
    return took


def test_stop_takes_seconds_and_every_service_exits_with_0(
    stack: Project, compose: Command, note: Note
) -> None:
    note(f"compose {version(compose)}: stopped in {assert_stops_cleanly(stack):.1f} s")


def test_a_start_in_the_worst_order_ends_healthy(stack: Project) -> None:
    stack.run("stop")
    waiting, needed = WORST_ORDER[:3], WORST_ORDER[3:]
    logged = len(stack.logs("bridge"))
    for name in waiting:
        stack.container(name).start()
    # Broker and database are missing; readings are accepted all the same, and `stop` works.
    stack.accept("early")
    wait_for(lambda: len(stack.logs("bridge")) > logged, 20, "the bridge logs what it waits for")
    assert stack.container("bridge").status == "running"
    assert_stops_cleanly(stack)
    for name in (*waiting, *needed):
        stack.container(name).start()
    stack.wait_healthy()
    wait_for(lambda: stack.count("early") == 1, 20, "the reading stored")


def test_down_keeps_the_data_and_down_volumes_removes_it(stack: Project) -> None:
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
    stack.forget_secrets()
    stack.run("up", "-d", "db", "collector", "bridge")
    stack.wait_healthy(["db", "collector", "bridge"])
    assert stack.count("kept") == 0
    assert stack.books().accepted == 0
