"""GET /metrics of collector and bridge: what was done is what they say."""

import socket

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collector.outbox.books import read_books
from tests.builders import reading
from tests.integration.points import wait_points
from tests.integration.poster import Poster
from tests.integration.posting import STORED, client, send
from tests.stack import Bridge, Collector, Stack, wait_for

OPENMETRICS = "application/openmetrics-text"


def ask(service: Collector | Bridge, accept: str = "*/*") -> httpx.Response:
    port = service.metrics_port if isinstance(service, Bridge) else service.port
    url = f"http://127.0.0.1:{port}/metrics"
    return httpx.get(url, headers={"Accept": accept}, trust_env=False, timeout=30)


def samples(service: Collector | Bridge) -> dict[str, float]:
    """Return the samples of a service by their names, with labels in Prometheus' notation.

    Without the label `outbox`: there is one.
    """
    text = ask(service).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sample.labels.pop("outbox", None)
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def both(stack: Stack) -> dict[str, float]:
    """Return the samples of both services."""
    found = samples(stack.collector), samples(stack.bridge)
    return {
        name: value
        for service in found
        for name, value in service.items()
        if name.startswith(("collector_", "bridge_"))
    }


def grown(stack: Stack, before: dict[str, float]) -> dict[str, float]:
    """Return by how much each sample has changed, if it has."""
    return {name: now - before[name] for name, now in both(stack).items() if now != before[name]}


def test_they_count_what_was_done(restartable: Stack, sensor: str) -> None:
    with client(restartable.collector) as http:
        assert send(http, reading(sensor), path=STORED).status_code == 201  # all are awake
        before = both(restartable)
        for number in range(20):
            assert send(http, reading(sensor, number)).status_code == 201
        assert send(http, [reading(sensor, -1)]).status_code == 422
        assert send(http, reading(sensor, 1), headers={"Origin": "http://evil"}).status_code == 403
        wait_points(restartable.influx, sensor, 21)
        wait_for(lambda: both(restartable)["collector_readings_pending"] == 0)
        changed = grown(restartable, before)
    assert changed["collector_readings_accepted_total"] == 20
    assert changed["collector_readings_stored"] == 20
    assert changed["collector_readings_published_total"] == 20
    assert changed["bridge_readings_stored_total"] == 20
    assert changed['collector_http_requests_refused_total{reason="origin"}'] == 1
    answers = changed["collector_http_answer_seconds_count"]
    assert 21 <= answers <= 22  # what is refused by its head has perhaps not arrived whole
    assert 1 <= changed["collector_outbox_commit_seconds_count"] <= 20
    assert 1 <= changed["collector_receipt_seconds_count"] <= 20
    assert changed["bridge_write_seconds_count"] <= changed["bridge_writes_total"]
    commits = changed["collector_outbox_commit_seconds_sum"]
    assert 0 < commits < changed["collector_http_answer_seconds_sum"]
    for untouched in ("rejected", "unbalanced", "healed_total", "replayed_total"):
        assert f"collector_readings_{untouched}" not in changed


def test_what_a_kill_resets_and_what_not(restartable: Stack, sensor: str) -> None:
    with client(restartable.collector) as http:
        assert send(http, reading(sensor), path=STORED).status_code == 201
    # On disk too: what is not is sent again.
    wait_for(lambda: read_books(restartable.collector.outbox).pending == 0)
    before = both(restartable)
    for part in (restartable.collector, restartable.bridge):
        part.kill()
        part.start()
        part.wait_ready()
    after = both(restartable)
    assert after["collector_readings_accepted_total"] == before["collector_readings_accepted_total"]
    assert after["collector_readings_published_total"] == 0
    assert after["collector_http_answer_seconds_count"] == 0
    assert after["bridge_readings_stored_total"] == 0
    assert before["bridge_readings_stored_total"] > 0


def test_the_backlog_has_an_age(restartable: Stack, sensor: str) -> None:
    restartable.bridge.pause()
    try:
        with client(restartable.collector) as http:
            assert send(http, reading(sensor)).status_code == 201
            wait_for(lambda: samples(restartable.collector)["collector_oldest_pending_seconds"])
    finally:
        restartable.bridge.resume()
    wait_for(lambda: samples(restartable.collector)["collector_oldest_pending_seconds"] == 0)
    assert samples(restartable.collector)["collector_audit_reach_seconds"] > 0


@pytest.mark.parametrize("service", ["collector", "bridge"])
def test_openmetrics_if_asked_for(restartable: Stack, service: str) -> None:
    answer = ask(getattr(restartable, service), OPENMETRICS)
    assert answer.headers["content-type"].startswith(OPENMETRICS)
    families = {family.name for family in openmetrics(answer.text)}  # type: ignore[no-untyped-call]
    assert {f"{service}_build", f"{service}_event_loop_lag_seconds", "process_open_fds"} <= families


def test_a_flood_at_the_bridges_port_keeps_no_reading_back(restartable: Stack, sensor: str) -> None:
    """Connections that say nothing, ask again and again, or go away."""
    address = "127.0.0.1", restartable.bridge.metrics_port
    wait_for(lambda: samples(restartable.bridge))
    held: list[socket.socket] = []
    try:
        with Poster(restartable.collector, sensor) as poster:
            for number in range(300):
                held.append(socket.create_connection(address, timeout=10))
                if number % 2:
                    held[-1].sendall(b"GET /metrics HTTP/1.1\r\n" + b"\r\n" * (number % 3))
            poster.wait_accepted(50)
        wait_points(restartable.influx, sensor, len(poster.accepted), timeout=30)
    finally:
        for connection in held:
            connection.close()
    found = wait_for(lambda: answered(restartable), 20, "the metrics again")
    assert found["process_open_fds"] < 50
    assert restartable.bridge.running


def answered(stack: Stack) -> dict[str, float]:
    """Return the bridge's samples; nothing while it has too many connections."""
    try:
        return samples(stack.bridge)
    except httpx.TransportError:
        return {}
