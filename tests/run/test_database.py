"""InfluxDB that no longer writes after a full disk is restarted, by `make run` and by Compose."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from run.configuration import ROOT
from tests.chaos.disk import Disk
from tests.stack import Influx, wait_for

pytestmark = pytest.mark.skipif(not Disk.possible(), reason="only root can mount a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk", megabytes=60)
    try:
        yield disk
    finally:
        disk.unmount()


@contextlib.contextmanager
def running(influx: Influx) -> Iterator[Influx]:
    """Run it with the database `iot`."""
    try:
        with influx:
            influx.query("CREATE DATABASE iot")
            yield influx
    finally:
        influx.kill()


def writes(influx: Influx) -> bool:
    """Write 500 points of now; return whether InfluxDB takes them."""
    now = time.time_ns()
    try:
        influx.write(f"data,s=a{n} value={n} {now}" for n in range(500))
    except urllib.error.HTTPError as error:
        return "error writing WAL entry" not in str(error.__notes__)
    except OSError:
        return False
    return True


def break_log(influx: Influx, disk: Disk) -> None:
    """Fill the disk until the write-ahead log is broken, then free it."""
    assert writes(influx)
    disk.fill(leave=200_000)
    wait_for(lambda: not writes(influx))
    disk.free()
    assert not writes(influx), "the fault is no longer there: it needs no restart"


def secret(directory: Path) -> str:
    """Write a password of the database's user and return the file's name."""
    (directory / "secret").write_text("admin\n")
    return str(directory / "secret")


def test_make_run_restarts_a_database_that_no_longer_writes(disk: Disk) -> None:
    influx = Influx(disk.path)
    arguments = [str(disk.path), str(influx.port), "iot", secret(disk.path)]
    influx.argv = [sys.executable, "-m", "run.database", *arguments]
    with running(influx):
        break_log(influx, disk)
        wait_for(lambda: writes(influx), 30)
        assert influx.log_text().count("restarting it") == 1
        assert influx.stop() == 0


def test_make_run_ends_when_the_database_ends(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "run.database", str(tmp_path / "none"), "1", "iot"]
    argv.append(secret(tmp_path))
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, timeout=60)
    assert done.returncode not in {0, None}


class HealthCheck:
    """The health check of docker-compose.yml, for an InfluxDB that is not in a container."""

    def __init__(self, influx: Influx, directory: Path) -> None:
        self._influx = influx
        document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        shell, script = document["services"]["db"]["healthcheck"]["test"]
        assert shell == "CMD-SHELL"
        replaced = {
            "$$": "$",
            ":8086": f":{influx.port}",
            "kill 1": f"kill {influx.pid}",
            "/tmp/failed": str(directory / "failed"),  # noqa: S108  the container's
            "/var/lib/influxdb": str(influx.directory),
            "/secrets/influx-bridge": secret(directory),
            "bridge:%s": f"{influx.username}:%s",
        }
        for old, new in replaced.items():
            assert old in script
            script = script.replace(old, new)
        self._script = script

    def run(self) -> int:
        env = {"PATH": os.environ["PATH"], "HOSTNAME": "127.0.0.1", "INFLUX_DATABASE": "iot"}
        return subprocess.run(["sh", "-c", self._script], env=env, check=False).returncode


@pytest.mark.parametrize("auth", [False, True])
def test_compose_takes_a_database_that_writes_for_healthy(tmp_path: Path, auth: bool) -> None:
    with running(Influx(tmp_path / "db", auth=auth)) as influx:
        check = HealthCheck(influx, tmp_path)
        assert check.run() == 0
        (point,) = influx.query("SELECT * FROM health")
        assert point["value"] == 1
        influx.query("DROP DATABASE iot")
        assert check.run() == 0, "the bridge creates it"
        influx.stop()
        assert check.run() != 0


def test_compose_ends_a_database_that_no_longer_writes(disk: Disk, tmp_path: Path) -> None:
    with running(Influx(disk.path)) as influx:
        check = HealthCheck(influx, tmp_path)
        assert check.run() == 0
        break_log(influx, disk)
        disk.fill()
        assert [check.run() for _ in range(4)] == [1] * 4
        assert influx.running, "while the disk is full, a restart does not help"
        disk.free()
        check.run()
        wait_for(lambda: not influx.running)


def test_compose_does_not_end_a_database_that_is_slow(tmp_path: Path) -> None:
    with running(Influx(tmp_path / "db")) as influx:
        check = HealthCheck(influx, tmp_path)
        influx.pause()
        assert check.run() != 0
        influx.resume()
        assert check.run() == 0
        assert not (tmp_path / "failed").exists()
