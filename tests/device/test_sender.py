"""The sender against a collector that is a function, and waits that take no time."""

import json
from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.answers import Answer, Verdict
from device.buffer import Buffer
from device.report import Report
from device.sender import Sender


class Waits(Event):
    """Records what would have been waited; set by the wait number `stop_at`, if any."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.waited: list[float] = []
        self.stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        self.waited.append(timeout or 0)
        if len(self.waited) == self.stop_at:
            self.set()
        return self.is_set()


class Collected:
    """Answers with `script`, one answer each, then as the contract says.

    `bad` readings are refused with 422, requests of more than `largest` readings with 413.
    """

    def __init__(
        self, *script: Answer, bad: frozenset[str] = frozenset(), largest: int = 10**6
    ) -> None:
        self.script = list(script)
        self.bad = bad
        self.largest = largest
        self.stored: list[str] = []
        self.sizes: list[int] = []

    def post(self, readings: Sequence[str]) -> Answer:
        """Take a request."""
        self.sizes.append(len(readings))
        answer = self.script.pop(0) if self.script else Answer(201, "Created")
        if answer.verdict == Verdict.ACKNOWLEDGED:
            if len(readings) > self.largest:
                return Answer(413, "too large")
            if self.bad.intersection(readings):
                return Answer(422, "not valid")
            self.stored += readings
        return answer


def deliver(
    readings: Sequence[str], collected: Collected, batch: int = 1, waits: Waits | None = None
) -> tuple[Report, Waits]:
    """Send all `readings` to their end, with nothing more to come."""
    buffer = Buffer(len(readings) + batch)
    for reading in readings:
        buffer.put(reading)
    buffer.close()
    waits = waits or Waits()
    report = Report(buffer, rate=1000, total=None)
    Sender(buffer, collected.post, report, batch, waits).run()
    assert report.number_acknowledged + report.number_refused + len(buffer) == len(readings)
    return report, waits


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


TRANSIENT = st.sampled_from([None, 429, 500, 502, 503, 504, 404, 302, 200, 408])


@given(st.integers(0, 60), st.integers(1, 12), st.lists(TRANSIENT, max_size=30))
def test_all_arrive_once_and_in_order_through_any_faults(
    count: int, batch: int, faults: list[int | None]
) -> None:
    collected = Collected(*(Answer(status, "") for status in faults))
    report, waits = deliver(numbered(count), collected, batch)
    assert collected.stored == numbered(count)
    assert report.number_acknowledged == count
    assert len(waits.waited) == min(len(faults), len(collected.sizes))


@given(st.integers(1, 60), st.integers(1, 16), st.sets(st.integers(0, 59)), st.lists(TRANSIENT))
def test_only_the_readings_at_fault_are_dropped(
    count: int, batch: int, bad: set[int], faults: list[int | None]
) -> None:
    collected = Collected(*(Answer(status, "") for status in faults), bad=frozenset(map(str, bad)))
    report, _ = deliver(numbered(count), collected, batch)
    assert collected.stored == [one for one in numbered(count) if int(one) not in bad]
    assert report.number_refused == len(bad & set(range(count)))


@given(st.integers(1, 100), st.integers(1, 64), st.integers(1, 64))
def test_too_large_halves_the_batch_for_good(count: int, batch: int, largest: int) -> None:
    collected = Collected(largest=largest)
    deliver(numbered(count), collected, batch)
    assert collected.stored == numbered(count)
    too_large = [size for size in collected.sizes if size > largest]
    assert len(too_large) <= batch.bit_length()


def test_a_single_reading_that_is_too_large_is_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, _ = deliver(numbered(3), Collected(largest=0), batch=2)
    assert report.number_refused == 3
    assert capsys.readouterr().err.splitlines()[-1] == "dropped: 2: 413 too large"


@pytest.mark.parametrize("status", [400, 403, 415, 422])
def test_what_was_dropped_is_named_with_the_reason(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report, waits = deliver(numbered(2), Collected(Answer(status, "because")))
    assert capsys.readouterr().err == f"dropped: 0: {status} because\n"
    assert (report.number_refused, report.number_acknowledged) == (1, 1)
    assert waits.waited == []


def test_a_wrong_token_drops_the_batch_without_a_search() -> None:
    collected = Collected(Answer(401, "no such token"))
    report, _ = deliver(numbered(8), collected, batch=4)
    assert collected.sizes == [4, 4]
    assert (report.number_refused, report.number_acknowledged) == (4, 4)


def test_it_waits_at_least_as_long_as_retry_after_says() -> None:
    _, asked = deliver(numbered(1), Collected(Answer(503, "", retry_after=60)))
    _, free = deliver(numbered(1), Collected(Answer(503, "")))
    assert asked.waited == [60]
    assert free.waited[0] <= 0.25


def test_the_waits_grow_and_begin_anew_after_a_success() -> None:
    away = [Answer(None, "away")] * 200
    _, waits = deliver(numbered(2), Collected(*away, Answer(201, ""), *away))
    first, second = waits.waited[:200], waits.waited[200:]
    for waited in (first, second):
        assert waited[0] <= 0.25
        assert waited[1] <= 0.5
        assert 5 < max(waited) <= 10


def test_when_stopping_one_failure_is_the_end_and_the_rest_stays() -> None:
    away = [Answer(None, "away")] * 100
    collected = Collected(*away)
    report, waits = deliver(numbered(5), collected, waits=Waits(stop_at=3))
    assert len(waits.waited) == 3
    assert len(collected.sizes) == 4  # three, and once more when told to stop
    assert report.number_acknowledged == 0


def test_when_stopping_all_is_flushed_if_the_collector_is_back() -> None:
    collected = Collected(Answer(503, "", retry_after=100))
    deliver(numbered(5), collected, batch=2, waits=Waits(stop_at=1))
    assert collected.stored == numbered(5)


def test_report_names_what_a_full_buffer_dropped_once_a_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    report = Report(Buffer(3), rate=1000, total=None, now=lambda: now)
    for number in range(2500):
        now = number / 1000
        report.overflowed(json.dumps(number))
    assert report.finish()
    assert capsys.readouterr().err.splitlines() == [
        "dropped: 0: the buffer (3) is full",
        "dropped: 1000 readings, 1 to 1000: the buffer (3) is full",
        "dropped: 1000 readings, 1001 to 2000: the buffer (3) is full",
        "dropped: 499 readings, 2001 to 2499: the buffer (3) is full",
    ]


@pytest.mark.parametrize(("rate", "lines"), [(10, 3), (11, 0)])
def test_readings_are_printed_each_up_to_ten_a_second(
    rate: float, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(Buffer(3), rate=rate, total=None, now=lambda: 0.0)
    report.acknowledged(["a", "b", "c"], Answer(201, "Created"))
    out: Any = capsys.readouterr().out.splitlines()
    assert out == ["a", "b", "c -> 201 Created"][:lines]
