"""What is printed, and how often."""

import json
import re
from pathlib import Path

import pytest

from device.buffer import Buffer
from device.report import Report
from device.responses import Response
from tests.device.process import Device
from tests.device.stub import Stub
from tests.service import free_port, wait_for

AWAY = Response(None, "connection refused")
FULL = Response(503, json.dumps({"title": "Service Unavailable", "detail": "the outbox is full"}))
CREATED = Response(201, "Created")


class Clock:
    """Seconds since the start of a test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def report(clock: Clock) -> Report:
    return Report(Buffer(3), rate=1000, total=None, now=clock)


def faults(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_fault_is_printed_first_then_every_ten_seconds_and_at_its_end(
    clock: Clock, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    for second in range(25):
        clock.now = second
        report.kept(AWAY, 1)
    report.accepted(["a"], CREATED)
    report.accepted(["b"], CREATED)
    line = "not accepted: connection refused; 0 buffered, retrying in 1.0 s"
    assert faults(capsys) == [line] * 3 + ["accepted again after 24.0 s"]


def test_another_fault_is_printed_at_once(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    for response in (AWAY, AWAY, FULL, FULL):
        report.kept(response, 0.25)
    assert faults(capsys) == [
        "not accepted: connection refused; 0 buffered, retrying in 0.2 s",
        "not accepted: 503 the outbox is full; 0 buffered, retrying in 0.2 s",
    ]


def test_the_same_fault_is_printed_again_when_it_was_over(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        report.kept(AWAY, 1)
        report.accepted(["a"], CREATED)
    assert [line.split()[0] for line in faults(capsys)] == ["not", "accepted"] * 2


def test_giving_up_is_always_printed(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.kept(AWAY, 1)
    report.kept(AWAY, None)
    assert faults(capsys)[-1] == "not accepted: connection refused; 0 buffered, giving up"


@pytest.mark.parametrize(
    "text", ["x" * 10_000, '{"detail":"' + "x" * 500 + '"}', "\n" * 500 + "x\x1b[2J" * 500]
)
def test_a_fault_is_one_short_line_without_control_characters(
    text: str, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.kept(Response(500, text), 9.9)
    (line,) = faults(capsys)
    assert len(line) <= 120
    assert line.isprintable()


def test_without_a_collector_few_lines_are_printed(tmp_path: Path) -> None:
    with Device(tmp_path, free_port(), "--rate", "50", "--buffer", "10000") as device:
        wait_for(lambda: device.log_text().count("not accepted") == 2, 20, "the fault again")
        assert device.stop() == 0
    first, second, last, summary = device.log_text().splitlines()
    assert re.fullmatch(
        r"not accepted: connection refused; \d+ buffered, retrying in \d\.\d s", first
    )
    number = re.search(r"(\d+) buffered", second)
    assert number
    assert int(number[1]) >= 400, "the fault was printed again before 10 s"
    assert last.endswith("giving up")
    assert " 0 accepted" in summary


def test_overflow_is_reported_at_most_once_per_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    report = Report(Buffer(3), rate=1000, total=None, now=lambda: now)
    for number in range(2500):
        now = number / 1000
        report.overflowed(json.dumps(number))
    assert report.finish()
    assert capsys.readouterr().err.splitlines() == [
        "dropped: 0: buffer full (3 readings)",
        "dropped: 1000 readings, 1 to 1000: buffer full (3 readings)",
        "dropped: 1000 readings, 1001 to 2000: buffer full (3 readings)",
        "dropped: 499 readings, 2001 to 2499: buffer full (3 readings)",
    ]


@pytest.mark.parametrize(("rate", "lines"), [(10, 3), (11, 0)])
def test_each_reading_is_printed_at_up_to_ten_per_second(
    rate: float, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(Buffer(3), rate=rate, total=None, now=lambda: 0.0)
    report.accepted(["a", "b", "c"], Response(201, "Created"))
    assert capsys.readouterr().out.splitlines() == ["a", "b", "c -> 201 Created"][:lines]


@pytest.mark.parametrize("rate", [1, 1000])
def test_when_quiet_only_faults_and_the_summary_are_printed(
    rate: float, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(Buffer(3), rate=rate, total=None, quiet=True, now=clock)
    report.accepted(["a"], CREATED)
    report.kept(AWAY, 1)
    clock.now = 5
    report.accepted(["b"], CREATED)
    report.refused(["c"], Response(422, "because"))
    report.finish()
    printed = capsys.readouterr()
    assert printed.out.startswith("0 readings in 5.0 s: 2 accepted, 0 buffered, 1 refused")
    assert printed.out.count("\n") == 1
    assert [line.split(":")[0] for line in printed.err.splitlines()] == [
        "not accepted",
        "accepted again after 5.0 s",
        "dropped",
    ]


def test_a_quiet_process_prints_only_its_summary(tmp_path: Path) -> None:
    with Stub() as stub:
        options = ["--quiet", "--count", "3", "--rate", "10"]
        with Device(tmp_path, stub.port, *options) as device:
            assert device.end() == 0
    assert len(stub.accepted) == 3
    (line,) = device.log_text().splitlines()
    assert "3 accepted" in line
