"""Each part in turn is ended and started again, while readings are posted."""

from pathlib import Path

import pytest

from tests.end_to_end.poster import Poster
from tests.end_to_end.publish import publish
from tests.end_to_end.subscriber import Subscriber
from tests.integration.points import points, wait_points
from tests.integration.posting import client, metrics, now_ns, reading, send
from tests.stack import Service, Stack, wait_for

PARTS = ["collector", "broker", "bridge", "influx"]


def end(service: Service, how: str) -> None:
    """End a service by SIGTERM or SIGKILL."""
    if how == "kill":
        service.kill()
    else:
        service.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("part", PARTS)
def test_what_is_posted_around_a_restart_is_stored(
    pipeline: Stack, sensor: str, part: str, how: str
) -> None:
    service: Service = getattr(pipeline, part)
    with Poster(pipeline.collector, sensor) as poster:
        poster.wait_acknowledged(30)
        end(service, how)
        if part != "collector":
            poster.wait_acknowledged(30)
        service.start()
        service.wait_ready()
        poster.wait_acknowledged(30)
    held = wait_points(pipeline.influx, sensor, len(poster.acknowledged), timeout=30)
    assert {("temp", ns) for ns in poster.acknowledged} <= held.keys()
    assert held.keys() <= {("temp", ns) for ns in poster.attempted}
    with client(pipeline.collector) as http:
        wait_for(lambda: metrics(http)["pending"] == 0, what="all receipts")
        assert metrics(http)["unbalanced"] == 0


def test_what_is_posted_while_only_the_collector_runs_is_stored(
    pipeline: Stack, sensor: str
) -> None:
    for part in (pipeline.bridge, pipeline.influx, pipeline.broker):
        part.stop()
    ns = now_ns()
    with client(pipeline.collector) as http:
        batch = [reading(sensor, ns + i) for i in range(500)]
        assert send(http, batch).status_code == 201
        assert send(http, reading(sensor, ns - 1)).status_code == 201
    end(pipeline.collector, "kill")
    pipeline.start()
    held = wait_points(pipeline.influx, sensor, 501, timeout=30)
    assert held == {("temp", ns + i): 21.5 for i in range(-1, 500)}


def test_a_devices_own_readings_wait_in_the_broker_for_the_bridge(
    pipeline: Stack, sensor: str
) -> None:
    end(pipeline.bridge, "kill")
    for i in range(20):
        publish(pipeline.broker, f"readings/{sensor}/t{i}", {"value": i})
    pipeline.bridge.start()
    assert len(wait_points(pipeline.influx, sensor, 20, timeout=30)) == 20


def test_a_devices_own_readings_survive_a_bridge_killed_while_influxdb_was_away(
    pipeline: Stack, sensor: str
) -> None:
    pipeline.influx.stop()
    for i in range(20):
        publish(pipeline.broker, f"readings/{sensor}/t{i}", {"value": i})
    end(pipeline.bridge, "kill")
    pipeline.bridge.start()
    end(pipeline.broker, "stop")
    pipeline.start("broker", "influx")
    assert len(wait_points(pipeline.influx, sensor, 20, timeout=30)) == 20
    pipeline.bridge.wait_ready()


def test_live_consumers_and_the_devices_are_served_while_influxdb_is_away(
    pipeline: Stack, sensor: str, tmp_path: Path
) -> None:
    topic = f"readings/{sensor}/temp"
    with Subscriber(tmp_path, pipeline.broker, topic) as live, client(pipeline.collector) as http:
        pipeline.influx.stop()
        sent = [reading(sensor, now_ns()) for _ in range(50)]
        for one in sent:
            assert send(http, one).status_code == 201
        assert [h.payload["ts"] for h in live.wait_heard(50)] == [one["ts"] for one in sent]
        assert metrics(http)["pending"] >= 50
        late = send(http, reading(sensor, 1), path="/data?ack=stored")
        assert (late.status_code, late.json()) == (202, {"accepted": 1, "stored": False})

        pipeline.start("influx")
        assert len(wait_points(pipeline.influx, sensor, 51, timeout=30)) == 51
        wait_for(lambda: metrics(http)["pending"] == 0, what="all receipts")
        assert len(live.heard()) == 51, "sent again to the bridge alone"
    assert points(pipeline.influx, sensor)[("temp", 1)] == 21.5


def test_a_database_dropped_by_hand_is_made_again_and_filled_by_replay(
    pipeline: Stack, sensor: str
) -> None:
    ns = now_ns()
    batch = [reading(sensor, ns + i) for i in range(100)]
    with client(pipeline.collector) as http:
        assert send(http, batch, path="/data?ack=stored").status_code == 201
        pipeline.influx.query("DROP DATABASE iot")
        assert send(http, reading(sensor, ns + 100), path="/data?ack=stored").status_code == 201
        assert len(points(pipeline.influx, sensor)) == 1
        assert pipeline.collector.command("audit", "--since", "1h").returncode == 1
        wait_for(lambda: metrics(http)["pending"] == 0)
    replayed = pipeline.collector.command("replay", "--since", "1h")
    assert replayed.returncode == 0, replayed
    assert points(pipeline.influx, sensor) == {("temp", ns + i): 21.5 for i in range(101)}
    assert pipeline.collector.command("audit", "--since", "1h").returncode == 0
