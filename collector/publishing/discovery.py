"""Home Assistant's MQTT discovery: every series appears there as a sensor, by itself.

The topic is `<prefix>/sensor/telemetry/<object>/config`; below `telemetry` there are only ours, so
one subscription finds all of them. See docs/home-assistant.md.
"""

import hashlib
import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice

import msgspec

from collector.outbox.outbox import Outbox
from collector.outbox.row import Row
from collector.publishing.quantities import quantity
from telemetry import __version__, topics
from telemetry.mqtt import NotConnected

logger = logging.getLogger(__name__)

NODE = "telemetry"
# Announcements that the broker has not acknowledged: a few, between the readings.
WINDOW = 20
# As many series as are announced; each is a retained message and an entity.
MAX_SERIES = 50_000

_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")


class Discovery:
    """Announces each series once per connection, because a new broker knows none.

    `publish` gets topic, payload and whether to retain it; it returns an MQTT id, or raises
    NotConnected.
    """

    def __init__(
        self,
        outbox: Outbox,
        prefix: str,
        status_topic: str,
        publish: Callable[[str, bytes, bool], int],
    ) -> None:
        self._prefix = prefix
        self._status_topic = status_topic
        self._publish = publish
        self._known = set(islice(outbox.newest.series(), MAX_SERIES))
        self._waiting: deque[str] = deque()
        self._sent: set[int] = set()  # MQTT ids that the broker has not acknowledged
        outbox.add_listener(self.on_committed)

    def on_connected(self) -> None:
        """Announce every series that is known."""
        self._waiting = deque(self._known)
        self._sent.clear()
        self._send()

    def on_puback(self, mid: int) -> None:
        """Go on, if this was an announcement."""
        if mid in self._sent:
            self._sent.remove(mid)
            self._send()

    def on_committed(self, rows: Sequence[Row]) -> None:
        """Announce the series that are new."""
        self._learn({row.series for row in rows} - self._known)

    def _learn(self, new: Iterable[str]) -> None:
        for series in islice(new, MAX_SERIES - len(self._known)):
            self._known.add(series)
            self._waiting.append(series)
            if len(self._known) == MAX_SERIES:
                logger.warning("%d series are announced to Home Assistant, and no more", MAX_SERIES)
        self._send()

    def _send(self) -> None:
        with suppress(NotConnected):  # everything is announced again then
            while self._waiting and len(self._sent) < WINDOW:
                series = self._waiting[0]
                payload = config(series, self._status_topic)
                self._sent.add(self._publish(config_topic(self._prefix, series), payload, True))
                self._waiting.popleft()


def config_topic(prefix: str, series: str) -> str:
    """Return the topic on which a series is announced."""
    return f"{prefix}/sensor/{NODE}/{_object_id(series)}/config"


def config(series: str, status_topic: str) -> bytes:
    """Return what Home Assistant has to know of a series, as a JSON object.

    Without `expire_after`: how often a sensor sends is not known here, and one that sends once a
    day is not broken.
    """
    sensor_id, type_ = series.split("/")
    device_class, unit, state_class = quantity(type_)
    described = {"device_class": device_class, "unit_of_measurement": unit}
    return msgspec.json.encode(
        {
            "name": type_,
            "unique_id": f"{NODE}_{_object_id(series)}",
            "state_topic": topics.READINGS + series,
            "value_template": "{{ value_json.value }}",
            **{key: value for key, value in described.items() if value is not None},
            "state_class": state_class,
            "availability_topic": status_topic,
            "availability_template": "{{ value_json.state }}",
            "payload_available": "up",
            "payload_not_available": "offline",
            "device": {"identifiers": [f"{NODE}_{sensor_id}"], "name": sensor_id},
            "origin": {"name": "Telemetry pipeline", "sw_version": __version__},
        }
    )


def _object_id(series: str) -> str:
    """Return a name for a series in the few characters that are allowed, and for no other one."""
    digest = hashlib.sha256(series.encode()).hexdigest()[:12]
    return f"{_NOT_ALLOWED.sub('_', series)}-{digest}"
