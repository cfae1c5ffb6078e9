"""The first `make run` in a fresh checkout, and what it says when something is missing."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from run import environment, packages, setup
from run.configuration import ROOT
from tests.run.terminal import Terminal
from tests.service import wait_for


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh checkout in a directory with a space in its name."""
    root = tmp_path_factory.mktemp("check out")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    yield root
    shutil.rmtree(root / ".venv", ignore_errors=True)


def installed(root: Path) -> set[str]:
    """Return the names of the packages in the environment."""
    listing = [str(root / ".venv/bin/python"), "-m", "pip", "list", "--format=freeze"]
    done = subprocess.run(listing, capture_output=True, text=True, check=True)
    return {line.partition("==")[0].lower() for line in done.stdout.splitlines()}


def test_ctrl_c_in_the_setup_ends_with_one_line_and_the_next_start_goes_on(
    checkout: Path, tmp_path: Path
) -> None:
    with Terminal(tmp_path / "run", root=checkout) as terminal:
        terminal.wait("(pip install) ...")
        end = terminal.interrupt()
    assert re.fullmatch(
        r"\^C\nInterrupted\. Nothing is half done: the next `make run` goes on\.\nexit=0\n", end
    ), end
    with Terminal(tmp_path / "run", root=checkout) as terminal:
        terminal.wait("Ready in", 120)
    steps = re.findall(r"^  (.+) \.\.\. \d+\.\d s$", terminal.screen, re.MULTILINE)
    assert [step.split(" ", 1)[1] for step in steps] == [
        "environment .venv",
        "Python packages (pip install)",
    ]
    names = installed(checkout)
    assert {"fastapi", "uvicorn", "influxdb", "paho-mqtt"} <= names
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & names
    with Terminal(tmp_path / "run", root=checkout) as terminal:
        terminal.wait("Ready in")
    assert "Setting up" not in terminal.screen


class Machine:
    """A user's machine: who that is, and which programs there are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self._patch = monkeypatch
        self._bin = directory / "bin"
        self._bin.mkdir()
        monkeypatch.setattr(packages, "SEARCH_PATH", str(self._bin))
        monkeypatch.setenv("PATH", str(self._bin))
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setattr(environment, "is_finished", lambda _: False)
        monkeypatch.setattr(environment, "make", lambda _: self.made.append(True))
        self.made: list[bool] = []

    def have(self, *programs: str) -> None:
        for name in programs:
            (self._bin / name).write_text("")
            (self._bin / name).chmod(0o755)

    def lacks_ensurepip(self) -> None:
        self._patch.setattr(environment, "missing_package", lambda: "python3-venv")

    def prepare(self) -> None:
        setup.prepare(["mosquitto", "influxdb"], ["mosquitto-clients", "curl"], "requirements.txt")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_all_that_is_missing_is_named_at_once_in_one_command(machine: Machine) -> None:
    machine.lacks_ensurepip()
    with pytest.raises(SystemExit) as stopped:
        machine.prepare()
    said, command = str(stopped.value).split("\n")
    everything = ["python3-venv", "mosquitto", "influxdb", "mosquitto-clients", "curl"]
    assert f"Not installed: {', '.join(everything)}." in said
    name = Path(sys.executable).name
    assert command == f"  su -c '{name} -B -m run.packages {' '.join(everything)}'"
    machine.have("sudo")
    assert packages.command(["curl"]) == f"sudo {name} -B -m run.packages curl"
    assert machine.made == []


def test_what_only_the_readme_uses_is_said_and_stops_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.have("mosquitto", "influxd")
    machine.prepare()
    assert "mosquitto-clients, curl" in capsys.readouterr().out
    assert machine.made


def test_control_where_nothing_is_missing_nothing_is_said(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.have("mosquitto", "influxd", "mosquitto_sub", "curl")
    monkeypatch.setattr(environment, "is_finished", lambda _: True)
    machine.prepare()
    assert capsys.readouterr().out == ""
    assert machine.made == []


def test_packages_that_pip_has_put_elsewhere_are_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"pytest=={pytest.__version__} \\\n    --hash=sha256:0\n")
    environment.check("requirements.txt")
    lock.write_text("no-such-package==1.0 \\\n    --hash=sha256:0\n")
    with pytest.raises(SystemExit, match="no-such-package"):
        environment.check("requirements.txt")


def test_a_second_setup_of_a_checkout_waits_for_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    waited = threading.Event()

    def second() -> None:
        with environment.alone():
            waited.set()

    with environment.alone():
        thread = threading.Thread(target=second)
        thread.start()
        wait_for(lambda: "waiting for its end" in capsys.readouterr().out)
        assert not waited.is_set()
    thread.join(10)
    assert waited.is_set()


def test_an_older_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is required"):
        environment.check_version()


def test_an_environment_counts_only_when_it_was_finished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(environment, "_FINISHED", tmp_path / "finished")
    ran: list[list[str]] = []
    monkeypatch.setattr(environment, "_run", ran.append)
    assert not environment.is_finished("requirements.txt")

    environment.make("requirements.txt")

    assert environment.is_finished("requirements.txt")
    assert not environment.is_finished("requirements-dev.txt")
    programs = [argv[1:3] for argv in ran]
    assert programs[0] == ["-m", "venv"], "an environment that was never finished is made anew"
    assert programs[1] == ["-m", "pip"]

    def fails(_: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_run", fails)
    with pytest.raises(KeyboardInterrupt):
        environment.make("requirements-dev.txt")
    assert not environment.is_finished("requirements.txt"), "half of it may be another's"

    monkeypatch.setattr(environment, "_run", ran.append)
    environment.make("requirements-dev.txt")
    assert environment.is_finished("requirements.txt")
    assert environment.is_finished("requirements-dev.txt")
    monkeypatch.setattr(environment, "VENV", tmp_path / "moved")
    assert not environment.is_finished("requirements.txt")
