"""`python -m collector watch`: on a terminal, and into a pipe."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import published
from tests.integration.client import name
from tests.integration.terminal import Terminal
from tests.service import free_port, wait_for
from tests.stack import Broker, Collector

ALTERNATE_SCREEN, USUAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker without any other readings."""
    with Broker(tmp_path / "broker") as broker:
        yield broker


def publish(broker: Broker, topic: str, payload: str | float, *options: str) -> None:
    """Publish a text as it is, a value as a collector does."""
    sensor, _, type_ = topic.partition("/")
    ts = "2026-11-25T04:44:36Z"
    reading = payload if isinstance(payload, str) else published(sensor, payload, ts, type_)
    text = reading if isinstance(reading, str) else json.dumps(reading)
    argv = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", f"readings/{topic}"]
    subprocess.run([*argv, "-m", text, *options], check=True)


def program(tmp_path: Path, port: int) -> Collector:
    """Return a collector that is not started: its command line and its settings."""
    return Collector(tmp_path, mqtt_port=port, influx_port=free_port())


def watch(tmp_path: Path, port: int, *options: str, lines: int = 24) -> Terminal:
    collector = program(tmp_path, port)
    return Terminal([*collector.argv, "watch", *options], collector.environment, lines=lines)


def test_into_a_pipe_it_prints_one_table(tmp_path: Path, own_broker: Broker) -> None:
    publish(own_broker, "10/temp", 21.5, "-r")
    publish(own_broker, "9/温度", 21.5, "-r")
    publish(own_broker, "9/bad", "\x1b[31mbad", "-r")
    done = program(tmp_path, own_broker.port).command("watch")
    assert (done.returncode, done.stderr) == (0, "")
    heading, nine, ten, footer = done.stdout.splitlines()
    assert heading.split() == ["sensor", "type", "value", "age", "per", "second"]
    assert re.fullmatch(r"9 +温度 +21.5 +-?\d+\.\d \w+ +0\.0", nine)
    assert re.fullmatch(r"10 +temp +21.5 +-?\d+\.\d \w+ +0\.0", ten)
    assert footer == "2 series · unreadable: 1"
    assert "\x1b" not in done.stdout


def test_one_sensor_is_shown_alone(tmp_path: Path, broker: Broker) -> None:
    sensor = name("watched")
    publish(broker, f"{sensor}/temp", 1, "-r")
    publish(broker, f"{sensor}x/temp", 1, "-r")
    done = program(tmp_path, broker.port).command("watch", "--once", "--sensor", sensor)
    _, row, footer = done.stdout.splitlines()
    assert row.split()[:3] == [sensor, "temp", "1"]
    assert footer == "1 series"


@pytest.mark.parametrize("sensor", ["", "a/b", "#", "+", "\x1b"])
def test_an_impossible_sensor_is_named(tmp_path: Path, sensor: str) -> None:
    done = program(tmp_path, 1).command("watch", f"--sensor={sensor}")
    assert done.returncode == 2
    assert f"--sensor: {sensor!r} must" in done.stderr


def test_into_a_pipe_a_missing_broker_is_an_error_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    done = program(tmp_path, port).command("watch")
    assert (done.returncode, done.stdout) == (2, "")
    line = f"watch: waiting for the MQTT broker at 127.0.0.1:{port}: Connection refused\n"
    assert done.stderr == line


def test_on_a_terminal_it_follows_the_readings_until_ctrl_c(
    tmp_path: Path, own_broker: Broker
) -> None:
    publish(own_broker, "7/temp", 20, "-r")
    with watch(tmp_path, own_broker.port) as terminal:
        before = terminal.modes()
        wait_for(lambda: terminal.screen()[1].split()[:3] == ["7", "temp", "20"], 20)
        assert terminal.screen()[2] == "1 series"
        publish(own_broker, "7/temp", 21.5)
        publish(own_broker, "[red]/温度", 3)
        wait_for(lambda: terminal.screen()[3] == "2 series", what="the second series")
        first, second = terminal.screen()[1:3]
        assert first.split()[:3] == ["7", "temp", "21.5"]
        assert second.split()[0] == "[red]"
        assert float(first.split()[-1]) > 0
        assert not terminal.shows_cursor
        assert terminal.interrupt() == 0
        terminal.screen()
        assert terminal.shows_cursor
        assert terminal.modes() == before
    assert terminal.written.count(ALTERNATE_SCREEN) == terminal.written.count(USUAL_SCREEN) == 1
    assert b"Traceback" not in terminal.written


def test_a_terminal_shows_what_fits_also_when_its_size_changes(
    tmp_path: Path, own_broker: Broker
) -> None:
    for number in range(12):
        publish(own_broker, f"{number}/temp", number, "-r")
    with watch(tmp_path, own_broker.port, lines=8) as terminal:
        wait_for(lambda: terminal.screen()[7] == "… and 6 more · 12 series", 20)
        terminal.resize(40, 20)
        wait_for(lambda: terminal.screen()[13] == "12 series")
        assert [line.split()[0] for line in terminal.screen()[1:13]] == [
            str(number) for number in range(12)
        ]
        assert terminal.interrupt() == 0


def test_on_a_terminal_it_waits_for_the_broker(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    with watch(tmp_path, broker.port) as terminal:
        waiting = f"waiting for the MQTT broker at 127.0.0.1:{broker.port}: "
        wait_for(lambda: terminal.screen()[1].startswith(waiting), 20)
        with broker:
            publish(broker, "7/temp", 20, "-r")
            wait_for(lambda: terminal.screen()[2] == "1 series", 20)
        wait_for(lambda: terminal.screen()[2].startswith(waiting), 20)
        assert terminal.screen()[1].startswith("7 ")
        assert terminal.interrupt() == 0


def test_it_subscribes_at_qos_0_so_that_nothing_waits_for_it(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", settings="log_type subscribe") as broker:
        assert program(tmp_path, broker.port).command("watch", "--once").returncode == 0
        assert re.search(r" 0 readings/#$", broker.log_text(), re.MULTILINE), broker.log_text()
