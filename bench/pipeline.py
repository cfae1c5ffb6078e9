"""The measured pipeline: its books, its resource usage, its receipts."""

import sqlite3
import time
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.usage import Usage, peak_mb, per_reading, usage
from telemetry.mqtt import Message, MqttClient
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt
from tests.metrics import counted_at, metrics_at
from tests.stack import Stack

_START_S = 30.0
_SETTLE_S = 900.0
_POLL_S = 0.1
_QUIET_S = 0.5
_receipt = msgspec.json.Decoder(Receipt)


class Mark(NamedTuple):
    """The CPU seconds used so far by the processes and by the load."""

    usage: Usage
    load_s: float


class Pipeline(Stack):
    """The four processes, on their own ports and in their own directory."""

    def __init__(self, directory: Path, *, broker_settings: str = "") -> None:
        super().__init__(directory, broker_settings=broker_settings)
        self.wrk_s = 0.0  # CPU of load generators that have ended

    def use_database_of(self, other: "Pipeline", bridge_id: str) -> None:
        """Be another cell of the same database."""
        self.influx = other.influx
        for part in (self.collector, self.bridge):
            part.env["INFLUX_PORT"] = str(other.influx.port)
        self.bridge.env["BRIDGE_ID"] = bridge_id

    @property
    def pids(self) -> dict[str, int]:
        parts = {
            "collector": self.collector,
            "broker": self.broker,
            "bridge": self.bridge,
            "database": self.influx,
        }
        return {name: part.pid for name, part in parts.items() if part.running}

    def mark(self) -> Mark:
        return Mark(usage(self.pids), self.wrk_s + time.process_time())

    def peaks(self) -> dict[str, float]:
        """Return the peak memory of each process in MB."""
        return {name: peak_mb(pid) for name, pid in self.pids.items()}

    def metrics(self) -> dict[str, int]:
        """Return the collector's counters."""
        return counted_at(self.collector.url)

    def wait_workers(self, count: int) -> None:
        """Wait for the collector's workers: one that starts uses the CPU, and takes no connection.

        AssertionError if they do not all answer in time.
        """
        deadline = time.monotonic() + _START_S
        while f"collector_workers_answering {count}.0" not in metrics_at(self.collector.url):
            assert time.monotonic() < deadline, f"not {count} workers after {_START_S} s"
            time.sleep(_POLL_S)

    def wait_settled(self) -> Mark:
        """Return the moment since which nothing is pending and nothing arrives any more.

        AssertionError if that does not happen in time.
        A load that ends leaves requests behind, which the collector still takes.
        """
        deadline = time.monotonic() + _SETTLE_S
        quiet, before = self.mark(), -1
        while time.monotonic() - quiet.usage.at < _QUIET_S:
            books = self.metrics()
            if books["pending"] or books["accepted"] != before:
                quiet, before = self.mark(), books["accepted"]
            assert time.monotonic() < deadline, f"{books['pending']} pending after {_SETTLE_S} s"
            time.sleep(_POLL_S)
        return quiet

    def in_database(self) -> int:
        """Return how many readings InfluxDB holds."""
        rows = self.influx.query("SELECT count(value) FROM data")
        return int(rows[0]["count"]) if rows else 0

    def violations(self, acknowledged: int, failed: int) -> list[str]:
        """Return every violation; call it when nothing is pending."""
        books, stored = self.metrics(), self.in_database()
        wrong = {
            f"{failed} requests failed": failed,
            f"{books['unbalanced']} off in the books": books["unbalanced"],
            f"{books['rejected']} rejected": books["rejected"],
            f"{books['pending']} pending": books["pending"],
            f"{stored} in InfluxDB of {books['accepted']} accepted": stored != books["accepted"],
            f"{stored} in InfluxDB of {acknowledged} acknowledged": stored < acknowledged,
        }
        return [text for text, happened in wrong.items() if happened]


def cpu_us(before: Mark, after: Mark, readings: int) -> dict[str, float]:
    """Return the CPU time per reading (µs) of each process and of the load between two marks."""
    load_us = (after.load_s - before.load_s) / max(readings, 1) * 1e6
    return {**per_reading(before.usage, after.usage, readings), "load": load_us}


class Receipts:
    """The arrival time of each reading's receipt: InfluxDB had stored it by then."""

    def __init__(self, mqtt_port: int) -> None:
        self.stored = Ranges()  # by sequence number
        self._arrived: list[tuple[int, int, int]] = []
        self.mqtt = MqttClient(
            host="127.0.0.1",
            port=mqtt_port,
            client_id="",
            clean_session=True,
            subscriptions=["receipts/#"],
            on_message=self._on_message,
            on_connected=lambda _: None,
            on_disconnected=lambda: None,
            on_puback=lambda _: None,
        )

    def latencies_ms(self, outbox: Path, sensors: str = "", since_ns: int = 0) -> list[float]:
        """Return for each reading the time from its `ts` to its receipt.

        `sensors`, `since_ns`: only readings of sensors with this id prefix, and not older.
        """
        database = sqlite3.connect(f"{outbox.absolute().as_uri()}?mode=ro", uri=True)
        rows = database.execute(
            "SELECT seq, ns FROM reading WHERE substr(topic, 1, ?) = ? AND ns >= ? ORDER BY seq",
            [len(sensors), sensors, since_ns],
        ).fetchall()
        database.close()
        seqs = [seq for seq, _ in rows]
        first_arrival: dict[int, int] = {}
        for at, first, last in self._arrived:
            for n in range(bisect_left(seqs, first), bisect_right(seqs, last)):
                first_arrival.setdefault(n, at)
        return [(at - rows[n][1]) / 1e6 for n, at in first_arrival.items()]

    def _on_message(self, message: Message) -> None:
        at = time.time_ns()
        for first, last in _receipt.decode(message.payload).stored:
            self._arrived.append((at, first, last))
            self.stored.add(first, last)
        self.mqtt.ack(message)
