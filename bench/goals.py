"""The goals: ratios within one run. A missed goal is reported and fails nothing."""

from collections.abc import Mapping

from bench.row import Goal, Limit, Row

# The rows that have goals, by their names in the report.
ORIGINALS = {  # by the client library they write to InfluxDB with
    "influx": "original collector, singles, 64 connections",
    "http": "the same on Node's own http",
}
SINGLES = "singles, 64 connections"
ACCOUNTS = "the same with accounts and a token"
TLS = "the same with TLS between all parts, too"
WORKERS = "two workers, 64 connections each"
CELLS = "two cells, 64 connections each"
MANY_SINGLES = "singles, 512 connections"
ARRAYS = "arrays of 1,000, 10 sensors"
MANY_SENSORS = "arrays of 1,000, 10,000 sensors"
BRIDGE = "bridge alone, a full queue at the broker"
MQTT = "MQTT devices, accepted/ for each 20th reading"
MQTT_EACH = "MQTT devices, accepted/ for each reading"
LATENCY = "latency at 100/s"
IDLE = "latency at 1/s"
MQTT_LATENCY = "MQTT latency at 100/s"
OUTAGE = "outage: arrays accepted"
BACKLOG = "backlog drained, 500/s live"

_OURS = ("collector", "bridge", "broker")


def goals(rows: Mapping[str, Row], mosquitto: Limit) -> list[Goal]:
    """Compare the rows with the goals."""
    limit = mosquitto.rate or 0.0
    return [
        *_times_the_original(rows),
        _at_least("single POSTs with accounts, of those without", _of_singles(rows, ACCOUNTS), 0.9),
        _at_least("single POSTs with TLS, of those without", _of_singles(rows, TLS), 0.5),
        _at_least("arrays, of Mosquitto's one to one", rows[ARRAYS].rate / limit, 0.45),
        _at_least("bridge alone, of Mosquitto's", rows[BRIDGE].rate / limit, 0.43),
        *_latency(rows[LATENCY]),
        *_by_mqtt(rows),
        *_flat(rows),
        *(
            _at_most(f"peak memory of the {name}, MB", _peak(rows, name), most)
            for name, most in zip(_OURS, (150, 150, 300), strict=True)
        ),
    ]


def _times_the_original(rows: Mapping[str, Row]) -> list[Goal]:
    texts = ("single POSTs stored, times the original collector", "times it on Node's own http")
    theirs = [rows.get(name) for name in ORIGINALS.values()]
    return [
        _at_least(text, rows[SINGLES].rate / row.rate if row else None, 6.0)
        for text, row in zip(texts, theirs, strict=True)
    ]


def _of_singles(rows: Mapping[str, Row], name: str) -> float:
    return rows[name].rate / rows[SINGLES].rate


def _latency(row: Row) -> list[Goal]:
    return [
        _at_most("POST to stored at 100/s, p50 in ms", row.stored_p50_ms, 15),
        _at_most("POST to stored at 100/s, p99 in ms", row.stored_p99_ms, 60),
    ]


def _by_mqtt(rows: Mapping[str, Row]) -> list[Goal]:
    row, latency = rows[MQTT], rows[MQTT_LATENCY]
    collector = row.cpu_us["collector"] / rows[SINGLES].cpu_us["collector"]
    return [
        _at_least("MQTT devices stored, of arrays", row.rate / rows[ARRAYS].rate, 0.6),
        _at_most("CPU of the collector: MQTT devices / single POSTs", collector, 1.5),
        _at_most("MQTT to accepted/ at 100/s, p50 in ms", latency.p50_ms, 5),
        _at_most("MQTT to stored at 100/s, p50 in ms", latency.stored_p50_ms, 10),
        _at_most("memory of a nearly idle collector, MB", rows[IDLE].peak_mb["collector"], 70),
    ]


def _flat(rows: Mapping[str, Row]) -> list[Goal]:
    filled = rows[OUTAGE].details
    drained = rows[BACKLOG].details
    few, many = rows[ARRAYS], rows[MANY_SENSORS]
    return [
        _at_most(
            "CPU of a reading: two workers / one",
            rows[WORKERS].pipeline_cpu_us / rows[SINGLES].pipeline_cpu_us,
            1.1,
        ),
        _at_most(
            "CPU of a reading: two cells / one",
            rows[CELLS].pipeline_cpu_us / rows[SINGLES].pipeline_cpu_us,
            1.1,
        ),
        _at_most(
            "CPU to accept a reading: backlog full / empty",
            filled["last_collector_us"] / filled["first_collector_us"],
            1.2,
        ),
        _at_most(
            "CPU to drain a reading: backlog full / nearly empty",
            _quotient(drained.get("start_cpu_us"), drained.get("end_cpu_us")),
            1.2,
        ),
        _at_most(
            "CPU of a reading: 10,000 sensors / 10, InfluxDB included",
            many.pipeline_cpu_us / few.pipeline_cpu_us,
            1.2,
        ),
        _at_most(
            "the same without InfluxDB",
            sum(many.cpu_us[name] for name in _OURS) / sum(few.cpu_us[name] for name in _OURS),
            1.2,
        ),
    ]


def _peak(rows: Mapping[str, Row], name: str) -> float:
    others = {*ORIGINALS.values(), WORKERS}  # those of two workers are added up
    return max(row.peak_mb.get(name, 0.0) for key, row in rows.items() if key not in others)


def _quotient(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None


def _at_least(text: str, measured: float | None, least: float) -> Goal:
    return Goal(
        f"{text}: at least {least:g}",
        "not measured" if measured is None else f"{measured:.2f}",
        None if measured is None else measured >= least,
    )


def _at_most(text: str, measured: float | None, most: float) -> Goal:
    return Goal(
        f"{text}: at most {most:g}",
        "not measured" if measured is None else f"{measured:.2f}",
        None if measured is None else measured <= most,
    )
