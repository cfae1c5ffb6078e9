"""`python -m device --mqtt` as a process, through a real broker."""

import signal
from pathlib import Path

from tests.device.mqtt_stub import MqttStub
from tests.device.process import Device
from tests.device.test_standalone import BARE
from tests.service import free_port, wait_for
from tests.stack import Broker


def test_batches_that_the_broker_would_not_take_are_halved(tmp_path: Path, broker: Broker) -> None:
    options = "--mqtt --sensor-id 4001 --rate 1e6 --count 3000 --batch 1000"
    with (
        MqttStub(broker.port, 4001) as stub,
        Device(tmp_path, broker.port, *options.split()) as device,
    ):
        assert device.end() == 0
    assert sum(len(message["readings"]) for message in stub.messages) == 3000
    assert device.log_text().count("oversized") == 1


def test_without_a_broker_the_oldest_readings_are_dropped_from_a_full_buffer(
    tmp_path: Path,
) -> None:
    port = free_port()
    options = "--mqtt --sensor-id 4002 --rate 100 --buffer 20"
    with Device(tmp_path, port, *options.split()) as device:
        wait_for(lambda: "buffer full (20 readings)" in device.log_text(), what="drops")
        assert "connection refused" in device.log_text()
        with Broker(tmp_path / "broker", port=port), MqttStub(port, 4002) as stub:
            wait_for(lambda: len(stub.messages) > 40, 20, "the readings kept")
            assert device.stop() == 0
    summary = device.summary()
    assert summary["accepted"] + summary["dropped"] == summary["readings"]


def test_ctrl_c_stops_it_before_it_has_waited_for_an_answer(tmp_path: Path, broker: Broker) -> None:
    with (
        MqttStub(broker.port, 4003, []) as stub,
        Device(tmp_path, broker.port, "--mqtt", "--sensor-id", "4003") as device,
    ):
        wait_for(lambda: stub.messages, what="a message")
        assert device.process
        device.process.send_signal(signal.SIGINT)
        assert device.end() == 0
    assert "no answer" not in device.log_text()
    assert device.summary()["accepted"] == 0


def test_without_paho_it_says_what_to_install(tmp_path: Path) -> None:
    with Device(tmp_path, free_port(), "--mqtt", python=BARE) as device:
        assert device.end() == 1
    assert (
        device.log_text() == "--mqtt needs the Python package paho-mqtt 2: pip install paho-mqtt\n"
    )
