"""The limits of this machine, measured in the same run as the workloads."""

import asyncio
import http.client
import sqlite3
import sys
import time
from pathlib import Path

from bench.loop import run
from bench.mqtt_wire import Publisher, Subscriber, message_ids, publish
from bench.row import Limit, percentile
from bench.server import Server
from bench.usage import cpu_s
from bench.wrk import wrk
from tests.stack import Broker, Influx, free_port

_CHUNK = 100
_BATCH = 5000
_PAYLOAD = (
    b'{"id":"0123456789ab:1000000","ts":"2026-01-31T12:00:00.123456789Z",'
    b'"type":"temp","value":25,"sensor_id":123}'
)
_TOPIC = "readings/123/temp"


def bare(directory: Path, connections: int, seconds: float) -> Limit:
    """Measure the responses per second of an ASGI app that only decodes."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.bare", str(port)]
    with Server("bare", directory, argv, port):
        answers = wrk(port, connections, seconds)
    rate = answers.answered / answers.seconds
    return Limit(f"bare ASGI app, {connections} connections", rate, answers.p50_ms, answers.p99_ms)


def mosquitto(directory: Path, messages: int) -> Limit:
    """Measure QoS 1 messages per second from one publisher to one subscriber."""
    mids = message_ids()
    chunks = [
        b"".join(publish(_TOPIC, _PAYLOAD, next(mids)) for _ in range(_CHUNK))
        for _ in range(messages // _CHUNK)
    ]
    with Broker(directory) as broker:
        before, started = cpu_s(broker.pid), time.monotonic()
        run(_one_to_one(broker.port, chunks))
        seconds = time.monotonic() - started
        busy = (cpu_s(broker.pid) - before) / seconds
    return Limit(f"Mosquitto one to one, at {busy:.0%} of a core", messages / seconds)


async def _one_to_one(port: int, chunks: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    packet = chunks[0][: len(chunks[0]) // _CHUNK]
    subscriber = Subscriber(_TOPIC, packet, len(chunks) * _CHUNK)
    await loop.create_connection(lambda: subscriber, "127.0.0.1", port)
    await subscriber.ready
    await flood(port, chunks)
    await subscriber.done


async def flood(port: int, chunks: list[bytes], packets: int = _CHUNK) -> None:
    """Publish chunks of packets as fast as the broker acknowledges them."""
    publisher = Publisher(chunks, packets)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: publisher, "127.0.0.1", port)
    await publisher.done


def influxdb(directory: Path, points: int) -> Limit:
    """Measure points per second, written in line protocol, one batch after the other."""
    first = time.time_ns()
    bodies = [
        "\n".join(_line(first + n) for n in range(start, start + _BATCH)).encode()
        for start in range(0, points, _BATCH)
    ]
    with Influx(directory) as influx:
        influx.query("CREATE DATABASE iot", db="")
        connection = http.client.HTTPConnection("127.0.0.1", influx.port)
        started = time.monotonic()
        for body in bodies:
            _write(connection, body)
        seconds = time.monotonic() - started
        connection.close()
        (count,) = influx.query("SELECT count(value) FROM data")
    assert count["count"] == len(bodies) * _BATCH
    return Limit(f"InfluxDB, batches of {_BATCH}", count["count"] / seconds)


def commit_and_write(directory: Path, times: int) -> Limit:
    """Measure the minimum for a stored reading: one row fsynced, then one point written."""
    directory.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(directory / "limit.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE reading (seq INTEGER PRIMARY KEY, payload BLOB)")
    took = []
    with Influx(directory / "influx") as influx:
        influx.query("CREATE DATABASE iot", db="")
        connection = http.client.HTTPConnection("127.0.0.1", influx.port)
        for _ in range(times):
            time.sleep(0.01)  # as at 100 per second, where caches do not stay warm
            started = time.perf_counter()
            database.execute("INSERT INTO reading (payload) VALUES (?)", [_PAYLOAD])
            _write(connection, _line(time.time_ns()).encode())
            took.append((time.perf_counter() - started) * 1000)
        connection.close()
    database.close()
    return Limit("fsync + one write", None, percentile(took, 50), percentile(took, 99))


def _write(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/write?db=iot", body)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == http.HTTPStatus.NO_CONTENT, answer.status


def _line(ns: int) -> str:
    """Return a reading in line protocol, as the bridge writes it."""
    return f"data,sensor_id=123,type=temp value=25.0 {ns}"
