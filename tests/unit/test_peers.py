"""What workers ask each other, whatever they answer."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from collector import peers as module
from collector.http.readiness import Readiness
from collector.outbox.group_commit import OutboxBusy
from collector.peers import Peers
from telemetry.process import ServiceError

Answers = dict[int, bytes | None]


def sockets(directory: Path) -> int:
    return len(list(directory.iterdir()))


@contextlib.asynccontextmanager
async def workers(directory: Path, count: int) -> AsyncIterator[list[Peers]]:
    """Run workers that answer `who` with their number."""
    made = [Peers(directory, number, count) for number in range(1, count + 1)]
    for number, peers in enumerate(made, 1):
        peers.add_answer("who", b"%d".__mod__(number).strip)
    running = [asyncio.create_task(peers.run()) for peers in made]
    while sockets(directory) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


def asked(directory: Path, prepare: Callable[[Peers, Peers, Peers], None]) -> Answers:
    """Return what the first of three workers is told by the others."""

    async def scenario() -> Answers:
        async with workers(directory, 3) as (one, two, three):
            prepare(one, two, three)
            return await one.ask("who")

    return asyncio.run(scenario())


def test_each_of_the_others_answers(tmp_path: Path) -> None:
    assert asked(tmp_path, lambda *_: None) == {2: b"2", 3: b"3"}


def failing(error: Exception) -> Callable[[], bytes]:
    def answer() -> bytes:
        raise error

    return answer


@pytest.mark.parametrize("error", [OutboxBusy("busy"), KeyError("who"), OSError("no disk")])
def test_one_that_cannot_answer_leaves_the_others_theirs(tmp_path: Path, error: Exception) -> None:
    told = asked(tmp_path, lambda _, two, __: two.add_answer("who", failing(error)))
    assert told == {2: None, 3: b"3"}


def test_one_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_S", 0.1)

    async def scenario() -> tuple[Answers, list[str]]:
        frozen = socket.socket(socket.AF_UNIX)
        with frozen:
            frozen.bind(str(tmp_path / "2.sock"))
            frozen.listen()
            one = Peers(tmp_path, 1, 3)
            return await one.ask("who"), await Readiness([], one).obstacles()

    told, reasons = asyncio.run(scenario())
    assert told == {2: None, 3: None}, "3 is not even there"
    assert reasons == ["worker 2 of 3 does not answer", "worker 3 of 3 does not answer"]


def test_reasons_that_all_have_are_given_once(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with workers(tmp_path, 3) as (one, two, three):
            readiness = [Readiness([], peers) for peers in (one, two, three)]
            said = msgspec.json.encode(["the broker cannot be reached"])
            for peers in (two, three):
                peers.add_answer("obstacles", lambda: said)
            return await readiness[0].obstacles()

    assert asyncio.run(scenario()) == ["the broker cannot be reached"]


def test_a_crowd_that_asks_one_asks_the_others_once(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        count = 0

        def counting() -> bytes:
            nonlocal count
            count += 1
            return b"2"

        async with workers(tmp_path, 2) as (one, two):
            two.add_answer("who", counting)
            first = asyncio.create_task(one.ask("who"))
            crowd = [asyncio.create_task(one.ask("who")) for _ in range(100)]
            await asyncio.sleep(0)
            first.cancel()  # its client went away
            told = await asyncio.gather(*crowd)
            assert told == [{2: b"2"}] * 100
            once = count
            await one.ask("who")
            return once, count

    assert asyncio.run(scenario()) == (1, 2), "control: asked later, it is asked again"


def test_a_path_that_is_too_long_ends_the_service(tmp_path: Path) -> None:
    (directory := tmp_path / ("d" * 120)).mkdir()
    with pytest.raises(ServiceError, match="workers cannot ask each other"):
        asyncio.run(Peers(directory, 1, 2).run())


@pytest.mark.parametrize("sent", [b"", b"nonsense\n", b"\xff\n", b"x" * 100_000])
def test_strange_questions_are_not_answered(tmp_path: Path, sent: bytes) -> None:
    async def scenario() -> tuple[bytes, Answers]:
        async with workers(tmp_path, 2) as (one, _):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "2.sock")
            writer.write(sent)
            writer.write_eof()
            try:
                answer = await reader.read()
            except ConnectionResetError:  # it had not read all
                answer = b""
            writer.close()
            return answer, await one.ask("who")

    assert asyncio.run(scenario()) == (b"", {2: b"2"})
