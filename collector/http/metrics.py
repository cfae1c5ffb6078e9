"""GET /metrics: what the collector counts, for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec
from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.http.connections import Connections
from collector.lane import Lane
from collector.peers import Peers
from telemetry import exposition

_EVER = "since the outbox was created"
COUNTERS = {
    "accepted": ("readings_accepted", f"Readings accepted {_EVER}"),
    "healed": ("readings_healed", f"Readings found missing in InfluxDB and replayed, {_EVER}"),
    "unverified": ("readings_unverified", f"Readings pruned before they were read back, {_EVER}"),
    "discarded": ("readings_discarded", f"Rejected readings that have left the outbox, {_EVER}"),
    "published": ("readings_published", "Readings sent to the broker, replays included"),
    "replayed": ("readings_replayed", "Readings sent to the broker again"),
    "mqtt_refused": ("mqtt_messages_refused", "Messages of devices that were refused"),
    "mqtt_skipped": (
        "mqtt_values_skipped",
        "Members of messages of known families that are not numbers",
    ),
    "answers_dropped": ("mqtt_answers_dropped", "Answers to devices that were too many to be held"),
    "dead_letters_dropped": (
        "mqtt_dead_letters_dropped",
        "Refused messages that were too many for a dead letter",
    ),
}
GAUGES = {
    "stored": ("readings_stored", "Accepted readings that InfluxDB has stored"),
    "rejected": ("readings_rejected", "Accepted readings that were rejected"),
    "pending": ("readings_pending", "Accepted readings without a receipt"),
    "unbalanced": ("readings_unbalanced", "accepted - stored - rejected - pending; always 0"),
    "unaudited": ("readings_unaudited", "Settled readings that wait to be read back"),
    "unhealed": ("readings_unhealed", "Readings that InfluxDB lacks after replays"),
    "oldest_pending_s": ("oldest_pending_seconds", "Age of the oldest pending reading"),
    "audit_reach_s": ("audit_reach_seconds", "How far back no reading has left the outbox"),
    "outbox_bytes": ("outbox_used_bytes", "Bytes used in the outbox"),
    "outbox_max_bytes": ("outbox_limit_bytes", "Bytes that the outbox may use"),
    "mqtt_waiting": ("mqtt_messages_waiting", "Messages of devices that wait for the outbox"),
    "connections": ("http_connections", "Open HTTP connections"),
    "loop_lag_ms": ("event_loop_lag_seconds", "Longest delay of the event loop in the last 2 s"),
}


_ANSWERS = (
    "http_answer_seconds",
    "From the last byte of a POST /data to its response, without ?ack=stored",
)
_COMMITS = ("outbox_commit_seconds", "Commits of readings to the outbox, fsync included")
_RECEIPTS = (
    "receipt_seconds",
    "From sending a reading to its receipt, of the last reading of each burst",
)
_WORKERS = ("workers", "Processes that share the port")
_ANSWERING = ("workers_answering", "Of them, those whose metrics are here")
_REFUSED = ("http_requests_refused", "HTTP requests and connections refused")
_SERVICE = "collector"
_QUESTION = "metrics"

# Name, documentation, type, unit, and samples with their labels, of a metric.
_Family = tuple[str, str, str, str, list[tuple[str, dict[str, str], float]]]
_families = msgspec.msgpack.Decoder(list[_Family]).decode


class Metrics:
    """The metrics of a collector: of all its workers, told apart by the label `outbox`."""

    def __init__(self, lanes: Sequence[Lane], connections: Connections, peers: Peers) -> None:
        """`lanes` are those of this worker, its own first."""
        self._lanes = lanes
        self._connections = connections
        self._peers = peers
        self._process = ProcessCollector(registry=None)
        peers.add_answer(_QUESTION, lambda: _encoded(self._own()))

    async def answer(self, accept: str) -> tuple[str, bytes]:
        """Return the media type and the content for what an Accept header asks for.

        Raises OutboxBusy or OutboxUnusable.
        """
        told = [told for told in (await self._peers.ask(_QUESTION)).values() if told]
        found = [*self._own(), *chain.from_iterable(map(_decoded, told))]
        return exposition.answer(_Grouped([*found, *self._workers(1 + len(told))]), accept)

    def _own(self) -> Iterator[Metric]:
        for lane in self._lanes:
            yield from _labelled(_of_lane(lane), lane)
        yield from _labelled(self._of_process(), self._lanes[0])

    def _of_process(self) -> Iterator[Metric]:
        yield exposition.build(_SERVICE)
        yield from exposition.timed(_SERVICE, {self._connections.answer_times: _ANSWERS})
        family = CounterMetricFamily(**exposition.head(_SERVICE, *_REFUSED), labels=["reason"])
        for reason, count in self._connections.refused.items():
            family.add_metric([reason], count)
        yield family
        yield from self._process.collect()

    def _workers(self, answering: int) -> Iterator[Metric]:
        for described, value in ((_WORKERS, self._peers.count), (_ANSWERING, answering)):
            yield GaugeMetricFamily(**exposition.head(_SERVICE, *described), value=value)


class _Grouped(Collector):
    """Metrics of which each is there once, with the samples of all of its name."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families: dict[str, Metric] = {}
        for family in families:
            known = self._families.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)

    def collect(self) -> Iterable[Metric]:
        return self._families.values()


def _of_lane(lane: Lane) -> Iterator[Metric]:
    numbers = lane.counters()
    gauges = {key: described for key, described in GAUGES.items() if key in numbers}
    yield from exposition.counted(_SERVICE, numbers, COUNTERS, gauges)
    times = {lane.outbox.commit_times: _COMMITS, lane.receipt_times: _RECEIPTS}
    yield from exposition.timed(_SERVICE, times)


def _labelled(families: Iterable[Metric], lane: Lane) -> Iterator[Metric]:
    for family in families:
        family.samples = [
            sample._replace(labels={**sample.labels, "outbox": lane.outbox.id})
            for sample in family.samples
        ]
        yield family


def _encoded(families: Iterable[Metric]) -> bytes:
    return msgspec.msgpack.encode(
        [
            (family.name, family.documentation, family.type, family.unit, _samples(family))
            for family in families
        ]
    )


def _samples(family: Metric) -> list[tuple[str, Mapping[str, str], float]]:
    return [(sample.name, sample.labels, sample.value) for sample in family.samples]


def _decoded(told: bytes) -> Iterator[Metric]:
    for name, documentation, type_, unit, samples in _families(told):
        family = Metric(name, documentation, type_, unit)
        for sample in samples:
            family.add_sample(*sample)
        yield family
