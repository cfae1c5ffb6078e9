"""Takes what devices publish: into the outbox, then acknowledged to the broker, then answered."""

import asyncio
import time
from collections import deque

from collector.devices import payload
from collector.devices.answers import Answers
from collector.devices.backlog import Backlog, held
from collector.devices.payload import Taken
from collector.devices.refusal import Refusal
from collector.devices.senders import Senders
from collector.formats import Formats
from collector.intake.draft import draft
from collector.outbox.outbox import Outbox
from telemetry import topics
from telemetry.dead_letters.letter import DeadLetter
from telemetry.dead_letters.letters import DeadLetters
from telemetry.dead_letters.recent import Recent
from telemetry.decode import Unreadable, UnreadableLog, boundary
from telemetry.mqtt import Message, MqttClient
from telemetry.settings import BrokerAccess
from telemetry.status import Letter

_of_device = boundary(payload.read)
_NOTHING = Taken(())
NO_DEVICES = dict.fromkeys(
    (
        "mqtt_refused",
        "mqtt_skipped",
        "mqtt_waiting",
        "answers_dropped",
        "dead_letters_dropped",
    ),
    0,
)
"""The counters of a lane that takes nothing from devices."""
# Of work in one turn of the event loop.
_TURN_S = 0.005
# Messages that are not looked at yet; beyond it nothing is read from the broker, which queues.
_MAX_ARRIVED_BYTES = 8 << 20
_OVERHEAD = 200
# What the broker may have kept for the session, as mosquitto.conf bounds it: in flight and queued.
# Some 60,000 small messages.
_MAX_KEPT_BYTES = 12 << 20


class DeviceIntake:
    """A persistent session of the broker for devices/#, the topics of known formats, and from/#.

    A message is acknowledged to the broker after the commit of its readings, so what a crash
    interrupts comes again. While the outbox has no room, messages wait here up to a bound, and
    beyond it at the broker.
    """

    def __init__(
        self, outbox: Outbox, broker: BrokerAccess, formats: Formats, senders: Senders
    ) -> None:
        self._formats = formats
        self._senders = senders
        subscriptions = [topics.DEVICES + "#"] * formats.takes_devices + formats.subscriptions
        if subscriptions:
            subscriptions.append(topics.FROM + "#")
        self._mqtt = MqttClient(
            **broker,
            client_id=f"devices-{outbox.id}",
            clean_session=not subscriptions,  # then one from before is of no use
            subscriptions=subscriptions,
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=lambda: None,
            on_puback=self._on_puback,
        )
        self._backlog = Backlog(outbox, self._on_committed)
        self._answers = Answers(self._mqtt.publish, lambda: self._mqtt.unacknowledged)
        self._letters = DeadLetters(self._mqtt.publish, self._mqtt.ack)
        self._recent = Recent()
        self._refused = UnreadableLog("refused")
        self._skipped = 0
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Message] = deque()
        self._arrived_bytes = 0
        self._kept_bytes = 0  # of what arrives, so much may have been kept by the broker
        self._is_scheduled = False
        self._is_leaving = False

    @property
    def counters(self) -> dict[str, int]:
        """What was refused, skipped because it is no number, waits, or was not even answered."""
        return {
            "mqtt_refused": self._refused.count,
            "mqtt_skipped": self._skipped,
            "mqtt_waiting": len(self._arrived) + len(self._backlog),
            "answers_dropped": self._answers.dropped,
            "dead_letters_dropped": self._letters.dropped,
        }

    @property
    def dead_letters(self) -> list[Letter]:
        """The last messages that were refused."""
        return self._recent.letters()

    async def run(self) -> None:
        """Stay connected, for ever."""
        await self._mqtt.run()

    async def leave(self) -> None:
        """Take no more, and wait until what was taken is answered; give it a timeout."""
        self._is_leaving = True
        await self._backlog.commit_begun()
        if self._mqtt.connected:
            await self._mqtt.drain()

    def tick(self) -> None:
        """Try again what waits; to be called once per second."""
        self._backlog.tick()

    def _on_connected(self, session_present: bool) -> None:
        self._backlog.on_connected(self._mqtt.epoch, session_present=session_present)
        self._kept_bytes = _MAX_KEPT_BYTES if session_present else 0
        epoch = self._mqtt.epoch
        kept = [held(one, epoch, session_present=session_present) for one in self._arrived]
        self._keep([one for one in kept if one])
        self._answers.send_held()
        self._schedule()

    def _on_puback(self, mid: int) -> None:
        self._letters.on_puback(mid)
        self._answers.send_held()

    def _on_message(self, message: Message) -> None:
        self._arrived.append(message)
        self._arrived_bytes += len(message.payload) + _OVERHEAD
        if self._arrived_bytes > _MAX_ARRIVED_BYTES:
            # Never before the subscriptions are in place, which their acknowledgement tells. If
            # they are refused at each attempt, what came before is delivered again at each.
            if self._mqtt.connected:
                self._mqtt.pause()
            elif self._arrived[-2].epoch != message.epoch:
                now = message.epoch
                self._keep([one for one in self._arrived if not one.qos or one.epoch == now])
        self._schedule()

    def _keep(self, messages: list[Message]) -> None:
        self._arrived = deque(messages)
        self._arrived_bytes = sum(len(one.payload) + _OVERHEAD for one in messages)

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._work)

    @property
    def _may_take(self) -> bool:
        # Until the subscriptions are in place nothing is taken: if they were refused, and that
        # again at each attempt, it would be committed each time and never acknowledged.
        return self._mqtt.connected and not self._is_leaving and not self._backlog.is_full

    def _work(self) -> None:
        """Take what has arrived, for a few milliseconds: others have their turns between."""
        self._is_scheduled = False
        until = time.monotonic() + _TURN_S
        while self._arrived and self._may_take:
            message = self._arrived.popleft()
            self._arrived_bytes -= len(message.payload) + _OVERHEAD
            self._take(message)
            if time.monotonic() > until:
                self._schedule()
                break
        if self._arrived_bytes <= _MAX_ARRIVED_BYTES:
            self._mqtt.resume()

    def _take(self, message: Message) -> None:
        try:
            taken = self._read(message)
        except Unreadable as error:
            self._refuse(message, error if isinstance(error, Refusal) else Refusal(str(error)))
            return
        if taken.drafts:
            self._backlog.add(message, taken)
        else:
            self._mqtt.ack(message)

    def _on_committed(self, message: Message, taken: Taken) -> None:
        self._mqtt.ack(message)
        if taken.ref is not None:
            to = topics.answers_for(message.topic)
            self._answers.accepted(to, taken.sensor, taken.ref, len(taken.drafts))
        if self._arrived:
            self._schedule()

    def _read(self, message: Message) -> Taken:
        """Return the readings of a message, perhaps none; raises Unreadable."""
        # One that clears a retained message, or a copy of one: it was taken when it was sent. Taken
        # again it would count as the last accepted, and undo what has corrected it meanwhile.
        if not message.payload or message.retain:
            return _NOTHING
        sender, topic = self._senders.of(message.topic)
        if topic.startswith(topics.DEVICES) and self._formats.takes_devices:
            taken = _of_device(topic, message.payload)
        else:
            taken = self._of_family(topic, message.payload)
        self._senders.check(sender, taken, is_limited=not self._may_be_kept(message))
        return taken

    def _may_be_kept(self, message: Message) -> bool:
        """Return whether the broker may have kept a message while the collector was away.

        Such messages come at once, at whatever rate they were sent, and some were counted before.
        """
        self._kept_bytes -= len(message.payload) + _OVERHEAD
        return self._kept_bytes >= 0

    @boundary
    def _of_family(self, topic: str, payload: bytes) -> Taken:
        readings, skipped = self._formats.read(topic, payload)
        drafts = [draft(one) for one in readings]
        self._skipped += skipped
        return Taken(drafts)

    def _refuse(self, message: Message, refusal: Refusal) -> None:
        self._refused.note(message.topic, refusal)
        letter = DeadLetter.about(message, str(refusal))
        self._recent.add(letter)
        if refusal.sensor:
            to = topics.answers_for(message.topic)
            self._answers.refused(to, refusal)
        self._letters.send(letter)
