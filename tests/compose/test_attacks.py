"""The table of attacks, on what docker-compose.yml starts."""

import json
from collections.abc import Mapping

import pytest

from tests.attacks.cases import *  # noqa: F403
from tests.attacks.target import Target
from tests.compose.images import OURS
from tests.compose.project import Project
from tests.service import wait_for


class Composed(Target):
    """A stack of docker-compose.yml."""

    def __init__(self, project: Project) -> None:
        super().__init__({name: project.port(name) for name in project.settings if "PORT" in name})
        self.project = project

    def secret(self, name: str) -> str:
        return self.project.secret(name)

    def command(self, *words: str) -> str:
        return self.project.exec("collector", "python", "-m", "collector", *words)

    def outbox(self) -> str:
        with self.connect() as client:
            client.subscribe("status/collector/+")
            wait_for(lambda: client.messages, what="a status")
            return client.messages[0][0].rpartition("/")[2]

    def traces(self) -> Mapping[str, bytes]:
        seen = {}
        for name in self.project.services:
            container = self.project.container(name)
            seen[f"inspect {name}"] = json.dumps(container.attrs).encode()
            seen[f"logs {name}"] = self.project.logs(name).encode()
            image = self.project.client.images.get(container.image.id)
            seen[f"image {name}"] = json.dumps([image.attrs, image.history()]).encode()
            if container.status == "running":
                seen[f"processes {name}"] = json.dumps(container.top(ps_args="auxwwe")).encode()
        for name in OURS:
            image = self.project.client.images.get(self.project.container(name).image.id)
            seen[f"layers {name}"] = b"".join(image.save())
        return seen


@pytest.fixture(scope="module")
def target(new_project: Project) -> Composed:
    new_project.run("build")
    new_project.up()
    new_project.wait_healthy()
    target = Composed(new_project)
    target.add_devices()
    return target


@pytest.mark.parametrize(
    ("service", "others"),
    [
        ("collector", ["broker-bridge", "influx-bridge", "influx-grafana", "simulator"]),
        ("bridge", ["broker-collector", "grafana-admin", "simulator"]),
        ("broker", ["broker-collector", "broker-bridge", "influx-bridge"]),
        ("simulator", ["broker-collector", "influx-auditor", "grafana-admin"]),
        ("db", ["broker-bridge", "influx-auditor", "grafana-admin"]),
    ],
)
def test_a_service_reads_its_own_secrets_only(
    target: Composed, service: str, others: list[str]
) -> None:
    own = {"broker": "broker.passwd", "db": "influx-bridge", "simulator": "simulator"}
    assert target.project.exec(service, "cat", f"/secrets/{own.get(service, f'broker-{service}')}")
    for other in others:
        done = target.project.run("exec", "-T", service, "cat", f"/secrets/{other}", check=False)
        assert done.returncode, other
        assert "Permission denied" in done.stdout


@pytest.mark.parametrize(
    ("service", "host", "is_reached"),
    [
        ("broker", "db", False),
        ("simulator", "db", False),
        ("collector", "db", True),
        ("bridge", "db", True),
        ("db", "broker", False),
    ],
)
def test_what_need_not_reach_another_cannot(
    target: Composed, service: str, host: str, is_reached: bool
) -> None:
    done = target.project.run("exec", "-T", service, "getent", "hosts", host, check=False)
    assert (done.returncode == 0) == is_reached


@pytest.mark.parametrize("service", ["collector", "bridge", "broker", "simulator", "db"])
def test_containers_can_do_little(target: Composed, service: str) -> None:
    attributes = target.project.container(service).attrs
    host = attributes["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"]
    assert host["PidsLimit"]
    assert {"Name": "core", "Hard": 0, "Soft": 0} in host["Ulimits"]
    assert host["LogConfig"]["Config"]["max-size"]
    assert attributes["Config"]["User"] not in {"", "root", "0", "0:0"} or service == "db"
