"""Cells on three machines that are updated, drained and killed: what was acknowledged is stored."""

import shutil
import time

import httpx
import pytest

from tests.chaos.ledger import PostOutcome
from tests.service import wait_for
from tests.swarm.cells import HTTP, READY_S, Cells
from tests.swarm.swarm import NODES

READING = {"type": "temp", "value": 1, "sensor_id": "one"}


def test_every_cell_accepts_and_stores(cells: Cells) -> None:
    cells.ledger.ignored.add(("one", "temp"))
    headers = {"Authorization": f"Bearer {cells.secret('simulator')}"}
    for address in cells.swarm.addresses:
        url = f"http://{address}:{HTTP}/data"
        assert httpx.post(url, json=READING, headers=headers).status_code == 201
    count = "SELECT count(value) FROM data WHERE sensor_id = 'one'"
    wait_for(lambda: cells.influx.query(count)[0:1] and cells.influx.query(count)[0]["count"] == 3)


@pytest.mark.parametrize("service", ["collector", "broker", "bridge"])
def test_no_request_fails_while_a_service_is_updated(cells: Cells, service: str) -> None:
    unknown = cells.ledger.posts[PostOutcome.UNKNOWN]
    with cells.load():
        cells.docker("service", "update", "--force", "--update-monitor", "1s", f"iot_{service}")
    assert cells.ledger.posts[PostOutcome.UNKNOWN] == unknown
    findings = cells.findings()
    assert findings.clean, findings


def test_nothing_is_lost_when_a_node_is_drained(cells: Cells) -> None:
    with cells.load():
        cells.docker("node", "update", "--availability", "drain", "cell2")
        wait_for(lambda: not cells.is_ready(1), READY_S, "drained")
        cells.wait_acknowledged()
        cells.docker("node", "update", "--availability", "active", "cell2")
        cells.wait_ready()
    findings = cells.findings()
    assert findings.clean, findings


@pytest.mark.parametrize("number", range(NODES))
def test_nothing_is_lost_when_a_machine_is_killed(cells: Cells, number: int) -> None:
    with cells.load():
        cells.swarm.engines[number].kill()
        cells.wait_acknowledged()
        cells.swarm.start(number)
        cells.wait_ready()
    findings = cells.findings()
    assert findings.clean, findings


def test_nothing_is_lost_with_the_disk_of_a_broker(cells: Cells) -> None:
    machine = cells.swarm.engines[1]
    volume = machine.directory / "data" / "volumes" / "iot_broker-data" / "_data"
    with cells.load():
        machine.kill()
        assert list(volume.iterdir())
        shutil.rmtree(volume)
        volume.mkdir()
        shutil.chown(volume, 1883)
        cells.swarm.start(1)
        cells.wait_ready()
    findings = cells.findings()
    assert findings.clean, findings


def test_a_reading_that_was_never_sent_is_reported_as_lost(cells: Cells) -> None:
    """The control of the others; a deleted point would be healed."""
    reading = cells.ledger.attempt(cells.ledger.series_of("never", "temp"), time.time_ns(), 1.0)
    cells.ledger.record([reading], PostOutcome.ACKNOWLEDGED)
    assert cells.findings().counts == {"lost": 1}
