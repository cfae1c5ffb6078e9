"""The start and the end of a service, without a process of its own."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from telemetry import process
from telemetry.process import ServiceError


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave this process its signals and its limits."""
    monkeypatch.setattr(process, "leave_no_core_file", lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fail(text: str) -> None:
    raise ServiceError(text)


async def signal_self(number: int) -> None:
    os.kill(os.getpid(), number)
    await for_ever()


class Recorder:
    """A part that notes its cancellation, and the stop of the service."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def part(self) -> None:
        try:
            await for_ever()
        finally:
            self.events.append("part ended")

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.events.append("stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_before_its_parts(number: int) -> None:
    recorder = Recorder()
    run = process.run(stop=recorder.stop, a=recorder.part(), b=signal_self(number))
    asyncio.run(run)
    assert recorder.events == ["stopped", "part ended"]


def test_a_failed_part_stops_the_service_and_is_raised() -> None:
    recorder = Recorder()
    with pytest.raises(ServiceError, match="broken"):
        asyncio.run(process.run(stop=recorder.stop, a=recorder.part(), b=fail("broken")))
    assert recorder.events == ["stopped", "part ended"]


def test_a_part_that_returns_stops_the_service() -> None:
    recorder = Recorder()
    asyncio.run(process.run(stop=recorder.stop, a=recorder.part(), b=asyncio.sleep(0)))
    assert recorder.events == ["stopped", "part ended"]


def test_a_part_that_fails_while_the_service_stops_is_raised() -> None:
    stopping = asyncio.Event()

    async def stop() -> None:
        stopping.set()
        await asyncio.sleep(0.01)

    async def late() -> None:
        await stopping.wait()
        await fail("too late")

    with pytest.raises(ServiceError, match="too late"):
        asyncio.run(process.run(stop=stop, a=late(), b=asyncio.sleep(0)))


def test_a_stop_that_fails_is_raised_and_the_parts_are_cancelled() -> None:
    recorder = Recorder()
    with pytest.raises(ServiceError, match="no stop"):
        asyncio.run(
            process.run(stop=lambda: fail("no stop"), a=recorder.part(), b=asyncio.sleep(0))
        )
    assert recorder.events == ["part ended"]


def test_the_parts_are_tasks_with_their_names() -> None:
    names: list[str] = []

    async def note() -> None:
        names.extend(task.get_name() for task in asyncio.all_tasks())

    asyncio.run(process.run(stop=Recorder().stop, first=for_ever(), second=note()))
    assert {"first", "second"} <= set(names)


def test_an_orderly_end_is_exit_code_0() -> None:
    assert process.main("service", lambda: asyncio.sleep(0)) == 0


def test_a_service_error_is_a_line_on_stderr_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert process.main("service", lambda: fail("PORT='x': Expected `int`")) == 1
    assert capsys.readouterr().err == "service: PORT='x': Expected `int`\n"


def test_any_other_error_is_raised() -> None:
    async def defect() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        process.main("service", defect)


def test_a_signal_before_the_service_runs_is_exit_code_0() -> None:
    async def early() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(1)

    with pytest.raises(SystemExit) as raised:
        process.main("service", early)
    assert raised.value.code == 0
