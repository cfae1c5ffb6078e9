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
Histograms = Mapping[Histogram, tuple[str, str]]
"""Name, without that of the service, and meaning, by the histogram."""
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
        histograms: Histograms,
    ) -> None:
        self._service = service
        self._numbers = numbers
        self._counters = counters
        self._gauges = gauges
        self._histograms = histograms
        self._process = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now (called by prometheus_client)."""
        yield build(self._service)
        yield from counted(self._service, self._numbers(), self._counters, self._gauges)
        yield from timed(self._service, self._histograms)
        yield from self._process.collect()


def build(service: str) -> Metric:
    """Return what runs."""
    about = {"version": __version__, "python": platform.python_version()}
    return InfoMetricFamily(f"{service}_build", "What runs", about)


def counted(
    service: str, numbers: Mapping[str, int], counters: Described, gauges: Described
) -> Iterator[Metric]:
    """Yield what a service counts."""
    for key, described in counters.items():
        yield CounterMetricFamily(**head(service, *described), value=numbers[key])
    for key, described in gauges.items():
        value = numbers[key] / 1000 if key.endswith("_ms") else numbers[key]
        yield GaugeMetricFamily(**head(service, *described), value=value)


def timed(service: str, histograms: Histograms) -> Iterator[Metric]:
    """Yield the times that a service has measured."""
    for histogram, described in histograms.items():
        bounds = [*map(str, histogram.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        begin = head(service, *described)
        yield HistogramMetricFamily(**begin, buckets=buckets, sum_value=histogram.sum)


def answer(collector: Collector, accept: str) -> tuple[str, bytes]:
    """Return the media type and the content for what an Accept header asks for."""
    # Without parameters: some versions make the encoder fail, and it repeats them.
    kinds = ",".join(kind.partition(";")[0] for kind in accept.split(","))
    encode, media_type = choose_encoder(kinds)
    return media_type, encode(collector)


def head(service: str, name: str, meaning: str) -> Head:
    """Return how a metric of a service begins."""
    unit = name.rpartition("_")[2]
    full = f"{service}_{name}"
    return Head(name=full, documentation=meaning, unit=unit if unit in _UNITS else "")
