"""GET /metrics: what the collector counts, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, Metric

from collector.http.connections import Connections
from collector.lane import Lane
from telemetry.exposition import Exposition

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
    "rejected": ("readings_rejected", "Accepted readings that InfluxDB has rejected"),
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


class Metrics(Exposition):
    """The metrics of a collector."""

    def __init__(self, lane: Lane, connections: Connections) -> None:
        self._refused = connections.refused
        histograms = {
            connections.answer_times: (
                "http_answer_seconds",
                "From the last byte of a POST /data to its response, without ?ack=stored",
            ),
            lane.outbox.commit_times: (
                "outbox_commit_seconds",
                "Commits of readings to the outbox, fsync included",
            ),
            lane.receipt_times: (
                "receipt_seconds",
                "From sending a reading to its receipt, of the last reading of each burst",
            ),
        }
        super().__init__(
            "collector", lane.counters, counters=COUNTERS, gauges=GAUGES, histograms=histograms
        )

    def collect(self) -> Iterator[Metric]:
        yield from super().collect()
        head = self.head("http_requests_refused", "HTTP requests and connections refused")
        family = CounterMetricFamily(**head, labels=["reason"])
        for reason, count in self._refused.items():
            family.add_metric([reason], count)
        yield family
