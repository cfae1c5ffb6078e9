"""Finds the message at which the broker closes the connection, which would block all others.

After two ends without any progress what is unacknowledged is redelivered one at a time, each after
an empty message on a topic of the same kind: only if the broker takes that one, the message is to
blame. To those who receive it, an empty message is nothing.
"""

from collections.abc import Callable, Iterator, Mapping

from telemetry.mqtt.buffered_socket import BufferedSocket
from telemetry.mqtt.paho_client import PahoClient

_CLOSURES = 2
_STRIKES = 3


class Redelivery:
    """From CONNECT until what was unacknowledged has been sent again.

    `on_over` is called then, and `on_guilty` with the id of a message that was sent alone, three
    times in a row, on connections that the broker closed at it.
    """

    def __init__(
        self, client: PahoClient, on_over: Callable[[], None], on_guilty: Callable[[int], None]
    ) -> None:
        self._client = client
        self._on_over = on_over
        self._on_guilty = on_guilty
        self._on_puback = client.on_puback
        self._closures = 0
        self._steps: Iterator[int] = iter(())
        self._has_begun = False
        self._awaited = 0  # the id of what was sent last
        self._alone = 0  # the same, if that is a message and no probe
        self._probe = 0
        self._oldest = 0  # the first that was unacknowledged at the last end
        self._strikes = 0

    def connect(self, connection: BufferedSocket) -> None:
        """Send CONNECT."""
        self._client.start(connection)
        self._has_begun = False
        if self._closures >= _CLOSURES:
            self._steps = self._one_at_a_time(self._client.withhold())
            self._client.on_puback = self._on_puback_of_one
        else:
            self._steps = iter(())

    def begin(self) -> None:
        """Send what is withheld, if this was not begun on this connection: it can take packets."""
        if not self._has_begun:
            self._has_begun = True
            self._go_on()

    def on_end(self, *, closed: bool, lasted: bool) -> bool:
        """Note the end of a connection: whether the broker closed it, and whether it was long.

        Returns whether the next attempt should not wait, because the broker is well.
        """
        self._client.on_puback = self._on_puback
        self._client.forget(self._probe)
        alone, self._alone = self._alone, 0
        oldest = self._client.oldest
        if lasted or oldest != self._oldest:
            self._oldest, self._closures, self._strikes = oldest, 0, 0
        if closed and oldest:
            self._closures += 1
            self._strikes += alone == oldest
            if self._strikes == _STRIKES:
                self._on_guilty(oldest)
        return lasted or alone > 0

    def _on_puback_of_one(self, mid: int) -> None:
        if mid != self._probe:
            self._on_puback(mid)
        if mid == self._awaited:
            self._go_on()

    def _go_on(self) -> None:
        self._alone = 0
        self._awaited = next(self._steps, 0)
        if not self._awaited:
            self._client.on_puback = self._on_puback
            self._on_over()

    def _one_at_a_time(self, withheld: Mapping[int, str]) -> Iterator[int]:
        kinds = set()
        for mid, topic in withheld.items():
            kind, _, _ = topic.partition("/")
            if kind not in kinds:
                kinds.add(kind)
                probe = f"{kind}/probe/probe".encode()
                self._probe = self._client.publish_once(probe, b"", retain=False)
                yield self._probe
            self._client.redeliver(mid)
            self._alone = mid
            yield mid
