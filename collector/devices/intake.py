"""Takes what devices publish: into the outbox, then acknowledged to the broker, then answered."""

from msgspec import UNSET

from collector.devices import payload
from collector.devices.answers import Answers
from collector.devices.backlog import Backlog
from collector.devices.payload import Taken
from collector.devices.refusal import Refusal
from collector.formats import Formats
from collector.intake.draft import draft
from collector.outbox.outbox import Outbox
from telemetry import topics
from telemetry.dead_letters.letter import DeadLetter
from telemetry.dead_letters.letters import DeadLetters
from telemetry.dead_letters.recent import Recent
from telemetry.decode import Unreadable, UnreadableLog, boundary
from telemetry.mqtt import LARGEST_PACKET, Message, MqttClient, NotConnected
from telemetry.settings import BrokerAccess
from telemetry.status import Letter

_of_device = boundary(payload.read)
_NOTHING = Taken(())


class DeviceIntake:
    """A persistent session of the broker for devices/# and the topics of known formats.

    A message is acknowledged to the broker after the commit of its readings, so what a crash
    interrupts comes again. While the outbox has no room, messages wait here up to a bound, and
    beyond it at the broker.
    """

    def __init__(self, outbox: Outbox, broker: BrokerAccess, formats: Formats) -> None:
        self._formats = formats
        self._newest = outbox.newest
        subscriptions = [topics.DEVICES + "#"] * formats.takes_devices + formats.subscriptions
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
        self._is_leaving = False

    @property
    def counters(self) -> dict[str, int]:
        """What was refused, skipped because it is no number, waits, or was not even buried."""
        return {
            "mqtt_refused": self._refused.count,
            "mqtt_skipped": self._skipped,
            "mqtt_waiting": len(self._backlog),
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
        if session_present:  # then the broker redelivers everything that is not acknowledged
            self._backlog.forget_before(self._mqtt.epoch)
        self._answers.send_held()

    def _on_puback(self, mid: int) -> None:
        self._letters.on_puback(mid)
        self._answers.send_held()

    def _on_message(self, message: Message) -> None:
        if self._is_leaving:  # it comes again
            return
        try:
            taken = self._read(message)
        except Unreadable as error:
            self._refuse(message, error if isinstance(error, Refusal) else Refusal(str(error)))
            return
        if not taken.drafts:
            self._mqtt.ack(message)
            return
        self._backlog.add(message, taken)
        if self._backlog.is_full:
            self._mqtt.pause()

    def _on_committed(self, message: Message, taken: Taken) -> None:
        self._mqtt.ack(message)
        if taken.ref is not None:
            self._answers.accepted(taken.sensor, taken.ref, len(taken.drafts))
        if not self._backlog.is_full:
            self._mqtt.resume()

    def _read(self, message: Message) -> Taken:
        """Return the readings of a message, perhaps none; raises Unreadable."""
        if not message.payload:  # it clears a retained one
            return _NOTHING
        if message.topic.startswith(topics.DEVICES) and self._formats.takes_devices:
            taken = _of_device(message.topic, message.payload, retained=message.retain)
        else:
            taken = self._of_family(message)
        if not message.retain:
            return taken
        # An old one would count as the last accepted, and undo a correction that came after it.
        is_newer = self._newest.is_newer
        return taken._replace(drafts=[one for one in taken.drafts if is_newer(one.series, one.ns)])

    @boundary
    def _of_family(self, message: Message) -> Taken:
        readings, skipped = self._formats.read(message.topic, message.payload)
        if message.retain:  # a copy, and without a time nothing new
            return Taken([draft(one) for one in readings if one.ts is not UNSET])
        drafts = [draft(one) for one in readings]
        self._skipped += skipped
        return Taken(drafts)

    def _refuse(self, message: Message, refusal: Refusal) -> None:
        if message.retain:  # it was refused when it was sent
            self._mqtt.ack(message)
            return
        self._refused.note(message.topic, refusal)
        beginning = message._replace(payload=message.payload[:LARGEST_PACKET])
        letter = DeadLetter(beginning, str(refusal))
        self._recent.add(letter)
        if refusal.sensor:
            self._answers.refused(refusal.sensor, refusal.ref, refusal.errors)
        try:
            self._letters.send(letter)
        except NotConnected:
            self._mqtt.ack(message)
