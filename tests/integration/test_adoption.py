"""What collectors that are gone have left is drained by one that runs, in the same directory."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.outbox.books import read_books
from collector.outbox.claim import unheld
from collector.outbox.schema import open_beside
from tests.builders import reading
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import points, wait_points
from tests.integration.posting import client, send
from tests.stack import Collector, Stack, wait_for

# Instead of after 10 s, and for the control never.
_PROGRAM = """
from collector import adoption, service
adoption._UNHELD_S = {0}
raise SystemExit(service.main())
"""
SOON, NEVER = "0.1", "float('inf')"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker, InfluxDB and a bridge, which tests may stop if they start them again."""
    stack = Stack(tmp_path_factory.mktemp("adoption"))
    try:
        stack.start("broker", "influx", "bridge")
        yield stack
    finally:
        stack.stop()


def collector(stack: Stack, directory: Path, adopts: str = SOON) -> Collector:
    """Return a collector with an outbox beside its directory, as the others of a test."""
    one = Collector(
        directory,
        mqtt_port=stack.broker.port,
        influx_port=stack.influx.port,
        env={"OUTBOX_PATH": str(first_of(directory.parent))},
    )
    one.argv = [sys.executable, "-c", _PROGRAM.format(adopts)]
    return one


def first_of(directory: Path) -> Path:
    return directory / "outbox.db"


def left_behind(stack: Stack, directory: Path, sensor: str) -> Path:
    """Accept 100 readings through a second collector without a broker, and kill it."""
    with collector(stack, directory / "gone", NEVER) as gone:
        path = directory / "outbox-2.db"
        wait_for(lambda: status_of(stack, path))
        stack.broker.stop()
        with client(gone) as http:
            ns = time.time_ns()
            batch = [reading(sensor, ns + number, number) for number in range(100)]
            assert send(http, batch).status_code == 201
        gone.kill()
        stack.start("broker")
        assert read_books(path).pending == 100
    return path


def status_of(stack: Stack, path: Path) -> bytes:
    """Return the retained status of the collector that has, or had, an outbox."""
    with closing(open_beside(path)) as db:
        (outbox_id,) = db.execute("SELECT id FROM outbox").fetchone()
    return stack.broker.retained(f"status/collector/{outbox_id}")


def wait_let_go(path: Path, first: Path) -> None:
    wait_for(lambda: read_books(path).pending == 0, what="receipts")
    wait_for(lambda: path in (unheld(first) or []), what="nobody has it again")


def test_a_left_outbox_is_drained_let_go_and_drained_again_when_influxdb_forgets(
    stack: Stack, sensor: str, tmp_path: Path
) -> None:
    with collector(stack, tmp_path / "runs"):
        path = left_behind(stack, tmp_path, sensor)
        wait_points(stack.influx, sensor, 100, timeout=40)
        wait_let_go(path, first_of(tmp_path))
        assert status_of(stack, path) == b""
        stack.influx.query("DROP DATABASE iot")
        stack.influx.query("CREATE DATABASE iot")
        stack.influx.kill()
        stack.start("influx")
        wait_points(stack.influx, sensor, 100, timeout=60)
        wait_let_go(path, first_of(tmp_path))
        assert read_books(path).healed == 100
        assert read_books(path).unbalanced == 0


def test_control_without_adoption_it_stays_pending(
    stack: Stack, sensor: str, tmp_path: Path
) -> None:
    with collector(stack, tmp_path / "runs", NEVER) as runs:
        path = left_behind(stack, tmp_path, sensor)
        with client(runs) as http:
            wait_for(  # the bridge may still be waiting for InfluxDB
                lambda: send(http, reading(sensor, 1), path="/data?ack=stored").status_code == 201
            )
        assert read_books(path).pending == 100
        assert len(points(stack.influx, sensor)) == 1


def test_devices_go_on_when_the_first_collector_is_gone(
    stack: Stack, sensor: str, tmp_path: Path
) -> None:
    with (
        collector(stack, tmp_path / "first", NEVER) as first,
        collector(stack, tmp_path / "second") as second,
        Subscriber(tmp_path, stack.broker, f"accepted/{sensor}") as answers,
    ):
        first.kill()
        wait_for(lambda: "outbox.db: adopted" in second.log_text() or None, 20)
        publish(stack.broker, f"devices/{sensor}/temp", {"value": 1, "ref": 1})
        answers.wait_received()
        wait_points(stack.influx, sensor)
        first.start()
        first.wait_ready()
        assert "outbox-3.db" in first.log_text()
        publish(stack.broker, f"devices/{sensor}/temp", {"value": 2, "ref": 2})
        assert [answer.payload["ref"] for answer in answers.wait_received(2)] == [1, 2]
        assert len(wait_points(stack.influx, sensor, 2)) == 2


def test_outboxes_do_not_multiply_when_collectors_come_and_go(stack: Stack, tmp_path: Path) -> None:
    with collector(stack, tmp_path / "stays"):
        for _ in range(3):
            with collector(stack, tmp_path / "b"), collector(stack, tmp_path / "c"):
                pass
            wait_for(lambda: unheld(first_of(tmp_path)))
        assert len(list(tmp_path.glob("*.db"))) <= 4
