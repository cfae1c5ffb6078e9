"""The file in which `make run` tells what runs, and what may be killed by it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from run.state import State, StateUnreadable


@pytest.fixture
def part() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_part_is_killed(tmp_path: Path, part: subprocess.Popen[bytes]) -> None:
    state = State(tmp_path)
    state.write({}, {"bridge": part.pid})
    assert state.kill("bridge")
    assert part.wait(10) == -signal.SIGKILL
    assert not state.kill("bridge"), "it has ended"
    assert not state.kill("broker"), "there is none"


def test_nothing_but_a_child_of_the_supervisor_is_killed(
    tmp_path: Path, part: subprocess.Popen[bytes]
) -> None:
    state, file = State(tmp_path), tmp_path / "state.json"
    state.write({}, {"bridge": part.pid})
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "supervisor": os.getppid()}))
    assert not state.kill("bridge")
    for pid in (0, -1, os.getpid()):
        file.write_text(json.dumps({**content, "pids": {"bridge": pid}}))
        assert not state.kill("bridge")
    assert part.poll() is None


@pytest.mark.parametrize("content", ["", "garbage", "{}", "[]", "1", '{"settings": {}}'])
def test_another_file_is_an_error_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(StateUnreadable, match=r"^[^\n]*state\.json cannot be used: [^\n]*$"):
        State(tmp_path).settings()


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    State(tmp_path).write({"MQTT_PASSWORD": "secret"}, {})
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert State(tmp_path).settings() == {"MQTT_PASSWORD": "secret"}
