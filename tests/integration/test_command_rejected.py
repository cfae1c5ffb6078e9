"""`rejected` with what MQTT devices sent wrong."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from telemetry import timestamp
from tests.builders import reading
from tests.integration.mosquitto_clients import publish
from tests.integration.points import period, rejecting
from tests.integration.posting import STORED, client, send
from tests.stack import Stack, wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("rejected")) as stack:
        yield stack


def shown(stack: Stack, *options: str) -> subprocess.CompletedProcess[str]:
    done = stack.collector.command("rejected", *options)
    assert done.returncode == 0
    return done


def listed(stack: Stack) -> list[dict[str, object]]:
    return [json.loads(line) for line in shown(stack, "--json").stdout.splitlines()]


def test_none_is_said_where_there_is_none(stack: Stack) -> None:
    assert shown(stack).stdout == (
        "accepted, and rejected: none\nlast messages of MQTT devices that were not stored: none\n"
    )
    assert shown(stack, "--json").stdout == ""


def test_what_devices_sent_wrong_is_listed_harmlessly(stack: Stack) -> None:
    ns = period(30)
    with rejecting(stack.influx, ns), client(stack.collector) as http:
        assert send(http, reading("posted", ns, 1), path=STORED).status_code == 422
        publish(stack.broker, "devices/device/temp", {"value": "21"})
        publish(stack.broker, "readings/9/temp", b"\x1b[31m\xff\x00" + b"x" * 1_000)
        wait_for(lambda: len(listed(stack)) == 3, what="all three")
        posted, *told = listed(stack)
        text = shown(stack)
    assert posted["kind"] == "reading"
    assert {letter["kind"] for letter in told} == {"message"}
    refused, unreadable = sorted(told, key=lambda letter: str(letter["topic"]))
    assert (refused["service"], refused["topic"]) == ("collector", "devices/device/temp")
    assert json.loads(str(refused["payload"])) == {"value": "21"}
    assert "must be a finite number" in str(refused["reason"])
    assert (unreadable["service"], unreadable["instance"]) == ("bridge", "bridge")
    assert (unreadable["topic"], unreadable["kind"]) == ("readings/9/temp", "message")
    assert str(unreadable["reason"]).startswith("not JSON: ")
    assert len(str(unreadable["payload"])) == 100
    assert (text.stdout.replace("\n", "")).isprintable()
    assert f"posted/temp at {timestamp.render(ns)}: 1.0 (number 1)" in text.stdout
    assert "last messages of MQTT devices that were not stored: 2\n" in text.stdout
    assert " readings/9/temp (told by bridge bridge)\n" in text.stdout
    assert "    \\x1b[31m\ufffd\\x00xxx" in text.stdout
    assert shown(stack, "--discard").stdout == "discarded 1\n"


def test_what_a_collector_tells_is_listed_like_what_a_bridge_tells(stack: Stack) -> None:
    letter = {"at": "2026-11-25T12:00:00Z", "topic": "devices/8/temp", "reason": "why"}
    status = {"state": "up", "dead_letters": [{**letter, "payload": "hot"}]}
    publish(stack.broker, "status/collector/c0ffee", status, "-r")
    try:
        text = wait_for(lambda: out if "hot" in (out := shown(stack).stdout) else "")
        (told,) = [one for one in listed(stack) if one.get("instance") == "c0ffee"]
    finally:
        publish(stack.broker, "status/collector/c0ffee", b"", "-r")
    assert "  2026-11-25T12:00:00Z devices/8/temp (told by collector c0ffee)\n" in text
    assert (told["service"], told["topic"]) == ("collector", "devices/8/temp")


def test_a_status_of_anybody_does_no_harm(stack: Stack) -> None:
    letter = {"at": "\x1b[2J", "topic": "t" * 5000, "reason": "\u202e", "payload": "\r"}
    status = {"state": "storing", "dead_letters": [letter] * 8}
    publish(stack.broker, "status/bridge/\u202eforged", status, "-r")
    publish(stack.broker, "status/bridge/nonsense", b"\xff", "-r")
    try:
        text = wait_for(lambda: out if "ttt" in (out := shown(stack).stdout) else "")
    finally:
        for name in ("\u202eforged", "nonsense"):
            publish(stack.broker, f"status/bridge/{name}", b"", "-r")
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) < 300


def test_without_a_broker_what_the_outbox_has_is_listed(stack: Stack) -> None:
    port, stack.collector.env["MQTT_PORT"] = stack.collector.env["MQTT_PORT"], "1"
    try:
        done = shown(stack)
    finally:
        stack.collector.env["MQTT_PORT"] = port
    assert done.stdout == "accepted, and rejected: none\n"
    assert done.stderr == (
        "rejected: no dead letters of MQTT devices: the MQTT broker at 127.0.0.1:1"
        " cannot be reached: Connection refused\n"
    )
