"""GET /live: what is on the broker, to every page that is open, at the cost of nothing else."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.builders import reading
from tests.chaos.mqtt_publisher import publication
from tests.connect import CONNECT
from tests.integration.http_connection import head
from tests.integration.http_server import LONGEST_S, PATIENT, Dial, serve
from tests.integration.live_events import TS_MS, Live, json_of, readings
from tests.integration.posting import client, send
from tests.service import wait_for
from tests.unit.live.test_newest import HOSTILE


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Live]:
    """One whose parts a test may stop and start."""
    live = Live(tmp_path)
    with live.broker, live.collector:
        yield live


def test_what_is_retained_is_there_at_once_and_the_rest_follows(live: Live) -> None:
    live.publish("readings/old/temp", json_of("old", 20), "-r")
    with live.viewer() as viewer:
        assert viewer.status == 200
        assert viewer.fields["content-type"] == "text/event-stream"
        assert viewer.fields["cache-control"] == "no-store"
        first = viewer.until(lambda event: event.name == "readings")
        assert first.data["all"] is True
        assert readings(first)["old/temp"] == (TS_MS, 20)
        live.publish("readings/old/temp", json_of("old", 21.5))
        event = viewer.until(lambda event: "old/temp" in readings(event))
        assert event.data["all"] is False
        assert (event.data["arrived"], event.data["shown"]) == (1, 1)
        assert readings(event)["old/temp"] == (TS_MS, 21.5)


def test_what_two_collectors_accept_is_shown_by_each(live: Live, tmp_path: Path) -> None:
    with live.another(tmp_path) as second, live.viewer() as viewer, client(second) as http:
        assert send(http, reading("by the second", value=3)).status_code == 201
        assert viewer.reading("by the second/temp")[1] == 3
        names = {live.collector.outbox, second.outbox}
        found = viewer.pipeline(lambda data: len(data["services"]) >= len(names))
        assert {row["state"] for row in found["services"]} == {"up"}
        assert all(row["counters"]["unbalanced"] == 0 for row in found["services"])
        assert found["grafana"] == {"port": 3000, "tls": False}
        assert found["broker"] == {"up": True, "reason": None}


def test_hostile_messages_reach_no_viewer(live: Live) -> None:
    with live.viewer() as viewer:
        viewer.pipeline()
        for number, payload in enumerate(HOSTILE[1:]):  # the first is empty
            live.publish(f"readings/hostile/{number}", payload)
            live.publish(f"status/hostile/{number}", payload)
        live.publish("readings/good/temp", json_of("good", 1))
        seen: set[str] = set()
        while "good/temp" not in seen:
            seen |= readings(viewer.next()).keys()
        assert not any(series.startswith("hostile") for series in seen)
        services = viewer.pipeline()["services"]
        assert all(row["service"] != "hostile" for row in services)


def test_the_broker_goes_and_comes_back(own: Live) -> None:
    with own.viewer() as viewer:
        assert viewer.pipeline()["broker"]["up"]
        own.broker.kill()
        down = viewer.pipeline(lambda data: not data["broker"]["up"])
        assert down["broker"]["reason"]
        own.broker.start()
        own.broker.wait_ready()
        viewer.pipeline(lambda data: data["broker"]["up"])
        own.publish("readings/back/temp", json_of("back", 1))
        assert viewer.reading("back/temp") == (TS_MS, 1)


def test_without_a_viewer_there_is_no_connection_for_it(own: Live) -> None:
    wait_for(lambda: own.connections() == 2)  # the lane's, and the devices'
    with own.viewer() as viewer:
        viewer.pipeline(lambda data: data["broker"]["up"])
        assert own.connections() == 3
    wait_for(lambda: own.connections() == 2, what="the connection's end")
    vanished = own.viewer()
    vanished.pipeline(lambda data: data["broker"]["up"])
    vanished.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    vanished.close()  # with a reset
    wait_for(lambda: own.connections() == 2, what="the connection's end after a reset")
    assert "Traceback" not in own.collector.log_text()


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_viewers_that_do_not_read_delay_nobody_and_take_little_memory(own: Live) -> None:
    names = [f"{number:060}" for number in range(2_000)]
    last = f"{names[-1]}/temp"
    with ExitStack() as stack:
        viewer = stack.enter_context(own.viewer())
        stalled = [stack.enter_context(own.viewer(buffer_bytes=4096)) for _ in range(50)]
        viewer.pipeline(lambda data: data["broker"]["up"])
        before = memory(own.collector.pid)
        broker = stack.enter_context(socket.create_connection(("127.0.0.1", own.broker.port)))
        broker.sendall(CONNECT)
        for round_ in range(5):
            broker.sendall(b"".join(packet(name, round_) for name in names))
            viewer.until(lambda event: readings(event).get(last) == (TS_MS, round_))  # noqa: B023
        assert memory(own.collector.pid) - before < 40 << 20
        assert stalled[0].until(lambda event: "all" in event.data).data["all"]
        after_the_gap = stalled[0].until(lambda event: event.data.get("all"))
        assert after_the_gap.data["series"] == len(names)
        assert readings(after_the_gap)[last] == (TS_MS, 4)


def packet(sensor: str, value: float) -> bytes:
    """Return the PUBLISH of a reading."""
    return publication(f"readings/{sensor}/temp", json_of(sensor, value))


def test_open_streams_end_with_the_collector(own: Live) -> None:
    with own.viewer() as viewer, own.viewer():
        viewer.pipeline()
        own.collector.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        viewer.rest()
        assert own.collector.stop() == 0
    assert "Traceback" not in own.collector.log_text()


def test_open_streams_do_not_delay_the_end(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        for _ in range(2):
            reader, writer = await dial()
            writer.write(head("GET", "/live", 0, Host="localhost"))
            await reader.readuntil(b"event: pipeline")

    # Were they waited for, it would last beyond the time that `serve` allows.
    serve(tmp_path, PATIENT._replace(shutdown_s=3 * LONGEST_S), scenario)
