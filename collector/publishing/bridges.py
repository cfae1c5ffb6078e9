"""What the bridges say about themselves, for somebody who waits for their receipts."""

from telemetry.decode import Unreadable
from telemetry.mqtt import Message
from telemetry.printable import printable
from telemetry.status import Status, decode_status

_MAX_BRIDGES = 10


class Bridges:
    """The last status of each of up to ten bridges; the retained ones are the first."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[Status, bool]] = {}  # instance: status, whether it is live

    def hear(self, message: Message) -> None:
        """Take over a message on status/bridge/<instance>."""
        instance = message.topic.rpartition("/")[2]
        if instance in self._said or len(self._said) < _MAX_BRIDGES:
            try:
                self._said[instance] = (decode_status(message.payload), not message.retain)
            except Unreadable:
                return

    @property
    def is_any_at_work(self) -> bool:
        """Whether a bridge runs and InfluxDB answers it, so that receipts may come."""
        return any(
            is_live and status.state in {"storing", "refusing"}
            for status, is_live in self._said.values()
        )

    def why_silent(self) -> str:
        """Return why no receipts come, as far as the statuses tell."""
        if not self._said:
            return "no bridge is connected to this broker"
        return "; ".join(_words(*one) for one in self._said.items())


def _words(instance: str, said: tuple[Status, bool]) -> str:
    status, is_live = said
    name = f"bridge {printable(instance, 40)!r}"
    if status.state == "offline":
        return f"{name} is offline"
    if not is_live:
        return f"{name} does not say anything: its last words were {printable(status.state, 20)!r}"
    if status.state == "storing":
        return f"{name} is storing, but sent none: its log may say why"
    return f"{name} is {printable(status.state, 20)}: {printable(status.reason or '')}"
