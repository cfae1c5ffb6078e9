"""Messages over a Unix socket: the same promises, for the broker's group alone."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.access import secrets
from collector.access.broker import Terms
from run.configuration import ROOT, write_broker_configuration
from tests.integration.client import Client, run, until
from tests.integration.test_mqtt import (
    test_only_unacknowledged_messages_are_redelivered,
    test_payloads_of_every_size_arrive_unchanged,
    test_ten_thousand_messages_arrive_in_order_and_are_acknowledged,
    test_the_will_is_published_after_an_error_and_not_after_a_clean_end,
)
from tests.integration.test_mqtt_outages import (
    _reconnects_soon,
    test_an_acknowledgement_from_before_the_reconnect_is_dropped,
    test_each_publish_is_acknowledged_once_though_the_broker_is_killed,
)
from tests.stack import Broker

__all__ = [
    "_reconnects_soon",
    "test_an_acknowledgement_from_before_the_reconnect_is_dropped",
    "test_each_publish_is_acknowledged_once_though_the_broker_is_killed",
    "test_only_unacknowledged_messages_are_redelivered",
    "test_payloads_of_every_size_arrive_unchanged",
    "test_ten_thousand_messages_arrive_in_order_and_are_acknowledged",
    "test_the_will_is_published_after_an_error_and_not_after_a_clean_end",
]


class SocketBroker(Broker):
    """The broker of a cell: with the accounts of the services, as start.sh starts it."""

    def __init__(self, directory: Path, place: Path | None = None) -> None:
        super().__init__(directory)
        self.socket = (place or directory) / "mqtt.sock"
        self.secrets, accounts = directory / "secrets", directory / "accounts"
        secrets.make(self.secrets, accounts, Terms(opened=False))
        rules = accounts / "devices.acl"  # begins with those without a name: the tests' clients
        rules.write_text(f"topic readwrite #\n{rules.read_text()}")
        path = write_broker_configuration(directory, self.port, accounts=True)
        start = ROOT / "mosquitto" / "start.sh"
        self.argv = ["sh", *map(str, (start, path, self.secrets, accounts, directory))]
        self.env["BROKER_SOCKET"] = str(self.socket)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketBroker]:
    with SocketBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[SocketBroker]:
    with SocketBroker(tmp_path) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _by_socket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = "own_broker" if "own_broker" in request.fixturenames else "broker"
    monkeypatch.setattr(Client, "host", str(request.getfixturevalue(fixture).socket))


def obstacle(**options: str) -> str | None:
    """Return why a client cannot connect to port 1; None: it can."""
    found: list[str | None] = []

    async def scenario() -> None:
        client = Client(1, **options)
        async with client.started():
            await until(lambda: client.mqtt.connected or client.mqtt.obstacle)
            found.append(client.mqtt.obstacle)

    run(scenario())
    return found[0]


@pytest.mark.usefixtures("broker")
def test_each_fault_has_its_reason(tmp_path: Path) -> None:
    assert obstacle() is None
    assert obstacle(host=str(tmp_path / "none")) == "No such file or directory"
    (tmp_path / "file").touch()
    assert obstacle(host=str(tmp_path / "file")) == "Connection refused"
    assert obstacle(host="127.0.0.1") == "Connection refused", "the control: it is no port"


def test_accounts_hold_there_as_well(broker: SocketBroker) -> None:
    password = (broker.secrets / "broker-bridge").read_text().strip()
    assert obstacle(username="bridge", password=password) is None
    assert "refused" in str(obstacle(username="bridge", password="other"))


_CONNECT = """
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(65534)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_brokers_group_may_connect_and_nobody_else(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # so that the socket alone keeps others out
        with SocketBroker(tmp_path, Path(place)) as broker:
            found = broker.socket.stat()
            assert stat.S_IMODE(found.st_mode) == 0o770
            assert connects(broker.socket, found.st_gid)
            assert not connects(broker.socket, 65534)


def connects(path: Path, group: int) -> bool:
    """Return whether a user who is only in this group may connect."""
    argv = [sys.executable, "-c", _CONNECT, str(path), str(group)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert not done.returncode or "PermissionError" in done.stderr, done.stderr
    return not done.returncode
