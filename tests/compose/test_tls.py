"""docker-compose.yml with TLS: between the containers too, and nothing else from outside."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest

from tests.attacks.client import Client
from tests.compose.project import Project
from tests.compose.test_attacks import Composed
from tests.compose.test_up_and_down import pipeline
from tests.service import wait_for

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca") / "ca.crt"


@pytest.fixture(scope="module")
def target(new_project: Project, ca: Path) -> Composed:
    new_project.settings["TLS"] = f"iot.test,{HERE}"
    new_project.run("build")
    new_project.up()
    new_project.wait_healthy()
    target = Composed(new_project)
    target.url = target.url.replace("http://", "https://")
    ca.write_text(target.command("certificates", "authority"), encoding="utf-8")
    return target


def by_tls(target: Composed, ca: Path) -> Client:
    return Client(target.ports["MQTTS_PORT"], "", "", ca=ca)


def test_readings_go_all_the_way_by_tls(target: Composed, ca: Path) -> None:
    with by_tls(target, ca) as client:
        client.subscribe("readings/#")
        context = ssl.create_default_context(cafile=ca)
        assert target.post("kitchen", verify=context).status_code == 201
        client.wait_message("readings/kitchen/temp")
        client.wait_message("readings/123/temp")  # the simulator's
    count = "SELECT count(value) FROM data"
    wait_for(lambda: target.project.query(f"{count} WHERE sensor_id = 'kitchen'"), what="stored")
    assert target.command("certificates")


def test_plain_text_from_outside_is_refused(target: Composed) -> None:
    refused = httpx.get(f"http://{HERE}:{target.ports['COLLECTOR_PORT']}/healthz")
    assert refused.status_code == 400
    assert "this port speaks HTTPS" in refused.json()["detail"]
    with pytest.raises(OSError, match=r"refused|reset|no answer"):
        _connect(target.ports["MQTT_PORT"])
    with pytest.raises(OSError, match=r"refused|reset|no answer"):
        _connect(target.ports["MQTTS_PORT"])


def _connect(port: int) -> None:
    """Send CONNECT in plain text; raises OSError if it is not answered."""
    with socket.create_connection((HERE, port), timeout=10) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00")
        if b"\x20\x02" not in plain.recv(100):
            raise OSError("no answer")


@pytest.mark.parametrize(("port", "is_reached"), [(1883, False), (8883, True)])
def test_the_containers_reach_the_broker_by_tls_only(
    target: Composed, port: int, *, is_reached: bool
) -> None:
    dial = f"import socket; socket.create_connection(('broker', {port}), 5)"
    done = target.project.run("exec", "-T", "bridge", "python", "-c", dial, check=False)
    assert (done.returncode == 0) == is_reached, done.stdout


@pytest.mark.parametrize(
    ("service", "key", "is_read"),
    [
        ("collector", "server.key", True),
        ("broker", "server.key", True),
        ("broker", "ca.key", False),
        ("bridge", "server.key", False),
        ("simulator", "server.key", False),
        ("simulator", "ca.crt", True),
    ],
)
def test_keys_are_read_by_those_who_need_them(
    target: Composed, service: str, key: str, *, is_read: bool
) -> None:
    done = target.project.run("exec", "-T", service, "cat", f"/tls/{key}", check=False)
    assert (done.returncode == 0) == is_read
    assert is_read or "Permission denied" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"), [([], '"sensor_id":1000} -> 201'), (["--mqtt"], "} -> accepted")]
)
@pytest.mark.usefixtures("target")
def test_a_further_device_speaks_tls(options: list[str], said: str) -> None:
    done = pipeline("device", "--count", "1", *options)
    assert done.returncode == 0, done
    assert said in done.stdout
