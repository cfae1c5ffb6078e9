"""`make run BIND_ADDRESS=0.0.0.0`: what is open to the network lets nobody in without a secret."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.test_make_run import MakeRun
from tests.run.terminal import Terminal
from tests.service import wait_for

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    settings = {"BIND_ADDRESS": EVERYWHERE}
    with Terminal(tmp_path_factory.mktemp("run") / "run", settings) as terminal:
        terminal.wait("Ready in")
        terminal.wait("sensor_id=123")  # the simulator has its own identity
        yield MakeRun(terminal)


def test_without_an_identity_nobody_sends(opened: MakeRun) -> None:
    refused = opened.post("kitchen")
    assert refused.status_code == 401
    assert "devices add" in refused.json()["detail"]
    with opened.connect() as attacker:
        assert attacker.refused == "Not authorized"


def test_a_device_and_a_reader_do_what_they_may(opened: MakeRun) -> None:
    opened.add_devices()
    printed = opened.command("devices", "add", "reader", "--reader")
    opened.secrets["reader"] = printed.strip()
    assert opened.post("kitchen", "kitchen").status_code == 201

    def reads() -> bool:
        with opened.connect("reader") as reader:
            if reader.refused:
                return False
            reader.subscribe("readings/#", "receipts/#")
            return bool(reader.wait_message("readings/kitchen/temp"))

    wait_for(reads, what="the broker to know the reader")


def test_health_is_everybodys_and_the_database_nobodys(opened: MakeRun) -> None:
    assert httpx.get(f"{opened.url}/healthz").text == "alive\n"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", opened.ports["INFLUX_PORT"])) != 0
        assert probe.connect_ex(("127.0.0.2", opened.ports["COLLECTOR_PORT"])) == 0  # the control


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"GRAFANA_PASSWORD": "admin"}, "GRAFANA_PASSWORD='…': Grafana is open to the network"),
        ({"BIND_ADDRESS": "192.0.2.1"}, "BIND_ADDRESS='192.0.2.1': expected 127.0.0.1, or 0.0.0.0"),
    ],
)
def test_what_everybody_knows_is_not_opened(
    tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str], said: str
) -> None:
    directory = tmp_path_factory.mktemp("run")
    with Terminal(directory, {"BIND_ADDRESS": EVERYWHERE, **settings}) as terminal:
        terminal.wait("exit=")
        assert said in terminal.screen.replace("\n", " ")
