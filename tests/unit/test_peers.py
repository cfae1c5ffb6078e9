"""What workers ask each other, whatever they answer."""
# ruff: noqa: SLF001  where the others are

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from collector import peers as module
from collector.http.readiness import Readiness
from collector.outbox.group_commit import OutboxBusy
from collector.parent import listener
from collector.peers import Peers

Answers = dict[int, bytes | None]


@contextlib.asynccontextmanager
async def workers(count: int) -> AsyncIterator[list[Peers]]:
    """Run workers that answer `who` with their number."""
    name = secrets.token_hex(8)
    numbers = range(1, count + 1)
    made = [Peers(listener(name, number), name, number, count) for number in numbers]
    for number, peers in enumerate(made, 1):
        peers.add_answer("who", b"%d".__mod__(number).strip)
    running = [asyncio.create_task(peers.run()) for peers in made]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


def asked(prepare: Callable[[Peers, Peers, Peers], None]) -> Answers:
    """Return what the first of three workers is told by the others."""

    async def scenario() -> Answers:
        async with workers(3) as (one, two, three):
            prepare(one, two, three)
            return await one.ask("who")

    return asyncio.run(scenario())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 0.1 s for an answer, and take 0.5 s without one for silence."""
    monkeypatch.setattr(module, "_ANSWER_S", 0.1)
    monkeypatch.setattr(module, "_TURN_S", 0.01)
    monkeypatch.setattr(module, "_AGAIN_S", 0.02)


def test_each_of_the_others_answers() -> None:
    assert asked(lambda *_: None) == {2: b"2", 3: b"3"}


def failing(error: Exception) -> Callable[[], bytes]:
    def answer() -> bytes:
        raise error

    return answer


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [OutboxBusy("busy"), KeyError("who"), OSError("no disk")])
def test_one_that_cannot_answer_leaves_the_others_theirs(error: Exception) -> None:
    told = asked(lambda _, two, __: two.add_answer("who", failing(error)))
    assert told == {2: None, 3: b"3"}


async def reasons(one: Peers, *, for_s: float) -> list[list[str]]:
    """Ask for the obstacles for a while; return the answers, one after the other."""
    readiness, end = Readiness([], one), time.monotonic() + for_s
    found = []
    while time.monotonic() < end:
        found.append(await readiness.obstacles())
    return found


@pytest.mark.usefixtures("quick")
def test_one_that_says_nothing_for_long_is_named_and_not_waited_for() -> None:
    async def scenario() -> tuple[Answers, list[list[str]], float]:
        name = secrets.token_hex(8)
        with listener(name, 2) as frozen:
            frozen.listen()
            one, began = Peers(None, name, 1, 3), time.monotonic()
            told = await one.ask("who")
            took_s = time.monotonic() - began
            return told, await reasons(one, for_s=1), took_s

    told, said, took_s = asyncio.run(scenario())
    assert told == {2: None, 3: None}, "3 is not even there"
    assert took_s < 0.4
    assert said[0] == []
    assert said[-1] == ["worker 2 of 3 does not answer", "worker 3 of 3 does not answer"]


@pytest.mark.usefixtures("quick")
def test_one_that_is_busy_or_starts_is_not_named() -> None:
    async def scenario() -> list[list[str]]:
        name = secrets.token_hex(8)
        one = Peers(None, name, 1, 3)

        async def answer(number: int, after_s: float) -> None:
            peers = Peers(door := listener(name, number), name, number, 3)
            Readiness([], peers)
            if number == 2:  # busy: others can connect
                door.listen()
            await asyncio.sleep(after_s)
            await peers.run()

        running = [asyncio.create_task(answer(number, 0.25)) for number in (2, 3)]
        said = await reasons(one, for_s=1)
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        return said

    said = asyncio.run(scenario())
    assert len(said) > 3
    assert not any(said)


@pytest.mark.usefixtures("quick")
def test_one_that_answers_again_is_no_longer_named() -> None:
    async def scenario() -> tuple[list[str], list[str], list[str]]:
        name = secrets.token_hex(8)
        one, two = Peers(None, name, 1, 2), Peers(listener(name, 2), name, 2, 2)
        Readiness([], two)
        silent = (await reasons(one, for_s=1))[-1]
        running = asyncio.create_task(two.run())
        back = (await reasons(one, for_s=0.2))[-1]
        running.cancel()
        await asyncio.wait([running])
        return silent, back, await Readiness([], one).obstacles()

    silent, back, silent_again = asyncio.run(scenario())
    assert (silent, back) == (["worker 2 of 2 does not answer"], [])
    assert silent_again == [], "not for so long yet"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("turns", "turn_s"), [(50, 0.01), (1, 0.5)], ids=["turns", "control"])
def test_a_busy_asker_does_not_take_its_own_lag_for_silence(
    monkeypatch: pytest.MonkeyPatch, turns: int, turn_s: float
) -> None:
    monkeypatch.setattr(module, "_TURNS", turns)
    monkeypatch.setattr(module, "_TURN_S", turn_s)

    async def scenario() -> bool:
        async with workers(2) as (one, _):
            asking = asyncio.create_task(one.ask("who"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            time.sleep(0.8)  # noqa: ASYNC251  longer than a silence
            await asking
            await asyncio.sleep(0.05)
            return one.is_silent("who", 2)

    assert asyncio.run(scenario()) == (turns == 1)


@pytest.mark.usefixtures("quick")
def test_a_process_of_another_user_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(lambda *_: None) == {2: b"2", 3: b"3"}, "control"
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert asked(lambda *_: None) == {2: None, 3: None}


def test_reasons_that_all_have_are_given_once() -> None:
    async def scenario() -> list[str]:
        async with workers(3) as (one, two, three):
            readiness = [Readiness([], peers) for peers in (one, two, three)]
            said = msgspec.json.encode(["the broker cannot be reached"])
            for peers in (two, three):
                peers.add_answer("obstacles", lambda: said)
            return await readiness[0].obstacles()

    assert asyncio.run(scenario()) == ["the broker cannot be reached"]


def test_a_crowd_that_asks_one_asks_the_others_once() -> None:
    async def scenario() -> tuple[int, int]:
        count = 0

        def counting() -> bytes:
            nonlocal count
            count += 1
            return b"2"

        async with workers(2) as (one, two):
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


def connected(one: Peers) -> socket.socket:
    """Return a connection to the second worker, as the first one makes them."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(one._others[2])
    return connection


@pytest.mark.parametrize("sent", [b"", b"nonsense\n", b"\xff\n", b"x" * 100_000])
def test_strange_questions_are_not_answered(sent: bytes) -> None:
    async def scenario() -> tuple[bytes, Answers]:
        async with workers(2) as (one, _):
            await one.ask("who")  # now it listens
            reader, writer = await asyncio.open_unix_connection(sock=connected(one))
            writer.write(sent)
            writer.write_eof()
            try:
                answer = await reader.read()
            except ConnectionResetError:  # it had not read all
                answer = b""
            writer.close()
            return answer, await one.ask("who")

    assert asyncio.run(scenario()) == (b"", {2: b"2"})
