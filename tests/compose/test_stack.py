"""docker-stack.yml on one node: a cell that is killed and updated under load, and its secrets."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker import DockerClient

from run import stack
from run.swarm import SwarmError
from tests.chaos.ledger import PostOutcome
from tests.compose.cell import SERVICES, Cell
from tests.compose.conftest import NOT_TESTED, Note
from tests.compose.images import TEST_REPOSITORY, Images
from tests.service import wait_for


@pytest.fixture(scope="module")
def cell(
    client: DockerClient,
    images: Images,
    built: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    note: Note,
) -> Iterator[Cell]:
    if client.info()["Swarm"]["LocalNodeState"] != "inactive":
        note(f"{NOT_TESTED} docker-stack.yml: this engine is in a swarm already")
        pytest.skip("this engine is in a swarm")
    for target, image in built.items():
        image.tag(f"{TEST_REPOSITORY}/{target}")  # tests of images give it to others
    with Cell(client, images, tmp_path_factory.mktemp("cell") / ".stack") as cell:
        yield cell


def post(cell: Cell, sensor_id: str, token: str) -> int:
    """Post a reading; return the status, 0 without an answer."""
    reading = {"type": "temp", "value": 25, "sensor_id": sensor_id}
    url = f"http://127.0.0.1:{cell.ports['COLLECTOR_PORT']}/data"
    try:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(url, json=reading, headers=headers).status_code
    except httpx.TransportError:
        return 0


def test_a_reading_is_stored_and_strangers_are_refused(cell: Cell) -> None:
    cell.ledger.ignored.add(("7", "temp"))
    assert post(cell, "7", cell.token) == 201
    assert post(cell, "7", "stranger") == 401


def test_the_parts_meet_at_the_socket_which_others_cannot_reach(cell: Cell) -> None:
    for service in ("collector", "bridge"):
        log = cell.container(service).logs().decode()
        assert "connected to the MQTT broker at /run/broker/mqtt.sock" in log
    stat = ("stat", "-c", "%a %u:%g", "/run/broker", "/run/broker/mqtt.sock")
    assert cell.exec("broker", *stat).split("\n")[:2] == ["750 1883:1883", "770 1883:1883"]


def test_no_secret_is_in_an_environment_a_command_or_a_log(cell: Cell) -> None:
    names = {"influx-bridge", "influx-auditor", "broker-collector", "broker-bridge", "simulator"}
    secrets = {cell.secret(name) for name in names}
    for service in SERVICES:
        container = cell.container(service)
        seen = json.dumps([container.attrs, cell.client.services.get(f"iot_{service}").attrs])
        seen += container.logs().decode() + json.dumps(container.top(ps_args="auxwwe"))
        assert "MQTT_PASSWORD_FILE" in seen or service == "broker", "the control"
        assert not [secret for secret in secrets if secret in seen]
    modes = cell.exec("collector", "sh", "-c", "stat -Lc '%a %u' /secrets/*").split("\n")
    assert set(modes) == {"400 10001", ""}


def test_nothing_is_lost_when_each_task_is_killed(cell: Cell) -> None:
    with cell.load():
        for service in SERVICES:
            cell.kill(service)
    findings = cell.findings()
    assert findings.clean, findings


def test_nothing_is_lost_when_a_device_is_added_and_a_bad_update_is_rolled_back(
    cell: Cell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.ledger.ignored.add(("kitchen", "temp"))
    for name in ("TLS", "GRAFANA_PASSWORD", "ACCOUNTS_DIR", "BIND_ADDRESS"):
        monkeypatch.setenv(name, "")  # as before at the end
    old = {name: cell.container(name).id for name in SERVICES}
    bridge = cell.client.services.get("iot_bridge")

    def state() -> str:
        bridge.reload()
        return str(bridge.attrs.get("UpdateStatus", {}).get("State"))

    with cell.load():
        cell.docker("service", "update", "--detach", "--env-add", "BATCH_MAX=lots", bridge.name)
        words = ["devices", "add", "kitchen", "--sensors", "kitchen"]
        assert stack.main(words, cell.directory) == 0
        token = capsys.readouterr().out.split()[-1]
        assert post(cell, "kitchen", token) == 201
        cell.docker("service", "update", "--detach", "--force", "iot_broker")
        cell.wait_replaced("broker", old["broker"])
        wait_for(lambda: state() == "rollback_completed", 60, "rolled back")
    assert cell.container("collector").id != old["collector"]
    findings = cell.findings()
    assert findings.clean, findings


def test_deploying_again_uses_the_new_identities(cell: Cell) -> None:
    names = {secret.name for secret in cell.client.secrets.list()}
    assert "iot_identities.json" in names
    cell.deploy()
    spec = cell.client.services.get("iot_collector").attrs["Spec"]["TaskTemplate"]
    used = {one["SecretName"] for one in spec["ContainerSpec"]["Secrets"]}
    assert used <= names
    assert "iot_identities.json" in used
    cell.wait_ready()
    assert "kitchen" in cell.exec("collector", "cat", "/accounts/identities.json")


def test_secrets_of_another_checkout_change_nothing(cell: Cell, tmp_path: Path) -> None:
    before = {secret.id for secret in cell.client.secrets.list()}
    with pytest.raises(SwarmError, match="the swarm has another secret iot_"):
        stack.put(cell.client, tmp_path, stack.make_secrets(tmp_path, {}))
    assert {secret.id for secret in cell.client.secrets.list()} == before


def test_a_reading_that_only_the_ledger_has_is_lost(cell: Cell) -> None:
    """The control of the others."""
    series = next(iter(cell.ledger.series.values()))
    invented = cell.ledger.attempt(series, time.time_ns(), 1.0)
    cell.ledger.record([invented], PostOutcome.ACKNOWLEDGED)
    assert cell.findings().counts == {"lost": 1}
