"""Devices that publish by MQTT: what accepted/<sensor_id> names is acknowledged as by a 201."""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass

from telemetry import topics
from telemetry.mqtt import Message, MqttClient
from tests.chaos.devices import INVALIDATIONS, TYPES, Devices, as_json, number, rfc3339
from tests.chaos.ledger import LedgerFullError, PostOutcome, Reading, Series

DEVICES = 6
TYPES_PER_DEVICE = 3
MOST_READINGS = 40
MOST_OUTSTANDING = 100
RESEND_S = 4.0
LAST_ANSWER_S = 20.0
TICK_S = 0.02
# The last breaks the JSON, and then nobody can know the `ref`.
INVALID = INVALIDATIONS[:-1]


@dataclass
class Publication:
    """A message without an answer so far; `rest` is its JSON behind the `ref`."""

    topic: str
    rest: str
    readings: list[Reading]
    life: int
    sent_at: float


class MqttDevice:
    """One connection; publishes `rate` readings per second, and again what is not answered.

    By its `position` it publishes one value per message, all its types in one object, or arrays;
    it has an integer or a name; and a session that ends with the connection, or stays.
    """

    def __init__(self, devices: Devices, position: int, *, port: int, rate: float) -> None:
        self._devices, self._ledger, self._rng = devices, devices.ledger, devices.rng
        self._rate = rate
        self._publish_one = (self._value, self._object, self._array)[position % 3]
        name = self._rng.randrange(1 << 62)
        self._sensor = name if position % 2 else f"m {name}"
        self._is_named = position % 2
        self._series = [
            self._ledger.series_of(self._sensor, type_)
            for type_ in self._rng.sample(TYPES, TYPES_PER_DEVICE)
        ]
        self._refs = itertools.count()
        self._outstanding: dict[str, Publication] = {}
        self._accepted = f"{topics.ACCEPTED}{self._sensor}"
        self._mqtt = MqttClient(
            host="127.0.0.1",
            port=port,
            client_id=f"device-{name}",
            clean_session=position < DEVICES // 2,
            subscriptions=[self._accepted, f"{topics.REFUSED}{self._sensor}"],
            on_message=self._on_answer,
            on_connected=lambda _: self._resend(0),
            on_disconnected=lambda: None,
            on_puback=lambda _: None,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping`, then wait some time for the last answers."""
        connection = asyncio.create_task(self._mqtt.run())
        try:
            await self._publish_until(stopping, connection)
            deadline = time.monotonic() + LAST_ANSWER_S
            while self._outstanding and time.monotonic() < deadline:
                await self._tick(connection)
        finally:
            connection.cancel()
            await asyncio.gather(connection, return_exceptions=True)
            for publication in self._outstanding.values():
                self._ledger.record(publication.readings, PostOutcome.UNKNOWN, by_mqtt=True)

    async def _publish_until(self, stopping: asyncio.Event, connection: asyncio.Task[None]) -> None:
        due = time.monotonic()
        while not stopping.is_set():
            while (now := time.monotonic()) > due:
                if not self._mqtt.connected or len(self._outstanding) >= MOST_OUTSTANDING:
                    due = now  # what could not be measured is not measured later
                    break
                try:
                    due += len(self._publish_one()) / self._rate
                except LedgerFullError:
                    return
            await self._tick(connection)

    async def _tick(self, connection: asyncio.Task[None]) -> None:
        if connection.done():
            connection.result()  # raises what a callback raised
        if self._mqtt.connected:
            self._resend(time.monotonic() - RESEND_S)
        await asyncio.sleep(TICK_S)

    def _value(self) -> list[Reading]:
        reading = self._reading(self._rng.choice(self._series), self._devices.clock())
        rest = f'"value": {number(reading.value)}, "ts": "{rfc3339(reading.time_ns, 0)}"}}'
        return self._publish(f"{self._sensor}/{reading.series.type}", rest, [reading])

    def _object(self) -> list[Reading]:
        # All its series have the same number of readings, so the ledger gives them the same time.
        clock = self._devices.clock()
        readings = [self._reading(series, clock) for series in self._series]
        members = {r.series.type: number(r.value) for r in readings}
        text = json.dumps({**members, "ts": rfc3339(readings[0].time_ns, 120)})
        return self._publish(f"{self._sensor}", text[1:], readings)

    def _array(self) -> list[Reading]:
        readings = [
            self._reading(self._rng.choice(self._series), self._devices.clock())
            for _ in range(self._rng.randint(1, MOST_READINGS))
        ]
        texts = [as_json(reading) for reading in readings]
        if self._rng.random() < self._devices.invalid:
            at = self._rng.randrange(len(texts))
            texts[at] = texts[at].replace(*self._rng.choice(INVALID), 1)
        return self._publish(f"{self._sensor}", f'"readings": [{",".join(texts)}]}}', readings)

    def _reading(self, series: Series, clock: int) -> Reading:
        return self._ledger.attempt(series, clock, self._devices.value())

    def _publish(self, levels: str, rest: str, readings: list[Reading]) -> list[Reading]:
        self._send(Publication(f"{topics.DEVICES}{levels}", rest, readings, 0, 0.0))
        return readings

    def _send(self, publication: Publication) -> None:
        publication.life, publication.sent_at = self._ledger.life, time.monotonic()
        ref = next(self._refs)
        self._outstanding[str(ref)] = publication
        sent = json.dumps(str(ref) if self._is_named else ref)
        self._mqtt.publish(publication.topic, f'{{"ref": {sent}, {publication.rest}'.encode())

    def _resend(self, before: float) -> None:
        """Send again what has been waiting for an answer; 0: everything, on a new connection."""
        for ref, publication in list(self._outstanding.items()):
            if not before or publication.sent_at < before:
                del self._outstanding[ref]
                self._ledger.record(publication.readings, PostOutcome.UNKNOWN, by_mqtt=True)
                self._send(publication)

    def _on_answer(self, message: Message) -> None:
        self._mqtt.ack(message)
        answer = json.loads(message.payload)
        publication = self._outstanding.get(str(answer["ref"]))
        # An answer from before the outbox was replaced says nothing about the one that is used now.
        if publication is None or publication.life != self._ledger.life:
            return
        del self._outstanding[str(answer["ref"])]
        outcome = PostOutcome.REFUSED
        if message.topic == self._accepted:
            outcome = PostOutcome.ACKNOWLEDGED
            assert answer["count"] == len(publication.readings), answer
        self._ledger.record(publication.readings, outcome, by_mqtt=True)


class MqttLoad:
    """Devices that publish `rate` readings per second, all together, until stopped."""

    def __init__(self, devices: Devices, *, port: int, rate: float) -> None:
        self._devices = [
            MqttDevice(devices, position, port=port, rate=rate / DEVICES)
            for position in range(DEVICES)
        ]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for device in self._devices:
                group.create_task(device.run(self._stopping))

    def stop(self) -> None:
        """Let each device wait for its answers. Call it on the loop's thread."""
        self._stopping.set()
