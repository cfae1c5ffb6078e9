"""A name with several addresses: the next is tried when one fails, however it fails."""

import itertools
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from device.addresses import Address, Addresses
from device.client import CollectorClient
from device.mqtt_client import MqttClient
from device.responses import Response
from device.tls import tls
from tests.certificates import Authority
from tests.device.mqtt_stub import MqttStub
from tests.device.stub import Reply, Stub
from tests.service import free_port
from tests.stack import Broker

NAME = "cells.test"
READING = '{"type":"temp","value":1,"sensor_id":7}'
CREATED = Response(201, "Created")
SHORT_S = 1.0

Resolve = Callable[..., None]

_sensors = itertools.count(7000)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """A function that gives NAME addresses: the loopback address with each of these ports."""
    real = socket.getaddrinfo

    def resolve(*ports: int) -> None:
        def getaddrinfo(host: str, *rest: object, **named: object) -> list[object]:
            if host != NAME:
                return list(real(host, *rest, **named))  # type: ignore[arg-type]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", p)) for p in ports]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


def test_each_address_gets_its_share_of_the_time(resolve: Resolve) -> None:
    resolve(1, 2, 4)
    shares = []

    def refuse(address: Address, seconds: float) -> None:
        shares.append((address[1], round(seconds)))
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(ConnectionRefusedError):
        Addresses(NAME, 1337).connect(12, refuse)
    assert shares == [(1, 4), (2, 6), (4, 12)]


def test_what_failed_last_is_tried_last(resolve: Resolve) -> None:
    resolve(1, 2, 3)
    addresses = Addresses(NAME, 1337)
    used = []
    for _ in range(5):
        used.append(addresses.connect(1, lambda address, _: address[1]))
        addresses.failed()
    assert used == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    "fault", [Reply(status=503), Reply(cut=True), Reply(silent=True)], ids=["full", "cut", "silent"]
)
def test_http_leaves_a_collector_that_does_not_accept(resolve: Resolve, fault: Reply) -> None:
    with Stub(fault) as first, Stub() as second:
        resolve(free_port(), first.port, second.port)
        with closing(CollectorClient(NAME, 1337, timeout=SHORT_S)) as client:
            assert client.post([READING]) != CREATED
            assert client.post([READING]) == CREATED
            assert client.post([READING]) == CREATED
    assert (len(first.requests), len(second.accepted)) == (1, 2)


def test_http_stays_where_one_has_no_other_choice(resolve: Resolve) -> None:
    with Stub(Reply(status=503)) as only:
        resolve(only.port)
        with closing(CollectorClient(NAME, 1337)) as client:
            assert client.post([READING]).status == 503
            assert client.post([READING]) == CREATED


def test_tls_that_fails_is_no_connection(resolve: Resolve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = tls("iot.local", str(authority.path))
    with ExitStack() as stack:
        other = stack.enter_context(Stub(certificate=authority.issue("other.local")))
        good = stack.enter_context(Stub(certificate=authority.issue("iot.local")))
        mute = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        resolve(other.port, mute.getsockname()[1], free_port(), good.port)
        client = stack.enter_context(
            closing(CollectorClient(NAME, 1337, tls=trusting, timeout=4 * SHORT_S))
        )
        assert client.post([READING]) == CREATED
        resolve(free_port(), other.port)
        client.close()
        assert "the certificate is not for iot.local" in client.post([READING]).text


def test_mqtt_tries_every_broker(resolve: Resolve, broker: Broker) -> None:
    sensor = next(_sensors)
    with MqttStub(broker.port, sensor) as stub, socket.create_server(("127.0.0.1", 0)) as mute:
        resolve(free_port(), mute.getsockname()[1], broker.port)
        with closing(MqttClient(NAME, 1883, sensor, timeout=4 * SHORT_S)) as client:
            assert client.post([READING]) == Response("accepted", "")
    assert len(stub.messages) == 1


def test_mqtt_leaves_a_cell_whose_collector_does_not_answer(
    resolve: Resolve, broker: Broker, tmp_path: Path
) -> None:
    sensor = next(_sensors)
    with (
        Broker(tmp_path) as deserted,
        MqttStub(broker.port, sensor),
        closing(MqttClient(NAME, 1883, sensor, timeout=SHORT_S)) as client,
    ):
        resolve(deserted.port, broker.port)
        assert client.post([READING]) == Response(None, f"no answer in {SHORT_S:g} s")
        assert client.post([READING]) == Response("accepted", "")
