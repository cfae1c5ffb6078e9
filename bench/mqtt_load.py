"""Devices that publish by MQTT: packets are encoded in advance, accepted/ paces them."""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import Callable
from functools import partial
from typing import cast

from bench.loop import until
from bench.mqtt_wire import CONNACK_BYTES, SUBACK_BYTES, connect, publish, subscribe
from telemetry import topics
from telemetry.timestamp import render

_ACCEPTED = re.compile(rb'"ref":(\d+),"count":1}')
_LONGEST = 64  # bytes that an incomplete accepted/ may have left over
_WINDOW = 40  # readings of a device that are not accepted
_MESSAGE_IDS = 1000


class _Device(asyncio.Protocol):
    """One connection and sensor; calls `on_accepted` with itself and each `ref`."""

    def __init__(self, sensor: str, on_accepted: Callable[["_Device", int], None]) -> None:
        self.sensor = sensor
        self.chunks: list[bytes] = []
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_accepted = on_accepted
        self._received = b""
        self._head = CONNACK_BYTES + SUBACK_BYTES
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect and subscribe (called by the loop)."""
        self._transport = cast("asyncio.Transport", transport)
        answers = subscribe(topics.ACCEPTED + self.sensor, qos=0)
        self._transport.write(connect(self.sensor) + answers)

    def send(self, packets: bytes) -> None:
        self._transport.write(packets)

    def data_received(self, data: bytes) -> None:
        """Look for accepted/ between the PUBACKs (called by the loop)."""
        self._received += data
        if not self.ready.done() and len(self._received) >= self._head:
            self.ready.set_result(None)
        end = 0
        for found in _ACCEPTED.finditer(self._received):
            end = found.end()
            self._on_accepted(self, int(found[1]))
        self._received = self._received[end:][-_LONGEST:]

    def close(self) -> None:
        self._transport.abort()


class MqttLoad:
    """Devices on one broker, what was `created` by accepted/, and the `latencies` of that (s)."""

    def __init__(self, port: int) -> None:
        self.latencies: list[float] = []
        self.created = 0
        self._port = port
        self._devices: list[_Device] = []
        self._chunk = 1
        self._sent = 0
        self._due: dict[int, float] = {}
        self._until = 0.0

    @property
    def failed(self) -> int:
        """How many readings were published and not accepted."""
        return self._sent - self.created

    async def connect(self, sensors: list[str]) -> None:
        """Connect a device for each sensor."""
        loop = asyncio.get_running_loop()
        for sensor in sensors:
            device = _Device(sensor, self._on_accepted)
            await loop.create_connection(partial(_itself, device), "127.0.0.1", self._port)
            await device.ready
            self._devices.append(device)

    async def closed_loop(self, chunk: int, seconds: float) -> None:
        """Publish as fast as it is accepted; one in `chunk` messages has a `ref`."""
        self._chunk = chunk
        self._until = time.monotonic() + seconds
        for device in self._devices:
            device.chunks = [_chunk(device.sensor, ref, chunk) for ref in range(_WINDOW // chunk)]
            for packets in device.chunks:
                self._send(device, packets)
        await self._all_accepted()

    async def open_loop(self, rate: float, seconds: float) -> None:
        """Publish `rate` readings per second, each with a `ref`; their latency begins when due."""
        start, start_ns = time.perf_counter(), time.time_ns()
        devices = itertools.cycle(self._devices)
        for n in range(round(rate * seconds)):
            self._due[n] = due = start + n / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            device = next(devices)
            ts = render(start_ns + int(n / rate * 1e9)).encode()
            payload = b'{"value":21.5,"ts":"%b","ref":%d}' % (ts, n)
            self._send(device, publish(_topic(device.sensor), payload, n % _MESSAGE_IDS + 1))
        await self._all_accepted()

    def close(self) -> None:
        for device in self._devices:
            device.close()

    def _send(self, device: _Device, packets: bytes) -> None:
        self._sent += self._chunk
        device.send(packets)

    async def _all_accepted(self) -> None:
        with contextlib.suppress(TimeoutError):
            await until(lambda: not self.failed)

    def _on_accepted(self, device: _Device, ref: int) -> None:
        self.created += self._chunk
        if device.chunks:
            if time.monotonic() < self._until:
                self._send(device, device.chunks[ref])
        else:
            self.latencies.append(time.perf_counter() - self._due[ref])


def _chunk(sensor: str, ref: int, size: int) -> bytes:
    """Return packets of which the last has the `ref`; each chunk has message ids of its own."""
    first = ref * size + 1
    plain = [
        publish(_topic(sensor), b'{"value":%d.5}' % (20 + n % 15), first + n)
        for n in range(size - 1)
    ]
    return b"".join(
        [*plain, publish(_topic(sensor), b'{"value":21.5,"ref":%d}' % ref, first + size - 1)]
    )


def _itself(device: _Device) -> _Device:
    return device


def _topic(sensor: str) -> str:
    return f"{topics.DEVICES}{sensor}/temp"
