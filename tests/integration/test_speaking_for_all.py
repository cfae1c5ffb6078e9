"""/metrics and /readyz of several workers: whichever answers, it speaks for all."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collector.outbox.books import read_books
from collector.outbox.outboxes import outboxes
from tests.builders import reading
from tests.metrics import counted
from tests.stack import Collector, Stack, wait_for

WORKERS = 3
OPENMETRICS = {"Accept": "application/openmetrics-text"}


@pytest.fixture(scope="module")
def collector(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Three workers, whose parent and outboxes no other test has."""
    collector = Collector(
        tmp_path_factory.mktemp("three"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"COLLECTOR_WORKERS": str(WORKERS)},
    )
    with collector:
        wait_for(lambda: answering(collector) == WORKERS, 20, "all workers")
        yield collector


def ask(collector: Collector, path: str, **headers: str) -> httpx.Response | None:
    """Ask on a connection of its own; None if the worker that has it does not answer."""
    try:
        return httpx.get(collector.url + path, headers=headers, trust_env=False, timeout=2)
    except httpx.TransportError:
        return None


def readiness(collector: Collector) -> tuple[int, str] | None:
    if not (answer := ask(collector, "/readyz")):
        return None
    is_ready = answer.status_code == 200
    return answer.status_code, answer.text if is_ready else answer.json()["detail"]


def metrics(collector: Collector, **headers: str) -> str:
    """Return the text of the first worker that answers."""

    def answered() -> str:
        answer = ask(collector, "/metrics", **headers)
        return answer.text if answer else ""

    return wait_for(answered)


def samples(text: str) -> Counter[str]:
    """Return the sums of the samples by name."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] += int(sample.value)
    return found


def answering(collector: Collector) -> int:
    return samples(metrics(collector))["collector_workers_answering"]


def told_of(text: str) -> set[str]:
    """Return the outboxes whose accepted readings are counted."""
    return {
        sample.labels["outbox"]
        for family in text_string_to_metric_families(text)
        if family.name == "collector_readings_accepted"
        for sample in family.samples
    }


def workers(collector: Collector) -> list[int]:
    """Return the process ids of the workers that are there."""
    children = Path(f"/proc/{collector.pid}/task/{collector.pid}/children")
    return [int(pid) for pid in children.read_text(encoding="ascii").split()]


def test_whichever_answers_counts_for_all(collector: Collector, sensor: str) -> None:
    for number in range(30):
        sent = httpx.post(f"{collector.url}/data", json=reading(sensor, number), trust_env=False)
        assert sent.status_code == 201
    texts = [metrics(collector) for _ in range(12)]
    assert [counted(text)["accepted"] for text in texts] == [30] * 12
    assert {frozenset(told_of(text)) for text in texts} == {frozenset(told_of(texts[0]))}
    assert len(told_of(texts[0])) == WORKERS
    assert {samples(text)["collector_workers_answering"] for text in texts} == {WORKERS}
    assert {samples(text)["collector_workers"] for text in texts} == {WORKERS}
    assert samples(texts[0])["collector_http_answer_seconds_count"] == 30
    wait_for(lambda: sum(read_books(path).pending for path in outboxes(collector.outbox)) == 0)
    accepted = [read_books(path).accepted for path in outboxes(collector.outbox)]
    assert max(accepted) < 30, "control: none of them could have counted all alone"
    assert (len(accepted), sum(accepted)) == (WORKERS, 30)
    assert sorted(told_of(texts[0])) == sorted(
        sample.labels["outbox"]
        for family in text_string_to_metric_families(texts[0])
        if family.name == "process_open_fds"
        for sample in family.samples
    )


def test_the_text_has_each_metric_once(collector: Collector) -> None:
    openly, plain = metrics(collector, **OPENMETRICS), metrics(collector)
    names = Counter(family.name for family in openmetrics(openly))  # type: ignore[no-untyped-call]
    assert max(names.values()) == 1
    assert max(Counter(one.name for one in text_string_to_metric_families(plain)).values()) == 1
    assert names["collector_build"] == names["collector_workers"] == 1


def test_a_worker_that_does_not_answer_is_named(collector: Collector) -> None:
    assert readiness(collector) == (200, "ready\n"), "control"
    frozen = workers(collector)[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        silent = (503, f"worker 1 of {WORKERS} does not answer")
        wait_for(lambda: readiness(collector) == silent, what=str(silent))
        text = metrics(collector)
    finally:
        os.kill(frozen, signal.SIGCONT)
    found = samples(text)
    assert (found["collector_workers"], found["collector_workers_answering"]) == (3, 2)
    assert len(told_of(text)) == WORKERS - 1
    wait_for(lambda: readiness(collector) == (200, "ready\n"), what="ready again")


def test_a_worker_that_was_killed_is_back_soon(collector: Collector) -> None:
    before = metrics(collector)
    os.kill(killed := workers(collector)[-1], signal.SIGKILL)
    wait_for(lambda: killed not in workers(collector) and len(workers(collector)) == WORKERS)
    wait_for(lambda: readiness(collector) == (200, "ready\n"), what="ready again")
    after = metrics(collector)
    assert counted(after)["accepted"] == counted(before)["accepted"]
    assert told_of(after) == told_of(before)
