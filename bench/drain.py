"""Draining a backlog: the bridge with a full queue, the pipeline after an outage."""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

from bench.http_load import Load
from bench.limits import flood
from bench.loop import run, until
from bench.mqtt_wire import message_ids, publish
from bench.pipeline import Mark, Pipeline, Receipts, cpu_us
from bench.readings import ARRAY, arrays, single
from bench.row import Row, percentile
from bench.workloads import ARRAY_CONNECTIONS, LATENCY_CONNECTIONS
from telemetry.timestamp import render

_LIVE_RATE = 500
_LIVE = "live"
_SAMPLE_S = 0.25
_CHUNK = 100
_QUEUED = 50_000  # more than max_queued_bytes lets the broker queue during an outage
# Large enough for everything that is to be drained.
_LONG_QUEUE = "max_queued_bytes 16777216\nmax_queued_messages 200000"
_PROBE = 100_000  # readings over which the cost of accepting is measured


class Sample(NamedTuple):
    """How many readings were stored at one point in time."""

    stored: int
    mark: Mark


def bridge_alone(directory: Path, count: int) -> Row:
    """Let the bridge drain `count` readings queued at the broker, without a collector."""
    with Pipeline(directory, broker_settings=_LONG_QUEUE) as pipeline:
        pipeline.collector.stop()
        pipeline.bridge.pause()  # for less than its keep-alive, and the broker queues for it
        first = time.time_ns()
        samples = run(_drain_broker(pipeline, _packets(count, first), count))
        readings = pipeline.in_database()
        row = _between(samples[0], samples[-1])
        row.peak_mb = pipeline.peaks()
    row.readings = readings
    row.violations = [f"{readings} in InfluxDB of {count}"] if readings != count else []
    return row


def _packets(count: int, first_ns: int) -> list[bytes]:
    """Return PUBLISH packets as the collector would send them, _CHUNK in each item."""
    mids = message_ids()
    packets = [
        publish(
            f"readings/{n % 10}/temp",
            b'{"id":"bench:%d","ts":"%b","type":"temp","value":%d.5,"sensor_id":%d}'
            % (n + 1, render(first_ns + n).encode(), 20 + n % 15, n % 10),
            next(mids),
        )
        for n in range(count)
    ]
    return [b"".join(packets[at : at + _CHUNK]) for at in range(0, count, _CHUNK)]


async def _drain_broker(pipeline: Pipeline, chunks: list[bytes], count: int) -> list[Sample]:
    receipts = Receipts(pipeline.broker.port)
    watching = asyncio.create_task(receipts.mqtt.run())
    await until(lambda: receipts.mqtt.connected)
    await flood(pipeline.broker.port, chunks, _CHUNK)
    pipeline.bridge.resume()
    samples = [_sample(pipeline, receipts)]
    await until(lambda: len(receipts.stored) >= count)
    watching.cancel()
    return [*samples, _sample(pipeline, receipts)]


def backlog(directory: Path, count: int) -> tuple[Row, Row]:
    """Let `count` readings wait for InfluxDB, then drain them while new ones arrive.

    Returns the rows of accepting them and of draining them.
    """
    with Pipeline(directory) as pipeline:
        pipeline.influx.stop()
        filled = run(_fill(pipeline, count))
        load, receipts, samples, since_ns = run(_drain_outbox(pipeline, count))
        pipeline.wait_settled()
        drained = _between(samples[0], samples[-1])
        drained.readings = pipeline.in_database()
        drained.peak_mb = pipeline.peaks()
        drained.violations = pipeline.violations(count + load.created, load.failed)
        live = receipts.latencies_ms(pipeline.collector.outbox, _LIVE, since_ns)
    drained.p50_ms = percentile([s * 1000 for s in load.latencies], 50)
    drained.p99_ms = percentile([s * 1000 for s in load.latencies], 99)
    drained.stored_p50_ms, drained.stored_p99_ms = percentile(live, 50), percentile(live, 99)
    for part, row in _parts(samples).items():
        drained.details[f"{part}_rate"] = row.rate
        drained.details[f"{part}_cpu_us"] = row.pipeline_cpu_us
    return filled, drained


async def _fill(pipeline: Pipeline, count: int) -> Row:
    """Post arrays while InfluxDB is stopped; `details` has the cost of the first and the last."""
    load = Load(pipeline.collector.port)
    await load.connect(ARRAY_CONNECTIONS)
    requests = arrays(10)
    probe = min(_PROBE, count // 3) // ARRAY
    marks = [Sample(0, pipeline.mark())]
    for part in (probe, count // ARRAY - 2 * probe, probe):
        await load.closed_loop(requests, part)
        marks.append(Sample(load.created * ARRAY, pipeline.mark()))
    load.close()
    row = _between(marks[0], marks[-1])
    row.readings = pipeline.metrics()["pending"]
    row.peak_mb = pipeline.peaks()
    if row.readings != count or load.failed:
        row.violations = [f"{row.readings} pending of {count}, {load.failed} failed"]
    row.details = {
        "first_collector_us": _between(marks[0], marks[1]).cpu_us["collector"],
        "last_collector_us": _between(marks[2], marks[3]).cpu_us["collector"],
    }
    return row


async def _drain_outbox(pipeline: Pipeline, count: int) -> tuple[Load, Receipts, list[Sample], int]:
    receipts = Receipts(pipeline.broker.port)
    watching = asyncio.create_task(receipts.mqtt.run())
    await until(lambda: receipts.mqtt.connected)
    load = Load(pipeline.collector.port)
    await load.connect(LATENCY_CONNECTIONS)
    live = asyncio.create_task(
        load.open_loop(single([f"{_LIVE}{n}" for n in range(10)]), _LIVE_RATE)
    )
    pipeline.influx.start()
    await until(lambda: len(receipts.stored) > 0)
    since_ns = time.time_ns()
    samples = [_sample(pipeline, receipts)]
    while next(receipts.stored.gaps(1, count), None):
        await asyncio.sleep(_SAMPLE_S)
        samples.append(_sample(pipeline, receipts))
    live.cancel()
    await load.all_answered()
    load.close()
    await asyncio.sleep(1)
    watching.cancel()
    return load, receipts, samples, since_ns


def _sample(pipeline: Pipeline, receipts: Receipts) -> Sample:
    return Sample(len(receipts.stored), pipeline.mark())


def _between(first: Sample, last: Sample) -> Row:
    readings = last.stored - first.stored
    seconds = last.mark.usage.at - first.mark.usage.at
    return Row(
        readings=readings,
        seconds=seconds,
        rate=readings / seconds,
        cpu_us=cpu_us(first.mark, last.mark, readings),
    )


def _parts(samples: list[Sample]) -> dict[str, Row]:
    """Split a drain into three parts, after what the broker had queued."""
    begin, end = samples[0].stored + _QUEUED, samples[-1].stored
    rows = {}
    for name, *shares in (("start", 0.0, 0.2), ("middle", 0.4, 0.6), ("end", 0.8, 1.0)):
        marks = [begin + (end - begin) * share for share in shares]
        first, last = (next(s for s in samples if s.stored >= mark) for mark in marks)
        if last.stored > first.stored:
            rows[name] = _between(first, last)
    return rows
