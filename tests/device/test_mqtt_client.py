"""The client by MQTT, through a real broker, with a collector that answers anything."""

import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from device.mqtt_client import MAX_PAYLOAD, MqttClient
from device.responses import Response, Verdict
from tests.device.mqtt_stub import MqttStub
from tests.service import free_port, wait_for
from tests.stack import Broker

READING = '{"type":"temp","value":1,"sensor_id":7}'
OTHER = '{"type":"temp","value":2,"sensor_id":8}'
ACCEPTED = Response("accepted", "")
SILENCE: list[tuple[str, bytes | None]] = []

_sensors = itertools.count(5000)


@pytest.fixture
def sensor() -> int:
    """A sensor that no other test of this module has."""
    return next(_sensors)


def client(port: int, sensor: int, timeout: float = 10) -> "closing[MqttClient]":
    return closing(MqttClient("127.0.0.1", port, sensor, timeout=timeout))


def test_readings_arrive_as_they_are_in_one_message_each(broker: Broker, sensor: int) -> None:
    with MqttStub(broker.port, sensor) as stub, client(broker.port, sensor) as device:
        assert device.post([READING, OTHER]) == ACCEPTED
        assert device.post([OTHER]) == ACCEPTED
    readings = [message["readings"] for message in stub.messages]
    assert readings == [[json.loads(READING), json.loads(OTHER)], [json.loads(OTHER)]]
    assert len(set(stub.refs)) == 2


def test_a_refusal_has_the_errors(broker: Broker, sensor: int) -> None:
    refusal: list[tuple[str, bytes | None]] = [("refused", None)]
    with MqttStub(broker.port, sensor, refusal) as stub, client(broker.port, sensor) as device:
        response = device.post([READING])
        assert response.verdict is Verdict.REFUSED
        assert json.loads(response.text) == [{"index": 0, "detail": "bad"}]
        assert device.post([READING]) == ACCEPTED
    assert len(stub.messages) == 2


@pytest.mark.parametrize(
    ("told", "wait"), [("3", 3), ("0", 0), ("-1", 0), ("null", 0), ("[1e999]", 0), ('"soon"', 0)]
)
def test_a_refusal_with_a_time_to_wait_is_for_now_only(
    broker: Broker, sensor: int, told: str, wait: float
) -> None:
    with MqttStub(broker.port, sensor, SILENCE) as stub, client(broker.port, sensor) as device:
        Thread(target=stub.refuse_for_now, args=[told]).start()
        response = device.post([READING])
        expected = Verdict.RETRY if wait else Verdict.REFUSED
        assert (response.verdict, response.retry_after) == (expected, wait)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"{", b"[]", b"7", b"[" * 50_000, b"{}", b'{"ref":"another"}']
)
@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_what_is_no_answer_to_its_message_is_ignored(
    broker: Broker, sensor: int, kind: str, payload: bytes
) -> None:
    with (
        MqttStub(broker.port, sensor, [(kind, payload), ("accepted", None)]),
        client(broker.port, sensor) as device,
    ):
        assert device.post([READING]) == ACCEPTED


def verdict_after_an_answer_to_another(broker: Broker, sensor: int) -> Verdict:
    """Return what a client without answer takes that of another client with its sensor for."""
    with (
        MqttStub(broker.port, sensor, SILENCE, [("accepted", None)], SILENCE),
        client(broker.port, sensor, timeout=0.5) as one,
        client(broker.port, sensor) as two,
    ):
        assert one.post([READING]).verdict is Verdict.RETRY
        assert two.post([OTHER]) == ACCEPTED
        return one.post([READING]).verdict


def test_clients_of_one_sensor_do_not_take_each_others_answers(broker: Broker, sensor: int) -> None:
    assert verdict_after_an_answer_to_another(broker, sensor) is Verdict.RETRY


def test_control_without_random_refs_they_would(
    broker: Broker, sensor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = property(lambda self: f"device-{self._number}")
    monkeypatch.setattr(MqttClient, "_ref", ref)
    assert verdict_after_an_answer_to_another(broker, sensor) is Verdict.ACCEPTED


def test_a_broker_that_hangs_is_given_up_and_connected_to_again(
    tmp_path: Path, sensor: int
) -> None:
    with (
        Broker(tmp_path) as broker,
        MqttStub(broker.port, sensor) as stub,
        client(broker.port, sensor, timeout=0.5) as device,
    ):
        assert device.post([READING]) == ACCEPTED
        broker.pause()
        for _ in range(2):  # once on the connection that it has, once on a new one
            assert device.post([OTHER]) == Response(None, "no answer in 0.5 s")
        broker.resume()
        wait_for(lambda: device.post([OTHER]) == ACCEPTED, what="an answer")
        assert len(set(stub.refs)) == 2


def test_without_an_answer_the_readings_are_sent_again_with_the_same_ref(
    broker: Broker, sensor: int
) -> None:
    with (
        MqttStub(broker.port, sensor, SILENCE) as stub,
        client(broker.port, sensor, timeout=0.5) as device,
    ):
        silent = device.post([READING])
        assert silent == Response(None, "no answer in 0.5 s, but the broker has it")
        assert device.post([READING]) == ACCEPTED
        assert device.post([OTHER]) == ACCEPTED
    assert stub.refs[0] == stub.refs[1] != stub.refs[2]


def test_an_answer_that_comes_too_late_is_in_time_for_the_next_try(
    broker: Broker, sensor: int
) -> None:
    with (
        MqttStub(broker.port, sensor, SILENCE, SILENCE) as stub,
        client(broker.port, sensor, timeout=0.5) as device,
    ):
        assert device.post([READING]).verdict is Verdict.RETRY
        stub.answer("accepted", stub.refs[0])
        assert device.post([READING]) == ACCEPTED


def test_a_message_that_the_broker_would_not_take_is_not_sent(broker: Broker, sensor: int) -> None:
    with MqttStub(broker.port, sensor) as stub, client(broker.port, sensor) as device:
        fits, exceeds = ([READING] * (MAX_PAYLOAD // (len(READING) + 1) + n) for n in (-2, 1))
        assert device.post(exceeds).verdict is Verdict.TOO_LARGE
        assert device.post(fits) == ACCEPTED
    assert len(stub.messages) == 1


def test_a_restarted_broker_is_connected_to_at_once(tmp_path: Path, sensor: int) -> None:
    with Broker(tmp_path) as broker, client(broker.port, sensor) as device:
        with MqttStub(broker.port, sensor):
            assert device.post([READING]) == ACCEPTED
        broker.stop()
        assert device.post([READING]) == Response(None, "connection refused")
        for _ in range(2):
            broker.start()
            broker.wait_ready()
            with MqttStub(broker.port, sensor):
                assert device.post([READING]) == ACCEPTED
            broker.stop()


def test_a_broker_that_demands_an_account_is_named(tmp_path: Path, sensor: int) -> None:
    with (
        Broker(tmp_path, settings="allow_anonymous false") as broker,
        client(broker.port, sensor) as device,
    ):
        response = device.post([READING])
    assert response == Response(None, "the broker refuses the connection: not authorized")


@contextmanager
def server(*parts: bytes) -> Iterator[int]:
    """Run a server that sends these parts to whoever connects, and then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(0.02)  # a byte now and then: no single wait is long

    thread = Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"\x20\x02\x00\x05"],
        [b"\x20\x02\x00\x00", b"\x90\x01\x00"],
        [b"\x20\x02\x00\x00", b"\x30\x02\x00\x09"],
        [b"\x20\x00"],
        [b"\x20\xff\xff\xff\xff\xff"],
        [b"\x00" * 100],
        [b"\x30\x7f"] + [b"x"] * 40,
    ],
)
def test_whatever_answers_instead_of_a_broker_is_no_acceptance(
    sensor: int, parts: list[bytes]
) -> None:
    with server(*parts) as port, client(port, sensor, timeout=0.3) as device:
        response = device.post([READING])
        assert response.verdict is Verdict.RETRY
        assert response.text


def test_a_broker_that_keeps_the_answers_back_is_named(sensor: int) -> None:
    parts = b"\x20\x02\x00\x00", b"\x90\x04\x00\x01\x01\x80"
    with server(*parts) as port, client(port, sensor) as device:
        response = device.post([READING])
    assert response == Response(None, "the broker refuses the subscription to the answers")


def test_an_unknown_host_is_named(sensor: int) -> None:
    with closing(MqttClient("host.invalid", free_port(), sensor)) as device:
        assert device.post([READING]).verdict is Verdict.RETRY


def test_control_the_stub_notices_what_is_published(broker: Broker, sensor: int) -> None:
    with MqttStub(broker.port, sensor, SILENCE) as stub:
        with client(broker.port, sensor, timeout=0.3) as device:
            device.post([READING])
        wait_for(lambda: stub.messages, what="the message")
