"""The table of attacks, on what `make run` starts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from run.configuration import ROOT
from tests.attacks.cases import *  # noqa: F403
from tests.attacks.target import Target
from tests.integration.test_core_files import core_limits
from tests.run.terminal import Terminal
from tests.service import wait_for

_SMALL = 64 << 20


class MakeRun(Target):
    """A pipeline of `make run`."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.ports)
        self._terminal = terminal
        self.run_dir = Path(terminal.run_dir)

    def secret(self, name: str) -> str:
        return (self.run_dir / "secrets" / name).read_text(encoding="utf-8").strip()

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, ROOT / "pipeline", *words],
            env={"RUN_DIR": str(self.run_dir), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def traces(self) -> Mapping[str, bytes]:
        seen = {"terminal": self._terminal.raw.encode()}
        for pid, (environ, cmdline) in self._processes().items():
            seen |= {f"environ of {pid}": environ, f"cmdline of {pid}": cmdline}
        for path in self.run_dir.rglob("*"):
            if self.run_dir / "secrets" not in path.parents and path.is_file():
                with suppress(FileNotFoundError):  # a file that the broker has just replaced
                    seen[str(path)] = path.read_bytes()[:_SMALL]
        return seen

    def outbox(self) -> str:
        with self.connect() as client:
            client.subscribe("status/collector/+")
            wait_for(lambda: client.messages, what="a status")
            return client.messages[0][0].rpartition("/")[2]

    def core_limits(self) -> Mapping[str, tuple[int, int]]:
        """Return how large the core files of the processes may be, by command line."""
        found = {}
        for pid, (_, cmdline) in self._processes().items():
            with suppress(ProcessLookupError):
                found[cmdline.decode()] = core_limits(pid)
        return found

    def _processes(self) -> Mapping[int, tuple[bytes, bytes]]:
        """Return environment and command line of each process, by number."""
        mark = f"RUN_DIR={self.run_dir}".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or belongs to another user
                environ = (process / "environ").read_bytes()
                if mark in environ.split(b"\0"):
                    found[int(process.name)] = environ, (process / "cmdline").read_bytes()
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    with Terminal(tmp_path_factory.mktemp("run") / "run") as terminal:
        terminal.wait("Ready in")
        target = MakeRun(terminal)
        target.add_devices()
        yield target


def test_no_other_user_reads_or_locks_what_is_kept(target: MakeRun) -> None:
    kept = [*target.run_dir.glob("outbox.db*"), target.run_dir / "lock"]
    assert len(kept) > 2
    for path in [*kept, *(target.run_dir / name for name in ("broker", "db", "dashboard"))]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_process_leaves_a_core_file(target: MakeRun) -> None:
    found = target.core_limits()
    for program in ("mosquitto", "influxd"):
        assert any(program in command for command in found)
    assert set(found.values()) == {(0, 0)}, found


def test_secrets_are_readable_by_their_owner_alone(target: MakeRun) -> None:
    secrets = target.run_dir / "secrets"
    assert secrets.stat().st_mode & 0o077 == 0
    identities = json.loads((target.run_dir / "accounts" / "identities.json").read_text())
    assert identities
    for path in [*secrets.iterdir(), target.run_dir / "accounts" / "identities.json"]:
        assert path.stat().st_mode & 0o077 == 0, path
