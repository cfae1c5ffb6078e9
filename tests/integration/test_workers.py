"""Several workers that share a port: killed, frozen, stopped, while readings are posted."""

import contextlib
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from collector.outbox.books import read_books
from collector.outbox.outboxes import outboxes
from collector.outbox.schema import OutboxUnusable
from tests.builders import reading
from tests.integration.points import points, wait_points
from tests.integration.poster import Poster
from tests.integration.posting import client, send
from tests.stack import Collector, Stack, wait_for

COUNT = 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A pipeline with two workers. A test may end them if it starts the collector again."""
    stack = Stack(tmp_path_factory.mktemp("workers"))
    stack.collector.env["COLLECTOR_WORKERS"] = str(COUNT)
    # Workers ask each other however long its path is, and whoever clears it up.
    (temporary := stack.collector.outbox.parent / ("t" * 100)).mkdir(parents=True)
    stack.collector.env["TMPDIR"] = str(temporary)
    with stack:
        yield stack


def workers(collector: Collector) -> list[int]:
    """Wait until as many workers run as should, and return their process ids."""
    wanted = int(collector.env["COLLECTOR_WORKERS"])

    def ready() -> list[int]:
        with contextlib.suppress(OutboxUnusable):  # not a moment after it was made
            found = children(collector.pid)
            held = {outbox_of(pid) for pid in found} - {None}
            if len(held) == wanted and accepted(collector):
                return found
        return []

    return wait_for(ready, 20, f"{wanted} workers")


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def outbox_of(pid: int) -> str | None:
    """Return the name of the outbox that a process has open."""
    try:
        found = {fd.readlink().name for fd in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return None
    return next((name for name in sorted(found) if name.endswith(".db")), None)


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def files(collector: Collector) -> list[str]:
    return [path.name for path in outboxes(collector.outbox)]


def accepted(collector: Collector) -> list[int]:
    """Return how many readings each outbox has accepted."""
    return [read_books(path).accepted for path in outboxes(collector.outbox)]


class Posters:
    """Devices that post on connections of their own, so that every worker has some."""

    def __init__(self, collector: Collector, sensor: str, count: int = 4) -> None:
        self._posters = [
            Poster(collector, f"{sensor} {number}", timeout=1) for number in range(count)
        ]
        self._running = contextlib.ExitStack()

    def wait_accepted(self, more: int) -> None:
        """Wait until some device has had that many more readings accepted."""
        before = [len(one.accepted) for one in self._posters]
        wait_for(
            lambda: any(
                len(one.accepted) >= count + more
                for one, count in zip(self._posters, before, strict=True)
            ),
            20,
        )

    def check_stored(self, stack: Stack) -> None:
        """Check that what was accepted is in InfluxDB, and nothing that was not sent."""
        for one in self._posters:
            wait_for(lambda: one.accepted <= self._stored(stack, one), 30, one.sensor)  # noqa: B023
            assert self._stored(stack, one) <= one.attempted

    def _stored(self, stack: Stack, poster: Poster) -> set[int]:
        return {ns for _, ns in points(stack.influx, poster.sensor)}

    def __enter__(self) -> Self:
        for one in self._posters:
            self._running.enter_context(one)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


def test_connections_are_spread_and_all_readings_are_stored(stack: Stack, sensor: str) -> None:
    workers(stack.collector)
    before = accepted(stack.collector)
    with client(stack.collector, headers={"Connection": "close"}) as http:
        for number in range(40):
            assert send(http, reading(sensor, number + 1)).status_code == 201
    wait_points(stack.influx, sensor, 40)
    more = [after - then for after, then in zip(accepted(stack.collector), before, strict=True)]
    assert len(more) == COUNT
    assert sum(more) == 40
    assert all(more), more


@pytest.mark.parametrize("how", ["one", "all"])
def test_a_killed_worker_comes_back_alone_with_its_own_outbox(
    stack: Stack, sensor: str, how: str
) -> None:
    before = workers(stack.collector)
    killed = before[-1:] if how == "one" else before
    with Posters(stack.collector, sensor) as posters:
        posters.wait_accepted(10)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        if how == "one":
            posters.wait_accepted(10)  # by the other
        wait_for(lambda: not alive(killed))
        after = workers(stack.collector)
        posters.wait_accepted(10)
    posters.check_stored(stack)
    assert set(after) & set(before) == set(before) - set(killed)
    with client(stack.collector) as http:
        wait_for(lambda: http.get("/readyz").status_code == 200)
        assert "collector_workers_answering 2.0" in http.get("/metrics").text
    assert list(Path(stack.collector.env["TMPDIR"]).iterdir()) == [], "nothing to be cleared up"
    assert files(stack.collector) == ["outbox.db", "outbox-2.db"]


def test_a_frozen_worker_holds_up_only_its_own_connections(stack: Stack, sensor: str) -> None:
    frozen = workers(stack.collector)[0]
    with Posters(stack.collector, sensor) as posters:
        posters.wait_accepted(10)
        os.kill(frozen, signal.SIGSTOP)
        try:
            posters.wait_accepted(10)
        finally:
            os.kill(frozen, signal.SIGCONT)
        posters.wait_accepted(10)
    posters.check_stored(stack)


def test_workers_end_with_their_parent_however_it_ends(stack: Stack, sensor: str) -> None:
    with Posters(stack.collector, sensor) as posters:
        before = workers(stack.collector)
        posters.wait_accepted(10)
        os.kill(before[0], signal.SIGSTOP)
        stack.collector.kill()
        wait_for(lambda: not alive(before))
        stack.collector.start()
        before = workers(stack.collector)
        posters.wait_accepted(10)
        assert stack.collector.stop() == 0
        assert not alive(before)
        stack.collector.start()
        posters.wait_accepted(10)
    posters.check_stored(stack)
    assert files(stack.collector) == ["outbox.db", "outbox-2.db"]


def test_what_is_wrong_is_said_once_and_ends_the_service(tmp_path: Path) -> None:
    env = {"COLLECTOR_WORKERS": "3", "ALLOWED_ORIGINS": "shop.example"}
    collector = Collector(tmp_path, mqtt_port=1, influx_port=1, env=env)
    collector.start()
    wait_for(lambda: not collector.running, 20)
    assert collector.stop() == 1
    first, second = collector.log_text().splitlines()
    assert first.startswith("collector: ALLOWED_ORIGINS='shop.example': ")
    assert second == "collector: worker 1 ended with exit code 1"


def test_a_port_in_use_is_said(stack: Stack, tmp_path: Path) -> None:
    port = stack.collector.port
    env = {"COLLECTOR_WORKERS": "2"}
    collector = Collector(tmp_path, port=port, mqtt_port=1, influx_port=1, env=env)
    collector.start()
    wait_for(lambda: not collector.running, 20)
    assert collector.stop() == 1
    assert f"collector: COLLECTOR_PORT='{port}': cannot listen on" in collector.log_text()
    assert files(collector) == []


def test_workers_share_certificates(tmp_path: Path) -> None:
    env = {"COLLECTOR_WORKERS": "3", "TLS": "127.0.0.1"}
    collector = Collector(tmp_path, mqtt_port=1, influx_port=1, env=env)
    url = collector.url.replace("http:", "https:")
    collector.start()
    try:
        workers(collector)
        authority = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.crt")
        close = {"Connection": "close"}
        with client(collector, base_url=url, verify=authority, headers=close) as http:
            for _ in range(20):
                assert http.get("/healthz").text == "alive\n"
    finally:
        assert collector.stop() == 0
