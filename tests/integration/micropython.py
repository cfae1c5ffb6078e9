"""Runs the MicroPython example on CPython, with what it needs of a board: a sensor, a clock, umqtt.

`python -m tests.integration.micropython BROKER_PORT [CA_CRT]`. The sensor counts: 1, 2, 3; the
clock is a second later each time it is asked.
"""

import itertools
import runpy
import sys
import time
from collections.abc import Callable
from ssl import SSLContext
from types import ModuleType
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from run.configuration import ROOT

_STEP = 65535 / 3.3


class MQTTClient:
    """umqtt.simple's client: every method raises OSError when the connection is lost."""

    def __init__(
        self,
        client_id: str,
        server: str,
        port: int,
        *account: str | None,
        ssl: SSLContext | None,
    ) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, client_id)
        assert account == (None, None)
        if ssl:
            self._client.tls_set_context(ssl)
        self._address = server, port
        self._subscribed = 0

    def set_callback(self, callback: Callable[[bytes, bytes], None]) -> None:
        def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
            callback(message.topic.encode(), bytes(message.payload))

        self._client.on_message = on_message

    def connect(self) -> None:
        self._client.connect(*self._address)
        while not self._client.is_connected():
            self._serve(1)

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic)

    def publish(self, topic: str, message: str) -> None:
        self._client.publish(topic, message)

    def check_msg(self) -> None:
        self._serve(0)

    def _serve(self, seconds: float) -> None:
        if self._client.loop(seconds):
            raise OSError(-1)


def module(name: str, **members: object) -> None:
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name]).update(members)


class Sensor:
    def __init__(self, _pin: int) -> None:
        self._numbers = itertools.count(1)

    def read_u16(self) -> float:
        return next(self._numbers) * _STEP


def main(port: int, authority: str | None = None) -> None:
    seconds = itertools.count(int(time.time()) - 3600)
    clock: Any = ModuleType("time")
    clock.gmtime = lambda: time.gmtime(next(seconds))
    clock.ticks_ms = lambda: time.monotonic_ns() // 1_000_000
    clock.ticks_add = lambda ticks, ms: ticks + ms
    clock.ticks_diff = lambda ticks, before: ticks - before
    clock.sleep_ms = lambda ms: time.sleep(ms / 1000)
    clock.sleep = time.sleep
    module("machine", ADC=Sensor)
    module("ntptime", settime=lambda: None)
    module("umqtt")
    module("umqtt.simple", MQTTClient=MQTTClient, MQTTException=ValueError)
    sys.modules["time"] = clock
    example = runpy.run_path(str(ROOT / "docs" / "examples" / "micropython_device.py"))
    sys.modules["time"] = time
    faster = {
        "BROKER": "127.0.0.1",
        "PORT": port,
        "CA": authority,
        "MEASURE_MS": 200,
        "ANSWER_MS": 1000,
    }
    example["main"].__globals__.update(faster)
    example["main"]()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
