"""The pipeline without Compose: each image started with `docker run` in one network."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker import DockerClient

from run.configuration import ROOT
from tests.compose.images import Images
from tests.compose.program import output
from tests.compose.project import LINE
from tests.service import free_port, wait_for

Run = Callable[..., Any]


@pytest.fixture
def run(client: DockerClient) -> Iterator[Run]:
    """The equivalent of `docker run -d --name NAME --network ... IMAGE ARGUMENT...`."""
    network = client.networks.create(f"iot{secrets.token_hex(4)}")
    started = []

    def run(name: str, image: str, *arguments: str, **options: Any) -> Any:  # noqa: ANN401
        container = client.containers.create(
            image, list(arguments), name=name, network=network.name, **options
        )
        started.append(container)
        container.start()
        return container

    yield run
    for container in started:
        container.remove(force=True, v=True)
    network.remove()


def test_images_started_with_docker_run_form_the_pipeline(
    images: Images, built: dict[str, Any], run: Run, tmp_path: Path
) -> None:
    port = free_port()
    shared = [f"{tmp_path}/{name}:/{name}" for name in ("secrets", "accounts")]
    loopback = {"ACCOUNTS_DIR": "/accounts", "BIND_ADDRESS": "127.0.0.1"}
    setup = run(
        "setup", built["collector"].id, "setup", "/secrets",
        user="0:0", volumes=shared, environment=loopback,
    )  # fmt: skip
    assert setup.wait()["StatusCode"] == 0, setup.logs()

    def account(service: str) -> dict[str, str]:
        return {
            **loopback,
            "MQTT_USERNAME": service,
            "MQTT_PASSWORD_FILE": f"/secrets/broker-{service}",
        }

    collecting = {"volumes": shared, "environment": account("collector")}
    configuration = [*shared, f"{ROOT}/mosquitto:/mosquitto/config:ro"]
    start = ["sh", "/mosquitto/config/start.sh", "/mosquitto/config/mosquitto.conf"]
    published = {"1337/tcp": ("127.0.0.1", port)}
    containers = [
        run("simulator", built["simulator"].id, "-h", "collector", "-p", "1337"),
        run("collector", built["collector"].id, ports=published, **collecting),
        run(
            "broker", images.names["broker"], *start, "/secrets", "/accounts", "/tmp",  # noqa: S108
            user="1883:1883", volumes=configuration,
        ),
        run("bridge", built["bridge"].id, volumes=shared, environment=account("bridge")),
        run("db", images.names["db"]),
    ]  # fmt: skip
    simulator, collector, _, _, db = containers

    def count(sensor_id: str) -> int:
        query = f"SELECT count(value) FROM data WHERE sensor_id = '{sensor_id}'"  # noqa: S608
        argv = ["influx", "-database", "iot", "-format", "csv", "-execute", query]
        csv = db.exec_run(argv).output.decode()
        return int(csv.split(",")[-1]) if "data," in csv else 0

    wait_for(lambda: count("123") > 1, 40, "the simulator's readings in the database")
    assert LINE.search(collector.logs().decode())
    assert b"-> 201 Created" in simulator.logs()
    response = httpx.post(
        f"http://127.0.0.1:{port}/data", json={"type": "t", "value": 1, "sensor_id": "posted"}
    )
    assert response.text == "Created"
    wait_for(lambda: count("posted") == 1, 20, "the posted reading in the database")

    # A second collector has another name and its own outbox.
    containers += [
        run("collector-2", built["collector"].id, **collecting),
        run(
            "simulator-2", built["simulator"].id,
            "-h", "collector-2", "-p", "1337", "--sensor-id", "456",
        ),
    ]  # fmt: skip
    wait_for(lambda: count("456") > 1, 20, "the second collector's readings in the database")

    for container in containers:
        # Without an init, the service is PID 1 and must handle SIGTERM itself.
        container.stop(timeout=10)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.name


def test_the_simulator_without_arguments_prints_its_usage(
    client: DockerClient, built: dict[str, Any]
) -> None:
    with pytest.raises(AssertionError, match=r"exit 1: (?s:.*)usage"):
        output(client, built["simulator"].id, "python", "-m", "device")
