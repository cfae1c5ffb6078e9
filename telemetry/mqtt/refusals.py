"""Topics on which nothing is published, because the broker cannot carry them."""

import asyncio
import logging
import time
from collections.abc import Callable

from telemetry.brokers import topic_fault
from telemetry.mqtt.paho_client import PahoClient

logger = logging.getLogger(__name__)

_CLOSES = "the broker closes the connection at it"
# A topic is tried again after this: what the broker disliked may have been mended.
_FORGET_S = 600.0
_MOST = 1000


class Refusals:
    """Those of a kind of broker, and those at which the broker closed the connection.

    `on_refused` gets the id of each message that is not published, or no longer, and why.
    """

    def __init__(
        self, client: PahoClient, broker: str, on_refused: Callable[[int, str], None]
    ) -> None:
        self._client = client
        self._broker = broker
        self._on_refused = on_refused
        self._closing: dict[str, float] = {}

    def reason(self, topic: str) -> str | None:
        """Return why nothing is published on a topic, or None."""
        if topic in self._closing:
            if time.monotonic() - self._closing[topic] < _FORGET_S:
                return _CLOSES
            del self._closing[topic]
        return topic_fault(self._broker, topic)

    def refuse(self, reason: str) -> int:
        """Return the id of a message that is not published; `on_refused` gets it soon."""
        mid = self._client.unused_id()
        asyncio.get_running_loop().call_soon(self._on_refused, mid, reason)
        return mid

    def give_up(self, mid: int) -> None:
        """Give up what is on the topic of a message at which the broker closes the connection."""
        topic, mids = self._client.forget_topic_of(mid)
        if len(self._closing) == _MOST:
            del self._closing[next(iter(self._closing))]
        self._closing[topic] = time.monotonic()
        logger.warning("nothing is published on %s: %s", topic[:100], _CLOSES)
        for one in mids:
            self._on_refused(one, _CLOSES)
