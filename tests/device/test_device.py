"""`python -m device` as a process, against the stub."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.device.process import Device
from tests.device.stub import Reply, Stub
from tests.service import free_port, wait_for


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


def buffered(device: Device) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+) buffered", device.log_text())]


def seconds(ts: str) -> float:
    return datetime.fromisoformat(ts).timestamp()


def test_by_default_it_behaves_like_the_original_device(tmp_path: Path, stub: Stub) -> None:
    began = int(time.time())
    with Device(tmp_path, stub.port) as device:
        wait_for(lambda: len(stub.accepted) >= 3, what="three readings")
        assert device.stop() == 0
    for request in stub.requests:
        assert request.path == "/data"
        assert request.headers["content-type"] == "application/json"
        assert "authorization" not in request.headers
        assert list(request.body) == ["ts", "type", "value", "sensor_id"]
        assert (request.body["type"], request.body["sensor_id"]) == ("temp", 123)
        assert isinstance(request.body["value"], int)
        assert 20 <= request.body["value"] <= 34
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", request.body["ts"])
    times = [seconds(one["ts"]) for one in stub.accepted]
    assert all(b - a == 1 for a, b in pairwise(times))
    assert 0 <= times[0] - began <= 5
    line = device.log_text().splitlines()[0]
    assert re.fullmatch(
        r'{"ts":"[^"]+Z","type":"temp","value":\d\d,"sensor_id":123} -> 201 Created', line
    )


def test_batches_of_several_sensors_are_sent_with_the_token_over_one_connection(
    tmp_path: Path, stub: Stub
) -> None:
    options = "--sensors 3 --sensor-id 7 --types temp humé --rate 600 --batch 40 --count 500"
    with Device(tmp_path, stub.port, *options.split(), "--token", "secret") as device:
        assert device.end() == 0
    assert len({request.peer for request in stub.requests}) == 1
    assert {request.headers["authorization"] for request in stub.requests} == {"Bearer secret"}
    assert [len(request.readings) for request in stub.requests] == [40] * 12 + [20]
    series = {(one["sensor_id"], one["type"]) for one in stub.accepted}
    assert series == {(sensor, type_) for sensor in (7, 8, 9) for type_ in ("temp", "humé")}
    points = {(one["sensor_id"], one["type"], one["ts"]) for one in stub.accepted}
    assert len(points) == 500, "some readings of a series share a timestamp"
    assert device.summary()["accepted"] == 500


def test_a_seed_reproduces_the_values(tmp_path: Path, stub: Stub) -> None:
    options = ["--rate", "1000", "--count", "100", "--pattern", "walk", "--seed"]
    for seed in ("7", "7", "8"):
        with Device(tmp_path, stub.port, *options, seed) as device:
            assert device.end() == 0
    values = [one["value"] for one in stub.accepted]
    assert values[:100] == values[100:200]
    assert values[:100] != values[200:]


def test_readings_arrive_completely_and_in_order_despite_faults(tmp_path: Path) -> None:
    faults = [Reply(503, headers={"Retry-After": "1"}), Reply(cut=True), Reply(500), Reply(429)]
    with (
        Stub(*faults, Reply(cut=True)) as stub,
        Device(tmp_path, stub.port, "--rate", "200", "--count", "200", "--batch", "7") as device,
    ):
        assert device.end() == 0
        times = [seconds(one["ts"]) for one in stub.accepted]
    assert len(times) == 200
    assert all(0.004 <= b - a <= 0.006 for a, b in pairwise(times))
    assert stub.requests[0].body == stub.requests[5].body, "the batch that was retried has changed"


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(tmp_path: Path, as_date: bool) -> None:
    until = datetime.now(UTC) + timedelta(seconds=4)
    header = format_datetime(until, usegmt=True) if as_date else "2"
    arrivals: list[float] = []

    class Timed(Stub):
        def reply(self, request: "object") -> Reply:
            arrivals.append(time.time())
            return super().reply(request)  # type: ignore[arg-type]

    with (
        Timed(Reply(503, headers={"Retry-After": header})) as stub,
        Device(tmp_path, stub.port, "--count", "1") as device,
    ):
        assert device.end() == 0
    if as_date:
        assert arrivals[1] >= int(until.timestamp())
    else:
        assert arrivals[1] - arrivals[0] >= 2


def test_readings_are_generated_on_schedule_while_the_collector_is_unavailable(
    tmp_path: Path,
) -> None:
    port = free_port()
    with Device(tmp_path, port, "--rate", "50", "--count", "150") as device:
        wait_for(lambda: "connection refused" in device.log_text(), what="a fault")
        with Stub(Reply(503, headers={"Retry-After": "2"}), port=port) as stub:
            assert device.end() == 0
    times = [seconds(one["ts"]) for one in stub.accepted]
    assert len(times) == 150
    assert all(0.019 <= b - a <= 0.021 for a, b in pairwise(times)), (
        "the readings were not on schedule"
    )


def test_a_full_buffer_drops_the_oldest_readings_and_reports_it(tmp_path: Path) -> None:
    port = free_port()
    with Device(tmp_path, port, "--rate", "100", "--buffer", "20") as device:
        wait_for(lambda: re.search(r"dropped: \d+ readings", device.log_text()), what="drops")
        assert max(buffered(device)) <= 20
        with Stub(port=port) as stub:
            wait_for(
                lambda: len(stub.accepted) >= 40, 20, "the readings after the collector returned"
            )
            assert device.stop() == 0
    log = device.log_text()
    reported = re.findall(r"dropped: (?:(\d+) readings, )?.*buffer full \(20 readings\)", log)
    summary = device.summary()
    assert sum(int(number or 1) for number in reported) == summary["dropped"] > 0
    assert summary["accepted"] + summary["dropped"] == summary["readings"]
    assert summary["accepted"] == len(stub.accepted)
    times = [seconds(one["ts"]) for one in stub.accepted]
    assert times == sorted(times)
    first_dropped = re.search(r'dropped: {"ts":"([^"]+)"', log)
    assert first_dropped
    assert seconds(first_dropped[1]) < times[0], "the newest were dropped"


def test_a_refused_reading_is_named_and_the_rest_of_its_batch_arrives(tmp_path: Path) -> None:
    options = "--sensors 5 --sensor-id 1 --rate 500 --count 100 --batch 20"
    with Stub(bad=3) as stub, Device(tmp_path, stub.port, *options.split()) as device:
        assert device.end() == 1
    assert sorted({one["sensor_id"] for one in stub.accepted}) == [1, 2, 4, 5]
    summary = device.summary()
    assert (summary["accepted"], summary["refused"]) == (80, 20)
    named = re.findall(r'dropped: \{.*"sensor_id":3\}: 422 .*not wanted', device.log_text())
    assert len(named) == 20


@pytest.mark.parametrize("reply", [Reply(503, headers={"Retry-After": "100"}), Reply(silent=True)])
def test_sigterm_stops_it_within_two_seconds_whatever_the_collector_does(
    tmp_path: Path, reply: Reply
) -> None:
    with Stub(reply, reply) as stub, Device(tmp_path, stub.port) as device:
        wait_for(lambda: stub.requests, what="a request")
        began = time.monotonic()
        assert device.stop() == 0
        assert time.monotonic() - began < 2
        assert device.summary()["accepted"] == 0


def test_sigterm_flushes_the_buffer(tmp_path: Path) -> None:
    with (
        Stub(Reply(503, headers={"Retry-After": "100"})) as stub,
        Device(tmp_path, stub.port, "--rate", "50") as device,
    ):
        wait_for(lambda: "retrying in" in device.log_text(), what="the 503")
        assert stub.accepted == []
        assert device.stop() == 0
        summary = device.summary()
        assert len(stub.accepted) == summary["accepted"] == summary["readings"] > 0


def test_it_exits_with_1_when_stopped_before_its_count(tmp_path: Path, stub: Stub) -> None:
    with Device(tmp_path, stub.port, "--count", "1000") as device:
        wait_for(lambda: stub.accepted, what="a reading")
        assert device.stop() == 1


def test_it_exits_with_1_when_its_output_is_closed(stub: Stub) -> None:
    argv = [sys.executable, "-m", "device", "-h", "127.0.0.1", "-p", str(stub.port)]
    device = subprocess.Popen([*argv, "--rate", "10"], stdout=PIPE, stderr=PIPE)
    assert device.stdout
    assert device.stderr
    assert device.stdout.readline()
    device.stdout.close()
    assert device.stderr.read() == b""
    device.stderr.close()
    assert device.wait(20) == 1


def test_characters_that_the_terminal_lacks_are_escaped(tmp_path: Path, stub: Stub) -> None:
    with Device(tmp_path, stub.port, "--types", "humé", "--count", "1") as device:
        assert device.end() == 0
        device.env["PYTHONIOENCODING"] = "ascii"
        device.start()
        assert device.end() == 0
    assert [one["type"] for one in stub.accepted] == ["humé", "humé"]
    assert '"type":"humé"' in device.log_text()
    assert '"type":"hum\\xe9"' in device.log_text()


def test_it_uses_little_memory_when_its_buffer_is_full(tmp_path: Path) -> None:
    with Device(tmp_path, free_port(), "--rate", "50000") as device:
        wait_for(lambda: "buffer full" in device.log_text(), 20, "100,000 buffered readings")
        status = Path(f"/proc/{device.pid}/status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident
        assert int(resident[1]) < 80_000, f"{resident[0]} with the default buffer"
