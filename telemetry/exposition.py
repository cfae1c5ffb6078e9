"""What a service counts, in the formats that Prometheus reads."""

import platform
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TypedDict

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from telemetry import __version__
from telemetry.durations import Histogram

Described = Mapping[str, tuple[str, str]]
"""Name, without that of the service, and meaning of a metric, by the name of its counter.

A counter in milliseconds, whose name ends in `_ms`, becomes a metric in seconds.
"""
_UNITS = ("seconds", "bytes")


class Head(TypedDict):
    """What a metric is called, what it means, and its unit, which its name ends with."""

    name: str
    documentation: str
    unit: str


class Exposition(Collector):
    """The metrics of a service: what its status counts, histograms, and the process."""

    def __init__(
        self,
        service: str,
        numbers: Callable[[], Mapping[str, int]],
        *,
        counters: Described,
        gauges: Described,
        histograms: Mapping[Histogram, tuple[str, str]],
    ) -> None:
        self._service = service
        self._numbers = numbers
        self._counters = counters
        self._gauges = gauges
        self._histograms = histograms
        self._process = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now (called by prometheus_client)."""
        about = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily(f"{self._service}_build", "What runs", about)
        numbers = self._numbers()
        for key, described in self._counters.items():
            yield CounterMetricFamily(**self.head(*described), value=numbers[key])
        for key, described in self._gauges.items():
            value = numbers[key] / 1000 if key.endswith("_ms") else numbers[key]
            yield GaugeMetricFamily(**self.head(*described), value=value)
        for histogram, described in self._histograms.items():
            bounds = [*map(str, histogram.bounds), "+Inf"]
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            head = self.head(*described)
            yield HistogramMetricFamily(**head, buckets=buckets, sum_value=histogram.sum)
        yield from self._process.collect()

    def answer(self, accept: str) -> tuple[str, bytes]:
        """Return the media type and the content for what an Accept header asks for."""
        # Without parameters: some versions make the encoder fail, and it repeats them.
        kinds = ",".join(kind.partition(";")[0] for kind in accept.split(","))
        encode, media_type = choose_encoder(kinds)
        return media_type, encode(self)

    def head(self, name: str, meaning: str) -> Head:
        """Return how a metric of this service begins."""
        unit = name.rpartition("_")[2]
        full = f"{self._service}_{name}"
        return Head(name=full, documentation=meaning, unit=unit if unit in _UNITS else "")
