"""The workloads that start with an idle pipeline."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.http_load import Load
from bench.loop import run, until
from bench.mqtt_load import MqttLoad
from bench.pipeline import Mark, Pipeline, Receipts, cpu_us
from bench.readings import ARRAY, arrays, single
from bench.row import Row, percentile
from bench.wrk import wrk
from tests.secured import Accounts

ARRAY_CONNECTIONS = 8
LATENCY_CONNECTIONS = 64
MQTT_CONNECTIONS = 100
_MS = 1000


def singles(  # noqa: PLR0913  the last three are keywords
    directory: Path,
    connections: int,
    seconds: float,
    *,
    accounts: bool = False,
    tls: bool = False,
    workers: int = 1,
) -> Row:
    """Single POSTs as fast as they are answered, with accounts and TLS between all parts or not."""
    pipeline = Pipeline(directory)
    pipeline.collector.env["COLLECTOR_WORKERS"] = str(workers)
    token = ""
    if accounts:
        secured = Accounts(pipeline, directory)
        token = secured.token
        if tls:
            secured.speak_tls()
    with pipeline:
        pipeline.wait_workers(workers)
        before = pipeline.mark()
        answers = wrk(pipeline.collector.port, connections, seconds, token=token, tls=tls)
        pipeline.wrk_s += answers.cpu_s
        acknowledged = answers.answered - answers.failed
        row = _settle(pipeline, before)
        row.violations = pipeline.violations(acknowledged, answers.failed)
        row.p50_ms, row.p99_ms = answers.p50_ms, answers.p99_ms
        row.details["answered_rate"] = acknowledged / answers.seconds
    return row


def arrays_of(directory: Path, sensors: int, count: int) -> Row:
    """Arrays as fast as they are answered, `count` of them."""

    async def send(pipeline: Pipeline) -> Load:
        load = Load(pipeline.collector.port)
        await load.connect(ARRAY_CONNECTIONS)
        await load.closed_loop(arrays(sensors), count)
        load.close()
        return load

    with Pipeline(directory) as pipeline:
        before = pipeline.mark()
        load = run(send(pipeline))
        row = _settle(pipeline, before)
        row.violations = pipeline.violations(load.created * ARRAY, load.failed)
    _add_latencies(row, load)
    return row


def paced(directory: Path, *, rate: int, seconds: float, sensors: int, connections: int) -> Row:
    """Single POSTs at a fixed rate, however long the responses take."""

    async def send(pipeline: Pipeline) -> Load:
        load = Load(pipeline.collector.port)
        await load.connect(connections)
        await load.open_loop(single([f"bench{n}" for n in range(sensors)]), rate, seconds)
        return load

    return _until_stored(directory, send)


def latency(directory: Path, rate: int, seconds: float) -> Row:
    """Measure the time from POST to InfluxDB at a rate."""
    return paced(
        directory,
        rate=rate,
        seconds=seconds,
        sensors=10,
        connections=min(rate, LATENCY_CONNECTIONS),  # else uvicorn closes the idle ones
    )


def published(directory: Path, chunk: int, seconds: float) -> Row:
    """Readings that devices publish by MQTT as fast as they are accepted, a `ref` in each chunk."""

    async def send(pipeline: Pipeline) -> MqttLoad:
        load = MqttLoad(pipeline.broker.port)
        await load.connect([f"bench{n}" for n in range(MQTT_CONNECTIONS)])
        await load.closed_loop(chunk, seconds)
        load.close()
        return load

    with Pipeline(directory) as pipeline:
        before = pipeline.mark()
        load = run(send(pipeline))
        row = _settle(pipeline, before)
        row.violations = pipeline.violations(load.created, load.failed)
    return row


def mqtt_latency(directory: Path, rate: int, seconds: float) -> Row:
    """Measure the time from publishing by MQTT to accepted/ and to InfluxDB at a rate."""

    async def send(pipeline: Pipeline) -> MqttLoad:
        load = MqttLoad(pipeline.broker.port)
        await load.connect([f"bench{n}" for n in range(10)])
        await load.open_loop(rate, seconds)
        return load

    return _until_stored(directory, send)


def devices(directory: Path, count: int, seconds: float) -> Row:
    """Measure devices that keep their connection and post once per second, evenly spread."""
    return paced(
        directory,
        rate=count,
        seconds=seconds,
        sensors=count,
        connections=count,
    )


def _until_stored(directory: Path, send: Callable[[Pipeline], Awaitable[Load | MqttLoad]]) -> Row:
    """Measure until each reading that `send` has sent is stored, and how long that takes."""

    async def watched(pipeline: Pipeline) -> tuple[Load | MqttLoad, Receipts]:
        receipts = Receipts(pipeline.broker.port)
        watching = asyncio.create_task(receipts.mqtt.run())
        await until(lambda: receipts.mqtt.connected)
        load = await send(pipeline)
        await until(lambda: len(receipts.stored) >= load.created)
        load.close()
        watching.cancel()
        return load, receipts

    with Pipeline(directory) as pipeline:
        before = pipeline.mark()
        load, receipts = run(watched(pipeline))
        row = _settle(pipeline, before)
        row.violations = pipeline.violations(load.created, load.failed)
        stored = receipts.latencies_ms(pipeline.collector.outbox)
    _add_latencies(row, load)
    row.stored_p50_ms, row.stored_p99_ms = percentile(stored, 50), percentile(stored, 99)
    return row


def _settle(pipeline: Pipeline, before: Mark) -> Row:
    """Wait until everything is stored; return the row without the load's own figures."""
    after = pipeline.wait_settled()
    readings = pipeline.in_database()
    seconds = after.usage.at - before.usage.at
    return Row(
        readings=readings,
        seconds=seconds,
        rate=readings / seconds,
        cpu_us=cpu_us(before, after, readings),
        peak_mb=pipeline.peaks(),
    )


def _add_latencies(row: Row, load: Load | MqttLoad) -> None:
    row.p50_ms = percentile([s * _MS for s in load.latencies], 50)
    row.p99_ms = percentile([s * _MS for s in load.latencies], 99)
