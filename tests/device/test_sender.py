"""The sender against a collector that is a function, with waits that take no time."""

from collections.abc import Sequence
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.buffer import Buffer
from device.report import Report
from device.responses import Response, Verdict
from device.sender import Sender


class Waits(Event):
    """Records the timeouts instead of waiting; wait number `stop_at` sets the event."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.waited: list[float] = []
        self.stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0)
        if len(self.waited) == self.stop_at:
            self.set()
        return self.is_set()


class FakeCollector:
    """Responds to each request with the next of `script`, then with 201.

    Instead of 201, requests with a reading in `bad` get 422, and those with more than `largest`
    readings get 413.
    """

    def __init__(
        self, *script: Response, bad: frozenset[str] = frozenset(), largest: int = 10**6
    ) -> None:
        self.script = list(script)
        self.bad = bad
        self.largest = largest
        self.accepted: list[str] = []
        self.sizes: list[int] = []

    def post(self, readings: Sequence[str]) -> Response:
        self.sizes.append(len(readings))
        response = self.script.pop(0) if self.script else Response(201, "Created")
        if response.verdict == Verdict.ACCEPTED:
            if len(readings) > self.largest:
                return Response(413, "too large")
            if self.bad.intersection(readings):
                return Response(422, "not valid")
            self.accepted += readings
        return response


def deliver(
    readings: Sequence[str], collector: FakeCollector, batch: int = 1, waits: Waits | None = None
) -> tuple[Report, Waits]:
    """Send `readings` from a buffer that is then closed."""
    buffer = Buffer(len(readings) + batch)
    for reading in readings:
        buffer.put(reading)
    buffer.close()
    waits = waits or Waits()
    report = Report(buffer, rate=1000, total=None)
    Sender(buffer, collector.post, report, batch, waits).run()
    assert report.number_accepted + report.number_refused + len(buffer) == len(readings)
    return report, waits


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


TRANSIENT = st.sampled_from([None, 429, 500, 502, 503, 504, 404, 302, 200, 408])


@given(st.integers(0, 60), st.integers(1, 12), st.lists(TRANSIENT, max_size=30))
def test_all_readings_arrive_once_and_in_order_despite_transient_faults(
    count: int, batch: int, faults: list[int | None]
) -> None:
    collector = FakeCollector(*(Response(status, "") for status in faults))
    report, waits = deliver(numbered(count), collector, batch)
    assert collector.accepted == numbered(count)
    assert report.number_accepted == count
    assert len(waits.waited) == min(len(faults), len(collector.sizes))


@given(st.integers(1, 60), st.integers(1, 16), st.sets(st.integers(0, 59)), st.lists(TRANSIENT))
def test_only_the_refused_readings_are_dropped(
    count: int, batch: int, bad: set[int], faults: list[int | None]
) -> None:
    collector = FakeCollector(
        *(Response(status, "") for status in faults), bad=frozenset(map(str, bad))
    )
    report, _ = deliver(numbered(count), collector, batch)
    assert collector.accepted == [one for one in numbered(count) if int(one) not in bad]
    assert report.number_refused == len(bad & set(range(count)))


@given(st.integers(1, 100), st.integers(1, 64), st.integers(1, 64))
def test_413_halves_the_batch_permanently(count: int, batch: int, largest: int) -> None:
    collector = FakeCollector(largest=largest)
    deliver(numbered(count), collector, batch)
    assert collector.accepted == numbered(count)
    too_large = [size for size in collector.sizes if size > largest]
    assert len(too_large) <= batch.bit_length()


def test_a_single_reading_that_is_too_large_is_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, _ = deliver(numbered(3), FakeCollector(largest=0), batch=2)
    assert report.number_refused == 3
    assert capsys.readouterr().err.splitlines()[-1] == "dropped: 2: 413 too large"


@pytest.mark.parametrize("status", [400, 403, 415, 422])
def test_a_dropped_reading_is_named_with_the_reason(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report, waits = deliver(numbered(2), FakeCollector(Response(status, "because")))
    assert capsys.readouterr().err == f"dropped: 0: {status} because\n"
    assert (report.number_refused, report.number_accepted) == (1, 1)
    assert waits.waited == []


def test_401_drops_the_whole_batch_without_halving_it() -> None:
    collector = FakeCollector(Response(401, "no such token"))
    report, _ = deliver(numbered(8), collector, batch=4)
    assert collector.sizes == [4, 4]
    assert (report.number_refused, report.number_accepted) == (4, 4)


def test_it_waits_at_least_as_long_as_retry_after_says() -> None:
    _, asked = deliver(numbered(1), FakeCollector(Response(503, "", retry_after=60)))
    _, free = deliver(numbered(1), FakeCollector(Response(503, "")))
    assert asked.waited == [60]
    assert free.waited[0] <= 0.25


def test_the_waits_grow_and_start_over_after_a_success() -> None:
    away = [Response(None, "away")] * 200
    _, waits = deliver(numbered(2), FakeCollector(*away, Response(201, ""), *away))
    first, second = waits.waited[:200], waits.waited[200:]
    for waited in (first, second):
        assert waited[0] <= 0.25
        assert waited[1] <= 0.5
        assert 5 < max(waited) <= 10


def test_when_stopping_it_ends_at_the_first_failure() -> None:
    away = [Response(None, "away")] * 100
    collector = FakeCollector(*away)
    report, waits = deliver(numbered(5), collector, waits=Waits(stop_at=3))
    assert len(waits.waited) == 3
    assert len(collector.sizes) == 4  # three, and one more after it was told to stop
    assert report.number_accepted == 0


def test_when_stopping_the_buffer_is_flushed_if_the_collector_responds() -> None:
    collector = FakeCollector(Response(503, "", retry_after=100))
    deliver(numbered(5), collector, batch=2, waits=Waits(stop_at=1))
    assert collector.accepted == numbered(5)
