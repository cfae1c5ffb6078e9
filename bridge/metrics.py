"""What the bridge counts, for Prometheus."""

from collections.abc import Callable, Mapping

from telemetry.durations import Histogram
from telemetry.exposition import Exposition

COUNTERS = {
    "stored": ("readings_stored", "Readings written to InfluxDB, also those written again"),
    "rejected": ("readings_rejected", "Readings that InfluxDB has rejected"),
    "unreadable": ("messages_unreadable", "Messages that are not readings"),
    "writes": ("writes", "Writes to InfluxDB"),
    "write_failures": (
        "write_failures",
        "Writes that are repeated, because InfluxDB did not take them",
    ),
    "dead_letters_dropped": ("dead_letters_dropped", "Messages too many for a dead letter"),
    "forwarded": ("messages_forwarded", "Devices' messages on readings/, sent on to devices/"),
    "not_forwarded": ("messages_not_forwarded", "Of these, messages that were dropped"),
}
GAUGES = {
    "queue": ("queued_messages", "Messages that wait for a write"),
    "set_aside": ("set_aside_readings", "Readings whose write fails even alone"),
    "loop_lag_ms": ("event_loop_lag_seconds", "Longest delay of the event loop in the last 2 s"),
}


def exposition(numbers: Callable[[], Mapping[str, int]], write_times: Histogram) -> Exposition:
    """Return the metrics of a bridge; `numbers` returns its counters."""
    histograms = {write_times: ("write_seconds", "Writes to InfluxDB, until its answer")}
    return Exposition("bridge", numbers, counters=COUNTERS, gauges=GAUGES, histograms=histograms)
