"""`make run` finds Grafana wherever it is, and goes on without one that fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

from run import grafana
from run.configuration import ROOT, SEARCH_PATH
from run.state import State
from tests.run.terminal import Terminal
from tests.service import wait_for


def install(path: Path, script: str = "") -> Path:
    """Make a program that stands for Grafana; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a package, empty, with the PATH on scripts of the package."""
    monkeypatch.setattr(grafana, "_PACKAGED", tmp_path / "share")
    monkeypatch.setattr(grafana, "SEARCH_PATH", str(tmp_path / "sbin"))
    return tmp_path / "share"


@pytest.mark.parametrize(("name", "subcommand"), [("grafana", ["server"]), ("grafana-server", [])])
def test_a_package_is_found_with_or_without_scripts_on_the_path(
    packaged: Path, name: str, subcommand: list[str]
) -> None:
    program = install(packaged / "bin" / name)
    for _ in range(2):
        found = grafana.find({})
        assert found
        assert found.argv == [str(program), *subcommand, "--homepath", str(packaged)]
        install(packaged.parent / "sbin" / name)


def test_of_both_programs_the_newer_is_taken(packaged: Path) -> None:
    install(packaged / "bin" / "grafana-server")
    install(packaged / "bin" / "grafana")
    found = grafana.find({})
    assert found
    assert found.argv[1] == "server"


def test_an_unpacked_archive_has_its_own_files(packaged: Path, tmp_path: Path) -> None:
    program = install(tmp_path / "grafana-12" / "bin" / "grafana")
    (tmp_path / "grafana-12" / "conf").mkdir()
    (tmp_path / "grafana-12" / "conf" / "defaults.ini").touch()
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "grafana").symlink_to(program)
    found = grafana.find({})
    assert found
    assert (found.argv[0], found.home) == (str(program), tmp_path / "grafana-12")
    assert grafana.find({"GF_PATHS_HOME": str(packaged)}) != found


def test_the_home_in_the_environment_comes_first(packaged: Path, tmp_path: Path) -> None:
    install(packaged / "bin" / "grafana")
    program = install(tmp_path / "mine" / "bin" / "grafana")
    found = grafana.find({"GF_PATHS_HOME": str(tmp_path / "mine")})
    assert found
    assert (found.argv[0], found.home) == (str(program), tmp_path / "mine")


def test_without_a_grafana_there_is_none(packaged: Path) -> None:
    assert grafana.find({}) is None
    assert not packaged.exists()


def with_grafana(run_dir: Path, home: Path) -> Terminal:
    """Return a terminal with the Grafana of this home, whose sbin is first on the PATH."""
    terminal = Terminal(run_dir)
    terminal.command = f"PATH={home}/sbin:$PATH GF_PATHS_HOME={home} make run {{}}"
    return terminal


def lines(started: Path) -> list[str]:
    """Return a line for each start of Grafana so far."""
    return started.read_text().splitlines() if started.exists() else []


FAILING = 'echo "$0 $*" >>{started}; echo "migrating"; echo "Error: no home" >&2; exit 1'
SERVING = 'echo "$0 $* $GF_PATHS_HOME $GF_LOG_CONSOLE_LEVEL" >{started}; exec sleep 1000'
# A database that starts once Grafana is started again: its failure is known before all is ready.
LATE = 'until sed 1d {started} 2>/dev/null | grep -q .; do sleep 0.1; done; exec {influxd} "$@"'


def test_a_grafana_that_fails_is_said_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    home, started = tmp_path / "home", tmp_path / "started"
    install(home / "bin" / "grafana", FAILING.format(started=started))
    influxd = shutil.which("influxd", path=SEARCH_PATH)
    install(home / "sbin" / "influxd", LATE.format(started=started, influxd=influxd))
    with with_grafana(tmp_path / "run", home) as terminal:
        terminal.wait("Ready in")
        wait_for(lambda: len(lines(started)) >= 3, 30, "it is tried again")
        wait_for(lambda: terminal.screen.count("sensor_id=123") >= 2, 30, "readings")
        assert terminal.interrupt().endswith("exit=0\n")
    assert "dashboard  Grafana ended with exit code 1: Error: no home" in terminal.screen
    assert terminal.screen.count("ended with exit code 1: it is started again") == 1
    assert terminal.screen.count("migrating") == 1
    assert terminal.survivors() == []


def test_a_grafana_that_serves_is_started_with_its_home(tmp_path: Path) -> None:
    home, started = tmp_path / "home", tmp_path / "started"
    program = install(home / "bin" / "grafana", SERVING.format(started=started))
    with with_grafana(tmp_path / "run", home) as terminal:
        terminal.wait(f"dashboard  http://localhost:{terminal.ports['GRAFANA_PORT']}\n")
        shown = wait_for(lambda: lines(started), what="the start of Grafana")
        assert shown == [f"{program} server --homepath {home} {home} error"]
        wait_for(lambda: "dashboard" in State(terminal.run_dir).pids(), what="its process id")


@pytest.mark.parametrize(("name", "words"), [("grafana", "cli "), ("grafana-cli", "")])
def test_the_password_is_set_by_either_program(tmp_path: Path, name: str, words: str) -> None:
    install(tmp_path / name, 'echo "$*" >"$(dirname "$0")/told"')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "grafana-admin").write_text("random\n")
    (tmp_path / "grafana.db").touch()
    environ = {
        "GF_PATHS_DATA": str(tmp_path),
        "GF_PATHS_PROVISIONING": str(tmp_path / "provisioning"),
        "GF_PATHS_HOME": "/home",
        "BIND_ADDRESS": "::1",
    }
    path = f"{tmp_path}:/usr/bin:/bin"
    subprocess.run(
        ["sh", ROOT / "grafana" / "start.sh", tmp_path, "true"],
        env={**environ, "PATH": path},
        check=True,
    )
    told = (tmp_path / "told").read_text().strip()
    assert told == f"{words}--homepath /home admin reset-admin-password --password-from-stdin"
