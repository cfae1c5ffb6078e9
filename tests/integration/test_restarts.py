"""Each part is stopped or killed, and started again, while readings are posted."""

import time
from pathlib import Path

import pytest

from tests.builders import reading
from tests.integration.mosquitto_clients import Subscriber
from tests.integration.points import points, wait_points
from tests.integration.poster import Poster
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Service, Stack, wait_for

PARTS = ["collector", "broker", "bridge", "influx"]


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("part", PARTS)
def test_readings_accepted_around_a_restart_are_stored(
    restartable: Stack, sensor: str, part: str, how: str
) -> None:
    service: Service = getattr(restartable, part)
    with Poster(restartable.collector, sensor) as poster:
        poster.wait_accepted(30)
        getattr(service, how)()
        if part != "collector":
            poster.wait_accepted(30)
        service.start()
        service.wait_ready()
        poster.wait_accepted(30)
    stored = wait_points(restartable.influx, sensor, len(poster.accepted), timeout=30)
    assert {("temp", ns) for ns in poster.accepted} <= stored.keys()
    assert stored.keys() <= {("temp", ns) for ns in poster.attempted}
    with client(restartable.collector) as http:
        wait_for(lambda: metrics(http)["pending"] == 0, what="all receipts")
        assert metrics(http)["unbalanced"] == 0


def test_readings_accepted_while_only_the_collector_runs_are_stored(
    restartable: Stack, sensor: str
) -> None:
    for part in (restartable.bridge, restartable.influx, restartable.broker):
        part.stop()
    ns = time.time_ns()
    with client(restartable.collector) as http:
        batch = [reading(sensor, ns + i) for i in range(500)]
        assert send(http, batch).status_code == 201
        assert send(http, reading(sensor, ns - 1)).status_code == 201
    restartable.collector.kill()
    restartable.start()
    stored = wait_points(restartable.influx, sensor, 501, timeout=30)
    assert stored == {("temp", ns + i): 21.5 for i in range(-1, 500)}


def test_posts_are_accepted_and_published_live_while_influxdb_is_stopped(
    restartable: Stack, sensor: str, tmp_path: Path
) -> None:
    topic = f"readings/{sensor}/temp"
    with (
        Subscriber(tmp_path, restartable.broker, topic) as live,
        client(restartable.collector) as http,
    ):
        restartable.influx.stop()
        sent = [reading(sensor) for _ in range(50)]
        for one in sent:
            assert send(http, one).status_code == 201
        assert [m.payload["ts"] for m in live.wait_received(50)] == [one["ts"] for one in sent]
        assert metrics(http)["pending"] >= 50
        late = send(http, reading(sensor, 1), path=STORED)
        assert (late.status_code, late.json()) == (202, {"accepted": 1, "stored": False})

        restartable.start("influx")
        assert len(wait_points(restartable.influx, sensor, 51, timeout=30)) == 51
        wait_for(lambda: metrics(http)["pending"] == 0, what="all receipts")
        assert len(live.received()) == 51, "replayed to subscribers of readings/#"
    assert points(restartable.influx, sensor)[("temp", 1)] == 21.5


def test_a_dropped_database_is_created_again_and_filled_by_itself(
    restartable: Stack, sensor: str
) -> None:
    ns = time.time_ns()
    batch = [reading(sensor, ns + i) for i in range(100)]
    with client(restartable.collector) as http:
        assert send(http, batch, path=STORED).status_code == 201
        restartable.influx.query("DROP DATABASE iot")
        assert send(http, reading(sensor, ns + 100), path=STORED).status_code == 201
        assert len(wait_points(restartable.influx, sensor, 101)) == 101
        wait_for(lambda: metrics(http)["pending"] == 0)
    assert points(restartable.influx, sensor) == {("temp", ns + i): 21.5 for i in range(101)}
    assert restartable.collector.command("audit", "--since", "1h").returncode == 0
