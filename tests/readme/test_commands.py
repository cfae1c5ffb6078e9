"""Commands and examples of the documentation, on the real processes: they print what it shows."""

import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from run.configuration import ROOT
from tests.readme.documents import DOCUMENTS, Block, blocks, first_column, rows, section, text
from tests.service import wait_for
from tests.stack import Stack

VOLATILE = {
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "<ts>",
    r"date: .*": "<date>",
    r"[0-9a-f]{12}\.[0-9a-f]{8}:\d+": "<id>",
    r"\b\d{19}\b": "<ns>",
}


def shell(command: str, stack: Stack) -> str:
    """Run a command as typed, except for the ports, which are those of this stack."""
    command = command.replace("localhost:1337", f"127.0.0.1:{stack.collector.port}")
    command = command.replace("-h localhost", f"-h 127.0.0.1 -p {stack.broker.port}")
    argv = shlex.split(command.replace("\\\n", " "))
    if argv[0] == "./pipeline":
        return stack.collector.command(*argv[1:]).stdout
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def masked(output: str) -> str:
    """Return an output with what differs from run to run replaced."""
    for pattern, mask in VOLATILE.items():
        output = re.sub(pattern, mask, output)
    return output.strip()


def same(shown: Block, output: str) -> bool:
    if shown.language == "json":
        return bool(json.loads(masked(shown.content)) == json.loads(masked(output)))
    return masked(shown.content) == masked(output)


def examples(markdown: str) -> list[tuple[str, Block]]:
    """Return each shell command with the output shown right after it."""
    found = blocks(markdown)
    pairs = pairwise(found)
    return [(a.content, b) for a, b in pairs if a.language == "sh" and b.language != "sh"]


def named(topic: str) -> list[dict[str, Any]]:
    """Return the payloads in docs/mqtt.md of messages on a topic."""
    messages = re.findall(rf"^{topic}\S* (\{{.*\}})$", text("docs/mqtt.md"), re.MULTILINE)
    return [json.loads(message) for message in messages]


def test_post_watch_query(stack: Stack) -> None:
    (post, created), (watch, message), (query, found) = examples(
        section("README.md", "Post, watch, query")
    )
    assert same(created, shell(post, stack))
    assert same(message, shell(f"{watch.strip()} -C 1 -W 10", stack))
    wait_for(lambda: same(found, shell(query, stack)), what=f"{found.content} in InfluxDB")


def test_requests_get_the_responses_shown(stack: Stack) -> None:
    shown = examples(section("docs/http.md", "POST /data"))
    assert len(shown) == 4
    for command, response in shown:
        assert same(response, shell(command, stack)), command


def test_control_another_response_is_noticed() -> None:
    (_, created), *_ = examples(section("README.md", "Post, watch, query"))
    assert same(created, created.content.replace("ab4b6b3e5cfd:34", "0123456789ab:1"))
    assert not same(created, created.content.replace("201", "200"))


def test_the_description_has_the_fields_and_statuses_shown(stack: Stack) -> None:
    description = json.loads(shell(f"curl -s {stack.collector.url}/openapi.json", stack))
    post = description["paths"]["/data"]["post"]
    reading = description["components"]["schemas"]["Reading"]
    fields = rows(section("docs/http.md", "A reading"))
    assert {name.strip("`") for name, *_ in fields} == set(reading["properties"])
    required = {name.strip("`") for name, is_required, *_ in fields if is_required == "yes"}
    assert required == set(reading["required"])
    assert first_column(section("docs/http.md", "Responses")) == set(post["responses"])


def test_the_endpoints_named_answer(stack: Stack) -> None:
    endpoints = first_column(section("docs/http.md", "Other endpoints"))
    assert endpoints
    for endpoint in endpoints:
        url = stack.collector.url + endpoint.removeprefix("GET ")
        status = shell(f"curl -s -o /dev/null -w %{{http_code}} {url}", stack)
        assert status == "200", endpoint


def test_the_metrics_are_those_shown(stack: Stack) -> None:
    shown = {
        name: kind
        for names, kind, *_ in rows(section("docs/operations.md", "Metrics"))
        for name in re.findall(r"`([^`]+)`", names)
    }
    found: dict[str, str] = {}
    for port in (stack.collector.port, stack.bridge.metrics_port):
        metrics = shell(f"curl -s http://127.0.0.1:{port}/metrics", stack)
        found |= dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics, re.MULTILINE))
    assert {name: re.split(r"\W", kind)[0] for name, kind in shown.items()} == found


def test_the_alerts_are_about_metrics_shown() -> None:
    (group,) = yaml.safe_load(text("docs/examples/prometheus-rules.yml"))["groups"]
    asked = [
        set(re.findall(r"\b(?:collector|bridge)_\w+", rule["expr"])) for rule in group["rules"]
    ]
    assert len([names for names in asked if names]) == len(asked) - 1  # but `up`
    assert set().union(*asked) <= first_column(section("docs/operations.md", "Metrics"))


def test_metrics_that_the_text_names_are_shown() -> None:
    prose = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    named = set(re.findall(r"`((?:collector|bridge)_\w+)`", prose))
    assert named <= first_column(section("docs/operations.md", "Metrics"))
    assert "collector_readings_healed_total" in named


def test_messages_have_the_fields_shown(stack: Stack) -> None:
    (post, _), *_ = examples(section("README.md", "Post, watch, query"))
    shell(post, stack)
    (reading,) = named("readings/")
    kept = wait_for(lambda: stack.broker.retained("readings/7/temp"), what="the reading retained")
    assert list(json.loads(kept)) == list(reading)
    for service, topic in (("collector", "status/collector/+"), ("bridge", "status/bridge/bridge")):
        status = json.loads(wait_for(lambda: stack.broker.retained(topic), what=topic))  # noqa: B023
        for example in named(f"status/{service}"):
            if "counters" in example:
                assert list(example["counters"]) == list(status["counters"])
            else:
                assert example == {"state": "offline"}


def test_a_device_may_publish_as_shown(stack: Stack) -> None:
    (commands,) = (b for b in blocks(section("docs/mqtt.md", "Devices")) if b.language == "sh")
    for command in commands.content.splitlines():
        shell(command, stack)
    query = "SELECT * FROM data WHERE sensor_id = 'kitchen'"
    points = wait_for(
        lambda: found if len(found := stack.influx.query(query)) == 3 else [],
        what="the readings in InfluxDB",
    )
    assert {(point["type"], point["value"]) for point in points} == {
        ("temp", 21.5),
        ("humidity", 40),
    }


def test_the_commands_work_as_typed(stack: Stack, tmp_path: Path) -> None:
    (post, _), *_ = examples(section("README.md", "Post, watch, query"))
    shell(post, stack)
    for command, *_ in rows(section("docs/operations.md", "Commands")):
        python, *arguments = shlex.split(command.strip("`").replace("FILE", f"{tmp_path}/copy"))
        assert python == "python"
        service = stack.bridge if "bridge" in arguments else stack.collector
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=service.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
